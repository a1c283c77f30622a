"""Binary formats: value = (-1)^sign * 2^(exponent - bias) * 1.fraction, with subnormals below."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyhost.formats import line
from pyhost.formats.base import ScalarFormat
from pyhost.formats.errors import FormatError
from pyhost.formats.rounding import Rounding, overflows

__all__ = ["FINITE_SHAPES", "BinaryFormat", "Style"]

Style = Literal["ieee", "fn", "fnuz", "finite"]

FINITE_SHAPES = ((2, 1), (2, 3), (3, 2))
"""(exponent bits, fraction bits) whose `fn` has no NaN either: the OCP microscaling elements."""

_EXPONENT_LIMIT = 300
"""Every finite value lies between 2^-limit and 2^limit, so that products and sums stay normal binary64 numbers."""


@dataclass(frozen=True)
class BinaryFormat(ScalarFormat):
    """`eXmY` and its variants: 1 sign bit, X exponent bits, Y fraction bits.

    `style` says how codes are spent on specials: `ieee` on infinities and NaNs (exponent all ones), `fn` on NaN alone
    (all ones), `fnuz` on NaN in the place of -0, `finite` on none. Without `subnormals`, codes with exponent 0 are
    read as zero of their sign, and a result that rounds to one of them is written as that zero.
    Sources: IEEE 754-2019; OCP 8-bit Floating Point 1.0 and Microscaling Formats 1.0; arXiv:2206.02915 (fnuz).

    Raises FormatError for exponent_bits outside 2..8, fraction_bits outside 1..23, or a bias that puts values
    outside 2^-300..2^300.
    """

    exponent_bits: int
    fraction_bits: int
    bias: int
    style: Style = "ieee"
    subnormals: bool = True

    def __post_init__(self) -> None:
        if not 2 <= self.exponent_bits <= 8:
            raise FormatError(f"a binary format has 2 to 8 exponent bits, not {self.exponent_bits}")
        if not 1 <= self.fraction_bits <= 23:
            raise FormatError(f"a binary format has 1 to 23 fraction bits, not {self.fraction_bits}")
        if (self.style == "finite") != (self.style in ("fn", "finite") and self._shape in FINITE_SHAPES):
            raise FormatError(f"style {self.style!r} is not defined for e{self.exponent_bits}m{self.fraction_bits}")
        lowest, highest = _EXPONENT_LIMIT + 1 - self.fraction_bits, (1 << self.exponent_bits) - 1 - _EXPONENT_LIMIT
        if not highest <= self.bias <= lowest:
            raise FormatError(
                f"bias {self.bias} puts values of e{self.exponent_bits}m{self.fraction_bits} outside "
                f"2^-{_EXPONENT_LIMIT} to 2^{_EXPONENT_LIMIT}: it may be {highest} to {lowest}"
            )

    @staticmethod
    def default_bias(exponent_bits: int, style: Style) -> int:
        """2^(X-1) - 1, and one more for `fnuz`."""
        return (1 << (exponent_bits - 1)) - (style != "fnuz")

    @property
    def _shape(self) -> tuple[int, int]:
        return self.exponent_bits, self.fraction_bits

    @property
    def name(self) -> str:
        """`eXmY`, then `fn` or `fnuz`, then `bN` for another bias, then `nosub`."""
        style = {"ieee": "", "finite": "fn"}.get(self.style, self.style)
        bias = "" if self.bias == self.default_bias(self.exponent_bits, self.style) else f"b{self.bias}"
        return f"e{self.exponent_bits}m{self.fraction_bits}{style}{bias}{'' if self.subnormals else 'nosub'}"

    @property
    def bits(self) -> int:
        """1 + exponent_bits + fraction_bits."""
        return 1 + self.exponent_bits + self.fraction_bits

    @property
    def precision(self) -> int:
        """fraction_bits + 1."""
        return self.fraction_bits + 1

    @property
    def unit_exponent(self) -> int:
        """1 - bias - fraction_bits: the exponent of the smallest subnormal's unit."""
        return 1 - self.bias - self.fraction_bits

    def unit_above(self, smallest: float) -> int:
        """The unit of the last place in the binade of `smallest`."""
        return max(self.unit_exponent, math.frexp(smallest)[1] - 1 - self.fraction_bits)

    @property
    def _sign(self) -> int:
        return 1 << (self.bits - 1)

    @property
    def largest_code(self) -> int:
        """The code of `max`."""
        match self.style:
            case "ieee":
                return self.inf_code - 1
            case "fn":
                return self._sign - 2
            case _:
                return self._sign - 1

    @property
    def inf_code(self) -> int:
        """The code of +infinity; FormatError where the format has none."""
        if self.style != "ieee":
            raise FormatError(f"{self.name} has no infinity")
        return ((1 << self.exponent_bits) - 1) << self.fraction_bits

    @cached_property
    def max(self) -> float:
        """The largest finite value."""
        return float(self._value(np.array([self.largest_code], dtype=np.uint64))[0])

    @property
    def threshold(self) -> float:
        """Half a step of the largest binade above `max`: the tie between `max` and what overflows."""
        return float(self.max + 2.0 ** (self.unit_above(self.max) - 1))

    @property
    def min_normal(self) -> float:
        """2^(1 - bias)."""
        return float(2.0 ** (1 - self.bias))

    @property
    def min_subnormal(self) -> float:
        """2^(1 - bias - fraction_bits); without subnormals, `min_normal`."""
        return float(2.0**self.unit_exponent) if self.subnormals else self.min_normal

    @property
    def has_inf(self) -> bool:
        """True for `ieee`."""
        return self.style == "ieee"

    @property
    def has_nan(self) -> bool:
        """False for `finite` only."""
        return self.style != "finite"

    @property
    def nan_code(self) -> int:
        """`ieee`: exponent all ones and the top fraction bit; `fn`: all ones, positive; `fnuz`: 100..0; else 0."""
        match self.style:
            case "ieee":
                return self.inf_code | 1 << (self.fraction_bits - 1)
            case "fn":
                return self._sign - 1
            case "fnuz":
                return self._sign
            case "finite":
                return 0

    def _value(self, codes: NDArray[np.uint64]) -> NDArray[np.float64]:
        if (self.exponent_bits, self.bias, self.style, self.subnormals) == (8, 127, "ieee", True):
            return self._value_of_binary32(codes)
        magnitude_code = codes & np.uint64(self._sign - 1)
        exponent = magnitude_code >> np.uint64(self.fraction_bits)
        magnitude = line.value(magnitude_code, self.fraction_bits, self.bias)
        if not self.subnormals:
            magnitude = np.where(exponent == 0, 0.0, magnitude)
        beyond = magnitude_code > self.largest_code
        if self.has_inf:
            magnitude = np.where(beyond, np.where(magnitude_code == self.inf_code, np.inf, np.nan), magnitude)
        else:
            magnitude = np.where(beyond, np.nan, magnitude)
        if self.style == "fnuz":
            magnitude = np.where(codes == self._sign, np.nan, magnitude)
        negative = codes != magnitude_code
        values: NDArray[np.float64] = np.where(negative & ~np.isnan(magnitude), -magnitude, magnitude)
        return values

    def round(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """As `ScalarFormat.round`; binary32 and binary16 as the machine does."""
        machine = {"e8m23": np.float32, "e5m10": np.float16}.get(self.name)
        if machine is None:
            return super().round(x)
        with np.errstate(over="ignore", invalid="ignore"):
            return x.astype(machine).astype(np.float64)

    def _value_of_binary32(self, codes: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Of binary32, or one without its last fraction bits: the machine knows these."""
        patterns = (codes << np.uint64(23 - self.fraction_bits)).astype(np.uint32)
        with np.errstate(invalid="ignore"):
            values: NDArray[np.float64] = patterns.view(np.float32).astype(np.float64)
        return np.where(np.isnan(values), np.nan, values)

    def _encode_compiled(
        self,
        x: NDArray[Any],
        rounding: Rounding,
        saturate: bool,
        random: NDArray[np.uint64] | None = None,
        random_bits: int = 0,
    ) -> NDArray[np.unsignedinteger] | None:
        from pyhost.formats.compiled import encode_binary

        return encode_binary(self, x, rounding, saturate, random, random_bits)

    def _position(self, magnitude: NDArray[np.float64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        return line.position(magnitude, self.fraction_bits, self.bias)

    def _assemble(
        self, places: NDArray[np.uint64], x: NDArray[np.float64], rounding: Rounding, saturate: bool
    ) -> NDArray[np.uint64]:
        negative, infinite, nan = np.signbit(x), np.isinf(x), np.isnan(x)
        largest = np.uint64(self.largest_code)
        beyond = infinite | ((places > largest) & overflows(negative, rounding))
        codes = np.minimum(places, largest)
        if not self.subnormals:
            codes = np.where(codes >> np.uint64(self.fraction_bits) == 0, np.uint64(0), codes)
        if saturate or self.style == "finite":
            codes = np.where(beyond, largest, codes)
        elif self.has_inf:
            codes = np.where(beyond, np.uint64(self.inf_code), codes)
        else:
            nan = nan | beyond
        signed = negative & (codes != 0) if self.style == "fnuz" else negative
        codes = codes | (signed.astype(np.uint64) << np.uint64(self.bits - 1))
        return np.where(nan, np.uint64(self.nan_code), codes)
