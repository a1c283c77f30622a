"""The software matrix product against the golden model, plain and through windows."""

import numpy as np
import pytest

from pyhost.formats import parse_format
from pyhost.golden import Chain, Exact, kernels
from pyhost.golden.step import execute
from pyhost.plan.calls import Gemm, Kernel, Matrix, Operand, Plan
from pyhost.plan.convolution import Convolution
from pyhost.plan.tensors import Tensor
from tests.rtl.windows import operand, random_window

SEED = 271828
CHAINS = ("e8m23", "e5m10", "e8m7", "e4m3fn", "e4m3fnuz", "e5m10nosub", "e2m3fn", "e3m4")
OPERANDS = [("e4m3fn", "e4m3fn"), ("e4m3fn", "e5m2"), ("e5m2", "e5m2"), ("e3m4", "e2m1fn"), ("e5m10", "e5m10")]
OPERANDS += [("e8m7", "e8m7"), ("e8m23", "e8m23"), ("e5m2fnuz", "e8m10"), ("e8m23", "e4m3fn"), ("e4m3nosub", "e5m2b40")]
OPERANDS += [("e8m23b200", "e5m2b-200"), ("e8m23b-40", "e8m20b270")]
OPERANDS += [("posit8", "posit8"), ("posit16", "posit16"), ("posit16es3", "e8m23"), ("posit6es0", "binary8p3se")]
OPERANDS += [("binary8p4uf", "binary8p1ue")]

NOT_IN_BINARY32 = [("e8m7", "e8m7"), ("e8m10", "e8m10"), ("e6m17", "e6m9"), ("e5m10", "e5m10")]
NOT_IN_BINARY32 += [("e5m4b90", "e5m5b90")]


@pytest.fixture
def rng(request):
    print(f"seed {SEED}")
    return np.random.default_rng([SEED, *request.node.name.encode()])


def random_codes(rng, format_, shape, kind):
    """`normal`: deviates of mixed magnitude; `any`: every code alike; `small`: near the subnormals."""
    if kind == "any":
        return rng.integers(0, 1 << format_.bits, shape).astype(format_.dtype)
    if kind == "finite":
        codes = random_codes(rng, format_, shape, "any")
        return np.where(np.isfinite(format_.decode(codes)), codes, np.zeros((), codes.dtype))
    if kind == "small":
        return format_.encode(rng.normal(size=shape) * format_.min_normal * 2.0 ** rng.integers(-2, 3, shape))
    return format_.encode(rng.normal(size=shape) * 2.0 ** rng.integers(-3, 4, shape))


def check(native, call, before, accumulator):
    plan = Plan((Kernel("product", call),), (), ())
    after = native.execute(plan, before, accumulator=accumulator)
    assert (native.state, native.error) == ("STATE_DONE", "ERROR_NONE")
    expected = execute(plan, before, accumulator=accumulator, engine="reference")[call.d.tensor.name]
    result = after[call.d.tensor.name]
    wrong = np.argwhere(result != expected)
    assert not len(wrong), (len(wrong), wrong[0], hex(result[tuple(wrong[0])]), hex(expected[tuple(wrong[0])]))
    return result


def product(rng, formats, m, n, k, kind, transpose="NN", **settings):
    """A plain product of random matrices; formats of A, B, C (None: no C) and D."""
    a_format, b_format, c_format, d_format = (name and parse_format(name) for name in formats)
    a = Tensor("a", (m, k) if transpose[0] == "N" else (k, m), a_format)
    b = Tensor("b", (k, n) if transpose[1] == "N" else (n, k), b_format)
    c = Tensor("c", (m, n), c_format) if c_format else None
    call = Gemm(
        m=m,
        n=n,
        k=k,
        a=Operand.rows(a, a.shape[1], k_minor=transpose[0] == "N"),
        b=Operand.rows(b, b.shape[1], k_minor=transpose[1] == "T"),
        c=None if c is None else Matrix.rows(c, n),
        d=Matrix.rows(Tensor("d", (m, n), d_format), n),
        **settings,
    )
    return call, {t.name: random_codes(rng, t.format, t.shape, kind) for t in (a, b, c) if t is not None}


@pytest.mark.parametrize("kind", ["normal", "finite", "any", "small"])
@pytest.mark.parametrize("operands", OPERANDS, ids="-".join)
def test_exact(native, rng, operands, kind):
    for c_format, d_format in ((None, "e5m10"), ("e8m23", "e8m23"), (operands[0], operands[1])):
        for scale, overflow in ((0, "ieee"), (-3, "saturate")):
            formats = (*operands, c_format, d_format)
            call, before = product(rng, formats, 7, 5, 24, kind, scale=scale, overflow=overflow)
            check(native, call, before, Exact())


@pytest.mark.parametrize("kind", ["normal", "finite", "any", "small"])
@pytest.mark.parametrize("chain", CHAINS)
def test_chain(native, rng, chain, kind):
    for operands in OPERANDS:
        for c_format, d_format, scale in ((None, "e8m23", 0), ("e8m23", "e4m3fn", 5), (operands[1], "e5m10", -2)):
            call, before = product(rng, (*operands, c_format, d_format), 4, 3, 9, kind, scale=scale)
            check(native, call, before, Chain(parse_format(chain)))


