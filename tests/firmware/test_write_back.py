"""The software product's write-back against the golden model: every rounding, addend, ReLU and mask."""

from dataclasses import replace

import numpy as np
import pytest

from pyhost.formats import Rounding, Stochastic, parse_format
from pyhost.golden import Chain, Exact
from pyhost.golden.step import execute
from pyhost.plan.calls import Gemm, Kernel, Matrix, Operand, Plan
from pyhost.plan.tensors import Tensor

SEED = 161803
M, N, K = 9, 7, 12
FORMATS = ("e4m3fn", "e5m2", "e4m3fnuz", "e2m3fn", "e5m10", "e5m10nosub", "e8m7", "e8m23", "e5m2b40", "e8m23b200")
FORMATS += ("posit8", "posit16es1", "binary8p3se", "binary8p4uf")
ROUNDINGS = [Rounding.NEAREST_EVEN, Rounding.TOWARD_ZERO, Stochastic(1, 5), Stochastic(11, 5, 2, 3), Stochastic(24, 9)]
EXACT = Exact()
E4M3, E5M2, E5M10, F32 = (parse_format(name) for name in ("e4m3fn", "e5m2", "e5m10", "e8m23"))


@pytest.fixture
def rng(request):
    print(f"seed {SEED}")
    return np.random.default_rng([SEED, *request.node.name.encode()])


def random_codes(rng, tensor):
    """Normal deviates of mixed magnitude, some of them any code at all."""
    codes = tensor.format.encode(rng.normal(size=tensor.shape) * 2.0 ** rng.integers(-6, 7, tensor.shape))
    anything = rng.integers(0, 1 << tensor.format.bits, tensor.shape).astype(codes.dtype)
    return np.where(rng.random(tensor.shape) < 0.1, anything, codes).astype(tensor.dtype)


def product(d_format, *, operand=E4M3, **settings):
    a, b = Tensor("a", (M, K), operand), Tensor("b", (K, N), E5M2)
    d = Matrix.rows(Tensor("d", (M, N), d_format), N)
    return Gemm(m=M, n=N, k=K, a=Operand.rows(a, K, k_minor=True), b=Operand.rows(b, N, k_minor=False), d=d, **settings)


def matrix(name, format_, *, row=False):
    return Matrix.row(Tensor(name, (N,), format_)) if row else Matrix.rows(Tensor(name, (M, N), format_), N)


def check(native, rng, call, accumulator=EXACT, before=None):
    tensors = {tensor.name: tensor for tensor in call.reads}
    before = {name: random_codes(rng, tensor) for name, tensor in tensors.items()} | (before or {})
    plan = Plan((Kernel("product", call),), (), ())
    after = native.execute(plan, before, accumulator=accumulator)
    assert (native.state, native.error) == ("STATE_DONE", "ERROR_NONE")
    expected = execute(plan, before, accumulator=accumulator, engine="reference")["d"]
    wrong = np.argwhere(after["d"] != expected)
    assert not len(wrong), (call, wrong[0], hex(after["d"][tuple(wrong[0])]), hex(expected[tuple(wrong[0])]))
    return before, after["d"]


@pytest.mark.parametrize("overflow", ["ieee", "saturate"])
@pytest.mark.parametrize("rounding", ROUNDINGS, ids=str)
@pytest.mark.parametrize("d_format", FORMATS)
def test_roundings(native, rng, d_format, rounding, overflow):
    for scale in (0, 7, -9):
        call = product(parse_format(d_format), rounding=rounding, overflow=overflow, scale=scale)
        check(native, rng, call)
        check(native, rng, call, Chain(E5M10))


@pytest.mark.parametrize("row", [False, True])
@pytest.mark.parametrize("addend_format", FORMATS)
def test_addends(native, rng, addend_format, row):
    addend = matrix("addend", parse_format(addend_format), row=row)
    for d_format, rounding, scale in ((F32, ROUNDINGS[0], 0), (E4M3, ROUNDINGS[3], -2), (E5M10, ROUNDINGS[1], 12)):
        check(native, rng, product(d_format, addend=addend, rounding=rounding, scale=scale))
        check(native, rng, product(d_format, addend=addend, rounding=rounding, scale=scale), Chain(F32))


