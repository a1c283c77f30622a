"""The fast engine gives the reference's bits: every arithmetic it may choose, on data that provoke its limits."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from pyhost.formats import ScalarFormat, Stochastic, parse_format
from pyhost.golden import Chain, Exact, exact_kernels, gemm, odd, reference
from pyhost.golden.chain import lanes
from pyhost.golden.exact import Span, plan
from pyhost.golden.register import Register, sum_products

SEED = 2008
Codes = NDArray[np.unsignedinteger]
Switch = Callable[[bool], None]
CHAINS = [
    ("e4m3fn", "e5m2", "e5m10", "float32"),
    ("e5m2", "e5m2", "e5m10", "float32"),
    ("e2m1fn", "e2m1fn", "e4m3fn", "float32"),
    ("e4m3fnuz", "e4m3fnuz", "e5m10", "float32"),
    ("e3m4", "e3m4", "e4m3fnuz", "float32"),
    ("e2m1", "e2m1", "e2m1", "float32"),
    ("e5m10", "e2m1fn", "e5m10", "float64"),  # p + q = 24: one bit too many for float32 lanes
    ("e5m10", "e5m10", "e5m10", "float64"),
    ("e8m7", "e8m7", "e8m23", "float64"),
    ("e5m10", "e5m10", "e8m23", "float64"),
    ("e4m3fn", "e8m7", "e5m10", "float64"),
    ("e8m7", "e8m7", "e8m7", "odd"),
    ("e8m10", "e8m10", "e8m10", "odd"),
    ("e8m23", "e8m23", "e8m23", "odd"),
    ("e8m23", "e5m2", "e4m3fn", "float64"),
    ("e8m7", "e5m2", "e5m2fnuz", "float64"),
    ("e8m7", "e8m7", "e8m3fnuz", "odd"),
    ("e8m23", "e8m7", "e8m3fn", "odd"),
    ("e5m10", "e4m3fn", "e3m2fn", "stepwise"),
    ("e5m2", "e4m3fn", "e5m10nosub", "stepwise"),
    ("e8m23", "e8m23", "e8m7nosub", "stepwise"),
    ("posit8", "posit8", "posit16", "stepwise"),
    ("posit16", "e5m2", "binary8p4se", "stepwise"),
    ("posit32", "posit32", "posit32", "reference"),
]
MIXTURES = [
    ("e4m3fn", "e4m3fn", "e8m23", "e5m10"),
    ("e5m2", "e5m2", "e5m2", "e5m10"),
    ("e5m10", "e5m10", "e8m23", "e5m10"),
    ("e8m7", "e8m7", "e8m7", "e8m7"),
    ("e8m10", "e5m2", "e8m23", "e8m23"),
    ("e8m23", "e8m23", "e8m23", "e8m23"),
    ("e2m1fn", "e3m2fn", "e2m3fn", "e4m3fnuz"),
    ("e8m3b140", "e4m3fnuzb11", "e8m3b-40", "e8m23"),
    ("posit8", "posit8", "posit16", "posit16"),
    ("posit16", "posit8es0", "posit16", "posit8"),
    ("binary8p3se", "binary8p4ue", "e5m10", "e5m10"),
    ("posit32", "posit32", "posit32", "posit32"),
]


def scalar(name: str) -> ScalarFormat:
    number_format = parse_format(name)
    assert isinstance(number_format, ScalarFormat)
    return number_format


def engines(compiling: Switch) -> Iterator[str]:
    """The reference, then the fast engine in NumPy and in compiled kernels."""
    yield "reference"
    for compiles in (False, True):
        compiling(compiles)
        yield "fast"


def assert_equal(results: list[Codes], message: str) -> None:
    for result in results[1:]:
        assert np.array_equal(results[0], result), message


def data(kind: str, rng: np.random.Generator, number_format: ScalarFormat, shape: tuple[int, int]) -> Codes:
    if kind == "codes":  # specials and the whole range
        return rng.integers(0, 1 << number_format.bits, shape).astype(number_format.dtype)
    x = rng.standard_normal(shape)
    if kind == "cancelling":  # neighbours along both axes are opposite, with a little noise
        sign = (-1.0) ** np.add.outer(np.arange(shape[0]), np.arange(shape[1]))
        x = sign * (1 + x * 2.0 ** -rng.integers(0, 24, shape))
    if kind == "wide":  # all binades alike
        span = np.log2(number_format.max) - number_format.unit_exponent
        x = x * 2.0 ** (rng.uniform(0, span, shape) + number_format.unit_exponent)
    if kind == "small":
        x = x * number_format.min_normal
    return number_format.encode(x, saturate=True)


@pytest.mark.parametrize("kind", ["normal", "codes", "cancelling", "wide", "small"])
@pytest.mark.parametrize(("a_name", "b_name", "accumulator", "how"), CHAINS)
def test_chains_agree(a_name: str, b_name: str, accumulator: str, how: str, kind: str, compiling: Switch) -> None:
    a_format, b_format, acc_format = map(scalar, (a_name, b_name, accumulator))
    assert lanes(a_format, b_format, acc_format) == how
    rng = np.random.default_rng(SEED)
    for m, k, n in ((5, 36, 5), (6, 7, 3)):  # more columns than rows, more rows than columns
        a, b = data(kind, rng, a_format, (m, k)), data(kind, rng, b_format, (k, n))
        for c in (None, data(kind, rng, acc_format, (m, n))):
            results = [
                gemm(
                    a,
                    b,
                    c,
                    a_format=a_format,
                    b_format=b_format,
                    d_format=acc_format,
                    accumulator=Chain(acc_format),
                    engine=engine,
                )
                for engine in engines(compiling)
            ]
            assert_equal(results, f"seed {SEED}, {kind}, {(m, k, n)}, C {c is not None}")


@pytest.mark.parametrize("kind", ["normal", "codes", "cancelling", "wide", "small"])
@pytest.mark.parametrize(
    ("a_name", "b_name", "accumulator", "how"),
    [
        ("e4m3fn", "e5m2", "e5m10", "float64"),
        ("e5m2", "e5m2", "e4m3fnuz", "float64"),
        ("e5m10", "e5m10", "e5m10", "odd"),
        ("e8m7", "e8m7", "e8m23", "odd"),
        ("e8m7", "e8m7", "e8m7", "odd"),
        ("e5m10", "e5m10", "e4m3fn", "odd"),
        ("e8m23", "e8m23", "e8m23", "odd"),
        ("e4m3fn", "e4m3fn", "e5m10nosub", "stepwise"),
        ("posit8", "posit8", "posit16", "stepwise"),
    ],
)
def test_stochastic_chains_agree(
    a_name: str, b_name: str, accumulator: str, how: str, kind: str, compiling: Switch
) -> None:
    a_format, b_format, acc_format = map(scalar, (a_name, b_name, accumulator))
    assert lanes(a_format, b_format, acc_format, stochastic=True) == how
    rng = np.random.default_rng(SEED)
    for (m, k, n), bits in (((4, 20, 5), 4), ((5, 7, 3), 24)):
        a, b = data(kind, rng, a_format, (m, k)), data(kind, rng, b_format, (k, n))
        for c in (None, data(kind, rng, a_format, (m, n))):
            results = [
                gemm(
                    a,
                    b,
                    c,
                    a_format=a_format,
                    b_format=b_format,
                    c_format=a_format,
                    d_format=acc_format,
                    accumulator=Chain(acc_format, Stochastic(bits, seed=5, step=6, tensor=7)),
                    rounding=Stochastic(3, seed=8),
                    engine=engine,
                )
                for engine in engines(compiling)
            ]
            assert_equal(results, f"seed {SEED}, {kind}, {(m, k, n)}, C {c is not None}")


@pytest.mark.parametrize("kind", ["normal", "codes", "cancelling", "wide", "small"])
@pytest.mark.parametrize(("a_name", "b_name", "c_name", "d_name"), MIXTURES)
def test_exact_sums_agree(a_name: str, b_name: str, c_name: str, d_name: str, kind: str, compiling: Switch) -> None:
    a_format, b_format, c_format, d_format = map(scalar, (a_name, b_name, c_name, d_name))
    rng = np.random.default_rng(SEED)
    for m, k, n in ((4, 40, 5), (3, 1, 4)):
        a, b = data(kind, rng, a_format, (m, k)), data(kind, rng, b_format, (k, n))
        for c in (None, data(kind, rng, c_format, (m, n))):
            for scale in (3, -450):
                results = [
                    gemm(
                        a,
                        b,
                        c,
                        a_format=a_format,
                        b_format=b_format,
                        c_format=c_format,
                        d_format=d_format,
                        accumulator=Exact(),
                        scale=scale,
                        engine=engine,
                    )
                    for engine in engines(compiling)
                ]
                assert_equal(results, f"seed {SEED}, {kind}, {(m, k, n)}, C {c is not None}, {scale=}")


@pytest.mark.parametrize("kind", ["normal", "codes", "cancelling", "wide", "small"])
@pytest.mark.parametrize(("a_name", "b_name", "c_name", "d_name"), MIXTURES)
def test_registers_of_integers_agree(a_name: str, b_name: str, c_name: str, d_name: str, kind: str) -> None:
    """The paths of last resort, also for operands that would not need them."""
    fa, fb, fc = (scalar(name) for name in (a_name, b_name, c_name))
    rng = np.random.default_rng(SEED)
    a, b, c = (
        np.where(np.isfinite(v), v, 0.0)
        for v in (f.decode(data(kind, rng, f, shape)) for f, shape in ((fa, (4, 30)), (fb, (30, 5)), (fc, (4, 5))))
    )
    unit, top = min(fa.unit_exponent + fb.unit_exponent, fc.unit_exponent), 600
    register = Register(4, 5, unit, top)
    add_each(register, c)
    with np.errstate(over="ignore"):
        coarse = a.astype(np.float32).astype(np.float64)
    coarse = np.where(np.isfinite(coarse), coarse, a)
    for part in (coarse, a - coarse):  # the product of two posit32 would have 56 bits
        for k in range(30):
            add_each(register, part[:, k, None] * b[None, k, :])
    expected = reference.exact(a, b, c, fa, fb, fc)
    for sums in (sum_products(a, b, c, unit, top), register.round_to_odd()):
        assert np.array_equal(sums, expected), f"seed {SEED}"
        assert np.array_equal(np.signbit(sums), np.signbit(expected)), f"seed {SEED}"


def add_each(register: Register, values: NDArray[np.float64]) -> None:
    """Add values of any exponents, one by one, each with the unit of its own last place."""
    for i, j in np.ndindex(values.shape):
        if values[i, j]:
            term = np.zeros(values.shape)
            term[i, j] = values[i, j]
            register.add(term, int(np.frexp(values[i, j])[1]) - 53)


@pytest.mark.parametrize("name", ["e5m2", "e5m10", "e8m7", "e8m23", "posit8", "posit16"])
@pytest.mark.parametrize("kind", ["normal", "codes", "wide"])
def test_compiled_passes_agree_with_numpys(name: str, kind: str) -> None:
    number_format = scalar(name)
    rng = np.random.default_rng(SEED)
    values = number_format.decode(data(kind, rng, number_format, (40, 50)))
    assert np.array_equal(exact_kernels.survey(values), odd.survey(values), equal_nan=True)
    values = np.where(np.isfinite(values), values, 0.0)
    largest, smallest = odd.survey(values)
    assert exact_kernels.survey(values) == (largest, smallest)
    assert largest == np.abs(values).max()
    assert smallest == np.abs(values[values != 0]).min()
    assert exact_kernels.survey(0.0 * values) == odd.survey(0.0 * values) == (0.0, 0.0)
    quantum = 2.0 ** np.ceil(np.log2(largest) - 30)
    for ours, theirs in zip(exact_kernels.split(values, quantum), odd.split(values, quantum), strict=True):
        assert np.array_equal(ours, theirs)
    sums = []
    for tools in (odd, exact_kernels):
        high, low = values.copy(), np.zeros_like(values)
        tools.accumulate(high, low, values[::-1] * 2.0**-30)
        tools.accumulate(high, low, values[:, ::-1] * 2.0**-20)
        sums.append(tools.add_to_odd(high, low))
    assert np.array_equal(*sums)


@pytest.mark.parametrize("depth", [32, 62, 64, 126, 130, 1000])
def test_sums_of_more_than_53_bits_are_cut(depth: int) -> None:
    """Odd 24-bit integers: products have 48 bits, partial sums up to 58, and what is left at the end is small."""
    number_format = scalar("e8m23")
    rng = np.random.default_rng(SEED)
    a = rng.integers((1 << 24) - 1000, 1 << 24, (6, depth)) | 1
    b = rng.integers((1 << 24) - 1000, 1 << 24, (depth, 6)) | 1
    b[depth // 2 :] = -b[: depth // 2]
    a[:, depth // 2 :] = np.roll(a[:, : depth // 2], 1, axis=0) - 2 * rng.integers(0, 4, (6, depth // 2))
    sums = a.astype(object) @ b.astype(object)
    expected = number_format.encode([[reference.round_to_odd(int(x), 0) for x in row] for row in sums])
    d = gemm(
        number_format.encode(a, exact=True),
        number_format.encode(b, exact=True),
        a_format=number_format,
        b_format=number_format,
        d_format=number_format,
    )
    assert np.array_equal(d, expected), f"seed {SEED}"


def test_sums_wider_than_a_pair_go_to_a_register(compiling: Switch) -> None:
    """2^120 + 2^66 + 1 - 2^120: a pair of binary64 that held the first two would lose the 1."""
    number_format = scalar("e8m1")
    a = number_format.encode([[2.0**60, 2.0**60, 1.0]])
    b = number_format.encode([[2.0**60], [2.0**6], [1.0]])
    c = number_format.encode([[-(2.0**120)]])
    for engine in engines(compiling):
        d = gemm(
            a,
            b,
            c,
            a_format=number_format,
            b_format=number_format,
            d_format=number_format,
            rounding="up",
            engine=engine,
        )
        assert number_format.decode(d).tolist() == [[1.5 * 2.0**66]]


@pytest.mark.parametrize("operand", ["e4m3fn", "e5m10"])  # float32 and float64 lanes
@pytest.mark.parametrize("accumulator", ["e5m10", "e4m9fn", "e4m5fnuz"])
def test_a_chain_overflows_where_half_a_step_is_reached(operand: str, accumulator: str, compiling: Switch) -> None:
    """From the largest value, by less than half a step, by half a step, and by more; then back by all of it."""
    number_format, acc_format = scalar(operand), scalar(accumulator)
    largest = acc_format.max
    step = largest - acc_format.decode([acc_format.largest_code - 1])[0]  # type: ignore[attr-defined]
    c = acc_format.encode([[largest]])
    b = number_format.encode([[1.0], [-1.0]])
    for part in (0.25, 0.4375, 0.5, 0.5625, 0.75):
        a = number_format.encode([[step * part, step * part]], exact=True)
        results = [
            gemm(
                a,
                b,
                c,
                a_format=number_format,
                b_format=number_format,
                d_format=acc_format,
                accumulator=Chain(acc_format),
                engine=engine,
            ).tolist()
            for engine in engines(compiling)
        ]
        assert results[0] == results[1] == results[2]
        overflows = part > 0.5 or (part == 0.5 and acc_format.largest_code % 2 == 1)  # type: ignore[attr-defined]
        assert np.isfinite(acc_format.decode(results[1])).all() == (not overflows), part


def test_slices_are_few_where_few_suffice() -> None:
    e4m3, e5m2, e5m10 = Span(-9, 9), Span(-16, 16), Span(-24, 16)
    counts = [(p.a_slices, p.b_slices) for span in (e4m3, e5m2, e5m10) if (p := plan(span, span, 512))]
    assert [i * j for i, j in counts] == [1, 3, 4]
    assert plan(Span(-300, 300), Span(-300, 300), 512) is None


def test_the_kernels_precondition_is_tight(compiling: Switch) -> None:
    """2 q = 24 is one bit too many for float32 lanes: their own rounding makes a tie of a sum just below it."""
    operand, acc_format = parse_format("e5m5"), parse_format("e5m11")
    q = acc_format.precision
    a, c = 63.0 * 2.0**-5, 2.0**-q - 2.0**-24
    product = a * a * 2.0**-1
    assert np.float32(product) + np.float32(c) == np.float32(product + 2.0**-q)
    compiling(True)
    d = gemm(
        operand.encode([[a]], exact=True),
        operand.encode([[a / 2]], exact=True),
        acc_format.encode([[c]], exact=True),
        a_format=operand,
        b_format=operand,
        d_format=acc_format,
        accumulator=Chain(acc_format),
    )
    assert acc_format.decode(d).tolist() == [[product]]


def test_importing_and_running_a_small_exact_product_needs_no_compiler() -> None:
    code = """
