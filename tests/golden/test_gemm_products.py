"""Every product of two codes of an 8-bit format, rounded in every mode, against exact rationals."""

from bisect import bisect_right
from fractions import Fraction

import numpy as np
import pytest

from pyhost.formats import Rounding, parse_format
from pyhost.golden import gemm

MODES = [mode for mode in Rounding if mode is not Rounding.STOCHASTIC]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["e5m2", "e4m3fn", "e4m3fnuz", "e3m4", "binary8p3se"])
def test_every_product_of_two_codes(name: str, mode: Rounding) -> None:
    number_format = parse_format(name)
    codes = np.arange(256, dtype=np.uint8)
    values = number_format.decode(codes)
    d = gemm(
        codes[:, None],
        codes[None, :],
        a_format=number_format,
        b_format=number_format,
        d_format=number_format,
        rounding=mode,
    )
    with np.errstate(invalid="ignore"):
        products = values[:, None] * values[None, :]  # exact: 8 bits at most
    positive = [Fraction(v) for v in sorted({float(v) for v in np.abs(values[np.isfinite(values)])})]
    line = [*positive, 2 * positive[-1] - positive[-2]]
    distinct, place = np.unique(np.where(np.isfinite(products), products, 0.0), return_inverse=True)
    beyond = np.inf if number_format.has_inf else np.nan
    magnitudes = [rounded(line, Fraction(x), mode) for x in distinct.tolist()]
    wanted = np.array([beyond if magnitude is None else float(magnitude) for magnitude in magnitudes])[place]
    wanted = np.copysign(wanted.reshape(products.shape), products)
    wanted = np.where(products == 0, 0.0, wanted)  # an exact accumulator has no -0
    with np.errstate(invalid="ignore"):
        wanted = np.where(np.isfinite(products), wanted, products * beyond)
    results = number_format.decode(d)
    wrong = ~((results == wanted) | (np.isnan(results) & np.isnan(wanted)))
    assert not wrong.any(), f"{products[wrong][0]!r} became {results[wrong][0]!r}, not {wanted[wrong][0]!r}"
    if np.signbit(number_format.decode(number_format.encode([-0.0])))[0]:  # what underflows keeps its sign
        assert np.array_equal(np.signbit(results[~np.isnan(results)]), np.signbit(wanted[~np.isnan(wanted)]))


def rounded(line: list[Fraction], x: Fraction, mode: Rounding) -> Fraction | None:
    """The magnitude that |x| rounds to among all but the last of `line`, whose indices are codes; None for overflow."""
    inward = mode in (Rounding.TOWARD_ZERO, Rounding.TO_ODD, Rounding.DOWN if x > 0 else Rounding.UP)
    if abs(x) >= line[-1]:
        return line[-2] if inward else None
    low = bisect_right(line, abs(x)) - 1
    rest = (abs(x) - line[low]) / (line[low + 1] - line[low])
    half = Fraction(1, 2)
    up = (
        rest > 0
        and {
            Rounding.NEAREST_EVEN: rest > half or (rest == half and low % 2 == 1),
            Rounding.NEAREST_AWAY: rest >= half,
            Rounding.TOWARD_ZERO: False,
            Rounding.UP: x > 0,
            Rounding.DOWN: x < 0,
            Rounding.TO_ODD: low % 2 == 0,
        }[mode]
    )
    if low + up < len(line) - 1:
        return line[low + up]
    return line[-2] if inward else None
