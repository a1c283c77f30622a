"""Posits against their definition in exact rationals (bit strings, every mode)."""

import warnings
from bisect import bisect_right
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from pyhost.formats import FormatError, PositFormat, Rounding, parse_format

SEED = 2022
SMALL = [(3, 0), (3, 2), (4, 1), (5, 3), (6, 2), (8, 0), (8, 1), (8, 2), (8, 3)]


def value(body: str, es: int) -> Fraction:
    """The value of a positive posit, of the bits behind its sign."""
    if "1" not in body:
        return Fraction(0)
    run = len(body) - len(body.lstrip(body[0]))
    rest = body[run + 1 :]
    exponent = int(rest[:es].ljust(es, "0") or "0", 2)
    fraction = rest[es:]
    significand = 1 + Fraction(int(fraction or "0", 2), 1 << len(fraction))
    return significand * Fraction(2) ** ((run - 1 if body[0] == "1" else -run) * 2**es + exponent)


def line(width: int, es: int) -> list[Fraction]:
    return [value(f"{code:0{width - 1}b}", es) for code in range(1 << (width - 1))]


@pytest.mark.parametrize(("width", "es"), SMALL)
def test_decode_is_the_definition(width: int, es: int) -> None:
    number_format = PositFormat(width, es)
    values = number_format.decode(np.arange(1 << width))
    positive = line(width, es)
    half = 1 << (width - 1)
    assert [Fraction(float(v)) for v in values[:half]] == positive
    assert np.isnan(values[half])
    assert np.array_equal(values[half + 1 :], -values[1:half][::-1])
    assert not np.signbit(values[0])
    assert (number_format.max, number_format.min_subnormal) == (float(positive[-1]), float(positive[1]))


@pytest.mark.parametrize("mode", [mode for mode in Rounding if mode is not Rounding.STOCHASTIC])
@pytest.mark.parametrize(("width", "es"), SMALL)
def test_encode_rounds_the_bit_string(width: int, es: int, mode: Rounding) -> None:
    """Between two codes, a posit of three more bits has seven values: halves, quarters and eighths of the way."""
    number_format = PositFormat(width, es)
    fine = line(width + 3, es)
    between = [(a + b) / 2 for a, b in pairwise(fine[1:])]
    outside = [fine[1] / 8, fine[1] / 2, fine[-1] * 4, fine[-1] * 100]
    xs = [s * x for x in (*fine, *between, *outside) for s in (1, -1) if x or s > 0]
    codes = number_format.encode([float(x) for x in xs], mode).tolist()
    largest = (1 << (width - 1)) - 1
    for x, code in zip(xs, codes, strict=True):
        at = bisect_right(fine, abs(x)) - 1
        low, eighths = divmod(at, 8)
        sticky = fine[at] != abs(x)
        if low == largest or x == 0:
            index = low
        elif low == 0:
            index = 1
        else:
            index = (
                low
                + {
                    Rounding.NEAREST_EVEN: (eighths, sticky, low % 2) > (4, False, 0),
                    Rounding.NEAREST_AWAY: eighths >= 4,
                    Rounding.TOWARD_ZERO: False,
                    Rounding.UP: x > 0 and (eighths > 0 or sticky),
                    Rounding.DOWN: x < 0 and (eighths > 0 or sticky),
                    Rounding.TO_ODD: low % 2 == 0 and (eighths > 0 or sticky),
                }[mode]
            )
        expected = -index % (1 << width) if x < 0 else index
        assert code == expected, f"{number_format.name} {mode}: {float(x)!r} gave {code:#x}, not {expected:#x}"


def test_specials() -> None:
    posit = parse_format("posit16")
    assert posit.encode([0.0, -0.0, np.nan, np.inf, -np.inf]).tolist() == [0, 0, 0x8000, 0x8000, 0x8000]
    assert posit.encode([np.inf, -np.inf, 1e300, -1e300], saturate=True).tolist() == [0x7FFF, 0x8001, 0x7FFF, 0x8001]
    assert posit.encode([5e-324, -5e-324, 1e300, -1e300]).tolist() == [1, 0xFFFF, 0x7FFF, 0x8001]


@pytest.mark.parametrize(("width", "es"), [*SMALL, (16, 2), (32, 2), (32, 0), (20, 3)])
def test_encode_of_decode_is_the_identity(width: int, es: int) -> None:
    number_format = PositFormat(width, es)
    rng = np.random.default_rng(SEED)
    codes = np.unique(rng.integers(0, 1 << width, 4000))
    assert np.array_equal(number_format.encode(number_format.decode(codes)), codes), f"seed {SEED}"


@pytest.mark.parametrize(("width", "es"), [(8, 0), (8, 2), (8, 3), (16, 2), (16, 1)])
def test_unit_above_divides_every_value_from_there_on(width: int, es: int) -> None:
    number_format = PositFormat(width, es)
    values = number_format.decode(np.arange(1, 1 << (width - 1)))
    for smallest in values[:: max(1, values.size // 200)]:
        unit = number_format.unit_above(float(smallest))
        ratios = values[values >= smallest] * 2.0**-unit
        assert np.array_equal(ratios, np.floor(ratios)), f"{smallest!r}"
        assert unit >= number_format.unit_exponent


def test_bad_sizes_are_named() -> None:
    with pytest.raises(FormatError, match="posit33: a posit has 3 to 32 bits here"):
        parse_format("posit33")
    with pytest.raises(FormatError, match="es4: a posit has 0 to 3 exponent bits here"):
        parse_format("posit8es4")


@pytest.mark.parametrize("value", [0.0, -0.0, np.inf, -np.inf, np.nan, -1.0])
def test_a_single_number_warns_of_nothing(value):
    posit8 = parse_format("posit8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert posit8.encode(value) == posit8.encode([value])[0]
