"""Chain accumulators, fast: which arithmetic carries a step without a second rounding, and the call of its kernel.

A step is acc = round_q(acc + a * b). Let p be the significand bits of the product (those of A plus those of B), q
the accumulator's, w those of the lanes (24 or 53). The lanes' own rounding of acc + a * b, followed by rounding
to q bits, is the one rounding that is asked for when

- p + q < w: the product is exact, and where acc is the larger (it lies on the accumulator's grid), a sum that the lanes
  cannot hold has a product of less than a quarter of the grid's step: too small to come near a tie; and
- p <= q and 2 q < w: where the product is the larger, it lies on the grid, and the same holds of acc;
  or, instead of that, threshold / unit <= 2^w: what does not overflow has no more than w bits.

Stochastic rounding has no such luck: there the sum itself must fit 53 bits, or be truncated from its exact value.

Otherwise, with p <= 53 and q <= 51, the sum in binary64 is rounded to odd, which is always right. What even that does
not cover (products of more than 53 bits, accumulators that are no plain binary format) goes step by step in NumPy or
to the reference.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhost.formats import BinaryFormat, ScalarFormat, Stochastic
from pyhost.formats.compiling import worth_compiling
from pyhost.formats.stochastic import FIRST_ADDEND
from pyhost.golden import reference
from pyhost.golden.odd import add

__all__ = ["chain", "lanes"]

_Values = NDArray[np.float64]

_STEPS_AN_ELEMENT = 8
"""Steps of a chain that take as long in a kernel as what `worth_compiling` calls an element."""


def lanes(a_format: ScalarFormat, b_format: ScalarFormat, accumulator: ScalarFormat, stochastic: bool = False) -> str:
    """How a chain is computed.

    'float32' or 'float64' (rounded twice, harmlessly; for stochastic rounding: no more than 53 bits in any sum), 'odd',
    'stepwise' or 'reference'.
    """
    p = a_format.precision + b_format.precision
    if p > 53:
        return "reference"
    if not isinstance(accumulator, BinaryFormat) or accumulator.style == "finite" or not accumulator.subnormals:
        return "stepwise"
    q = accumulator.precision
    units = (a_format.unit_exponent, b_format.unit_exponent, accumulator.unit_exponent)
    tops = tuple(np.log2(number_format.max) for number_format in (a_format, b_format, accumulator))
    if stochastic:
        return "float64" if tops[2] + 2 - min(units[2], units[0] + units[1]) <= 53 else "odd"
    for lane, w, limit in (("float32", 24, 126), ("float64", 53, 1000)):
        in_range = min(*units, units[0] + units[1]) >= -limit and max(*tops, tops[0] + tops[1], tops[2] + w - q) < limit
        bounded = tops[2] - units[2] <= w - 1
        if in_range and p + q < w and ((p <= q and 2 * q < w) or bounded):
            return lane
    return "odd"


def chain(
    a: _Values,
    b: _Values,
    c: _Values | None,
    a_format: ScalarFormat,
    b_format: ScalarFormat,
    accumulator: ScalarFormat,
    stochastic: Stochastic | None = None,
) -> _Values:
    """What `reference.chain` gives, bit for bit."""
    how = lanes(a_format, b_format, accumulator, stochastic is not None)
    if how == "reference" or a.size == 0 or b.size == 0:
        return reference.chain(a, b, c, accumulator, stochastic)
    acc = np.zeros((a.shape[0], b.shape[1]))
    if c is not None:
        acc = reference.rounded(c + 0.0, FIRST_ADDEND, accumulator, stochastic)
    if how == "stepwise" or not worth_compiling(acc.size * a.shape[1] // _STEPS_AN_ELEMENT):
        return _stepwise(a, b, acc, accumulator, stochastic, how in ("float32", "float64"))
    assert isinstance(accumulator, BinaryFormat)
    from pyhost.golden import chain_kernels

    wide = acc.shape[0] <= acc.shape[1]
    if not wide:  # the kernels run along rows: let them be the longer ones
        a, b, acc = b.T, a.T, acc.T
    lane = np.float32 if how == "float32" else np.float64
    x, y, sums = (np.ascontiguousarray(v, dtype=lane) for v in (a, b, acc))
    constants = _constants(accumulator, lane)
    with np.errstate(invalid="ignore", over="ignore"):
        if stochastic is not None:
            rows, columns = (stochastic.rows, stochastic.columns) if wide else (stochastic.columns, stochastic.rows)
            depths = stochastic.depths(np.arange(x.shape[1]))
            draws = chain_kernels.Draws(rows(x.shape[0]), columns(y.shape[1]), depths, stochastic.bits)
            chain_kernels.chain_stochastic(x, y, sums, constants, draws, how == "odd")
        elif how == "odd":
            chain_kernels.chain_to_odd(x, y, sums, constants)
        else:
            chain_kernels.chain(x, y, sums, constants)
    acc = sums.astype(np.float64)
    return acc if wide else acc.T


def _constants(accumulator: BinaryFormat, lane: Any) -> Any:
    from pyhost.golden.chain_kernels import BLOCK, Constants

    w, integer, exponent_bits = (23, np.int32, 8) if lane is np.float32 else (52, np.int64, 11)
    threshold = accumulator.threshold
    if accumulator.largest_code % 2 == 0:  # the tie goes to the largest value
        threshold = float(np.nextafter(lane(threshold), lane(np.inf)))
    return Constants(
        exponent_mask=integer(((1 << exponent_bits) - 1) << w),
        magnitude_mask=integer(np.iinfo(integer).max),
        sign_mask=integer(0 if accumulator.style == "fnuz" else np.iinfo(integer).min),
        min_normal=lane(accumulator.min_normal),
        magic=lane(1.5 * 2.0 ** (w - accumulator.fraction_bits)),
        threshold=lane(threshold),
        beyond=lane(np.inf if accumulator.has_inf else np.nan),
        growth=(1.0 + 2.0**-accumulator.precision) ** (BLOCK + 1),
        slack=BLOCK * accumulator.min_subnormal,
        largest=lane(accumulator.max),
        dropped_bits=w - accumulator.fraction_bits,
    )


def _stepwise(
    a: _Values,
    b: _Values,
    acc: _Values,
    accumulator: ScalarFormat,
    stochastic: Stochastic | None,
    nearest_will_do: bool,
) -> _Values:
    with np.errstate(invalid="ignore"):
        for k in range(a.shape[1]):
            product = a[:, k, None] * b[None, k, :]
            sums = acc + product if nearest_will_do else add(acc, product)
            acc = accumulator.round(sums) if stochastic is None else reference.rounded(sums, k, accumulator, stochastic)
    return acc
