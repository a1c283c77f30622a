"""The exact accumulator as hardware would build it: a register of 32-bit limbs for each sum, compiled.

For what is too wide for a pair of binary64 numbers: products one by one, or whole partial products from BLAS.
"""

# mypy: disable-error-code="call-arg"

import numpy as np
from numpy.typing import NDArray

from pyhost.formats.jit import bits_of, float_of, kernel

__all__ = ["Register", "sum_products"]

_Values = NDArray[np.float64]
_SIGNIFICAND = 30
"""No format has more significant bits (posit32es0 has these)."""


class Register:
    """Sums [M,N] of multiples of 2^unit, of magnitudes below 2^top, without any rounding."""

    def __init__(self, rows: int, columns: int, unit: int, top: int) -> None:
        self._unit = unit
        self._shape = rows, columns
        self._limbs = np.zeros((_limbs(unit, top), rows * columns), dtype=np.int64)

    def add(self, term: _Values, unit: int) -> None:
        """Add a matrix of multiples of 2^unit, of magnitudes up to 2^53 units; 2^30 of them keep the limbs apart."""
        _add_all(self._limbs, np.ascontiguousarray(term).reshape(-1), 2.0**-unit, unit - self._unit)

    def round_to_odd(self) -> _Values:
        """The sums truncated to 53 bits, the last set where anything was lost; zero is +0."""
        sums: _Values = _round_all(self._limbs, self._unit)
        return sums.reshape(self._shape)


def sum_products(a: _Values, b: _Values, c: _Values | None, unit: int, top: int) -> _Values:
    """C + A B, rounded to odd: values of formats, finite; K up to 65,536; `unit` and `top` as for `Register`."""
    x, y = _parts(a), _parts(b)
    addend = _parts(np.zeros((a.shape[0], b.shape[1])) if c is None else c)
    sums: _Values = _sum_products(*x, *y, *addend, unit, _limbs(unit, top))
    return sums


def _limbs(unit: int, top: int) -> int:
    return (top - unit) // 32 + 3


def _parts(values: _Values) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(s, e) with values = s * 2^e and |s| < 2^30."""
    significand, exponent = np.frexp(values)
    return np.ldexp(significand, _SIGNIFICAND).astype(np.int64), exponent.astype(np.int64) - _SIGNIFICAND


@kernel
def _add(limbs, significand, place):  # type: ignore[no-untyped-def]
    """limbs += significand * 2^place, |significand| <= 2^60; trailing zeros may reach below place 0.

    A limb grows by less than 2^33.
    """
    if significand == 0:
        return
    if place < 0:
        significand >>= -place
        place = 0
    limb = place >> 5
    shift = place & 31
    low = (significand & 0xFFFFFFFF) << shift
    high = (significand >> 32) << shift
    limbs[limb] += low & 0xFFFFFFFF
    limbs[limb + 1] += (low >> 32) + (high & 0xFFFFFFFF)
    limbs[limb + 2] += high >> 32


@kernel
def _round(limbs, unit):  # type: ignore[no-untyped-def]
    for limb in range(limbs.size - 1):
        limbs[limb + 1] += limbs[limb] >> 32
        limbs[limb] &= 0xFFFFFFFF
    negative = limbs[-1] < 0
    if negative:
        carry = 1
        for limb in range(limbs.size):
            limbs[limb] = (~limbs[limb] & 0xFFFFFFFF) + carry
            carry = limbs[limb] >> 32
            limbs[limb] &= 0xFFFFFFFF
    top = limbs.size - 1
    while top > 0 and limbs[top] == 0:
        top -= 1
    if limbs[top] == 0:
        return 0.0
    leading = (bits_of(np.float64(limbs[top])) >> 52) - 1022  # bits of the top limb
    last = top * 32 + leading - 53  # the place of the last of 53 bits
    kept = np.int64(0)
    sticky = False
    for limb in range(top + 1):
        place = limb * 32 - last
        if place >= 0:
            kept |= limbs[limb] << place
        elif place > -32:
            kept |= limbs[limb] >> -place
            sticky |= limbs[limb] & ((1 << -place) - 1) != 0
        else:
            sticky |= limbs[limb] != 0
    # The last place is a normal power of two: formats lie far within the range of binary64.
    magnitude = np.float64(kept | sticky) * float_of(np.int64(last + unit + 1023) << 52)
    return -magnitude if negative else magnitude


@kernel
def _add_all(limbs, term, per_unit, place):  # type: ignore[no-untyped-def]
    """`_add` for a whole matrix at one place: limbs [L,M*N], term [M*N]."""
    lost = max(-place, 0)  # bits of the term below the register's unit: zeros
    limb = max(place, 0) >> 5
    shift = max(place, 0) & 31
    first, second, third = limbs[limb], limbs[limb + 1], limbs[limb + 2]
    for i in range(term.size):
        significand = np.int64(term[i] * per_unit) >> lost
        low = (significand & 0xFFFFFFFF) << shift
        high = (significand >> 32) << shift
        first[i] += low & 0xFFFFFFFF
        second[i] += (low >> 32) + (high & 0xFFFFFFFF)
        third[i] += high >> 32


@kernel
def _round_all(limbs, unit):  # type: ignore[no-untyped-def]
    sums = np.empty(limbs.shape[1])
    one = np.empty(limbs.shape[0], dtype=np.int64)
    for i in range(sums.size):
        one[:] = limbs[:, i]
        sums[i] = _round(one, unit)
    return sums


@kernel
def _sum_products(a, a_exponent, b, b_exponent, c, c_exponent, unit, size):  # type: ignore[no-untyped-def]
    rows, depth = a.shape
    columns = b.shape[1]
    sums = np.empty((rows, columns))
    limbs = np.empty(size, dtype=np.int64)
    for i in range(rows):
        for j in range(columns):
            limbs[:] = 0
            _add(limbs, c[i, j], c_exponent[i, j] - unit)
            for k in range(depth):
                _add(limbs, a[i, k] * b[k, j], a_exponent[i, k] + b_exponent[k, j] - unit)
            sums[i, j] = _round(limbs, unit)
    return sums
