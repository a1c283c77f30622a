"""The exact accumulator as hardware would build it, for operands too wide for BLAS: limbs of 32 bits, compiled."""

# mypy: disallow-untyped-decorators=False

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pyhost.formats import ScalarFormat

__all__ = ["fixed_point"]

_Values = NDArray[np.float64]
_LIMB = 32
_SIGNIFICAND = 30


def fixed_point(
    a: _Values, b: _Values, c: _Values | None, a_format: ScalarFormat, b_format: ScalarFormat, c_format: ScalarFormat
) -> _Values:
    """What `reference.exact` gives for finite operands, for K up to 65,536."""
    unit = a_format.unit_exponent + b_format.unit_exponent
    top = int(np.frexp(a_format.max)[1] + np.frexp(b_format.max)[1]) + 17
    if c is not None:
        unit, top = min(unit, c_format.unit_exponent), max(top, int(np.frexp(c_format.max)[1]) + 1)
    limbs = (top - unit) // _LIMB + 4
    x, y = _parts(a), _parts(b)
    addend = _parts(np.zeros((a.shape[0], b.shape[1])) if c is None else c)
    sums: _Values = _accumulate(*x, *y, *addend, unit, limbs)
    return sums


def _parts(values: _Values) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(s, e) with values = s * 2^e and |s| < 2^30: no format has more significant bits (posit32es0 has these)."""
    significand, exponent = np.frexp(values)
    return np.ldexp(significand, _SIGNIFICAND).astype(np.int64), exponent.astype(np.int64) - _SIGNIFICAND


@njit(cache=True)
def _add(register, significand, place):  # type: ignore[no-untyped-def]
    """register += significand * 2^place; a limb grows by less than 2^33, so 65,537 additions are safe."""
    limb = place >> 5
    shift = place & 31
    low = (significand & 0xFFFFFFFF) << shift
    high = (significand >> 32) << shift
    register[limb] += low & 0xFFFFFFFF
    register[limb + 1] += (low >> 32) + (high & 0xFFFFFFFF)
    register[limb + 2] += high >> 32


@njit(cache=True)
def _round_to_odd(register, unit):  # type: ignore[no-untyped-def]
    """The register's value truncated to 53 bits of magnitude, the last set where anything was lost."""
    for limb in range(register.size - 1):
        register[limb + 1] += register[limb] >> 32
        register[limb] &= 0xFFFFFFFF
    negative = register[-1] < 0
    if negative:
        carry = 1
        for limb in range(register.size):
            register[limb] = (~register[limb] & 0xFFFFFFFF) + carry
            carry = register[limb] >> 32
            register[limb] &= 0xFFFFFFFF
    top = register.size - 1
    while top > 0 and register[top] == 0:
        top -= 1
    leading = 0
    while register[top] >> leading > 0:
        leading += 1
    last = top * 32 + leading - 53  # the place of the last of 53 bits
    kept = np.int64(0)
    sticky = False
    for limb in range(top + 1):
        place = limb * 32 - last
        if place >= 0:
            kept |= register[limb] << place
        elif place > -32:
            kept |= register[limb] >> -place
            sticky |= register[limb] & ((1 << -place) - 1) != 0
        else:
            sticky |= register[limb] != 0
    magnitude = math.ldexp(float(kept | sticky), last + unit)
    return -magnitude if negative else magnitude


@njit(cache=True)
def _accumulate(a, a_exponent, b, b_exponent, c, c_exponent, unit, limbs):  # type: ignore[no-untyped-def]
    rows, depth = a.shape
    columns = b.shape[1]
    sums = np.empty((rows, columns))
    register = np.empty(limbs, dtype=np.int64)
    for i in range(rows):
        for j in range(columns):
            register[:] = 0
            if c[i, j] != 0:
                # Trailing zeros of the 30-bit significand may reach below the unit.
                place = c_exponent[i, j] - unit
                _add(register, c[i, j] >> max(-place, 0), max(place, 0))
            for k in range(depth):
                product = a[i, k] * b[k, j]
                if product != 0:
                    place = a_exponent[i, k] + b_exponent[k, j] - unit
                    _add(register, product >> max(-place, 0), max(place, 0))
            sums[i, j] = _round_to_odd(register, unit)
    return sums
