"""The matrix product against exact rationals and Berkeley SoftFloat, in both engines."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import softfloatpy
from numpy.typing import NDArray

from pyhost.formats import Format, FormatError, Rounding, Stochastic, parse_format
from pyhost.golden import Chain, Exact, GoldenError, gemm

SEED = 711
Codes = NDArray[np.unsignedinteger]


def random_codes(rng: np.random.Generator, number_format: Format, shape: tuple[int, ...]) -> Codes:
    """Any codes at all: infinities and NaNs in their share."""
    return rng.integers(0, 1 << number_format.bits, shape).astype(number_format.dtype)


def finite_codes(rng: np.random.Generator, number_format: Format, shape: tuple[int, ...]) -> Codes:
    codes = random_codes(rng, number_format, shape)
    return np.where(np.isfinite(number_format.decode(codes)), codes, 0).astype(number_format.dtype)


def fractions(values: NDArray[np.float64]) -> NDArray[np.object_]:
    return np.array([Fraction(float(v)) for v in values.flat], dtype=object).reshape(values.shape)


def encoded(number_format: Format, exact: Fraction) -> int:
    """The code nearest to a rational (ties to even), by the definition of a binary format; a zero sum is +0."""
    if exact == 0:
        return 0
    exponent = abs(exact).numerator.bit_length() - exact.denominator.bit_length()
    exponent -= abs(exact) < Fraction(2) ** exponent
    quantum = Fraction(2) ** (max(exponent, 1 - number_format.bias) - number_format.fraction_bits)
    value = float(round(exact / quantum) * quantum)
    zero = -0.0 if exact < 0 else 0.0
    return int(number_format.encode([value or zero])[0])


@pytest.mark.parametrize(
    ("a_name", "b_name", "d_name"),
    [
        ("e4m3fn", "e4m3fn", "e5m10"),
        ("e5m2", "e4m3fn", "e5m10"),
        ("e5m2", "e5m2", "e8m7"),
        ("e2m1fn", "e3m2fn", "e4m3fn"),
        ("e4m3fnuz", "e5m2fnuz", "e4m3fnuz"),
        ("e5m10", "e5m10", "e5m10"),
        ("e5m10", "e4m3nosub", "e8m23"),
        ("e8m7", "e8m7", "e8m23"),
        ("e8m23", "e8m23", "e8m23"),
        ("e8m23", "e4m3fn", "e5m10"),
    ],
)
def test_exact_is_the_rational_sum_rounded_once(a_name: str, b_name: str, d_name: str, engine: str) -> None:
    rng = np.random.default_rng(SEED)
    a_format, b_format, d_format = map(parse_format, (a_name, b_name, d_name))
    m, k, n = 5, 13, 6
    a, b = finite_codes(rng, a_format, (m, k)), finite_codes(rng, b_format, (k, n))
    a[:, 1] = a[:, 0]
    b[1] = np.where(rng.random(n) < 0.7, b[0] ^ b_format.dtype.type(1 << (b_format.bits - 1)), b[1])  # cancellation
    b[np.isnan(b_format.decode(b))] = 0
    c = finite_codes(rng, d_format, (m, n))
    for scale in (0, -7, 9):
        d = gemm(a, b, c, a_format=a_format, b_format=b_format, d_format=d_format, scale=scale, engine=engine)
        sums = fractions(d_format.decode(c)) + fractions(a_format.decode(a)) @ fractions(b_format.decode(b))
        for code, exact in zip(d.flat, (sums * Fraction(2) ** scale).flat, strict=True):
            assert int(code) == encoded(d_format, exact), f"seed {SEED}: {exact} {float(exact)!r}"


def test_an_exactly_zero_sum_is_plus_zero_and_an_underflow_keeps_its_sign(engine: str) -> None:
    f8, f16 = parse_format("e5m2"), parse_format("e5m10")
    one, minus_one, minus_zero = f8.encode([[1.0]]), f8.encode([[-1.0]]), f8.encode([[-0.0]])
    same = {"a_format": f8, "b_format": f8, "engine": engine}
    assert gemm(one, minus_zero, d_format=f16, **same).tolist() == [[0]]
    assert gemm(one, minus_one, f16.encode([[1.0]]), d_format=f16, **same).tolist() == [[0]]
    assert gemm(one, minus_one, d_format=f16, scale=-60, **same).tolist() == [[0x8000]]
    assert gemm(one, one, d_format=f16, scale=-25, **same).tolist() == [[0]]
    assert gemm(one, f8.encode([[1.25]]), d_format=f16, scale=-25, **same).tolist() == [[1]]


@pytest.mark.parametrize("accumulator", [Exact(), Chain(parse_format("e8m23"))], ids=["exact", "chain"])
def test_infinities_and_nan(accumulator: Exact | Chain, engine: str) -> None:
    f8, f16 = parse_format("e5m2"), parse_format("e5m10")
    inf, nan, zero, one = np.inf, np.nan, 0.0, 1.0
    cases = [
        ([inf, one], [one, one], inf),
        ([inf, one], [-one, one], -inf),
        ([inf, inf], [one, -one], nan),
        ([inf, inf], [one, one], inf),
        ([inf, one], [zero, one], nan),
        ([nan, one], [zero, one], nan),
        ([one, one], [one, nan], nan),
        ([inf, nan], [one, one], nan),
        ([one, inf], [one, -inf], -inf),
        ([one, zero], [one, inf], nan),
    ]
    for row, column, expected in cases:
        d = gemm(
            f8.encode([row]),
            f8.encode([column]).T,
            a_format=f8,
            b_format=f8,
            d_format=f16,
            accumulator=accumulator,
            engine=engine,
        )
        assert d.tolist() == [[int(f16.encode([expected])[0])]], (row, column)
    with_c = gemm(
        f8.encode([[inf]]),
        f8.encode([[one]]),
        f8.encode([[-inf]]),
        a_format=f8,
        b_format=f8,
        c_format=f8,
        d_format=f16,
        accumulator=accumulator,
        engine=engine,
    )
    assert with_c.tolist() == [[f16.nan_code]]


def softfloat(number_format: Format) -> tuple[Any, Callable[[np.unsignedinteger], Any]]:
    """SoftFloat's type for a format, and how a code becomes one."""
    kind = {"e5m10": softfloatpy.Float16, "e8m23": softfloatpy.Float32}[number_format.name]
    softfloatpy.set_rounding_mode(softfloatpy.RoundingMode.NEAR_EVEN)
    return kind, lambda code: kind.from_bytes(int(code).to_bytes(number_format.dtype.itemsize, "big"))


