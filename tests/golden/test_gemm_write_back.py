"""Write-back of the matrix product in both engines: an addend, ReLU and mask, against rationals and by their rules."""

from bisect import bisect_right
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from pyhost.formats import Rounding, ScalarFormat, Stochastic, parse_format
from pyhost.golden import Chain, Exact, GoldenError, gemm

SEED = 20261124
MODES = [mode for mode in Rounding if mode is not Rounding.STOCHASTIC]
Codes = NDArray[np.unsignedinteger]


def finite_codes(rng: np.random.Generator, number_format: ScalarFormat, shape: tuple[int, ...]) -> Codes:
    codes = rng.integers(0, 1 << number_format.bits, shape).astype(number_format.dtype)
    return np.where(np.isfinite(number_format.decode(codes)), codes, 0).astype(number_format.dtype)


def binary32(x: Fraction) -> float:
    """To nearest even, overflow to infinity, by the definition of the format."""
    if x == 0:
        return 0.0
    exponent = abs(x).numerator.bit_length() - x.denominator.bit_length()
    exponent -= abs(x) < Fraction(2) ** exponent
    quantum = Fraction(2) ** (max(exponent, -126) - 23)
    value = round(x / quantum) * quantum
    return float("inf") * (1 if x > 0 else -1) if abs(value) >= Fraction(2) ** 128 else float(value) or x * 0.0


def round_on(line: list[Fraction], beyond: float, x: Fraction, mode: Rounding, saturate: bool) -> float:
    """x on the line of non-negative values and what would follow them; `beyond` comes of overflow."""
    magnitude, sign = abs(x), -1 if x < 0 else 1
    inward = mode in (Rounding.TOWARD_ZERO, Rounding.TO_ODD, Rounding.DOWN if x > 0 else Rounding.UP)
    low = min(bisect_right(line, magnitude), len(line) - 1) - 1
    rest = (magnitude - line[low]) / (line[low + 1] - line[low])
    half = Fraction(1, 2)
    up = {
        Rounding.NEAREST_EVEN: rest > half or (rest == half and low % 2 == 1),
        Rounding.NEAREST_AWAY: rest >= half,
        Rounding.TOWARD_ZERO: False,
        Rounding.UP: rest > 0 and x > 0,
        Rounding.DOWN: rest > 0 and x < 0,
        Rounding.TO_ODD: rest > 0 and low % 2 == 0,
    }[mode]
    place = low + bool(up)
    if place < len(line) - 1:
        return sign * float(line[place])
    return sign * (float(line[-2]) if inward or saturate else beyond)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("operand", "addend_name", "d_name"),
    [
        ("e4m3fn", "e4m3fn", "e4m3fn"),
        ("e4m3fn", "e5m10", "e5m2"),
        ("e5m2", "e8m23", "e5m10"),
        ("e5m10", "e5m10", "e5m10"),
        ("e8m7", "e8m23", "e3m4"),
    ],
)
def test_an_addend_meets_the_sum_in_binary32(
    operand: str, addend_name: str, d_name: str, mode: Rounding, engine: str
) -> None:
    """The sum, rounded to binary32 once, plus the addend, rounded once more: in rationals."""
    rng = np.random.default_rng(SEED)
    f, f_addend, fd = map(parse_format, (operand, addend_name, d_name))
    m, k, n = 6, 9, 7
    a, b = finite_codes(rng, f, (m, k)), finite_codes(rng, f, (k, n))
    if operand == "e8m7":  # sums of far more than 24 bits, but no infinities
        a, b = (f.encode(f.decode(x) * 2.0**-70 if x.size else x) for x in (a, b))
    addend = finite_codes(rng, f_addend, (m, n))
    magnitudes = fd.decode(np.arange(1 << (fd.bits - 1)))
    line = [Fraction(float(v)) for v in magnitudes[np.isfinite(magnitudes)]]
    line.append(2 * line[-1] - line[-2])
    beyond = np.inf if fd.has_inf else np.nan
    x, columns = ([[Fraction(float(v)) for v in row] for row in f.decode(codes)] for codes in (a, b.T))
    for scale in (0, -5, 3):
        sums = np.array(
            [
                [
                    binary32(Fraction(2) ** scale * sum(p * q for p, q in zip(row, column, strict=True)))
                    for column in columns
                ]
                for row in x
            ]
        )
        close = rng.random((m, n)) < 0.4  # where they nearly cancel
        addend = np.where(close, f_addend.encode(-sums, saturate=True), addend)
        for saturate in (False, True):
            d = gemm(
                a,
                b,
                a_format=f,
                b_format=f,
                d_format=fd,
                scale=scale,
                rounding=mode,
                overflow="saturate" if saturate else "ieee",
                addend=addend,
                addend_format=f_addend,
                engine=engine,
            )
            for (i, j), got in np.ndenumerate(fd.decode(d)):
                value = Fraction(sums[i, j]) + Fraction(float(f_addend.decode(addend[i, j])))
                expected = round_on(line, beyond, value, mode, saturate)
                assert got == expected or (np.isnan(got) and np.isnan(expected)), f"seed {SEED}: {value} gave {got}"


