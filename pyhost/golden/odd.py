"""Exact sums of binary64 numbers, carried by pairs of them, and at last by one rounded to odd.

`pyhost.golden.exact_kernels` has the same functions compiled, for large arrays. Values are finite (but for `survey` and
`add`), and no sum overflows.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["accumulate", "add", "add_to_odd", "split", "survey", "two_sum"]

_Values = NDArray[np.float64]


def survey(values: _Values) -> tuple[float, float]:
    """The largest magnitude and the smallest that is not zero; (0, 0) of zeros, NaN where a value is not finite."""
    magnitude = np.abs(values)
    largest = float(magnitude.max(initial=0.0))
    if not largest < np.inf:
        return np.nan, np.nan
    return largest, float(np.where(magnitude == 0.0, largest, magnitude).min(initial=largest))


def split(values: _Values, quantum: float) -> tuple[_Values, _Values]:
    """(multiples of the power of two `quantum` nearest to `values`, what is left), exactly.

    Magnitudes are at most 2^50 times the quantum.
    """
    anchor = 1.5 * 2.0**52 * quantum
    part = (values + anchor) - anchor
    return part, values - part


def two_sum(x: _Values, y: _Values) -> tuple[_Values, _Values]:
    """(s, e) with s the nearest binary64 to x + y and s + e = x + y exactly (Knuth)."""
    s = x + y
    back = s - x
    return s, (x - (s - back)) + (y - back)


def accumulate(high: _Values, low: _Values, term: _Values) -> None:
    """high + low += term in place, exactly, while the errors of all terms together fit `low`."""
    high[...], error = two_sum(high, term)
    low += error


def add(x: _Values, y: _Values) -> _Values:
    """What `reference.add` gives, bit for bit."""
    with np.errstate(invalid="ignore"):
        sums = x + y
        plain = ~np.isfinite(sums) | (sums == 0)
        return np.where(plain, sums, add_to_odd(x, y))


def add_to_odd(x: _Values, y: _Values) -> _Values:
    """x + y truncated to binary64, the last bit set where anything was lost (Boldo and Melquiond, 2008)."""
    s, e = two_sum(x, y)
    inexact = e != 0
    overshot = inexact & (np.signbit(s) != np.signbit(e))
    odd: _Values = ((s.view(np.int64) - overshot) | inexact).view(np.float64)
    return odd
