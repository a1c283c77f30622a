"""Every kernel but the matrix product, run as a plan by the executor, against the golden model's NumPy twin.

The values are random bit patterns beside ordinary numbers, so infinities, NaNs, both zeros and subnormals take part.
"""

import numpy as np
import pytest

from pyhost.formats import parse_format
from pyhost.golden import Exact
from pyhost.golden.step import execute
from pyhost.plan.calls import (
    BiasGradient,
    Convert,
    Kernel,
    MaxPool,
    MaxPoolGradient,
    Plan,
    Relu,
    ReluGradient,
    Sgd,
    SoftmaxCrossEntropy,
)
from pyhost.plan.tensors import Tensor

SEED = 90125
E4M3, E5M2, E5M10, BF16, F32 = (parse_format(name) for name in ("e4m3fn", "e5m2", "e5m10", "e8m7", "e8m23"))
FNUZ, FINITE, NOSUB = (parse_format(name) for name in ("e4m3fnuz", "e2m3fn", "e5m10nosub"))
POSIT, SIGNED, UNSIGNED = (parse_format(name) for name in ("posit16", "binary8p3se", "binary8p4uf"))
OVERFLOWS = ("ieee", "saturate")


@pytest.fixture
def rng():
    print(f"seed {SEED}")
    return np.random.default_rng(SEED)


def random_codes(rng, tensor, specials=True):
    """Normal deviates, among them, if `specials`, arbitrary codes of the format."""
    codes = tensor.format.encode(rng.normal(size=tensor.shape) * 2.0 ** rng.integers(-3, 4, tensor.shape))
    if specials:
        anything = rng.integers(0, 1 << tensor.format.bits, tensor.shape).astype(codes.dtype)
        codes = np.where(rng.random(tensor.shape) < 0.1, anything, codes)
    return codes.astype(tensor.dtype)


def check(native, call, before, plan=None):
    """The native result of `call` equals the golden one in every tensor; a NaN that is copied keeps its code."""
    plan = plan or Plan((Kernel("kernel", call),), (), ())
    after = native.execute(plan, before, accumulator=Exact())
    assert (native.state, native.error) == ("STATE_DONE", "ERROR_NONE")
    expected = execute(plan, before, accumulator=Exact())
    for name, codes in expected.items():
        wrong = np.argwhere(after[name] != codes)
        assert not len(wrong), (name, wrong[0], hex(after[name][tuple(wrong[0])]), hex(codes[tuple(wrong[0])]))
    return after


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize(
    "pair",
    [
        (F32, E4M3),
        (F32, E5M2),
        (E5M10, BF16),
        (E4M3, F32),
        (BF16, FNUZ),
        (E5M2, FINITE),
        (POSIT, SIGNED),
        (UNSIGNED, POSIT),
        (SIGNED, UNSIGNED),
    ],
)
def test_convert(native, rng, pair, overflow):
    x, y = Tensor("x", (3000,), pair[0]), Tensor("y", (3000,), pair[1])
    check(native, Convert(x=x, y=y, overflow=overflow), {"x": random_codes(rng, x)})


@pytest.mark.parametrize("specials", [False, True])
@pytest.mark.parametrize("formats", [(E5M2, F32), (F32, F32), (BF16, E5M10)])
def test_bias_gradient(native, rng, formats, specials):
    dy, db = Tensor("dy", (500, 11), formats[0]), Tensor("db", (11,), formats[1])
    call = BiasGradient(gradient=dy, bias_gradient=db, channels=11, overflow="ieee", scale=2.0**-7)
    codes = random_codes(rng, dy, specials)
    codes[:, 0] = formats[0].encode(-0.0)  # a sum that starts at +0 stays there
    assert check(native, call, {"dy": codes})["db"][0] == 0


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize(
    "pair",
    [
        (F32, E4M3),
        (E4M3, E4M3),
        (E5M10, FINITE),
        (FNUZ, FNUZ),
        (E5M2, E5M2),
        (NOSUB, NOSUB),
        (F32, F32),
        (POSIT, POSIT),
        (SIGNED, UNSIGNED),
    ],
)
def test_relu(native, rng, pair, overflow):
    x, y = Tensor("x", (4000,), pair[0]), Tensor("y", (4000,), pair[1])
    check(native, Relu(x=x, y=y, overflow=overflow), {"x": random_codes(rng, x)})


@pytest.mark.parametrize(
    "pair", [(E4M3, E5M2), (F32, F32), (FNUZ, BF16), (NOSUB, E4M3), (POSIT, E4M3), (SIGNED, E4M3), (UNSIGNED, POSIT)]
)
def test_relu_gradient(native, rng, pair):
    y, dy, dx = Tensor("y", (4000,), pair[0]), Tensor("dy", (4000,), pair[1]), Tensor("dx", (4000,), pair[1])
    before = {"y": random_codes(rng, y), "dy": random_codes(rng, dy)}
    check(native, ReluGradient(y=y, y_gradient=dy, x_gradient=dx), before)