@pytest.mark.parametrize("name", ["e5m10", "e8m23"])
def test_chain_is_softfloats_fused_multiply_add(name: str, engine: str) -> None:
    number_format = parse_format(name)
    kind, make = softfloat(number_format)
    rng = np.random.default_rng(SEED)
    m, k, n = 9, 24, 11
    for finite in (True, False):
        a, b, c = (random_codes(rng, number_format, s) for s in ((m, k), (k, n), (m, n)))
        if finite:  # around 1, so that sums cancel and round; the small ones give subnormal products
            a, b, c = (number_format.encode(rng.standard_normal(s)) for s in ((m, k), (k, n), (m, n)))
            a[::3] = number_format.encode(rng.standard_normal((3, k)) * number_format.min_normal)
            c[::3] = 0
        d = gemm(
            a,
            b,
            c,
            a_format=number_format,
            b_format=number_format,
            d_format=number_format,
            accumulator=Chain(number_format),
            engine=engine,
        )
        for i in range(m):
            for j in range(n):
                acc = make(c[i, j])
                for kk in range(k):
                    acc = kind.mul_add(make(a[i, kk]), make(b[kk, j]), acc)
                expected = number_format.decode([int.from_bytes(acc.to_bytes(), "big")])[0]
                got = number_format.decode(d[i : i + 1, j])[0]
                assert (got == expected and np.signbit(got) == np.signbit(expected)) or (
                    np.isnan(got) and np.isnan(expected)
                ), f"seed {SEED}, {finite=}, [{i},{j}]: {got!r}, not {expected!r}"


