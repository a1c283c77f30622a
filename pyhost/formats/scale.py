"""E8M0: the power-of-two scale of the OCP microscaling formats."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyhost.formats.base import ScalarFormat
from pyhost.formats.rounding import Rounding, overflows

__all__ = ["ScaleFormat"]

_BIAS = 127
_NAN = 255


@dataclass(frozen=True)
class ScaleFormat(ScalarFormat):
    """`e8m0fnu`: value = 2^(code - 127), and NaN for 255; no sign, no zero, no infinity.

    Positive values round along the line of codes: a tie is the middle between two powers of two; below 2^-127 lies
    2^-127. Zero and negative values become NaN, and so does what overflows, unless `saturate` makes it 2^127.
    Source: OCP Microscaling Formats 1.0, section 5.4.1.
    """

    @property
    def name(self) -> str:
        """`e8m0fnu`."""
        return "e8m0fnu"

    @property
    def bits(self) -> int:
        """8."""
        return 8

    @property
    def precision(self) -> int:
        """1."""
        return 1

    @property
    def unit_exponent(self) -> int:
        """-127."""
        return -_BIAS

    @property
    def max(self) -> float:
        """2^127."""
        return float(2.0**_BIAS)

    @property
    def min_normal(self) -> float:
        """2^-127."""
        return float(2.0**-_BIAS)

    @property
    def min_subnormal(self) -> float:
        """2^-127."""
        return self.min_normal

    @property
    def has_inf(self) -> bool:
        """False."""
        return False

    @property
    def has_nan(self) -> bool:
        """True."""
        return True

    @property
    def nan_code(self) -> int:
        """255."""
        return _NAN

    def _value(self, codes: NDArray[np.uint64]) -> NDArray[np.float64]:
        powers: NDArray[np.float64] = np.ldexp(1.0, codes.astype(np.int32) - _BIAS)
        return np.where(codes == _NAN, np.nan, powers)

    def _position(self, magnitude: NDArray[np.float64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        pattern = magnitude.clip(self.min_subnormal, None).view(np.uint64)
        return (pattern >> np.uint64(52)) - np.uint64(1023 - _BIAS), pattern << np.uint64(12)

    def _assemble(
        self, places: NDArray[np.uint64], x: NDArray[np.float64], rounding: Rounding, saturate: bool
    ) -> NDArray[np.uint64]:
        nan = ~(x > 0)
        beyond = np.isinf(x) | ((places >= _NAN) & overflows(np.signbit(x), rounding))
        codes = np.where(beyond, np.uint64(_NAN - 1 if saturate else _NAN), np.minimum(places, np.uint64(_NAN - 1)))
        return np.where(nan, np.uint64(_NAN), codes)
