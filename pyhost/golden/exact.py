"""The exact accumulator at the speed of BLAS.

Seen as integers times a unit, the entries of A and of B have so many bits, and a sum of K products the sum of both and
ceil(log2 K). While that is no more than 53, every partial sum of a binary64 matrix product is exact, in any order and
with or without fused multiply-adds. Wider operands are cut into slices whose partial products fit, and those are added
without error: in a pair of binary64 numbers, or in a register of integers. The bits are counted in the operands at hand
(from their largest and smallest magnitudes), so tensors of moderate range need one to three products in any format.
"""

from functools import lru_cache
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyhost.formats import ScalarFormat
from pyhost.formats.compiling import worth_compiling
from pyhost.golden import odd

__all__ = ["Plan", "Span", "exact", "plan", "sum_of_specials"]

_Values = NDArray[np.float64]

_BINARY64 = 53
_PAIR = 98
"""Bits of a sum that a pair of binary64 numbers carries over up to 64 partial products."""
_MOST_SLICES = 8
_PART = 48
"""Bits of a slice of C, on its way into a register."""


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
    a: _Values,
    b: _Values,
    c: _Values | None,
    a_format: ScalarFormat,
    b_format: ScalarFormat,
    c_format: ScalarFormat,
) -> _Values:
    """What `reference.exact` gives, bit for bit."""
    tools = _tools(max(a.size, b.size, a.shape[0] * b.shape[1]))
    spans = _span(a, a_format, tools), _span(b, b_format, tools)
    c_span = None if c is None else _span(c, c_format, tools)
    special = None
    if None in spans or (c is not None and c_span is None):
        special = sum_of_specials(a, b, c)
        a, b = _finite(a), _finite(b)
        spans = _span(a, a_format, tools), _span(b, b_format, tools)
        if c is not None:
            c = _finite(c)
            c_span = _span(c, c_format, tools)
    a_span, b_span = spans
    assert a_span is not None
    assert b_span is not None
    sums = _finite_sums(a, b, c, a_span, b_span, c_span, tools)
    return sums if special is None else np.where(np.isfinite(special), sums, special)


def sum_of_specials(a: _Values, b: _Values, c: _Values | None) -> _Values:
    """As `reference.sum_of_specials`: with finite values replaced by their sign, sums can be nothing else.

    Only sums that a special can reach are formed: those of its row of A, or of its column of B.
    """
    rows, columns = ~np.isfinite(a).all(axis=1), ~np.isfinite(b).all(axis=0)
    total = np.zeros((a.shape[0], b.shape[1]))
    with np.errstate(invalid="ignore"):
        a, b = (np.where(np.isfinite(v), np.sign(v), v) for v in (a, b))
        total[rows] = a[rows] @ b
        total[np.ix_(~rows, columns)] = a[~rows] @ b[:, columns]
        return total if c is None else total + np.where(np.isfinite(c), np.sign(c), c)


@lru_cache(maxsize=1024)
def plan(a: Span, b: Span, depth: int) -> Plan | None:
    """The fewest products of slices, each exact in binary64 over `depth` terms; None where 64 are not enough."""
    room = _BINARY64 - _carry(depth)
    counts = range(1, _MOST_SLICES + 1)
    plans = [Plan(i, j, _slice_bits(a.bits, i), _slice_bits(b.bits, j)) for i in counts for j in counts]
    fitting = [p for p in plans if p.a_bits + p.b_bits <= room]
    return min(fitting, key=lambda p: p.a_slices * p.b_slices, default=None)


def _slice_bits(bits: int, slices: int) -> int:
    """The first slice has this many bits; later ones span one place more, as what is left has both signs."""
    return -((slices - 1 - bits) // slices)


def _carry(depth: int) -> int:
    return max(depth - 1, 0).bit_length()


def _tools(elements: int) -> ModuleType:
    if not worth_compiling(elements):
        return odd
    from pyhost.golden import exact_kernels

    return exact_kernels


def _span(values: _Values, number_format: ScalarFormat, tools: ModuleType) -> Span | None:
    """None where a value is not finite."""
    largest, smallest = tools.survey(_in_rows(values))
    if np.isnan(largest):
        return None
    return Span(number_format.unit_above(smallest), int(np.frexp(largest)[1])) if largest else Span(0, 0)


def _in_rows(values: _Values) -> _Values:
    """A transposed operand the way it lies in memory, for what does not depend on it."""
    return values if values.flags.c_contiguous else np.ascontiguousarray(values.T)


def _finite(values: _Values) -> _Values:
    return np.where(np.isfinite(values), values, 0.0)


def _finite_sums(
    a: _Values, b: _Values, c: _Values | None, a_span: Span, b_span: Span, c_span: Span | None, tools: ModuleType
) -> _Values:
    depth = a.shape[1]
    unit, top = a_span.unit + b_span.unit, a_span.top + b_span.top + _carry(depth)
    if c_span is not None:
        unit, top = min(unit, c_span.unit), max(top, c_span.top) + 1
    cut = plan(a_span, b_span, depth)
    if cut is None:
        from pyhost.golden.register import sum_products

        return sum_products(a, b, c, unit, top)
    a_slices = _slices(a, a_span, cut.a_slices, cut.a_bits, tools)
    b_slices = _slices(b, b_span, cut.b_slices, cut.b_bits, tools)
    terms = ((x @ y, x_unit + y_unit) for x, x_unit in a_slices for y, y_unit in b_slices)
    if top - unit <= _BINARY64:
        sums, _ = next(terms)
        sums += 0.0  # no -0
        return sums if c is None else sums + c
    if top - unit <= _PAIR:
        high, _ = next(terms)
        low = np.zeros_like(high)
        for term, _ in terms:
            tools.accumulate(high, low, term)
        if c is not None:
            tools.accumulate(high, low, np.ascontiguousarray(c))
        odd_sums: _Values = tools.add_to_odd(high, low)
        return odd_sums + 0.0
    from pyhost.golden.register import Register

    register = Register(a.shape[0], b.shape[1], unit, top)
    for term, term_unit in terms:
        register.add(term, term_unit)
    if c is not None and c_span is not None:
        for part, part_unit in _slices(c, c_span, -(-c_span.bits // _PART), _PART, tools):
            register.add(part, part_unit)
    return register.round_to_odd()


def _slices(values: _Values, span: Span, slices: int, bits: int, tools: ModuleType) -> list[tuple[_Values, int]]:
    """Matrices and units that sum to `values`, each of multiples of its 2^unit of magnitude at most 2^bits units."""
    rest = _in_rows(values)
    parts: list[tuple[_Values, int]] = []
    bottom = span.top + 1  # what is left has magnitudes of at most 2^(bottom - 1)
    for _ in range(slices - 1):
        bottom -= bits + 1
        part, rest = tools.split(rest, 2.0**bottom)
        parts.append((part, bottom))
    parts.append((rest, span.unit))
    return parts if values.flags.c_contiguous else [(part.T, unit) for part, unit in parts]