import sys, numpy as np
from pyhost.formats import parse_format
from pyhost.golden import gemm
f = parse_format("e5m2")
rng = np.random.default_rng(1)
a, b = f.encode(rng.standard_normal((1024, 8))), f.encode(rng.standard_normal((8, 9)))
gemm(a, b, a_format=f, b_format=f, d_format=f)
print("numba" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["e4m1fn", "e5m1fn", "e8m1fn"])
def test_a_chain_overflows_half_a_step_above_a_largest_value_that_is_a_power_of_two(
    name: str, compiling: Switch
) -> None:
    accumulator, operand = scalar(name), scalar("e8m7b120")
    shares = np.array([[0.5, 0.625], [0.5, 0.6875], [0.75, 0.5], [0.5, 0.7578125], [1.0, 0.25], [1.0, 0.2578125]])
    a, b = operand.encode(shares * accumulator.max), operand.encode(np.ones((2, 9)))
    formats = {"a_format": operand, "b_format": operand, "d_format": accumulator}
    results = [
        gemm(a, b, accumulator=Chain(accumulator), engine=engine, **formats)  # type: ignore[arg-type]
        for engine in engines(compiling)
    ]
    assert_equal(results, name)
    held = accumulator.decode(results[0])[:, 0] / accumulator.max
    assert np.array_equal(held, [1, 1, 1, np.nan, 1, np.nan], equal_nan=True)