@pytest.mark.parametrize("transpose", ["NN", "NT", "TN", "TT"])
@pytest.mark.parametrize("accumulator", [Exact(), Chain(parse_format("e8m23"))], ids=["exact", "chain"])
def test_transpositions(native, rng, accumulator, transpose):
    for m, n, k in ((1, 1, 1), (13, 6, 17), (3, 40, 2)):
        call, before = product(rng, ("e4m3fn", "e5m10", None, "e8m23"), m, n, k, "normal", transpose)
        check(native, call, before, accumulator)


@pytest.mark.parametrize("k", [2047, 2048, 2049, 5000])
def test_lines_longer_than_the_room_for_them(native, rng, k):
    formats = ("e4m3fn", "e5m2", "e8m23", "e8m23")
    call, before = product(rng, formats, 3, 2, k, "normal")
    check(native, call, before, Exact())
    check(native, call, before, Chain(parse_format("e5m10")))
    before["a"][1, k - 1] = parse_format("e4m3fn").nan_code  # in the last part of its row only
    assert (check(native, call, before, Exact())[1] == 0x7FC00000).all()


def test_cancellation_leaves_the_small_addend(native):
    e4m3, f32 = parse_format("e4m3fn"), parse_format("e8m23")
    a, b = Tensor("a", (1, 3), e4m3), Tensor("b", (3, 1), e4m3)
    call = Gemm(
        m=1,
        n=1,
        k=3,
        a=Operand.rows(a, 3, k_minor=True),
        b=Operand.rows(b, 1, k_minor=False),
        d=Matrix.rows(Tensor("d", (1, 1), f32), 1),
    )
    before = {"a": e4m3.encode([[448, 2.0**-9, -448]]), "b": e4m3.encode([[448], [2.0**-9], [448]])}
    assert f32.decode(check(native, call, before, Exact()))[0, 0] == 2.0**-18
    assert check(native, call, before, Chain(parse_format("e8m7")))[0, 0] == 0


@pytest.mark.parametrize("operands", [("e4m3fn", "e5m2"), ("e4m3fn", "e5m10"), ("e5m2", "e5m2"), ("e8m23", "e8m23")])
def test_long_sums_of_the_largest_values(native, rng, operands):
    """The most carries that there can be, in lines of every form."""
    call, before = product(rng, (*operands, None, "e8m23"), 2, 1, 4100, "normal", scale=-100)
    for tensor in (call.a.tensor, call.b.tensor):
        before[tensor.name][...] = tensor.format.encode(tensor.format.max)
    before["a"][1] ^= np.asarray(1 << (call.a.tensor.format.bits - 1), before["a"].dtype)
    sums = check(native, call, before, Exact())
    assert sums[0, 0] ^ sums[1, 0] == 0x80000000


def dot(native, chain, c, pairs, operand="e8m23"):
    """round(... round(round(+0 + c) + a * b) ...), all but a and b in binary32, by the firmware; a float."""
    f32, operand_format = parse_format("e8m23"), parse_format(operand)
    a, b = Tensor("a", (1, len(pairs)), operand_format), Tensor("b", (len(pairs), 1), operand_format)
    call = Gemm(
        m=1,
        n=1,
        k=len(pairs),
        a=Operand.rows(a, len(pairs), k_minor=True),
        b=Operand.rows(b, 1, k_minor=False),
        c=Matrix.rows(Tensor("c", (1, 1), f32), 1),
        d=Matrix.rows(Tensor("d", (1, 1), f32), 1),
    )
    values = np.array(pairs, np.float64)
    codes = operand_format.encode(values, exact=True)
    before = {"a": codes[None, :, 0], "b": codes[:, 1, None], "c": f32.encode([[c]])}
    return float(f32.decode(check(native, call, before, Chain(parse_format(chain))))[0, 0])


def test_a_multiply_add_rounds_once(native):
    """The product lies in the middle of two binary32 numbers; a far smaller addend decides."""
    factor = 1 + 2.0**-12
    tie = 1 + 2.0**-11
    assert dot(native, "e8m23", 0.0, [(factor, factor)]) == tie
    assert dot(native, "e8m23", 2.0**-149, [(factor, factor)]) == tie + 2.0**-23
    assert dot(native, "e8m23", -(2.0**-149), [(factor, factor)]) == tie
    assert dot(native, "e8m23", -(2.0**-149), [(-factor, factor)]) == -tie - 2.0**-23


@pytest.mark.parametrize("operand", ["e8m23", "e8m7", "e5m10b-50"])
def test_a_product_beyond_the_largest_number_is_no_overflow_yet(native, operand):
    assert dot(native, "e8m23", -(2.0**127), [(2.0**64, 2.0**64)], operand) == 2.0**127
    assert dot(native, "e8m23", 0.0, [(2.0**64, 2.0**64)], operand) == np.inf


