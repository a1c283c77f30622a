"""What an accelerator is generated for, and every width that follows from it."""

import json
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

from accel_rtl.form import HardwareFormat, InternalForm
from pyhost.errors import FloatsocError
from pyhost.formats import BinaryFormat, PositFormat, parse_format

__all__ = ["AcceleratorConfig", "AcceleratorConfigError", "element_bytes"]

EXACT = "exact"
ARRAY_LIMIT = 32
FORMAT_LIMIT = 16
DEPTH_LIMITS = (32, 8192)
PORT_BITS = (64, 128)
ROUNDERS_LIMIT = 8
LIMB_BITS = 32
POSIT_LIMIT = 16
GUARD_BITS = 16
"""A sum of 2^16 products grows by 16 bits; K is at most 65,535, and C is one product more."""
REGISTER_LIMIT = 256
"""Bits of an exact accumulator beyond which nobody would build one."""


class AcceleratorConfigError(FloatsocError):
    """An accelerator that cannot be generated as asked."""


def element_bytes(number_format: HardwareFormat) -> int:
    """Bytes of an element in memory: the smallest power of two that holds the format's bits."""
    return int(number_format.dtype.itemsize)


@dataclass(frozen=True, kw_only=True)
class AcceleratorConfig:
    """An array of `rows` x `columns` processing elements and the formats it knows.

    rows, columns: 1 to 32. operand_formats: of A, B and C; result_formats: further ones that only D may have.
    A job's format fields are indices into `formats`. accumulator: "exact", or the name of the format of a chain.
    depth: steps along k that a scratchpad holds; a power of two from 32 to 8192. port_bits: width of the memory port,
    64 or 128. stochastic: whether the write-back may round stochastically; stochastic_chain: whether the steps of a
    chain may. Names of formats are made canonical. Raises AcceleratorConfigError, or FormatError for a name that is no
    format.
    """

    rows: int
    columns: int
    operand_formats: tuple[str, ...]
    result_formats: tuple[str, ...] = ()
    accumulator: str = EXACT
    depth: int = 2048
    port_bits: int = 128
    stochastic: bool = True
    stochastic_chain: bool = False

    def __post_init__(self) -> None:
        for side in ("rows", "columns"):
            size = getattr(self, side)
            if not isinstance(size, int) or not 1 <= size <= ARRAY_LIMIT:
                raise AcceleratorConfigError(f"{side} of the array is {size!r}; it may be 1 to {ARRAY_LIMIT}")
        low, high = DEPTH_LIMITS
        if not isinstance(self.depth, int) or not low <= self.depth <= high or self.depth & (self.depth - 1):
            raise AcceleratorConfigError(f"depth is {self.depth!r}; it may be a power of two from {low} to {high}")
        if self.port_bits not in PORT_BITS:
            raise AcceleratorConfigError(f"port_bits is {self.port_bits!r}; it may be 64 or 128")
        for names in ("operand_formats", "result_formats"):
            canonical = (_known(name).name for name in getattr(self, names))
            object.__setattr__(self, names, tuple(dict.fromkeys(canonical)))
        if not self.operand_formats:
            raise AcceleratorConfigError("operand_formats is empty; name at least one format, such as e4m3fn")
        if len(self.formats) > FORMAT_LIMIT:
            raise AcceleratorConfigError(f"{len(self.formats)} formats are too many; at most {FORMAT_LIMIT}")
        if self.exact and self.stochastic_chain:
            raise AcceleratorConfigError(
                "stochastic_chain is set, but an exact accumulator rounds no step; use a chain such as e8m23"
            )
        if not self.exact:
            object.__setattr__(self, "accumulator", self.chain_format.name)
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
    def operands(self) -> tuple[HardwareFormat, ...]:
        """Formats that A, B and C may have."""
        return tuple(map(_known, self.operand_formats))

    @cached_property
    def formats(self) -> tuple[HardwareFormat, ...]:
        """Formats that D may have: the operands' first, so that an index means the same everywhere."""
        return tuple(map(_known, dict.fromkeys(self.operand_formats + self.result_formats)))

    @cached_property
    def chain_format(self) -> BinaryFormat:
        """Format of a chain's accumulators."""
        number_format = _known(self.accumulator)
        if not isinstance(number_format, BinaryFormat):
            raise AcceleratorConfigError(f"{self.accumulator!r}: a chain has a binary format, such as e8m23")
        return number_format

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

    @property
    def element_bits(self) -> int:
        """Bits of the widest element of any matrix: those of a slot of a memory word."""
        return max(f.bits for f in self.formats)

    @property
    def port_bytes(self) -> int:
        """Bytes of a word of the memory port."""
        return self.port_bits // 8

    @property
    def slots(self) -> int:
        """Elements of a word of the memory port, at most."""
        return self.port_bytes // min(element_bytes(f) for f in self.formats)

    @property
    def rounders(self) -> int:
        """Elements written back in a cycle: the largest divisor of `columns` up to half of them, at most eight.

        And no more than a memory word holds of the widest.
        """
        widest = max(element_bytes(f) for f in self.formats)
        most = min(ROUNDERS_LIMIT, max(1, self.columns // 2), self.port_bytes // widest)
        return max(count for count in range(1, most + 1) if self.columns % count == 0)

    def panel_tiles(self, side: int) -> int:
        """Tiles of `side` (rows or columns) that a panel of A or B is wide: as many as a memory word feeds."""
        return -(-(self.port_bytes // self.element_sizes[0]) // side)

    def banks(self, side: int) -> int:
        """Banks of a scratchpad: no two elements of a memory word, or of a step, share one."""
        return 1 << (max(side * self.panel_tiles(side), self.slots) - 1).bit_length()

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


def _known(name: str) -> HardwareFormat:
    number_format = parse_format(name)
    wide_posit = isinstance(number_format, PositFormat) and number_format.bits > POSIT_LIMIT
    if not isinstance(number_format, HardwareFormat) or wide_posit:
        raise AcceleratorConfigError(
            f"{name!r}: the accelerator knows binary formats such as e4m3fn, P3109's such as binary8p4se, and posits "
            f"of up to {POSIT_LIMIT} bits such as posit8"
        )
    return number_format