def test_the_sum_is_rounded_to_binary32_before_the_addend_and_not_after(native, rng):
    """1 + 2^-23 + 2^-30 is 1 + 2^-23 in binary32; with 2^-24 - 2^-40 that lies just below a tie of binary32."""
    a, b = Tensor("a", (1, 3), F32), Tensor("b", (3, 1), F32)
    addend = Matrix.row(Tensor("addend", (1,), F32))
    d = Matrix.rows(Tensor("d", (1, 1), F32), 1)
    operands = {"a": Operand.rows(a, 3, k_minor=True), "b": Operand.rows(b, 1, k_minor=False)}
    call = Gemm(m=1, n=1, k=3, **operands, d=d, addend=addend)
    before = {
        "a": F32.encode([[1.0, 2.0**-23, 2.0**-30]]),
        "b": F32.encode([[1.0], [1.0], [1.0]]),
        "addend": F32.encode([2.0**-24 - 2.0**-40]),
    }
    _, result = check(native, rng, call, before=before)
    assert F32.decode(result)[0, 0] == 1 + 2.0**-23


@pytest.mark.parametrize("d_format", FORMATS)
def test_relu_and_mask(native, rng, d_format):
    format_ = parse_format(d_format)
    for mask_format in ("e4m3fn", "e4m3fnuz", "e5m10nosub", "e8m23", "posit8", "binary8p3se", "binary6p3uf"):
        mask = matrix("mask", parse_format(mask_format))
        special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, -1.0])
        codes = mask.tensor.format.encode(np.resize(special, (M, N)))
        _, relu = check(native, rng, product(format_, relu=True))
        values = format_.decode(relu)
        assert not (np.signbit(values) & ~np.isnan(values)).any()
        check(native, rng, product(format_, mask=mask), before={"mask": codes})
        check(native, rng, product(format_, mask=mask, relu=True, addend=matrix("addend", E5M2)))


def test_a_mask_in_the_place_of_the_result(native, rng):
    """Each element of the mask is read before D's is written."""
    call = product(E5M2)
    check(native, rng, replace(call, mask=call.d))


@pytest.mark.parametrize("bits", [1, 8, 24])
@pytest.mark.parametrize("chain", ["e8m23", "e5m10", "e4m3fnuz", "e8m7"])
def test_chains_that_round_stochastically(native, rng, chain, bits):
    accumulator = Chain(parse_format(chain), Stochastic(bits, seed=8, tensor=1))
    for operand in (E4M3, E5M10):
        c = matrix("c", F32)
        check(native, rng, product(F32, operand=operand, c=c, rounding=Stochastic(6, 1)), accumulator)
        check(native, rng, product(E5M10, operand=operand), accumulator)


def test_a_part_of_a_tensor(native, rng):
    """Columns 3 to 9 of D's and the addend's 16; C is one row. The rest of D keeps its poison."""
    d, addend = Tensor("d", (M, 16), E5M10), Tensor("addend", (M, 16), F32)
    views = {"d": Matrix(tensor=d, pitch=16, offset=3), "addend": Matrix(tensor=addend, pitch=16, offset=3)}
    call = replace(product(E5M10), **views, c=matrix("c", E5M2, row=True))
    poison = {"d": np.full(d.shape, 0xA5A5, np.uint16)}
    _, result = check(native, rng, call, before=poison)
    assert (result[:, :3] == 0xA5A5).all() and (result[:, 3 + N :] == 0xA5A5).all()


@pytest.mark.parametrize(
    ("field", "value"), [("rounding", 3), ("random_bits", 0), ("random_bits", 25), ("chain_random_bits", 25)]
)
def test_roundings_that_do_not_exist(native, field, value):
    def edit(kernels, mailbox):
        kernels["gemm"][field][0] = value

    plan = Plan((Kernel("product", product(F32, rounding=Stochastic(3, 1))),), (), ())
    native.execute(plan, {}, accumulator=Chain(F32), edit=edit)
    assert (native.state, native.error) == ("STATE_FAILED", "ERROR_ARGUMENT")
