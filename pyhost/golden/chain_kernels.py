"""Numba kernels of the chain accumulators: one rounding a step, vectorised over the columns of the product.

Rounding by a magic constant: with P the power of two at the bottom of the sum's binade, not below the smallest
normal number, and G = 1.5 * 2^(w-m) * P (w the lanes' fraction bits, m the accumulator's), (s + G) - G is s rounded to
nearest even to m fraction bits, subnormals included. `pyhost.golden.chain` says when the lanes carry enough bits.
"""

# mypy: disable-error-code="call-arg, var-annotated"

from typing import Any, NamedTuple

import numpy as np

from pyhost.formats.jit import bit_and, bit_or, bits_of, float_of, kernel, shift_right

__all__ = ["BLOCK", "Constants", "Draws", "chain", "chain_stochastic", "chain_to_odd"]

BLOCK = 32
"""Steps between two looks at the accumulators of a row; a block that cannot overflow does without the check."""


class Constants(NamedTuple):
    """An accumulator format, in the lanes' float and integer types."""

    exponent_mask: Any
    magnitude_mask: Any
    sign_mask: Any  # 0 where the format has no -0
    min_normal: Any
    magic: Any  # G = magic * P
    threshold: Any  # sums of at least this magnitude overflow
    beyond: Any  # infinity or NaN
    growth: float  # what a block's roundings can add: as a factor of normal numbers
    slack: float  # ... and to subnormal ones
    largest: Any  # the largest finite value
    dropped_bits: int  # w - m


class Draws(NamedTuple):
    """The words of a stochastic chain (`pyhost.formats.stochastic`)."""

    rows: Any  # uint32 [M]
    columns: Any  # uint32 [N]
    depths: Any  # uint32 [K]
    bits: int


@kernel
def _largest(row, magnitude_mask):  # type: ignore[no-untyped-def]
    """The largest magnitude of a row, NaN above all: compared as integers, which vectorises."""
    largest = bit_and(bits_of(row[0]), magnitude_mask)
    for j in range(row.size):
        bits = bit_and(bits_of(row[j]), magnitude_mask)
        largest = bits if bits > largest else largest
    return np.float64(float_of(largest))


@kernel
def chain(a, b, acc, to):  # type: ignore[no-untyped-def]
    """acc = round(acc + a * b) in place, k ascending, for lanes in which the rounded sum needs no second look.

    a [M,K], b [K,N], acc [M,N] of the lanes' type. |sums| of `threshold` and more become themselves times `beyond`
    (infinity or NaN).
    """
    rows, depth = a.shape
    columns = b.shape[1]
    largest = np.empty(depth)
    for k in range(depth):
        largest[k] = _largest(b[k], to.magnitude_mask)
    for i in range(rows):
        row = acc[i]
        for start in range(0, depth, BLOCK):
            stop = min(start + BLOCK, depth)
            bound = _largest(row, to.magnitude_mask)
            for k in range(start, stop):
                bound += abs(np.float64(a[i, k])) * largest[k]
            if bound * to.growth + to.slack < to.threshold:
                for k in range(start, stop):
                    x = a[i, k]
                    other = b[k]
                    for j in range(columns):
                        s = row[j] + x * other[j]
                        bits = bits_of(s)
                        binade = float_of(bit_and(bits, to.exponent_mask))
                        binade = binade if binade > to.min_normal else to.min_normal
                        g = binade * to.magic
                        row[j] = float_of(bit_or(bits_of((s + g) - g), bit_and(bits, to.sign_mask)))
            else:
                for k in range(start, stop):
                    x = a[i, k]
                    other = b[k]
                    for j in range(columns):
                        s = row[j] + x * other[j]
                        bits = bits_of(s)
                        binade = float_of(bit_and(bits, to.exponent_mask))
                        binade = binade if binade > to.min_normal else to.min_normal
                        g = binade * to.magic
                        rounded = float_of(bit_or(bits_of((s + g) - g), bit_and(bits, to.sign_mask)))
                        row[j] = rounded if float_of(bit_and(bits, to.magnitude_mask)) < to.threshold else s * to.beyond