@pytest.mark.parametrize(
    ("operand", "accumulator"),
    [
        ("e4m3fn", "e5m10"),
        ("e5m2", "e4m3fn"),
        ("e8m7", "e8m7"),
        ("e8m23", "e8m10"),
        ("e5m10", "e4m3fnuz"),
        ("e5m2", "e2m1fn"),
    ],
)
def test_chain_rounds_every_step_once(operand: str, accumulator: str, engine: str) -> None:
    """Against rationals, step by step; overflow goes to infinity, NaN or the largest value, as the format has it."""
    rng = np.random.default_rng(SEED)
    operand_format, accumulator_format = parse_format(operand), parse_format(accumulator)
    m, k, n = 4, 10, 5
    x, y = rng.standard_normal((m, k)), rng.standard_normal((k, n))
    x[0] *= 40.0
    a, b = operand_format.encode(x, saturate=True), operand_format.encode(y, saturate=True)
    d = gemm(
        a,
        b,
        a_format=operand_format,
        b_format=operand_format,
        d_format=accumulator_format,
        accumulator=Chain(accumulator_format),
        engine=engine,
    )
    fa, fb = fractions(operand_format.decode(a)), fractions(operand_format.decode(b))
    for i in range(m):
        for j in range(n):
            acc = 0.0
            for kk in range(k):
                if not np.isfinite(acc):
                    break
                exact = Fraction(acc) + fa[i, kk] * fb[kk, j]
                code = encoded(accumulator_format, exact)
                acc = float(accumulator_format.decode([code])[0])
            got = accumulator_format.decode(d[i : i + 1, j])[0]
            assert got == acc or (np.isnan(got) and np.isnan(acc)), f"seed {SEED}, [{i},{j}]: {got!r}, not {acc!r}"


@pytest.mark.parametrize("transpose", ["NN", "NT", "TN", "TT"])
def test_transpositions(transpose: str, engine: str) -> None:
    rng = np.random.default_rng(SEED)
    f8 = parse_format("e4m3fn")
    a, b = finite_codes(rng, f8, (3, 7)), finite_codes(rng, f8, (7, 5))
    same = {"a_format": f8, "b_format": f8, "d_format": f8, "engine": engine}
    expected = gemm(a, b, **same)
    stored = a.T if transpose[0] == "T" else a, b.T if transpose[1] == "T" else b
    assert np.array_equal(gemm(*stored, transpose=transpose, **same), expected)


def test_write_back_saturates_where_asked(engine: str) -> None:
    f8 = parse_format("e5m2")
    large, inf, nan = f8.encode([[f8.max]]), f8.encode([[np.inf]]), f8.encode([[np.nan]])
    same = {"a_format": f8, "b_format": f8, "d_format": f8, "engine": engine}
    assert gemm(large, large, **same).tolist() == [[0x7C]]
    assert gemm(large, large, overflow="saturate", **same).tolist() == [[0x7B]]
    assert gemm(inf, large, overflow="saturate", **same).tolist() == [[0x7B]]
    assert gemm(nan, large, overflow="saturate", **same).tolist() == [[0x7E]]


@pytest.mark.parametrize("mode", [mode for mode in Rounding if mode is not Rounding.STOCHASTIC])
def test_write_back_rounds_the_exact_sum_in_every_mode(mode: Rounding, engine: str) -> None:
    """2^30 + 2^-24 has 55 bits: a mode that looked at the nearest binary64 would not see the small part."""
    f16, bf16 = parse_format("e5m10"), parse_format("e8m7")
    a, b = f16.encode([[2.0**15, 2.0**-24]]), f16.encode([[2.0**15], [1.0]])
    for sign in (1, -1):
        b_signed = f16.encode(sign * f16.decode(b))
        d = gemm(a, b_signed, a_format=f16, b_format=f16, d_format=bf16, rounding=mode, engine=engine)
        away = {Rounding.UP: sign > 0, Rounding.DOWN: sign < 0, Rounding.TO_ODD: True}.get(mode, False)
        assert bf16.decode(d).tolist() == [[sign * 2.0**30 * (1 + 2.0**-7 if away else 1.0)]]


def test_stochastic_write_back_draws_for_row_and_column(engine: str) -> None:
    f8 = parse_format("e5m2")
    rng = np.random.default_rng(SEED)
    a, b = f8.encode(rng.standard_normal((20, 3))), f8.encode(rng.standard_normal((3, 30)))
    draws = Stochastic(6, seed=1, step=2, tensor=3)
    d = gemm(a, b, a_format=f8, b_format=f8, d_format=f8, rounding=draws, engine=engine)
    sums = f8.decode(a) @ f8.decode(b)  # exact: few bits
    random = draws.draw(20, 30)
    assert np.array_equal(d, f8.encode(sums, Rounding.STOCHASTIC, random=random, random_bits=6))
    assert not np.array_equal(d, f8.encode(sums))