def one_by_one(
    sums: list[float], addends: list[float], engine: str, d_name: str = "e5m10", scale: int = 0, overflow: str = "ieee"
) -> Codes:
    """Codes of sums, written back with an addend each; all in e5m10 before."""
    f = parse_format("e5m10")
    d: Codes = gemm(
        f.encode([[1.0]]),
        f.encode([sums]),
        a_format=f,
        b_format=f,
        d_format=parse_format(d_name),
        accumulator=Chain(f),
        scale=scale,
        overflow=overflow,
        addend=f.encode([addends]),
        addend_format=f,
        engine=engine,
    )
    return d[0]


def test_addends_that_are_no_numbers(engine: str) -> None:
    inf, nan = np.inf, np.nan
    cases = [(inf, 1.0, inf), (1.0, -inf, -inf), (inf, -inf, nan), (-inf, -inf, -inf), (nan, 1.0, nan), (1.0, nan, nan)]
    sums, addends, expected = map(list, zip(*cases, strict=True))
    f = parse_format("e5m10")
    assert np.array_equal(one_by_one(sums, addends, engine), f.encode(expected))
    largest = np.where(np.isinf(expected), np.copysign(f.max, expected), expected)
    assert np.array_equal(one_by_one(sums, addends, engine, overflow="saturate"), f.encode(largest))


def test_signs_of_zero_with_an_addend(engine: str) -> None:
    """IEEE's: x - x is +0, and so is +0 + -0; an underflow keeps its sign."""
    assert one_by_one([0.0, 0.0, 1.0, -1.0], [-0.0, 0.0, -1.0, 1.0], engine).tolist() == [0, 0, 0, 0]
    small = 2.0**-24
    got = one_by_one([small, -small, -small], [0.0, 0.0, -small], engine, "e4m3fn")
    assert got.tolist() == [0, 0x80, 0x80]


def test_a_sum_that_binary32_does_not_hold(engine: str) -> None:
    """It overflows to infinity, whatever D's overflow rule, and underflows to zero of its sign before it is added."""
    assert one_by_one([1.0, -1.0], [1.0, 1.0], engine, scale=128).tolist() == [0x7C00, 0xFC00]
    assert one_by_one([1.0, -1.0], [-np.inf, 0.0], engine, scale=128, overflow="saturate").tolist() == [0x7E00, 0xFBFF]
    assert one_by_one([-1.0, -1.0], [0.0, -0.0], engine, scale=-160).tolist() == [0, 0x8000]


def test_an_addend_is_added_without_loss(engine: str) -> None:
    """2^15 + 2^-24, and half a step more than 1: a far addend still decides a tie."""
    f, d = parse_format("e5m10"), parse_format("e4m3")
    for addend, mode, expected in [
        (2.0**-24, Rounding.UP, 1.125),
        (-(2.0**-24), Rounding.TOWARD_ZERO, 0.9375),
        (2.0**-24, Rounding.NEAREST_EVEN, 1.0),
    ]:
        codes = gemm(
            f.encode([[1.0]]),
            f.encode([[1.0]]),
            a_format=f,
            b_format=f,
            d_format=d,
            rounding=mode,
            addend=f.encode([[addend]]),
            addend_format=f,
            engine=engine,
        )
        assert d.decode(codes).tolist() == [[expected]]
    tie = one_by_one([1.0625, 1.0625, 1.0625], [2.0**-24, 0.0, -(2.0**-24)], engine, "e4m3")
    assert d.decode(tie).tolist() == [1.125, 1.0, 1.0]


