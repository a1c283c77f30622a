"""Unums of type I against their definition in exact rationals, code by code."""

from fractions import Fraction

import numpy as np
import pytest

from pyhost.formats import FormatError, Rounding, UnumFormat, parse_format

SEED = 2015
SIZES = [(0, 0), (0, 2), (1, 1), (2, 1), (1, 2), (2, 2)]
INFINITY = Fraction(10) ** 400


def bounds(code: int, a: int, b: int) -> tuple[Fraction, Fraction] | None:
    """Gustafson's u2g, of a code that is no NaN; None for one that is no code. INFINITY stands for infinity."""
    fsize, esize = code % 2**b + 1, (code >> b) % 2**a + 1
    inexact = (code >> (a + b)) % 2
    fraction = (code >> (a + b + 1)) % 2**fsize
    exponent = (code >> (a + b + 1 + fsize)) % 2**esize
    sign = code >> (a + b + 1 + fsize + esize)
    if sign > 1:
        return None
    bias = 2 ** (esize - 1) - 1
    largest = (esize, fsize) == (2**a, 2**b)
    top = 2 ** (esize + fsize) - 1 - largest
    place = exponent * 2**fsize + fraction

    def value(place: int) -> Fraction:
        exponent, fraction = divmod(place, 2**fsize)
        return Fraction(2) ** (max(exponent, 1) - bias) * (Fraction(fraction, 2**fsize) + (exponent > 0))

    if place > top:
        near = far = INFINITY
    else:
        near = value(place)
        far = near if not inexact else INFINITY if place == top else value(place + 1)
    return (-far, -near) if sign else (near, far)


def number(x: float) -> Fraction:
    return INFINITY if x == np.inf else -INFINITY if x == -np.inf else Fraction(x)


def codes_of(number_format: UnumFormat) -> list[int]:
    a, b = number_format.esizesize, number_format.fsizesize
    nan = (number_format.nan_code, number_format.nan_code | 1 << (number_format.bits - 1))
    return [c for c in range(1 << number_format.bits) if c not in nan and bounds(c, a, b) is not None]


@pytest.mark.parametrize(("a", "b"), SIZES)
def test_decode_is_the_definition(a: int, b: int) -> None:
    number_format = UnumFormat(a, b)
    codes = codes_of(number_format)
    for code, (lower, upper) in zip(codes, number_format.decode(codes).tolist(), strict=True):
        assert (number(lower), number(upper)) == bounds(code, a, b), hex(code)
    nan = number_format.nan_code
    assert np.isnan(number_format.decode([nan, nan | 1 << (number_format.bits - 1)])).all()


@pytest.mark.parametrize(("a", "b"), SIZES)
def test_encode_is_the_shortest_code_of_the_narrowest_interval(a: int, b: int) -> None:
    number_format = UnumFormat(a, b)
    codes = codes_of(number_format)
    every = [(bounds(code, a, b), code) for code in codes]
    rng = np.random.default_rng(SEED)
    values = {float(lower) for (lower, upper), _ in every if lower == upper and abs(lower) != INFINITY}
    xs = [*values, *(x * 1.001 for x in values), *(x + number_format.min_subnormal / 3 for x in values)]
    xs = [*rng.permutation(xs)[:120].tolist(), 0.0, 1e30, -1e30, 1e-30, -1e-30]
    lengths = {code: code % 2**b + (code >> b) % 2**a for code in codes}
    for x, code in zip(xs, number_format.encode(xs).tolist(), strict=True):
        point = Fraction(x)
        holding = [
            (upper - lower, lengths[c], c)
            for (lower, upper), c in every
            if lower == point == upper or lower < point < upper
        ]
        width, length, _ = min(holding)
        got = bounds(code, a, b)
        assert got is not None
        lower, upper = got
        assert lower == point == upper or lower < point < upper, f"seed {SEED}: {x!r} gave {code:#x}"
        assert (upper - lower, lengths[code]) == (width, length), f"seed {SEED}: {x!r} gave {code:#x}"


@pytest.mark.parametrize(("a", "b"), SIZES)
def test_enclose_of_decode_keeps_the_interval(a: int, b: int) -> None:
    number_format = UnumFormat(a, b)
    decoded = number_format.decode(codes_of(number_format))
    again = number_format.decode(number_format.enclose(decoded[:, 0], decoded[:, 1]))
    assert np.array_equal(again, decoded)
    assert np.array_equal(np.signbit(again), np.signbit(decoded))


def test_enclose_widens_to_what_one_unum_holds() -> None:
    unum = parse_format("unum2x2")
    assert isinstance(unum, UnumFormat)
    lower, upper = unum.decode(unum.enclose([1.03], [1.2]))[0]
    assert (lower, upper) == (1.0, 1.25)
    with pytest.raises(FormatError, match=r"no single unum2x2 holds \(-1\.0, 2\.0\): zero is inside"):
        unum.enclose(-1.0, 2.0)
    with pytest.raises(FormatError, match=r"a lower bound is above its upper one: 2\.0"):
        unum.enclose([0.0, 2.0], 1.0)
    with pytest.raises(FormatError, match=r"bounds of shapes \(3,\) and \(2,\) do not fit"):
        unum.enclose(np.zeros(3), np.ones(2))


def test_specials_and_errors() -> None:
    unum = parse_format("unum2x2")
    assert isinstance(unum, UnumFormat)
    assert (unum.bits, unum.max, unum.dtype) == (14, 480.0, np.uint16)
    bounds = unum.decode(unum.encode([np.nan, np.inf, -np.inf, 1e9, -0.0]))
    assert np.array_equal(bounds, [[np.nan] * 2, [np.inf] * 2, [-np.inf] * 2, [480, np.inf], [0, 0]], equal_nan=True)
    assert np.signbit(bounds[4]).all()
    assert unum.decode(unum.encode([1e9, -np.inf], saturate=True)).tolist() == [[480, 480], [-480, -480]]
    assert unum.decode(unum.encode([0.375], exact=True)).tolist() == [[0.375, 0.375]]
    with pytest.raises(FormatError, match=r"unum2x2 does not hold 0\.1: it lies in \(0\.09765625, 0\.1015625\)"):
        unum.encode([0.375, 0.1], exact=True)
    with pytest.raises(FormatError, match="rounds outward"):
        unum.encode([1.0], Rounding.UP)
    with pytest.raises(FormatError, match="0x2000 is no code of unum2x2: bits are set above its sign"):
        unum.decode([0x2000])
    with pytest.raises(FormatError, match="5x: the size of the exponent's size may be 0 to 3"):
        parse_format("unum5x2")