@pytest.mark.parametrize("shape", [(2, 8, 8, 5, 2), (3, 7, 9, 3, 2), (1, 9, 9, 2, 3), (2, 2, 5, 1, 1)])
@pytest.mark.parametrize("format_", [E4M3, E5M10, F32, FNUZ, NOSUB, E5M2, POSIT, SIGNED, UNSIGNED])
def test_max_pool(native, rng, format_, shape):
    images, height, width, channels, window = shape
    x = Tensor("x", (images, height, width, channels), format_)
    y = Tensor("y", (images, height // window, width // window, channels), format_)
    codes = random_codes(rng, x)
    codes[0] = codes[0] & format_.encode(-1.0)  # many ties: only a few different values, both zeros among them
    sizes = {"images": images, "height": height, "width": width, "channels": channels, "window": window}
    check(native, MaxPool(x=x, y=y, **sizes), {"x": codes})
    dy, dx = Tensor("dy", y.shape, E5M2), Tensor("dx", x.shape, E5M2)
    before = {"x": codes, "dy": random_codes(rng, dy)}
    after = check(native, MaxPoolGradient(x=x, y_gradient=dy, x_gradient=dx, **sizes), before)
    assert np.count_nonzero(after["dx"]) == np.count_nonzero(before["dy"])


@pytest.mark.parametrize(
    ("window", "winner"),
    [
        ([0x7C01, 0x7E00, 0x7C00, 0x3C00], 0),  # the first NaN, whatever the others' payloads
        ([0x7C00, 0xFE00, 0x7FFF, 0x3C00], 1),  # a NaN of either sign beats infinity
        ([0x8000, 0x0000, 0xFC00, 0x8001], 0),  # -0 equals +0: the first wins
        ([0x0000, 0x8000, 0xFC00, 0x8001], 0),
        ([0xFC00, 0xFBFF, 0xFC00, 0xFBFF], 1),
        ([0xFC00, 0xFC00, 0xFC00, 0xFC00], 0),
    ],
)
def test_max_pool_specials(native, window, winner):
    x, y = Tensor("x", (1, 2, 2, 1), E5M10), Tensor("y", (1, 1, 1, 1), E5M10)
    sizes = {"images": 1, "height": 2, "width": 2, "channels": 1, "window": 2}
    codes = np.array(window, np.uint16).reshape(x.shape)
    after = check(native, MaxPool(x=x, y=y, **sizes), {"x": codes})
    assert after["y"].item() == window[winner]
    call = MaxPoolGradient(x=x, y_gradient=y, x_gradient=Tensor("dx", x.shape, E5M10), **sizes)
    after = check(native, call, {"x": codes, "y": np.full(y.shape, 0x1234, np.uint16)})
    assert after["dx"].reshape(-1).tolist() == [0x1234 if i == winner else 0 for i in range(4)]


@pytest.mark.parametrize("specials", [False, True])
@pytest.mark.parametrize("formats", [(F32, E5M2, F32), (E4M3, E5M2, F32), (E5M10, BF16, E5M10)])
def test_softmax_cross_entropy(native, rng, formats, specials):
    rows, classes = 60, 10
    z, labels = Tensor("z", (rows, classes), formats[0]), Tensor("labels", (rows,), None)
    gradient, loss = Tensor("gradient", (rows, classes), formats[1]), Tensor("loss", (rows,), formats[2])
    codes = random_codes(rng, z, specials)
    codes[1::7] = formats[0].encode(rng.normal(size=codes[1::7].shape) * 60)  # exp underflows, gradients are 0 and 1
    before = {"z": codes, "labels": rng.integers(0, classes, rows).astype(np.uint32)}
    sizes = {"rows": rows, "classes": classes}
    call = SoftmaxCrossEntropy(
        logits=z, labels=labels, gradient=gradient, loss=loss, overflow="ieee", scale=1024 / rows, **sizes
    )
    check(native, call, before)


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("formats", [(F32, F32, E5M10), (F32, F32, F32), (BF16, E5M10, E5M2)])
def test_sgd(native, rng, formats, overflow):
    w, v, g = (Tensor(n, (3000,), f) for n, f in zip("wvg", formats, strict=True))
    before = {tensor.name: random_codes(rng, tensor) for tensor in (w, v, g)}
    call = Sgd(weight=w, velocity=v, gradient=g, learning_rate=0.1, momentum=0.9, overflow=overflow)
    check(native, call, before)


def test_a_plan_of_several_kernels(native, rng):
    x, y, z = Tensor("x", (64,), F32), Tensor("y", (64,), E4M3), Tensor("z", (64,), E4M3)
    kernels = (
        Kernel("convert", Convert(x=x, y=y, overflow="ieee")),
        Kernel("relu", Relu(x=y, y=z, overflow="ieee")),
    )
    check(native, None, {"x": random_codes(rng, x)}, Plan(kernels, (x,), ()))
