"""Convolutions as products through windows: against loops over every product, and against the golden kernels."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from pyhost.formats import parse_format
from pyhost.golden import Chain, Exact, kernels
from pyhost.golden.step import execute
from pyhost.plan.calls import Kernel, Plan
from pyhost.plan.convolution import Convolution
from pyhost.plan.tensors import Tensor

E4M3, F16, F32 = (parse_format(name) for name in ("e4m3fn", "e5m10", "e8m23"))
RANDOM = range(40)


def tensors(layer):
    """x, w and y of a convolution, and their gradients, the results in binary32."""
    x = (layer.images, layer.height, layer.width, layer.channels)
    w = (*layer.kernel, layer.channels // layer.groups, layer.filters)
    y = (layer.images, *layer.image, layer.filters)
    operands = (Tensor(name, shape, E4M3) for name, shape in (("x", x), ("w", w), ("dy", y)))
    results = (Tensor(name, shape, F32) for name, shape in (("dx", x), ("dw", w), ("y", y)))
    return *operands, *results


def run(layer, codes, accumulator):
    """y, dw and dx, as the golden model executes the products of the plan."""
    x, w, dy, dx, dw, y = tensors(layer)
    products = (layer.forward(x, w, y), layer.weight_gradient(x, dy, dw), layer.input_gradient(dy, w, dx))
    plan = Plan(tuple(Kernel("product", call) for calls in products for call in calls), (x, w, dy), ())
    after = execute(plan, codes, accumulator=accumulator)
    return after["y"], after["dw"], after["dx"]


def draw(seed):
    """A convolution of any shape in which the kernel fits."""
    rng = np.random.default_rng(seed)
    pair = lambda low, high: tuple(int(n) for n in rng.integers(low, high + 1, 2))  # noqa: E731
    groups = int(rng.choice([1, 1, 2, 3]))
    channels, filters = (int(n) * groups for n in rng.integers(1, 4, 2))
    kernel, dilation, padding = pair(1, 3), pair(1, 3), pair(0, 3)
    reach = [(k - 1) * d + 1 - 2 * p for k, d, p in zip(kernel, dilation, padding, strict=True)]
    height, width = (max(1, least) + int(rng.integers(0, 5)) for least in reach)
    layer = Convolution(
        images=int(rng.integers(1, 4)), height=height, width=width, channels=channels, filters=filters,
        kernel=kernel, stride=pair(1, 3), padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip
    return layer, rng


@pytest.mark.parametrize("seed", RANDOM)
def test_every_product_is_credited_to_its_factors(seed):
    """All values are small integers, so that float64 sums in any order are exact, too."""
    layer, rng = draw(seed)
    values = {t.name: rng.integers(-3, 4, t.shape).astype(np.float64) for t in tensors(layer)[:3]}
    x, w, dy = values["x"], values["w"], values["dy"]
    y, dw, dx = np.zeros(dy.shape), np.zeros(w.shape), np.zeros(x.shape)
    channels, filters = layer.channels // layer.groups, layer.filters // layer.groups
    for n, i, j, o in np.ndindex(y.shape):
        for r, s, c in itertools.product(range(layer.kernel[0]), range(layer.kernel[1]), range(channels)):
            h = i * layer.stride[0] + r * layer.dilation[0] - layer.padding[0]
            v = j * layer.stride[1] + s * layer.dilation[1] - layer.padding[1]
            if 0 <= h < layer.height and 0 <= v < layer.width:
                seen = (n, h, v, o // filters * channels + c)
                y[n, i, j, o] += x[seen] * w[r, s, c, o]
                dw[r, s, c, o] += x[seen] * dy[n, i, j, o]
                dx[seen] += w[r, s, c, o] * dy[n, i, j, o]
    codes = {name: E4M3.encode(value, exact=True) for name, value in values.items()}
    for result, expected in zip(run(layer, codes, Exact()), (y, dw, dx), strict=True):
        assert np.array_equal(F32.decode(result), expected), layer


@pytest.mark.parametrize("seed", RANDOM)
def test_a_chain_adds_in_the_order_of_the_golden_kernels(seed):
    layer, rng = draw(1000 + seed)
    codes = {t.name: E4M3.encode(rng.normal(size=t.shape)) for t in tensors(layer)[:3]}
    x, w, dy = codes["x"], codes["w"], codes["dy"]
    settings = kernels.Convolution(
        stride=layer.stride, padding=layer.padding, dilation=layer.dilation, groups=layer.groups
    )
    product = {"accumulator": Chain(F16)}
    expected = (
        kernels.convolution(x, E4M3, w, E4M3, F32, settings, **product),
        kernels.convolution_weight_gradient(x, E4M3, dy, E4M3, F32, layer.kernel, settings, **product),
        kernels.convolution_input_gradient(
            dy, E4M3, w, E4M3, F32, (layer.height, layer.width), settings, **product
        ),
    )  # fmt: skip
    for result, golden in zip(run(layer, codes, Chain(F16)), expected, strict=True):
        assert np.array_equal(result, golden), layer


def test_runs_are_as_long_as_memory_allows():
    """A kernel's row is one run of neighbours, unless groups, dilation or holes come between."""
    layer = Convolution(images=2, height=9, width=9, channels=4, filters=8, kernel=(3, 3), padding=(1, 1))
    x, w, dy, dx, _, y = tensors(layer)
    assert [call.a.run for call in (*layer.forward(x, w, y), *layer.input_gradient(dy, w, dx))] == [12, 24]
    for settings in ({"groups": 2}, {"dilation": (1, 2)}):
        other = replace(layer, **settings)
        x, w, dy, dx, _, y = tensors(other)
        assert other.forward(x, w, y)[0].a.run == 4 // other.groups
    strided = replace(layer, stride=(2, 2))
    x, w, dy, dx, _, y = tensors(strided)
    assert (strided.forward(x, w, y)[0].a.run, strided.input_gradient(dy, w, dx)[0].a.run) == (12, 8)


def test_a_kernel_that_does_not_fit_is_told_by_the_image():
    layer = Convolution(images=1, height=3, width=6, channels=1, filters=1, kernel=(5, 5))
    assert layer.image == (-1, 2)
