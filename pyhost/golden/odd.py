"""Exact sums of binary64 numbers, carried by a binary64 rounded to odd (Boldo and Melquiond, 2008)."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["add_to_odd", "two_sum"]

_Values = NDArray[np.float64]


def two_sum(x: _Values, y: _Values) -> tuple[_Values, _Values]:
    """(s, e) with s the nearest binary64 to x + y and s + e = x + y exactly (Knuth); finite values, no overflow."""
    s = x + y
    back = s - x
    return s, (x - (s - back)) + (y - back)


def add_to_odd(x: _Values, y: _Values) -> _Values:
    """x + y truncated to binary64, the last bit set where anything was lost; finite values, no overflow."""
    s, e = two_sum(x, y)
    inexact = e != 0
    overshot = inexact & (np.signbit(s) != np.signbit(e))
    odd: _Values = ((s.view(np.int64) - overshot) | inexact).view(np.float64)
    return odd
