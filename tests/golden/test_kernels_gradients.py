"""Forward and gradients in binary32 against float64 formulas and their central differences.

The tolerance is that of binary32: a sum of n terms is off by some sqrt(n) * 2^-24 of their magnitudes, and n is below
200 here, so 1e-6; 5e-6 leaves room for what cancels. Central differences err by far less.
"""

import numpy as np
import pytest

from pyhost.formats import parse_format
from pyhost.golden import Chain, Exact, kernels
from tests.golden import formulas
from tests.golden.formulas import F32, binary32, central_differences, f32, floats

SEED = 3104
CHAIN = Chain(F32)


@pytest.fixture
def rng():
    print(f"seed {SEED}")
    return np.random.default_rng(SEED)


def close(codes, expected):
    """Within 5e-6 of the expected tensor's largest magnitude."""
    actual = floats(codes)
    assert actual.shape == expected.shape
    error = np.abs(actual - expected).max() / max(np.abs(expected).max(), 1e-3)
    print("relative error", error)
    return error < 5e-6


def test_dense(rng):
    x, w, dy = binary32(rng, 5, 7), binary32(rng, 7, 3), binary32(rng, 5, 3)
    cx, cw, cdy = f32(x), f32(w), f32(dy)
    assert close(kernels.dense(cx, F32, cw, F32, F32, accumulator=CHAIN), x @ w)
    dw = kernels.dense_weight_gradient(cx, F32, cdy, F32, F32, accumulator=CHAIN)
    dx = kernels.dense_input_gradient(cdy, F32, cw, F32, F32, accumulator=CHAIN)
    assert close(dw, central_differences(lambda w: (dy * (x @ w)).sum(), w))
    assert close(dx, central_differences(lambda x: (dy * (x @ w)).sum(), x))


CONVOLUTIONS = {
    "plain": ((5, 6, 2), (3, 3, 2, 4), {}),
    "padded": ((5, 4, 2), (3, 3, 2, 2), {"padding": (1, 1)}),
    "strided": ((7, 6, 2), (3, 2, 2, 3), {"stride": (2, 3), "padding": (1, 0)}),
    "dilated": ((7, 8, 1), (3, 2, 1, 2), {"dilation": (2, 3), "padding": (2, 1)}),
    "grouped": ((5, 5, 4), (3, 3, 2, 6), {"groups": 2, "stride": (2, 2), "padding": (1, 1)}),
    "depthwise": ((5, 5, 3), (3, 3, 1, 3), {"groups": 3, "padding": (1, 1)}),
    "depthwise, two filters a channel": ((4, 5, 2), (2, 3, 1, 4), {"groups": 2, "dilation": (2, 1)}),
    "more padding than kernel": ((3, 3, 1), (1, 2, 1, 1), {"padding": (2, 3), "stride": (2, 1)}),
    "rows left over": ((8, 7, 1), (3, 3, 1, 1), {"stride": (3, 3)}),
}


@pytest.mark.parametrize(("image", "taps", "settings"), CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_convolution(rng, image, taps, settings):
    x, w = binary32(rng, 2, *image), binary32(rng, *taps)
    y = formulas.convolution(x, w, **settings)
    dy = binary32(rng, *y.shape)
    convolution = kernels.Convolution(**settings)
    cx, cw, cdy = f32(x), f32(w), f32(dy)
    assert close(kernels.convolution(cx, F32, cw, F32, F32, convolution, accumulator=CHAIN), y)
    dw = kernels.convolution_weight_gradient(cx, F32, cdy, F32, F32, taps[:2], convolution, accumulator=CHAIN)
    dx = kernels.convolution_input_gradient(cdy, F32, cw, F32, F32, image[:2], convolution, accumulator=CHAIN)
    assert close(dw, central_differences(lambda w: (dy * formulas.convolution(x, w, **settings)).sum(), w))
    assert close(dx, central_differences(lambda x: (dy * formulas.convolution(x, w, **settings)).sum(), x))


def test_residual_block_and_bias(rng):
    """y = relu6(x + b) + x, through every gradient on the way back."""
    x, b, dy = binary32(rng, 6, 3, scale=4), binary32(rng, 3), binary32(rng, 6, 3)

    def forward(x, b):
        return np.clip(x + b, 0, 6) + x

    biased = kernels.bias(f32(x), F32, f32(b), F32, F32, "ieee")
    bent = kernels.relu6(biased, F32, F32, "ieee")
    assert close(kernels.add(bent, F32, f32(x), F32, F32, "ieee"), forward(x, b))
    dbent = kernels.relu6_gradient(bent, F32, f32(dy))
    assert close(
        kernels.bias_gradient(dbent, F32, F32, 1.0, "ieee"),
        central_differences(lambda b: (dy * forward(x, b)).sum(), b),
    )
    dx = kernels.add(dbent, F32, f32(dy), F32, F32, "ieee")
    assert close(dx, central_differences(lambda x: (dy * forward(x, b)).sum(), x))


@pytest.mark.parametrize(("window", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 1), (3, 1, 0)])
def test_pooling(rng, window, stride, padding):
    x = binary32(rng, 1, 7, 6, 2)

    def maximum(x):
        return formulas.pool(np.max, x, window, stride, padding, -np.inf)

    def average(x):
        return formulas.pool(np.mean, x, window, stride, padding, 0.0)

    y = maximum(x)
    dy = binary32(rng, *y.shape)
    place = {"window": window, "stride": stride, "padding": padding}
    assert (floats(kernels.max_pool(f32(x), F32, **place)) == y).all()
    dx = kernels.max_pool_gradient(f32(x), F32, f32(dy), F32, **place)
    assert close(dx, central_differences(lambda x: (dy * maximum(x)).sum(), x))
    assert close(kernels.average_pool(f32(x), F32, F32, overflow="ieee", **place), average(x))
    dx = kernels.average_pool_gradient(f32(dy), F32, F32, (7, 6), overflow="ieee", **place)
    assert close(dx, central_differences(lambda x: (dy * average(x)).sum(), x))


