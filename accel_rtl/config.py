"""What an accelerator is generated for, and every width that follows from it."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

from accel_rtl.port import DATA_BYTES
from pyhost.errors import FloatsocError
from pyhost.formats import BinaryFormat, parse_format

__all__ = ["AcceleratorConfig", "AcceleratorConfigError", "InternalForm", "element_bytes"]

EXACT = "exact"
ARRAY_LIMIT = 32
FORMAT_LIMIT = 16
CHUNK_LIMITS = (16, 4096)
LIMB_BITS = 32
GUARD_BITS = 16
"""A sum of 2^16 products grows by 16 bits; K is at most 65,535, and C is one product more."""
REGISTER_LIMIT = 256
"""Bits of an exact accumulator beyond which nobody would build one."""


class AcceleratorConfigError(FloatsocError):
    """An accelerator that cannot be generated as asked."""


def element_bytes(number_format: BinaryFormat) -> int:
    """Bytes of an element in memory: the smallest power of two that holds the format's bits."""
    return int(number_format.dtype.itemsize)


@dataclass(frozen=True)
class InternalForm:
    """(-1)^sign * significand * 2^(exponent - exponent_bias - (precision - 1)), the significand's top bit set.

    Just wide enough for a list of formats, subnormals normalised, and for 1.0; 0 <= exponent <= exponent_max.
    """

    precision: int
    exponent_bias: int
    exponent_max: int

    @classmethod
    def of(cls, formats: Sequence[BinaryFormat]) -> "InternalForm":
        """The form that holds every value of `formats`."""
        least = min(0, *(math.frexp(f.min_subnormal)[1] - 1 for f in formats))
        largest = max(0, *(math.frexp(f.max)[1] - 1 for f in formats))
        return cls(max(f.precision for f in formats), -least, largest - least)

    @property
    def exponent_bits(self) -> int:
        """Width of the exponent."""
        return max(1, self.exponent_max.bit_length())


