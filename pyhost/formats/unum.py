"""Unums of type I: floats that say how many exponent and fraction bits they have, and whether they are exact."""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyhost.formats.base import Format, real_numbers
from pyhost.formats.errors import FormatError
from pyhost.formats.rounding import Rounding

__all__ = ["UnumFormat"]

_Values = NDArray[np.float64]
_Codes = NDArray[np.uint64]


@dataclass(frozen=True)
class UnumFormat(Format):
    """`unumAxB`: a code stands for a value or, with the ubit set, for the open interval to the next one outward.

    From the least significant bit: fsize - 1 in B bits, esize - 1 in A bits, the ubit, the fraction in fsize bits, the
    exponent in esize bits, the sign; bits above are zero. bias = 2^(esize-1) - 1, with subnormals. With the largest
    sizes and all ones, exponent and fraction are infinity, or NaN with the ubit. The last value of each size has
    infinity as its neighbour. A format to store results in: products of unums are not defined here.
    Source: Gustafson, The End of Error, 2015, chapters 3 and 4.

    Raises FormatError for A outside 0..3 or B outside 0..4.
    """

    esizesize: int
    fsizesize: int

    def __post_init__(self) -> None:
        if not 0 <= self.esizesize <= 3:
            raise FormatError(f"{self.esizesize}x: the size of the exponent's size may be 0 to 3")
        if not 0 <= self.fsizesize <= 4:
            raise FormatError(f"x{self.fsizesize}: the size of the fraction's size may be 0 to 4")

    @property
    def name(self) -> str:
        """`unumAxB`."""
        return f"unum{self.esizesize}x{self.fsizesize}"

    @property
    def bits(self) -> int:
        """Of the longest code: 2 + A + B + 2^A + 2^B."""
        return 2 + self.esizesize + self.fsizesize + self._esize_limit + self._fsize_limit

    @property
    def _esize_limit(self) -> int:
        return 1 << self.esizesize

    @property
    def _fsize_limit(self) -> int:
        return 1 << self.fsizesize

    @property
    def _tag_bits(self) -> int:
        return self.esizesize + self.fsizesize + 1

    @cached_property
    def max(self) -> float:
        """The largest finite value: one step of the largest sizes below the place of infinity."""
        return float(self._last(self._esize_limit, self._fsize_limit))

    @property
    def min_normal(self) -> float:
        """2^(1 - bias) of the largest exponent size."""
        return float(2.0 ** (2 - (1 << (self._esize_limit - 1))))

    @property
    def min_subnormal(self) -> float:
        """The smallest positive value of the largest sizes."""
        return self.min_normal * 2.0**-self._fsize_limit

    @property
    def has_inf(self) -> bool:
        """True."""
        return True

    @property
    def has_nan(self) -> bool:
        """True."""
        return True

    @property
    def nan_code(self) -> int:
        """All ones but the sign."""
        return (1 << (self.bits - 1)) - 1

    @property
    def inf_code(self) -> int:
        """`nan_code` without the ubit."""
        return self.nan_code - (1 << (self._tag_bits - 1))

    def decode(self, codes: ArrayLike) -> _Values:
        """Bounds [..., 2] of codes [...]: equal where the code is a value, else those of an open interval.

        The first bound is the lower one. FormatError for codes out of range, or with bits set above their sign.
        """
        code = self._checked(codes).astype(np.uint64)
        fsize = code % np.uint64(self._fsize_limit) + np.uint64(1)
        esize = (code >> np.uint64(self.fsizesize)) % np.uint64(self._esize_limit) + np.uint64(1)
        inexact = code >> np.uint64(self._tag_bits - 1) & np.uint64(1) == 1
        body = code >> np.uint64(self._tag_bits)
        sign = body >> (fsize + esize)
        if (sign > 1).any():
            wrong = int(code[sign > 1].flat[0])
            raise FormatError(f"{wrong:#x} is no code of {self.name}: bits are set above its sign")
        fraction = (body & ((np.uint64(1) << fsize) - np.uint64(1))).astype(np.int64)
        exponent = (body >> fsize & ((np.uint64(1) << esize) - np.uint64(1))).astype(np.int64)
        fsize, esize = fsize.astype(np.int64), esize.astype(np.int64)
        bias = (np.int64(1) << (esize - 1)) - 1
        unit = np.maximum(exponent, 1) - bias - fsize
        significand = fraction + (np.minimum(exponent, 1) << fsize)
        near = np.ldexp(significand.astype(np.float64), unit.astype(np.int32))
        far = np.where(inexact, np.ldexp((significand + 1).astype(np.float64), unit.astype(np.int32)), near)
        largest = (esize == self._esize_limit) & (fsize == self._fsize_limit)
        ones = (exponent == (np.int64(1) << esize) - 1) & (fraction >= (np.int64(1) << fsize) - 1 - largest)
        far = np.where(ones & inexact, np.inf, far)
        special = largest & ones & (fraction == (np.int64(1) << fsize) - 1)
        near, far = (np.where(special, np.where(inexact, np.nan, np.inf), v) for v in (near, far))
        bounds = np.stack([near, far], axis=-1)
        return np.where((sign == 1)[..., None], -bounds[..., ::-1], bounds)

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
        """The shortest code of each value, or of the narrowest open interval around it where it is no value.

        Rounding is outward: other modes than the default are FormatErrors. With `saturate`, what lies beyond `max`
        becomes `max`. `exact` is as in `ScalarFormat.encode`.
        """
        if (mode := Rounding.named(rounding)) is not Rounding.NEAREST_EVEN:
            raise FormatError(f"{self.name} rounds outward: rounding {mode.value!r} has no meaning for it")
        x = real_numbers(self.name, x).astype(np.float64)
        if saturate:
            x = np.where(np.isnan(x), x, x.clip(-self.max, self.max))
        codes = self.enclose(x, x)
        if exact:
            wrong = codes >> np.uint64(self._tag_bits - 1) & np.uint64(1) & ~np.isnan(x)
            if wrong.any():
                where = wrong.astype(bool)
                lower, upper = self.decode(codes)[where].reshape(-1, 2)[0].tolist()
                value = float(x[where].flat[0])
                raise FormatError(f"{self.name} does not hold {value!r}: it lies in ({lower!r}, {upper!r})")
        return codes.astype(self.dtype)

    def enclose(self, lower: ArrayLike, upper: ArrayLike) -> NDArray[np.unsignedinteger]:
        """The code of the narrowest value or open interval that holds each open interval (lower, upper).

        Equal bounds are a value. FormatError for an interval with zero inside, which takes a pair of unums.
        """
        bounds = [real_numbers(self.name, v).astype(np.float64) for v in (lower, upper)]
        try:
            low, high = np.broadcast_arrays(*bounds)
        except ValueError:
            shapes = " and ".join(str(v.shape) for v in bounds)
            raise FormatError(f"lower and upper bounds of shapes {shapes} do not fit each other") from None
        if (low > high).any():
            raise FormatError(f"a lower bound is above its upper one: {float(low[low > high].flat[0])!r}")
        around = (low < 0) & (high > 0)
        if around.any():
            a, b = float(low[around].flat[0]), float(high[around].flat[0])
            raise FormatError(f"no single {self.name} holds ({a!r}, {b!r}): zero is inside")
        negative = np.signbit(low) & (high <= 0)
        near, far = np.where(negative, -high, low), np.where(negative, -low, high)
        special = np.isinf(near) | np.isnan(near) | np.isnan(far)
        near = np.where(special, 0.0, np.abs(near))
        best = self._candidate(near, far, negative, self._esize_limit, self._fsize_limit)
        for esize, fsize in product(range(1, self._esize_limit + 1), range(1, self._fsize_limit + 1)):
            best = _narrower(best, self._candidate(near, far, negative, esize, fsize))
        sign = negative.astype(np.uint64) << np.uint64(self.bits - 1)
        infinite = np.isinf(low) & (low == high)
        codes = np.where(infinite, sign | np.uint64(self.inf_code), np.uint64(self.nan_code))
        return np.where(special, codes, best.code).astype(self.dtype)

    def _last(self, esize: int, fsize: int) -> float:
        """The largest value of these sizes: all ones, or one less where that is infinity."""
        significand = (2 << fsize) - 1 - ((esize, fsize) == (self._esize_limit, self._fsize_limit))
        return float(np.ldexp(float(significand), (1 << (esize - 1)) - fsize))

    def _candidate(
        self, near: _Values, far: _Values, negative: NDArray[np.bool_], esize: int, fsize: int
    ) -> "_Candidate":
        """What these sizes offer for (near, far), both positive magnitudes."""
        smallest = 2 - (1 << (esize - 1))  # 1 - bias
        last = self._last(esize, fsize)
        exponent = np.where(near == 0, smallest, np.frexp(np.minimum(near, last))[1].astype(np.int64) - 1)
        exponent = np.maximum(exponent, smallest)
        unit = (exponent - fsize).astype(np.int32)
        significand = np.floor(np.ldexp(np.minimum(near, last), -unit)).astype(np.int64)
        start = np.ldexp(significand.astype(np.float64), unit)
        exact = (start == near) & (near == far)
        end = np.where(exact, start, np.where(start == last, np.inf, start + np.ldexp(1.0, unit)))
        body = significand + (exponent - smallest << fsize) + (negative.astype(np.int64) << (esize + fsize))
        tag = (1 - exact.astype(np.int64) << (self._tag_bits - 1)) | (esize - 1) << self.fsizesize | fsize - 1
        code = (body << self._tag_bits | tag).astype(np.uint64)
        return _Candidate(code, np.where(far <= end, start, -1.0), end, np.full(near.shape, esize + fsize))


class _Candidate(NamedTuple):
    code: _Codes
    start: _Values  # -1 where the interval does not hold what is asked for
    end: _Values
    size: NDArray[np.int64]


def _narrower(a: _Candidate, b: _Candidate) -> _Candidate:
    """Of two intervals around the same, the narrower one; of equal ones, the shorter code."""
    same_start, same_end = a.start == b.start, a.end == b.end
    take = (b.start > a.start) | same_start & (b.end < a.end) | same_start & same_end & (b.size < a.size)
    return _Candidate(*(np.where(take, y, x) for x, y in zip(a, b, strict=True)))
