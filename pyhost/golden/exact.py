"""The exact accumulator at the speed of BLAS.

Seen as integers times a unit, the entries of A and of B have so many bits, and a sum of K products the sum of both and
ceil(log2 K). While that is no more than 53, every partial sum of a binary64 matrix product is exact, in any order and
with or without fused multiply-adds. Wider operands are cut into slices whose partial products fit, and those are added
without error. The bits are counted in the operands at hand (from their largest and smallest magnitudes), so tensors of
moderate range need one or two products in any format. What is wider than `_WIDEST` goes through a fixed-point register
of integers.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyhost.formats import ScalarFormat
from pyhost.golden.odd import add_to_odd, two_sum

__all__ = ["Plan", "Span", "exact", "plan", "sum_of_specials"]

_Values = NDArray[np.float64]

_BINARY64 = 53
_WIDEST = 98
"""Bits of a sum that a pair of binary64 numbers carries over up to 64 partial products."""


class Span(NamedTuple):
    """All entries are multiples of 2^unit of magnitude at most 2^top."""

    unit: int
    top: int

    @property
    def bits(self) -> int:
        """Bits of the integers, the sign aside."""
        return self.top - self.unit


class Plan(NamedTuple):
    """How many slices A and B are cut into, and the bits of a slice of each, signs aside."""

    a_slices: int
    b_slices: int
    a_bits: int
    b_bits: int


def exact(
    a: _Values, b: _Values, c: _Values | None, a_format: ScalarFormat, b_format: ScalarFormat, c_format: ScalarFormat
) -> _Values:
    """What `reference.exact` gives, bit for bit."""
    special = None
    if not all(np.isfinite(v).all() for v in (a, b, c) if v is not None):
        special = sum_of_specials(a, b, c)
        a, b, c = (None if v is None else np.where(np.isfinite(v), v, 0.0) for v in (a, b, c))  # type: ignore[assignment]
    sums = _finite(a, b, c, a_format, b_format, c_format)
    return sums if special is None else np.where(np.isfinite(special), sums, special)


def sum_of_specials(a: _Values, b: _Values, c: _Values | None) -> _Values:
    """As `reference.sum_of_specials`: with finite values replaced by their sign, sums can be nothing else."""
    with np.errstate(invalid="ignore"):
        signs = [np.where(np.isfinite(v), np.sign(v), v) for v in (a, b)]
        total: _Values = signs[0] @ signs[1]
        return total if c is None else total + np.where(np.isfinite(c), np.sign(c), c)


def plan(a: Span, b: Span, depth: int) -> Plan | None:
    """The fewest products of slices, each exact in binary64 over `depth` terms; None where there is no way."""
    room = _BINARY64 - max(depth - 1, 0).bit_length()
    plans = [
        Plan(i, j, _slice_bits(a.bits, i), _slice_bits(b.bits, j))
        for i in range(1, 9)
        for j in range(1, 9)
        if _slice_bits(a.bits, i) + _slice_bits(b.bits, j) <= room
    ]
    return min(plans, key=lambda p: p.a_slices * p.b_slices, default=None)


def _slice_bits(bits: int, slices: int) -> int:
    """The first slice has this many bits; later ones span one place more, as what is left has both signs."""
    return -((slices - 1 - bits) // slices)


def _finite(
    a: _Values, b: _Values, c: _Values | None, a_format: ScalarFormat, b_format: ScalarFormat, c_format: ScalarFormat
) -> _Values:
    depth = a.shape[1]
    carry = max(depth - 1, 0).bit_length()
    a_span, b_span = (Span(f.unit_exponent, int(np.frexp(f.max)[1])) for f in (a_format, b_format))
    if a_span.bits + b_span.bits + carry > _BINARY64:
        a_span, b_span = _span(a, a_format), _span(b, b_format)
    cut = plan(a_span, b_span, depth)
    bits = a_span.bits + b_span.bits + carry
    if c is not None:
        c_span = _span(c, c_format)
        unit = min(a_span.unit + b_span.unit, c_span.unit)
        bits = max(a_span.top + b_span.top + carry, c_span.top) + 1 - unit
    if cut is None or bits > _WIDEST:
        from pyhost.golden.fixed_point import fixed_point

        return fixed_point(a, b, c, a_format, b_format, c_format)
    terms = [] if c is None else [c]
    b_parts = _slices(b, b_span, cut.b_slices, cut.b_bits)
    for a_part in _slices(a, a_span, cut.a_slices, cut.a_bits):
        terms += [a_part @ b_part for b_part in b_parts]
    return _total(terms, bits)


def _span(values: _Values, number_format: ScalarFormat) -> Span:
    magnitude = np.abs(values)
    largest = float(magnitude.max(initial=0.0))
    if largest == 0.0:
        return Span(0, 0)
    smallest = float(np.where(magnitude == 0.0, largest, magnitude).min())
    return Span(number_format.unit_above(smallest), int(np.frexp(largest)[1]))


def _slices(values: _Values, span: Span, slices: int, bits: int) -> list[_Values]:
    """`values` as a sum of matrices, each of multiples of a unit of its own of magnitude at most 2^bits units."""
    parts: list[_Values] = []
    bottom = span.top + 1  # what is left has magnitudes of at most 2^(bottom - 1)
    for _ in range(slices - 1):
        bottom -= bits + 1
        anchor = np.ldexp(1.5, bottom + _BINARY64 - 1)  # adding it rounds to multiples of 2^bottom
        part = (values + anchor) - anchor
        parts.append(part)
        values = values - part
    return [*parts, values]


def _total(terms: list[_Values], bits: int) -> _Values:
    """The sum of `terms`, multiples of one unit whose sums have at most `bits` bits, rounded to odd; zero is +0."""
    high = terms[0] + 0.0
    if bits <= _BINARY64:
        for term in terms[1:]:
            high += term
        return high
    low = np.zeros_like(high)
    for term in terms[1:]:
        # Each error has at most bits - 53 bits, so their sum is exact.
        high, error = two_sum(high, term)
        low += error
    return add_to_odd(high, low) + 0.0
