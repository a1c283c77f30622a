"""The specification of the matrix product, in integers of unlimited size: slow and plain.

Values are fixed-point: v = integer * 2^unit. A sum of any width is carried to its one rounding by a binary64 that was
rounded *to odd*: truncated to 53 bits, the last bit set where anything was lost. Any further rounding to 51 bits or
fewer then gives what it would give from the exact sum (Boldo and Melquiond, 2008).
"""

import math

import numpy as np
from numpy.typing import NDArray

from pyhost.formats import Rounding, ScalarFormat, Stochastic
from pyhost.formats.stochastic import FIRST_ADDEND

__all__ = ["add", "chain", "exact", "round_to_odd", "rounded", "scaled", "sum_of_specials"]

_Values = NDArray[np.float64]
_FINEST = -300
"""Every finite value of every format is a multiple of 2^_FINEST."""
_SMALLEST_UNIT = -1000
"""Beyond every format, and its products, by far: a smaller unit only has to stay non-zero."""
_LARGEST_UNIT = 900
"""Beyond every format too: a larger unit only has to stay finite."""


def exact(
    a: _Values, b: _Values, c: _Values | None, a_format: ScalarFormat, b_format: ScalarFormat, c_format: ScalarFormat
) -> _Values:
    """C + A B without any rounding, given as a binary64 rounded to odd; a zero sum is +0."""
    unit = a_format.unit_exponent + b_format.unit_exponent
    if c is not None:
        unit = min(unit, c_format.unit_exponent)
    sums = _integers(a, a_format.unit_exponent) @ _integers(b, unit - a_format.unit_exponent)
    if c is not None:
        sums = sums + _integers(c, unit)
    result = _odd(sums, unit)
    special = sum_of_specials(a, b, c)
    return np.where(np.isfinite(special), result, special)


def sum_of_specials(a: _Values, b: _Values, c: _Values | None) -> _Values:
    """What infinities and NaNs make of each sum: an infinity, NaN, or a finite number that says 'neither'.

    Finite values are replaced by their sign, so that the sums of IEEE arithmetic can be nothing else.
    """
    with np.errstate(invalid="ignore"):
        a, b = (np.where(np.isfinite(v), np.sign(v), v) for v in (a, b))
        total = np.zeros((a.shape[0], b.shape[1])) if c is None else np.where(np.isfinite(c), np.sign(c), c)
        for k in range(a.shape[1]):
            total = total + a[:, k, None] * b[None, k, :]
    return total


def chain(
    a: _Values, b: _Values, c: _Values | None, accumulator: ScalarFormat, stochastic: Stochastic | None = None
) -> _Values:
    """The accumulators after acc = round(acc + a * b) over k, ascending, from +0 (and C first)."""
    acc = np.zeros((a.shape[0], b.shape[1]))
    if c is not None:
        acc = rounded(add(acc, c), FIRST_ADDEND, accumulator, stochastic)
    for k in range(a.shape[1]):
        acc = rounded(_add_product(acc, a[:, k, None], b[None, k, :]), k, accumulator, stochastic)
    return acc


def rounded(sums: _Values, k: int, accumulator: ScalarFormat, stochastic: Stochastic | None) -> _Values:
    """The accumulators of step k, given its sums rounded to odd."""
    if stochastic is None:
        return accumulator.decode(accumulator.encode(sums))
    random = stochastic.draw(sums.shape[0], sums.shape[1], k)
    return accumulator.decode(accumulator.encode(sums, Rounding.STOCHASTIC, random=random, random_bits=stochastic.bits))


def add(x: _Values, y: _Values) -> _Values:
    """x + y, rounded to odd; infinities, NaN and the signs of zeros are those of IEEE arithmetic."""
    return _add_product(x, y, np.ones_like(y))


def _add_product(acc: _Values, a: _Values, b: _Values) -> _Values:
    """acc + a * b, rounded to odd."""
    finite = np.isfinite(acc) & np.isfinite(a) & np.isfinite(b)
    x, y, z = (np.where(finite, v, 0.0) for v in (acc, a, b))
    sums = _odd(_integers(x, 2 * _FINEST) + _integers(y, _FINEST) * _integers(z, _FINEST), 2 * _FINEST)
    with np.errstate(invalid="ignore", over="ignore"):
        # IEEE arithmetic on the signs alone: what an exact zero, an infinity or NaN looks like.
        signs = _sign(acc) + _sign(a) * _sign(b)
    return np.where(finite & (sums != 0), sums, signs)


def _sign(x: _Values) -> _Values:
    signs: _Values = np.where(np.isfinite(x) & (x != 0), np.copysign(1.0, x), x)
    return signs


def _integers(values: _Values, unit: int) -> NDArray[np.object_]:
    """Finite values as integers times 2^unit (exactly); infinities and NaN as 0."""
    finite = np.where(np.isfinite(values), values, 0.0)
    integers: NDArray[np.object_] = np.frompyfunc(lambda v: _integer(v, unit), 1, 1)(finite)
    return integers


def _integer(value: float, unit: int) -> int:
    numerator, denominator = value.as_integer_ratio()
    shift = -unit - (denominator.bit_length() - 1)
    return numerator << shift if shift >= 0 else numerator >> -shift


def _odd(integers: NDArray[np.object_], unit: int) -> _Values:
    values: _Values = np.frompyfunc(lambda i: round_to_odd(i, unit), 1, 1)(integers).astype(np.float64)
    return values


def round_to_odd(integer: int, unit: int) -> float:
    """integer * 2^unit in binary64: truncated to 53 bits, the last bit set where anything was lost."""
    magnitude = abs(integer)
    excess = max(magnitude.bit_length() - 53, 0)
    kept = magnitude >> excess
    kept |= kept << excess != magnitude
    value = math.ldexp(kept, min(max(unit + excess, _SMALLEST_UNIT), _LARGEST_UNIT))
    return -value if integer < 0 else value


def scaled(sums: _Values, scale: int) -> _Values:
    """2^scale * sums, exactly as far as any format can tell: neither 0 nor infinity comes from a finite number."""
    if scale == 0:
        return sums
    if abs(scale) <= 300:  # exact: sums lie within 2^-650 and 2^650
        return sums * 2.0**scale
    significand, exponent = np.frexp(sums)
    shift = np.clip(exponent + scale, _SMALLEST_UNIT, _LARGEST_UNIT)
    result: _Values = np.where(np.isfinite(sums), np.ldexp(significand, shift), sums)
    return result
