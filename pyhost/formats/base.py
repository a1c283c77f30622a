"""What a format is: codes, values, and the way between them."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyhost.formats.compiling import worth_compiling
from pyhost.formats.errors import FormatError
from pyhost.formats.rounding import Rounding, checked_random, rounds_up

__all__ = ["Format", "ScalarFormat", "real_numbers"]

_TABLE_BITS = 16
"""Formats up to this width decode by table (512 KiB at most), wider ones by arithmetic."""


def real_numbers(name: str, x: ArrayLike) -> NDArray[Any]:
    """`x` as an array of real numbers; FormatError, which calls the format `name`, where it is none."""
    try:
        numbers = np.asarray(x)
        if numbers.dtype.kind == "O":  # fractions, decimals, large integers
            numbers = numbers.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"{name} takes real numbers in the range of binary64: {error}") from None
    if numbers.dtype.kind not in "buif":
        raise FormatError(f"{name} takes real numbers, not {numbers.dtype}")
    return numbers


class Format(ABC):
    """A way to store numbers: a name, codes of `bits` bits, and the way to values and back."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The canonical name; `parse_format(name)` gives the format back."""

    @property
    @abstractmethod
    def bits(self) -> int:
        """Width of a code."""

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The smallest unsigned NumPy dtype that holds a code."""
        for dtype in (np.uint8, np.uint16, np.uint32):
            if self.bits <= np.dtype(dtype).itemsize * 8:
                return np.dtype(dtype)
        return np.dtype(np.uint64)

    @property
    @abstractmethod
    def max(self) -> float:
        """The largest finite value."""

    @property
    @abstractmethod
    def min_normal(self) -> float:
        """The smallest positive value of full precision (of tapered formats: the smallest positive value)."""

    @property
    @abstractmethod
    def min_subnormal(self) -> float:
        """The smallest positive value."""

    @property
    @abstractmethod
    def has_inf(self) -> bool:
        """Whether there are infinities."""

    @property
    @abstractmethod
    def has_nan(self) -> bool:
        """Whether there is a NaN (a posit's NaR counts as one)."""

    @property
    @abstractmethod
    def nan_code(self) -> int:
        """The code that NaN is encoded to (+0 where there is no NaN)."""

    def _checked(self, codes: ArrayLike) -> NDArray[np.integer]:
        """`codes` as an array; FormatError where they are no integers, or one is not below 2^bits."""
        try:
            codes = np.asarray(codes)
        except ValueError as error:
            raise FormatError(f"codes of {self.name} are an array of integers: {error}") from None
        if codes.dtype.kind not in "ui":
            raise FormatError(f"codes of {self.name} are integers, not {codes.dtype}")
        if codes.dtype.kind == "i" or codes.dtype.itemsize * 8 > self.bits:
            wrong = (codes < 0) | (codes >= 1 << self.bits) if codes.dtype.kind == "i" else codes >> self.bits != 0
            if wrong.any():
                code = int(codes[wrong].flat[0])
                raise FormatError(f"{code:#x} is no code of {self.name}: they are 0x0 to {(1 << self.bits) - 1:#x}")
        return codes

    @abstractmethod
    def decode(self, codes: ArrayLike) -> NDArray[np.float64]:
        """The values of `codes` as float64, exactly."""

    @abstractmethod
    def encode(
        self,
        x: ArrayLike,
        rounding: Rounding | str = Rounding.NEAREST_EVEN,
        saturate: bool = False,
        *,
        random: ArrayLike | None = None,
        random_bits: int = 0,
        exact: bool = False,
    ) -> NDArray[np.unsignedinteger]:
        """The codes of the values `x`, each rounded once."""


class ScalarFormat(Format):
    """A map from codes to values, one by one: dyadic rationals, infinities and NaN.

    Every value fits a binary64, and so does the product of two finite values except for their precision. A family is
    a frozen dataclass that implements `_value`, `_position` and `_assemble`; decoding and encoding of arrays, checks
    and rounding are here, once.
    """

    @property
    @abstractmethod
    def precision(self) -> int:
        """Most significand bits of a value, the leading one included."""

    @property
    @abstractmethod
    def unit_exponent(self) -> int:
        """The largest u such that every finite value is a multiple of 2^u."""

    def unit_above(self, smallest: float) -> int:
        """A u such that every finite value of at least the magnitude `smallest` is a multiple of 2^u."""
        return self.unit_exponent

    @abstractmethod
    def _value(self, codes: NDArray[np.uint64]) -> NDArray[np.float64]:
        """The values of codes that are known to be in range."""

    @abstractmethod
    def _position(self, magnitude: NDArray[np.float64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """`low` and `rest` of finite non-negative magnitudes on the line of codes (see `pyhost.formats.rounding`)."""

    @abstractmethod
    def _assemble(
        self, places: NDArray[np.uint64], x: NDArray[np.float64], rounding: Rounding, saturate: bool
    ) -> NDArray[np.uint64]:
        """Codes from rounded places on the line of codes, given the values they came from: sign, overflow, NaN."""

    def _encode_compiled(
        self,
        x: NDArray[Any],
        rounding: Rounding,
        saturate: bool,
        random: NDArray[np.uint64] | None = None,
        random_bits: int = 0,
    ) -> NDArray[np.unsignedinteger] | None:
        """What `encode` gives, by a compiled twin; None where there is none."""
        return None

    def round(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values that `x` become, to nearest even: decode(encode(x))."""
        return self.decode(self.encode(x))

    @cached_property
    def _table(self) -> NDArray[np.float64]:
        return self._value(np.arange(1 << self.bits, dtype=np.uint64))

    def decode(self, codes: ArrayLike) -> NDArray[np.float64]:
        """The values of `codes` (integers below 2^bits, any shape) as float64, exactly.

        Raises FormatError where a code does not belong to the format.
        """
        codes = self._checked(codes)
        if self.bits <= _TABLE_BITS:
            return np.asarray(self._table[codes])
        return self._value(codes.astype(np.uint64))

    def encode(
        self,
        x: ArrayLike,
        rounding: Rounding | str = Rounding.NEAREST_EVEN,
        saturate: bool = False,
        *,
        random: ArrayLike | None = None,
        random_bits: int = 0,
        exact: bool = False,
    ) -> NDArray[np.unsignedinteger]:
        """The codes of the values `x` (any shape, taken as float64), each rounded once, in `dtype`.

        Beyond the largest finite value comes infinity, or NaN where the format has no infinity, or the largest
        finite value where it has neither; with `saturate` always the largest finite value of that sign, for infinities
        too. `rounding` is a mode or its name. `random` (integers below 2^random_bits, broadcast with x) is for
        `Rounding.STOCHASTIC`. With `exact`, raises FormatError for the first value that the format cannot hold.
        """
        x = real_numbers(self.name, x)
        rounding = Rounding.named(rounding)
        integers = None
        if rounding is Rounding.STOCHASTIC:
            integers = checked_random(random, random_bits)
            try:
                x, integers = np.broadcast_arrays(x, integers)
            except ValueError:
                raise FormatError(f"random of shape {integers.shape} does not fit x of shape {x.shape}") from None
        compiled = None
        if not exact and worth_compiling(x.size):
            compiled = self._encode_compiled(x, rounding, saturate, integers, random_bits)
        if compiled is not None:
            return compiled
        with np.errstate(invalid="ignore"):  # signalling NaNs are as good as any
            x = x.astype(np.float64)
        magnitude = np.where(np.isfinite(x), np.abs(x), 0.0)
        low, rest = self._position(magnitude)
        places = low + rounds_up(low, rest, np.signbit(x), rounding, integers, random_bits)
        codes = self._assemble(places, x, rounding, saturate).astype(self.dtype)
        if exact:
            held = self.decode(codes)
            wrong = ~((held == x) | (np.isnan(held) & np.isnan(x)))
            if wrong.any():
                value = float(x[wrong].flat[0])
                raise FormatError(f"{self.name} does not hold {value!r}: the nearest is {float(held[wrong].flat[0])!r}")
        return codes