def test_an_exact_sum_does_not_know_its_order(engine: str) -> None:
    f16 = parse_format("e5m10")
    rng = np.random.default_rng(SEED)
    a, b = finite_codes(rng, f16, (4, 60)), finite_codes(rng, f16, (60, 5))
    same = {"a_format": f16, "b_format": f16, "d_format": parse_format("e8m23"), "engine": engine}
    expected = gemm(a, b, **same)
    for _ in range(5):
        order = rng.permutation(60)
        assert np.array_equal(gemm(a[:, order], b[order], **same), expected), f"seed {SEED}"


@pytest.mark.parametrize("accumulator", [Exact(), Chain(parse_format("e5m10"))], ids=["exact", "chain"])
def test_empty_sums(accumulator: Exact | Chain, engine: str) -> None:
    f8, f16 = parse_format("e5m2"), parse_format("e5m10")
    same = {"a_format": f8, "b_format": f8, "d_format": f16, "accumulator": accumulator, "engine": engine}
    nothing = np.zeros((2, 0), np.uint8), np.zeros((0, 3), np.uint8)
    assert gemm(*nothing, **same).tolist() == [[0, 0, 0], [0, 0, 0]]
    c = f16.encode(np.ones((2, 3)))
    assert np.array_equal(gemm(*nothing, c, **same), c)
    assert gemm(np.zeros((0, 4), np.uint8), np.zeros((4, 3), np.uint8), **same).shape == (0, 3)


@pytest.mark.parametrize("name", ["e5m10", "e8m23"])
def test_one_product_and_one_sum_are_softfloats(name: str, engine: str) -> None:
    number_format = parse_format(name)
    kind, make = softfloat(number_format)
    rng = np.random.default_rng(SEED)
    a, b = random_codes(rng, number_format, (40, 1)), random_codes(rng, number_format, (1, 40))
    ones = number_format.encode(np.ones((1, 40)))
    c = random_codes(rng, number_format, (40, 40))
    same = {"a_format": number_format, "b_format": number_format, "d_format": number_format, "engine": engine}
    products, sums = gemm(a, b, **same), gemm(a, ones, c, **same)
    for i, j in np.ndindex(40, 40):
        for got, exact in (
            (products[i, j], kind.mul(make(a[i, 0]), make(b[0, j]))),
            (sums[i, j], kind.add(make(a[i, 0]), make(c[i, j]))),
        ):
            expected = number_format.decode([int.from_bytes(exact.to_bytes(), "big")])[0]
            value = number_format.decode([got])[0]
            # An exact accumulator has one zero, and it is positive.
            assert value == expected or (np.isnan(value) and np.isnan(expected)), f"seed {SEED}, [{i},{j}]"


def nearest_posit(posit: Format, exact: Fraction) -> int:
    """By bisection over the codes, and the posit of one more bit that lies half way between the last two."""
    if exact == 0:
        return 0
    finer = parse_format(f"posit{posit.bits + 1}")
    low, high, magnitude = 1, (1 << (posit.bits - 1)) - 1, abs(exact)

    def value(code: int) -> Fraction:
        return Fraction(float(posit.decode([code])[0]))

    if magnitude <= value(low):
        code = low
    elif magnitude >= value(high):
        code = high
    else:
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if value(middle) <= magnitude else (low, middle)
        half = Fraction(float(finer.decode([2 * low + 1])[0]))
        code = high if magnitude > half or (magnitude == half and low % 2) else low
    return code if exact > 0 else (1 << posit.bits) - code


@pytest.mark.parametrize("width", [8, 16, 31])
def test_a_quire_rounds_once(width: int, engine: str) -> None:
    """Posits in an exact accumulator: the rational sum, rounded as one value is."""
    posit = parse_format(f"posit{width}")
    rng = np.random.default_rng(SEED)
    a, b, c = (random_codes(rng, posit, shape) for shape in ((4, 9), (9, 5), (4, 5)))
    for operand in (a, b, c):
        operand[np.isnan(posit.decode(operand))] = 0
    b[1] = np.where(rng.random(5) < 0.5, posit.encode(-posit.decode(b[0])), b[1])
    a[:, 1] = a[:, 0]
    d = gemm(a, b, c, a_format=posit, b_format=posit, d_format=posit, engine=engine)
    sums = fractions(posit.decode(c)) + fractions(posit.decode(a)) @ fractions(posit.decode(b))
    for code, exact in zip(d.flat, sums.flat, strict=True):
        assert int(code) == nearest_posit(posit, exact), f"seed {SEED}: {exact}"


