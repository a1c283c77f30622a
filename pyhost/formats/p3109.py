"""The formats of the IEEE P3109 working group for machine learning, of 8 bits and fewer."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pyhost.formats import line
from pyhost.formats.base import ScalarFormat
from pyhost.formats.errors import FormatError
from pyhost.formats.rounding import Rounding, overflows

__all__ = ["P3109Format"]


@dataclass(frozen=True)
class P3109Format(ScalarFormat):
    """`binaryKpP` and s or u (signed, unsigned), e or f (extended with infinities, finite); without them, `se`.

    K bits, P bits of precision, bias 2^(K-P-1) signed or 2^(K-P) unsigned, subnormals, one NaN, no -0. Signed: NaN is
    100..0, +infinity 011..1, -infinity 11..1; unsigned: NaN is all ones, infinity the code below. A negative value
    that does not round to zero becomes NaN in an unsigned format, or 0 with `saturate`.
    Source: IEEE SA P3109 Interim Report on Binary Floating-point Formats for Machine Learning, version 3.

    Raises FormatError for K outside 3..8, or P outside 1..K-1 (unsigned: 1..K).
    """

    width: int
    significand_bits: int
    signed: bool = True
    extended: bool = True

    def __post_init__(self) -> None:
        if not 3 <= self.width <= 8:
            raise FormatError(f"binary{self.width}: a P3109 format has 3 to 8 bits here")
        most = self.width - self.signed
        if not 1 <= self.significand_bits <= most:
            raise FormatError(f"p{self.significand_bits}: the precision may be 1 to {most}")

    @property
    def name(self) -> str:
        """All four parts, always."""
        suffix = ("s" if self.signed else "u") + ("e" if self.extended else "f")
        return f"binary{self.width}p{self.significand_bits}{suffix}"

    @property
    def bits(self) -> int:
        """K."""
        return self.width

    @property
    def bias(self) -> int:
        """2^(K-P-1), or 2^(K-P) unsigned."""
        return 1 << (self.width - self.significand_bits - self.signed)

    @property
    def precision(self) -> int:
        """P."""
        return self.significand_bits

    @property
    def exponent_bits(self) -> int:
        """K - P, and one more unsigned."""
        return self.width - self.significand_bits + (not self.signed)

    @property
    def fraction_bits(self) -> int:
        """P - 1."""
        return self.significand_bits - 1

    @property
    def unit_exponent(self) -> int:
        """1 - bias - fraction_bits."""
        return 1 - self.bias - self.fraction_bits

    @property
    def largest_code(self) -> int:
        """The code of `max`."""
        return (1 << (self.width - self.signed)) - 1 - self.extended - (not self.signed)

    @cached_property
    def max(self) -> float:
        """The largest finite value."""
        return float(self._table[self.largest_code])

    @property
    def min_normal(self) -> float:
        """2^(1 - bias)."""
        return float(2.0 ** (1 - self.bias))

    @property
    def min_subnormal(self) -> float:
        """2^(1 - bias - fraction_bits)."""
        return float(2.0**self.unit_exponent)

    @property
    def has_inf(self) -> bool:
        """Whether the format is extended."""
        return self.extended

    @property
    def has_nan(self) -> bool:
        """True."""
        return True

    @property
    def nan_code(self) -> int:
        """100..0 signed, 11..1 unsigned."""
        return 1 << (self.width - 1) if self.signed else (1 << self.width) - 1

    def _value(self, codes: NDArray[np.uint64]) -> NDArray[np.float64]:
        magnitude_code = codes & np.uint64((1 << (self.width - self.signed)) - 1)
        magnitude = line.value(magnitude_code, self.fraction_bits, self.bias)
        if self.extended:
            magnitude = np.where(magnitude_code == self.largest_code + 1, np.inf, magnitude)
        values: NDArray[np.float64] = np.where(codes != magnitude_code, -magnitude, magnitude)
        return np.where(codes == self.nan_code, np.nan, values)

    def _position(self, magnitude: NDArray[np.float64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        return line.position(magnitude, self.fraction_bits, self.bias)

    def _assemble(
        self, places: NDArray[np.uint64], x: NDArray[np.float64], rounding: Rounding, saturate: bool
    ) -> NDArray[np.uint64]:
        negative, nan = np.signbit(x), np.isnan(x)
        largest = np.uint64(self.largest_code)
        beyond = np.isinf(x) | ((places > largest) & overflows(negative, rounding))
        codes = np.minimum(places, largest)
        if saturate:
            codes = np.where(beyond, largest, codes)
        elif self.extended:
            codes = np.where(beyond, largest + np.uint64(1), codes)
        else:
            nan = nan | beyond
        if self.signed:
            codes = codes | ((negative & (codes != 0)).astype(np.uint64) << np.uint64(self.width - 1))
        elif saturate:
            codes = np.where(negative, np.uint64(0), codes)
        else:
            nan = nan | (negative & (codes != 0))
        return np.where(nan, np.uint64(self.nan_code), codes)