def test_signs_of_zero_in_a_chain(native):
    """IEEE 754: only -0 + -0 is -0, and a chain starts at +0; a product that underflows keeps its sign."""
    tiny = 2.0**-100
    for c, pairs, sign in [
        (-0.0, [(0.0, -1.0)], 1),
        (-0.0, [(1.0, -1.0), (1.0, 1.0)], 1),
        (0.0, [(tiny, -tiny)], -1),
        (0.0, [(tiny, -tiny), (0.0, -1.0)], -1),
        (0.0, [(tiny, -tiny), (0.0, 1.0)], 1),
    ]:
        result = dot(native, "e8m23", c, pairs)
        assert result == 0 and np.copysign(1, result) == sign, (c, pairs)


@pytest.mark.parametrize("operands", NOT_IN_BINARY32)
@pytest.mark.parametrize("exponent", [-70, -16, 0, 14, 63])
def test_products_that_binary32_does_not_hold(native, rng, operands, exponent):
    """Beyond its range or its precision; only exact products may be left to soft-float, which rounds them."""
    call, before = product(rng, (*operands, "e8m23", "e8m23"), 6, 6, 40, "normal")
    for tensor, power in ((call.a.tensor, exponent), (call.b.tensor, exponent), (call.c.tensor, 2 * exponent)):
        values = rng.normal(size=tensor.shape) * 2.0 ** (power + rng.integers(-3, 4, tensor.shape))
        before[tensor.name] = tensor.format.encode(values, saturate=True)
    check(native, call, before, Chain(parse_format("e8m23")))


LAYERS = {
    "3x3": {"kernel": (3, 3)},
    "padded": {"kernel": (3, 3), "padding": (1, 2)},
    "strided": {"kernel": (3, 2), "stride": (2, 3), "padding": (1, 1)},
    "dilated": {"kernel": (2, 3), "dilation": (3, 2), "padding": (2, 0)},
    "groups": {"kernel": (3, 3), "stride": (1, 2), "dilation": (2, 1), "groups": 2},
    "depthwise": {"kernel": (3, 3), "padding": (1, 1), "groups": 4},
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("formats", [("e4m3fn", "e5m2"), ("e5m10", "e8m7")], ids="-".join)
def test_convolutions_through_windows(native, rng, formats, name):
    """Against the golden convolutions, which know nothing of windows; chains see the order of sums."""
    layer = Convolution(images=2, height=6, width=7, channels=4, filters=8, **LAYERS[name])
    settings = kernels.Convolution(
        stride=layer.stride, padding=layer.padding, dilation=layer.dilation, groups=layer.groups
    )
    operand_format, gradient_format, f32 = (parse_format(each) for each in (*formats, "e8m23"))
    x = Tensor("x", (2, 6, 7, 4), operand_format)
    w = Tensor("w", (*layer.kernel, 4 // layer.groups, 8), operand_format)
    dy = Tensor("dy", (2, *layer.image, 8), gradient_format)
    y, dw, dx = Tensor("y", dy.shape, f32), Tensor("dw", w.shape, f32), Tensor("dx", x.shape, f32)
    before = {t.name: random_codes(rng, t.format, t.shape, "normal") for t in (x, w, dy)}
    calls = (*layer.forward(x, w, y), *layer.weight_gradient(x, dy, dw), *layer.input_gradient(dy, w, dx))
    plan = Plan(tuple(Kernel("product", call) for call in calls), (), ())
    operands, product = (operand_format, gradient_format), {"accumulator": Chain(parse_format("e5m10"))}
    after = native.execute(plan, before, **product)
    assert native.state == "STATE_DONE"
    expected = {
        "y": kernels.convolution(before["x"], x.format, before["w"], w.format, f32, settings, **product),
        "dw": kernels.convolution_weight_gradient(
            before["x"], operands[0], before["dy"], operands[1], f32, layer.kernel, settings, **product
        ),
        "dx": kernels.convolution_input_gradient(
            before["dy"], operands[1], before["w"], operands[0], f32, (6, 7), settings, **product
        ),
    }
    for tensor, codes in expected.items():
        assert np.array_equal(after[tensor], codes), tensor


def test_random_windows(native, rng):
    """Strides, holes, taps and extents that no layer has; some lines are loaded in parts."""
    format_, f32 = parse_format("e5m2"), parse_format("e8m23")
    for case in range(120):
        m, k = (int(n) for n in rng.integers(1, 30, 2))
        k += 2048 * (case % 20 == 0)
        k_minor = bool(rng.integers(2))
        window, count = random_window(rng, *((m, k) if k_minor else (k, m)), k_minor)
        source, other = Tensor("source", (count,), format_), Tensor("other", (5, k), format_)
        before = {t.name: random_codes(rng, format_, t.shape, "finite") for t in (source, other)}
        seen, columns = operand(window, source), Operand.rows(other, k, k_minor=True)
        d, mirrored = Matrix.rows(Tensor("d", (m, 5), f32), 5), Matrix.rows(Tensor("d", (5, m), f32), m)
        check(native, Gemm(m=m, n=5, k=k, a=seen, b=columns, d=d), before, Exact())
        check(native, Gemm(m=5, n=m, k=k, a=columns, b=seen, d=mirrored), before, Exact())