def test_bad_input_is_named() -> None:
    f8 = parse_format("e4m3fn")
    same = {"a_format": f8, "b_format": f8, "d_format": f8}
    a, b = np.zeros((2, 3), np.uint8), np.zeros((3, 4), np.uint8)
    with pytest.raises(GoldenError, match=r"A is 2x3 and B is 4x3 .*: K differs"):
        gemm(a, b.T, **same)
    with pytest.raises(GoldenError, match="C is 4x2, the product is 2x4"):
        gemm(a, b, np.zeros((4, 2), np.uint8), **same)
    with pytest.raises(GoldenError, match="A is a matrix of codes, not an array of 1 dimensions"):
        gemm(a[0], b, **same)
    with pytest.raises(GoldenError, match="'NX' is none of"):
        gemm(a, b, transpose="NX", **same)
    with pytest.raises(GoldenError, match="engine 'slow'"):
        gemm(a, b, engine="slow", **same)
    with pytest.raises(GoldenError, match="overflow 'wrap'"):
        gemm(a, b, overflow="wrap", **same)
    with pytest.raises(GoldenError, match=r"scale is an integer from -512 to 512, not 1\.5"):
        gemm(a, b, scale=1.5, **same)
    with pytest.raises(GoldenError, match="at most 65536 products"):
        gemm(np.zeros((1, 65537), np.uint8), np.zeros((65537, 1), np.uint8), **same)
    with pytest.raises(GoldenError, match="Exact"):
        gemm(a, b, accumulator="exact", **same)
    with pytest.raises(FormatError, match="0x10 is no code of e2m1fn"):
        gemm(a + 16, b, a_format=parse_format("e2m1fn"), b_format=f8, d_format=f8)


def test_formats_of_no_single_values_are_refused() -> None:
    f8, a = parse_format("e4m3fn"), np.zeros((2, 2), np.uint8)
    block, unum = parse_format("mx(e4m3fn,32)"), parse_format("unum2x2")
    with pytest.raises(GoldenError, match=r"the format of A is mx\(e4m3fn,32\): products need single values"):
        gemm(a, a, a_format=block, b_format=f8, d_format=f8)
    with pytest.raises(GoldenError, match="the format of D is unum2x2"):
        gemm(a, a, a_format=f8, b_format=f8, d_format=unum)
    with pytest.raises(GoldenError, match="the format of the accumulator is unum2x2"):
        gemm(a, a, a_format=f8, b_format=f8, d_format=f8, accumulator=Chain(unum))
    with pytest.raises(GoldenError, match="the format of B is 'e4m3fn': parse_format makes"):
        gemm(a, a, a_format=f8, b_format="e4m3fn", d_format=f8)  # type: ignore[arg-type]


def test_rounding_settings_without_meaning_are_refused() -> None:
    f8, a = parse_format("e4m3fn"), np.zeros((2, 2), np.uint8)
    same = {"a_format": f8, "b_format": f8, "d_format": f8}
    with pytest.raises(GoldenError, match=r"Stochastic\(bits, seed, ...\): it needs to know its bits"):
        gemm(a, a, rounding=Rounding.STOCHASTIC, **same)
    with pytest.raises(GoldenError, match="a chain rounds to nearest even or Stochastic"):
        gemm(a, a, accumulator=Chain(f8, Rounding.UP), **same)
    wide = parse_format("posit32es0")
    with pytest.raises(GoldenError, match="sums to posit32es0 takes 1 to 22 random bits, not 23"):
        gemm(a, a, a_format=f8, b_format=f8, d_format=wide, rounding=Stochastic(23, seed=1))
    with pytest.raises(GoldenError, match="sums to posit32es0 takes 1 to 22 random bits, not 24"):
        gemm(a, a, accumulator=Chain(wide, Stochastic(24, seed=1)), **same)
