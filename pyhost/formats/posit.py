"""Posits: sign, a run of equal bits (the regime), up to es exponent bits, and what is left for the fraction."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhost.formats.base import ScalarFormat
from pyhost.formats.errors import FormatError
from pyhost.formats.rounding import Rounding

__all__ = ["PositFormat"]


@dataclass(frozen=True)
class PositFormat(ScalarFormat):
    """`positN` (es = 2, the 2022 standard) and `positNesE`: value = (-1)^s * 2^(2^es * r + e) * 1.fraction.

    A regime of l ones and a zero is r = l - 1, of l zeros and a one r = -l. Negative codes are two's complements; 0 is
    the only zero, 100..0 is NaR, which NaN and infinities become. Rounding is of the bit string: ties, and every other
    mode, look at the code that an endless posit would continue with, and nothing but 0 rounds to zero or beyond the
    largest value. Source: Standard for Posit Arithmetic (2022), sections 3.5 and 4.1.

    Raises FormatError for N outside 3..32 or es outside 0..3.
    """

    width: int
    es: int = 2

    def __post_init__(self) -> None:
        if not 3 <= self.width <= 32:
            raise FormatError(f"posit{self.width}: a posit has 3 to 32 bits here")
        if not 0 <= self.es <= 3:
            raise FormatError(f"es{self.es}: a posit has 0 to 3 exponent bits here")

    @property
    def name(self) -> str:
        """`positN`, and `esE` where E is not 2."""
        return f"posit{self.width}" + ("" if self.es == 2 else f"es{self.es}")

    @property
    def bits(self) -> int:
        """N."""
        return self.width

    @property
    def precision(self) -> int:
        """N - 2 - es: around 1, where the regime has two bits."""
        return max(self.width - 3 - self.es, 0) + 1

    @property
    def unit_exponent(self) -> int:
        """log2 of the smallest positive value: every value is a multiple of it."""
        return -((self.width - 2) << self.es)

    def unit_above(self, smallest: float) -> int:
        """The unit of the last place around `smallest`, below 1: fractions grow shorter more slowly than values."""
        exponent = min(math.frexp(smallest)[1] - 1, 0)
        regime = exponent >> self.es
        fraction = self.width - 1 - (-regime + 1 if regime < 0 else 2) - self.es
        return max(self.unit_exponent, (regime << self.es) if fraction < 0 else exponent - fraction)

    @property
    def max(self) -> float:
        """2^(2^es * (N - 2))."""
        return float(2.0**-self.unit_exponent)

    @property
    def min_normal(self) -> float:
        """2^-(2^es * (N - 2))."""
        return float(2.0**self.unit_exponent)

    @property
    def min_subnormal(self) -> float:
        """`min_normal`."""
        return self.min_normal

    @property
    def has_inf(self) -> bool:
        """False."""
        return False

    @property
    def has_nan(self) -> bool:
        """True: NaR."""
        return True

    @property
    def nan_code(self) -> int:
        """NaR: 100..0."""
        return 1 << (self.width - 1)

    def _value(self, codes: NDArray[np.uint64]) -> NDArray[np.float64]:
        body_bits, mask = self.width - 1, (1 << (self.width - 1)) - 1
        codes = codes.astype(np.int64)
        negative = codes > mask
        body = np.where(negative, -codes, codes) & mask
        first = body >> (body_bits - 1)
        run = body_bits - np.frexp(np.where(first == 1, ~body & mask, body).astype(np.float64))[1].astype(np.int64)
        left = np.maximum(body_bits - run - 1, 0)
        tail = body & ((np.int64(1) << left) - 1)
        # Exponent bits that do not fit are zero.
        fraction_bits = left - self.es
        tail = np.where(fraction_bits < 0, tail << np.maximum(-fraction_bits, 0), tail)
        fraction_bits = np.maximum(fraction_bits, 0)
        exponent = (np.where(first == 1, run - 1, -run) << self.es) + (tail >> fraction_bits)
        significand = (tail & ((np.int64(1) << fraction_bits) - 1)) + (np.int64(1) << fraction_bits)
        magnitude = np.ldexp(significand.astype(np.float64), (exponent - fraction_bits).astype(np.int32))
        values: NDArray[np.float64] = np.where(negative, -magnitude, magnitude)
        return np.where(body == 0, np.where(negative, np.nan, 0.0), values)

    def _encode_compiled(
        self,
        x: NDArray[Any],
        rounding: Rounding,
        saturate: bool,
        random: NDArray[np.uint64] | None = None,
        random_bits: int = 0,
    ) -> NDArray[np.unsignedinteger] | None:
        from pyhost.formats.compiled import encode_posit

        return encode_posit(self, x, rounding, saturate, random, random_bits)

    def _position(self, magnitude: NDArray[np.float64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        body_bits = self.width - 1
        clipped = magnitude.clip(self.min_subnormal, self.max)
        pattern = clipped.view(np.int64)
        exponent = (pattern >> 52) - 1023
        regime = exponent >> self.es
        # The regime with its end, then the exponent and the fraction as the tail behind it.
        regime_bits = np.where(regime >= 0, regime + 2, 1 - regime)
        ones = np.where(regime >= 0, (np.int64(2) << np.maximum(regime, 0)) - 1 << 1, 1)
        tail = (exponent - (regime << self.es) << 52) | (pattern & ((1 << 52) - 1))
        kept = body_bits - regime_bits  # bits of the tail that fit; -1 for the largest value, which has no end
        dropped = (self.es + 52 - np.maximum(kept, 0)).astype(np.uint64)
        regime_part = np.where(kept >= 0, ones << np.maximum(kept, 0), ones >> 1)
        low = regime_part.astype(np.uint64) | (tail.astype(np.uint64) >> dropped)
        rest = tail.astype(np.uint64) << (np.uint64(64) - dropped)
        zero = magnitude == 0
        return np.where(zero, np.uint64(0), low), np.where(zero, np.uint64(0), rest)

    def _assemble(
        self, places: NDArray[np.uint64], x: NDArray[np.float64], rounding: Rounding, saturate: bool
    ) -> NDArray[np.uint64]:
        nar = np.isnan(x)
        if saturate:
            places = np.where(np.isinf(x), np.uint64(self.nan_code - 1), places)
        else:
            nar = nar | np.isinf(x)
        mask = np.uint64((1 << self.width) - 1)
        codes = np.where(np.signbit(x), ((~places & mask) + np.uint64(1)) & mask, places)
        return np.where(nar, np.uint64(self.nan_code), codes)