def test_stochastic_rounding_is_that_of_the_sum_with_its_addend(engine: str) -> None:
    f, d = parse_format("e5m10"), parse_format("e4m3fn")
    rng = np.random.default_rng(SEED)
    a, b, addend = (f.encode(rng.standard_normal(shape)) for shape in ((20, 2), (2, 30), (20, 30)))
    draws = Stochastic(7, seed=4)
    formats = {"a_format": f, "b_format": f, "d_format": d, "addend_format": f}
    got = gemm(a, b, addend=addend, rounding=draws, engine=engine, **formats)
    sums = (f.decode(a) @ f.decode(b)).astype(np.float32) + f.decode(addend)  # exact but for the cast
    random = draws.draw(20, 30)
    assert np.array_equal(got, d.encode(sums, Rounding.STOCHASTIC, random=random, random_bits=7)), f"seed {SEED}"


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e4m3fnuz", "e2m1fn", "posit8", "binary8p3se"])
def test_relu_and_mask_on_every_code(name: str, engine: str) -> None:
    """D takes each value of its format: negative codes become +0; where the mask is not positive, so does all."""
    f = parse_format(name)
    assert isinstance(f, ScalarFormat)
    codes = np.arange(1 << f.bits, dtype=f.dtype)
    values = f.decode(codes)
    same = {"a_format": f, "b_format": f, "d_format": f, "accumulator": Chain(f), "engine": engine}
    one = f.encode([[1.0]])
    plain = gemm(one, codes[None, :], **same)[0]
    clean = gemm(one, codes[None, :], relu=True, **same)[0]
    negative = np.signbit(f.decode(plain)) & ~np.isnan(values)
    assert np.array_equal(clean, np.where(negative, 0, plain))
    assert not negative.all()
    assert (clean[np.isnan(values)] == f.nan_code).all()
    for mask_name in ("e5m2", "e4m3fnuz", name):
        f_mask = parse_format(mask_name)
        mask = np.resize(np.arange(1 << f_mask.bits, dtype=f_mask.dtype), (5, len(codes)))
        masking = f_mask.decode(mask)
        got = gemm(np.tile(one, (5, 1)), codes[None, :], mask=mask, mask_format=f_mask, **same)
        assert np.array_equal(got, np.where((masking > 0) | np.isnan(masking), plain, 0))


@pytest.mark.parametrize("accumulator", [Exact(), Chain(parse_format("e8m23"))], ids=["exact", "chain"])
def test_a_row_is_repeated(accumulator: Exact | Chain, engine: str) -> None:
    f = parse_format("e5m2")
    rng = np.random.default_rng(SEED)
    a, b, rows = finite_codes(rng, f, (5, 4)), finite_codes(rng, f, (4, 6)), finite_codes(rng, f, (3, 6))
    same = {"a_format": f, "b_format": f, "d_format": f, "accumulator": accumulator, "engine": engine}
    c, addend, mask = rows
    whole = [np.tile(row, (5, 1)) for row in rows]
    expected = gemm(a, b, whole[0], addend=whole[1], mask=whole[2], **same)
    assert np.array_equal(gemm(a, b, c, addend=addend, mask=mask, **same), expected)


def test_misuse_is_named() -> None:
    f = parse_format("e4m3fn")
    a, b = np.zeros((2, 3), np.uint8), np.zeros((3, 4), np.uint8)
    same = {"a_format": f, "b_format": f, "d_format": f}
    for settings, message in [
        ({"addend": b}, "the addend is 3x4, the product is 2x4"),
        ({"mask": np.zeros(3, np.uint8)}, "the mask is a row of 3, the product is 2x4"),
        ({"c": np.zeros((1, 2, 4), np.uint8)}, "C is a matrix or a row of codes, not an array of 3 dimensions"),
        ({"c": np.uint8(0)}, "C is a matrix or a row of codes, not an array of 0 dimensions"),
        ({"relu": "yes"}, "relu is True or False, not 'yes'"),
        ({"addend": a, "addend_format": parse_format("unum2x2")}, "the format of the addend is unum2x2"),
        ({"mask": a, "mask_format": "e4m3fn"}, "the format of the mask is 'e4m3fn'"),
    ]:
        with pytest.raises(GoldenError, match=message):
            gemm(a, b, **settings, **same)