def test_global_average_pool(rng):
    x, dy = binary32(rng, 2, 5, 3, 4), binary32(rng, 2, 4)
    assert close(kernels.global_average_pool(f32(x), F32, F32, "ieee"), x.mean(axis=(1, 2)))
    dx = kernels.global_average_pool_gradient(f32(dy), F32, F32, (5, 3), "ieee")
    assert close(dx, central_differences(lambda x: (dy * x.mean(axis=(1, 2))).sum(), x))


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm"])
@pytest.mark.parametrize("offset", [0.0, 20.0])
def test_normalization(rng, name, offset):
    """With a mean of 20 deviations x - mean is off by 20 * 2^-24 of one, 1.2e-6: the tolerance still holds."""
    x, dy = binary32(rng, 2, 3, 4, 5) + offset, binary32(rng, 2, 3, 4, 5)
    x = x.astype(np.float32).astype(np.float64)
    weight, bias = binary32(rng, 5), binary32(rng, 5)
    formula = getattr(formulas, name)
    running = (f32(np.zeros(5)), f32(np.ones(5))) if name == "batch_norm" else ()
    forward = getattr(kernels, name)(f32(x), F32, f32(weight), f32(bias), F32, *running, F32, "ieee")
    assert close(forward.y, formula(x, weight, bias))
    statistics = (forward.mean, forward.inverse)
    dweight, dbias = getattr(kernels, f"{name}_weight_gradient")(
        f32(x), F32, *statistics, f32(dy), F32, F32, 1.0, "ieee"
    )
    dx = getattr(kernels, f"{name}_input_gradient")(
        f32(x), F32, f32(weight), F32, *statistics, f32(dy), F32, F32, "ieee"
    )
    assert close(dweight, central_differences(lambda weight: (dy * formula(x, weight, bias)).sum(), weight))
    assert close(dbias, central_differences(lambda bias: (dy * formula(x, weight, bias)).sum(), bias))
    assert close(dx, central_differences(lambda x: (dy * formula(x, weight, bias)).sum(), x))


def test_softmax_cross_entropy(rng):
    z, labels = binary32(rng, 6, 5, scale=3), rng.integers(0, 5, 6).astype(np.uint32)
    gradient, loss = kernels.softmax_cross_entropy(f32(z), F32, labels, F32, F32, 1 / 6, "ieee")
    assert np.isclose(floats(loss).mean(), formulas.cross_entropy(z, labels), rtol=1e-6)
    assert close(gradient, central_differences(lambda z: formulas.cross_entropy(z, labels), z))


def test_mean_squared_error(rng):
    y, targets = binary32(rng, 6, 5), binary32(rng, 6, 5)
    gradient, loss = kernels.mean_squared_error(f32(y), F32, f32(targets), F32, F32, F32, 1 / 6, "ieee")
    assert close(loss, ((y - targets) ** 2).mean(axis=1))
    assert close(gradient, central_differences(lambda y: ((y - targets) ** 2).mean(), y))


@pytest.mark.parametrize("accumulator", [Exact(), Chain(parse_format("e5m10")), CHAIN], ids=["exact", "e5m10", "e8m23"])
def test_both_engines_convolve_alike(rng, accumulator):
    e4m3, e5m2 = parse_format("e4m3fn"), parse_format("e5m2")
    x, w = e4m3.encode(rng.normal(size=(2, 6, 6, 4))), e4m3.encode(rng.normal(size=(3, 3, 2, 4)))
    settings = kernels.Convolution(stride=(2, 1), padding=(1, 2), groups=2)
    y = [
        kernels.convolution(x, e4m3, w, e4m3, e5m2, settings, accumulator=accumulator, engine=engine)
        for engine in ("fast", "reference")
    ]
    assert (y[0] == y[1]).all()
