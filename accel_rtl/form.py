"""The internal form of operands: just wide enough for a list of formats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pyhost.formats import BinaryFormat, P3109Format, PositFormat

__all__ = ["HardwareFormat", "InternalForm"]

HardwareFormat = BinaryFormat | P3109Format | PositFormat
"""The families that the accelerator decodes and rounds to."""


@dataclass(frozen=True)
class InternalForm:
    """(-1)^sign * significand * 2^(exponent - exponent_bias - (precision - 1)), the significand's top bit set.

    Just wide enough for a list of formats, subnormals normalised, and for 1.0; 0 <= exponent <= exponent_max.
    """

    precision: int
    exponent_bias: int
    exponent_max: int

    @classmethod
    def of(cls, formats: Sequence[HardwareFormat]) -> "InternalForm":
        """The form that holds every value of `formats`."""
        least = min(0, *(math.frexp(f.min_subnormal)[1] - 1 for f in formats))
        largest = max(0, *(math.frexp(f.max)[1] - 1 for f in formats))
        return cls(max(f.precision for f in formats), -least, largest - least)

    @property
    def exponent_bits(self) -> int:
        """Width of the exponent."""
        return max(1, self.exponent_max.bit_length())