@kernel
def chain_to_odd(a, b, acc, to):  # type: ignore[no-untyped-def]
    """As `chain`, in binary64 with the sum rounded to odd first, so that the rounding after it is the only one.

    TwoSum gives the sum's error exactly (Knuth); truncation and the sticky last bit follow from its sign.
    """
    rows, depth = a.shape
    columns = b.shape[1]
    for i in range(rows):
        row = acc[i]
        for k in range(depth):
            x = a[i, k]
            other = b[k]
            for j in range(columns):
                addend = row[j]
                product = x * other[j]
                nearest = addend + product
                back = nearest - addend
                error = (addend - (nearest - back)) + (product - back)
                inexact = np.int64(error < 0) | np.int64(error > 0)
                bits = bits_of(nearest)
                overshot = np.int64((bits ^ bits_of(error)) < 0) & inexact
                row[j] = float_of((bits - overshot) | inexact)
            for j in range(columns):
                s = row[j]
                bits = bits_of(s)
                binade = float_of(bits & to.exponent_mask)
                binade = binade if binade > to.min_normal else to.min_normal
                g = binade * to.magic
                rounded = float_of(bits_of((s + g) - g) | (bits & to.sign_mask))
                row[j] = rounded if float_of(bits & to.magnitude_mask) < to.threshold else s * to.beyond


@kernel
def _scramble(x):  # type: ignore[no-untyped-def]
    """`pyhost.formats.stochastic.scramble` of a uint32."""
    x = np.uint32(x ^ (x >> np.uint32(16)))
    x = np.uint32(x + np.uint32(x << np.uint32(9)))
    x = np.uint32(x ^ (x >> np.uint32(14)))
    x = np.uint32(x + np.uint32(x << np.uint32(6)))
    x = np.uint32(x ^ (x >> np.uint32(11)))
    x = np.uint32(x + np.uint32(x << np.uint32(13)))
    return np.uint32(x ^ (x >> np.uint32(15)))


@kernel
def chain_stochastic(a, b, acc, to, draws, inexact):  # type: ignore[no-untyped-def]
    """As `chain`, in binary64, each step rounded up or down by a hash of row, column and k.

    The sum is truncated to 53 bits (`inexact`: from its exact value), which no decision can tell from the sum itself.
    The random integer is added to the bits below the accumulator's last place; subnormal numbers are lifted above
    the smallest normal one first, so that they have the same last place.
    """
    rows, depth = a.shape
    columns = b.shape[1]
    kept = ~((np.int64(1) << to.dropped_bits) - 1)
    any_sign = ~to.magnitude_mask
    zero = -0.0 if to.sign_mask else 0.0  # what, added, leaves -0 or makes it +0
    drawn = np.uint32(~((1 << (32 - draws.bits)) - 1))  # the bits of a word that count
    to_fraction = np.int64(52 - to.dropped_bits)
    elements = np.empty(columns, dtype=np.uint32)
    random = np.empty(columns, dtype=np.uint32)
    for i in range(rows):
        row = acc[i]
        for j in range(columns):
            elements[j] = _scramble(np.uint32(draws.rows[i] + draws.columns[j]))
        for k in range(depth):
            x = a[i, k]
            other = b[k]
            word = draws.depths[k]
            for j in range(columns):
                random[j] = _scramble(np.uint32(elements[j] + word)) & drawn
            for j in range(columns):
                addend = row[j]
                product = x * other[j]
                s = addend + product
                bits = bits_of(s)
                if inexact:
                    back = s - addend
                    error = (addend - (s - back)) + (product - back)
                    wrong = np.int64(error < 0) | np.int64(error > 0)  # not of NaN, whose bits must stay as they are
                    bits = bits - (np.int64((bits ^ bits_of(error)) < 0) & wrong)
                row[j] = float_of(bits)
            for j in range(columns):
                s = row[j]
                bits = bits_of(s)
                magnitude = float_of(bits & to.magnitude_mask)
                lift = to.min_normal if magnitude < to.min_normal else 0.0
                lifted = magnitude + lift
                line = bits_of(lifted) - np.int64(lifted - lift > magnitude)
                below = shift_right(np.int64(random[j]) << 20, to_fraction)
                rounded = float_of((line + below) & kept) - lift
                signed = float_of(bits_of(rounded) | (bits & any_sign)) + zero
                row[j] = signed if rounded <= to.largest else s * to.beyond