@dataclass(frozen=True, kw_only=True)
class AcceleratorConfig:
    """An array of `rows` x `columns` processing elements and the formats it knows.

    rows, columns: 1 to 32. operand_formats: of A, B and C; result_formats: further ones that only D may have.
    A register's format field is an index into `formats`. accumulator: "exact", or the name of the format of a chain.
    chunk: steps along k that half of a scratchpad holds; a power of two from 16 to 4096. Names of formats are
    made canonical. Raises AcceleratorConfigError, or FormatError for a name that is no format.
    """

    rows: int
    columns: int
    operand_formats: tuple[str, ...]
    result_formats: tuple[str, ...] = ()
    accumulator: str = EXACT
    chunk: int = 256

    def __post_init__(self) -> None:
        for side in ("rows", "columns"):
            size = getattr(self, side)
            if not isinstance(size, int) or not 1 <= size <= ARRAY_LIMIT:
                raise AcceleratorConfigError(f"{side} of the array is {size!r}; it may be 1 to {ARRAY_LIMIT}")
        low, high = CHUNK_LIMITS
        if not isinstance(self.chunk, int) or not low <= self.chunk <= high or self.chunk & (self.chunk - 1):
            raise AcceleratorConfigError(f"chunk is {self.chunk!r}; it may be a power of two from {low} to {high}")
        for names in ("operand_formats", "result_formats"):
            canonical = (_binary(name).name for name in getattr(self, names))
            object.__setattr__(self, names, tuple(dict.fromkeys(canonical)))
        if not self.operand_formats:
            raise AcceleratorConfigError("operand_formats is empty; name at least one format, such as e4m3fn")
        if len(self.formats) > FORMAT_LIMIT:
            raise AcceleratorConfigError(f"{len(self.formats)} formats are too many; at most {FORMAT_LIMIT}")
        if not self.exact:
            object.__setattr__(self, "accumulator", _binary(self.accumulator).name)
        elif self.register_bits > REGISTER_LIMIT:
            raise AcceleratorConfigError(
                f"an exact accumulator of {', '.join(self.operand_formats)} needs {self.register_bits} bits, at most "
                f"{REGISTER_LIMIT} are built; use fewer exponent bits or a chain such as accumulator = 'e8m23'"
            )

    @classmethod
    def from_json(cls, text: str) -> "AcceleratorConfig":
        """The configuration written by `to_json`; absent fields have their defaults."""
        try:
            values: dict[str, Any] = json.loads(text)
        except json.JSONDecodeError as error:
            raise AcceleratorConfigError(f"the accelerator's configuration is not JSON: {error}") from None
        known = [field.name for field in fields(cls)]
        if not isinstance(values, dict) or (unknown := sorted(set(values) - set(known))):
            what = f"unknown field {unknown[0]!r}" if isinstance(values, dict) else "not an object"
            raise AcceleratorConfigError(f"the accelerator's configuration: {what}; known: {', '.join(known)}")
        if missing := {"rows", "columns", "operand_formats"} - set(values):
            raise AcceleratorConfigError(f"the accelerator's configuration lacks {', '.join(sorted(missing))}")
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

    def to_json(self) -> str:
        """All fields as a JSON object."""
        return json.dumps(asdict(self))

    @property
    def exact(self) -> bool:
        """True: fixed-point accumulators; False: a chain in `chain_format`."""
        return self.accumulator == EXACT

    @cached_property
    def operands(self) -> tuple[BinaryFormat, ...]:
        """Formats that A, B and C may have."""
        return tuple(map(_binary, self.operand_formats))

    @cached_property
    def formats(self) -> tuple[BinaryFormat, ...]:
        """Formats that D may have: the operands' first, so that an index means the same everywhere."""
        return tuple(map(_binary, dict.fromkeys(self.operand_formats + self.result_formats)))

    @cached_property
    def chain_format(self) -> BinaryFormat:
        """Format of a chain's accumulators."""
        return _binary(self.accumulator)

    @cached_property
    def form(self) -> "InternalForm":
        """What every operand decodes to."""
        return InternalForm.of(self.operands)

    @property
    def operand_bits(self) -> int:
        """Bits of a code in a scratchpad: those of the widest operand format."""
        return max(f.bits for f in self.operands)

    @property
    def operand_index_bits(self) -> int:
        """Bits of an index into `operands`."""
        return max(1, (len(self.operands) - 1).bit_length())

    @property
    def element_sizes(self) -> tuple[int, ...]:
        """Bytes of an operand's element that occur, ascending."""
        return tuple(sorted({element_bytes(f) for f in self.operands}))

    def banks(self, lanes: int) -> int:
        """Banks of a scratchpad of `lanes` lanes: no two elements of a beat, or of a step, share one."""
        return 1 << (max(lanes, DATA_BYTES // self.element_sizes[0]) - 1).bit_length()

    # The exact accumulator: a two's complement integer times 2^accumulator_unit, in limbs.

    @property
    def accumulator_unit(self) -> int:
        """Exponent of an exact accumulator's least bit: that of the product of the two least operands' last bits."""
        return -2 * self.form.exponent_bias - 2 * (self.form.precision - 1)

    @property
    def register_bits(self) -> int:
        """Bits of an exact accumulator: products, 16 guard bits, the sign."""
        return 2 * self.form.exponent_max + 2 * self.form.precision + GUARD_BITS + 1

    @property
    def limbs(self) -> int:
        """32-bit limbs of an exact accumulator, at least two."""
        return max(2, -(-self.register_bits // LIMB_BITS))


def _binary(name: str) -> BinaryFormat:
    number_format = parse_format(name)
    if not isinstance(number_format, BinaryFormat):
        raise AcceleratorConfigError(f"{name!r}: the accelerator knows binary formats only, such as e4m3fn")
    return number_format
