"""Convolutions, bit for bit: against exact rationals, against scalar chains, and against the plan's matrix products."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from pyhost.formats import parse_format
from pyhost.golden import Chain, Exact, kernels
from pyhost.golden.step import execute
from pyhost.plan.lowering import lower
from pyhost.plan.models import Conv, Model

SEED = 91
E4M3, E5M2, F16, F32 = (parse_format(name) for name in ("e4m3fn", "e5m2", "e5m10", "e8m23"))

SETTINGS = [
    ((1, 1), (1, 1), (1, 1), 1, 3, 4),
    ((2, 1), (0, 2), (1, 2), 1, 2, 2),
    ((1, 2), (1, 0), (2, 1), 2, 4, 6),
    ((2, 2), (1, 1), (1, 1), 3, 3, 3),
]


@pytest.fixture
def rng():
    print(f"seed {SEED}")
    return np.random.default_rng(SEED)


def terms(image, taps, settings):
    """(i, j, r, s, h, w) of every product, ascending: output, tap and element, None beyond the edge."""
    stride, padding, dilation = settings.stride, settings.padding, settings.dilation
    rows = (image[0] + 2 * padding[0] - (taps[0] - 1) * dilation[0] - 1) // stride[0] + 1
    columns = (image[1] + 2 * padding[1] - (taps[1] - 1) * dilation[1] - 1) // stride[1] + 1
    for i, j, r, s in np.ndindex(rows, columns, *taps):
        h = i * stride[0] + r * dilation[0] - padding[0]
        w = j * stride[1] + s * dilation[1] - padding[1]
        yield (i, j, r, s, h, w) if 0 <= h < image[0] and 0 <= w < image[1] else (i, j, r, s, None, None)


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups", "channels", "filters"), SETTINGS)
def test_exact_accumulation_rounds_the_rational_sum_once(rng, stride, padding, dilation, groups, channels, filters):
    settings = kernels.Convolution(stride=stride, padding=padding, dilation=dilation, groups=groups)
    image, taps, inputs, outputs = (5, 6), (2, 3), channels // groups, filters // groups
    x = E4M3.encode(rng.normal(size=(1, *image, channels)))
    w = E4M3.encode(rng.normal(size=(*taps, inputs, filters)))
    y = kernels.convolution(x, E4M3, w, E4M3, F32, settings, accumulator=Exact())
    dy = E5M2.encode(rng.normal(size=y.shape))
    vx, vw, vdy = ([Fraction(v) for v in f.decode(c).reshape(-1)] for f, c in ((E4M3, x), (E4M3, w), (E5M2, dy)))
    vx, vw, vdy = (np.array(v, object).reshape(c.shape) for v, c in ((vx, x), (vw, w), (vdy, dy)))
    sums = [np.full(shape, Fraction(0), object) for shape in (y.shape, w.shape, x.shape)]
    for i, j, r, s, row, column in terms(image, taps, settings):
        if row is None:
            continue
        for o in range(filters):
            for c in range(inputs):
                seen = o // outputs * inputs + c
                sums[0][0, i, j, o] += vx[0, row, column, seen] * vw[r, s, c, o]
                sums[1][r, s, c, o] += vx[0, row, column, seen] * vdy[0, i, j, o]
                sums[2][0, row, column, seen] += vdy[0, i, j, o] * vw[r, s, c, o]
    product = {"accumulator": Exact()}
    dw = kernels.convolution_weight_gradient(x, E4M3, dy, E5M2, F32, taps, settings, **product)
    dx = kernels.convolution_input_gradient(dy, E5M2, w, E4M3, F32, image, settings, **product)
    for codes, total in zip((y, dw, dx), sums, strict=True):
        # Such sums have less than 53 bits, so float() is exact and float32 rounds once.
        assert np.array_equal(codes, total.astype(np.float64).astype(np.float32).view(np.uint32))


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups", "channels", "filters"), SETTINGS)
def test_chains_go_through_taps_then_channels(rng, stride, padding, dilation, groups, channels, filters):
    """Forward and weight gradient in a binary16 chain: a scalar fused multiply-add is exact in binary64 here."""
    settings = kernels.Convolution(stride=stride, padding=padding, dilation=dilation, groups=groups)
    image, taps, inputs, outputs = (5, 6), (2, 3), channels // groups, filters // groups
    x = E4M3.encode(rng.normal(size=(2, *image, channels)))
    w = E4M3.encode(rng.normal(size=(*taps, inputs, filters)))
    y = kernels.convolution(x, E4M3, w, E4M3, F16, settings, accumulator=Chain(F16))
    dy = E4M3.encode(rng.normal(size=y.shape))
    vx, vw, vdy = E4M3.decode(x), E4M3.decode(w), E4M3.decode(dy)
    forward, weights = np.zeros(y.shape, np.float16), np.zeros(w.shape, np.float16)
    for n in range(2):
        for i, j, r, s, row, column in terms(image, taps, settings):
            if row is None:
                continue
            for o in range(filters):
                for c in range(inputs):
                    value = vx[n, row, column, o // outputs * inputs + c]
                    forward[n, i, j, o] = float(forward[n, i, j, o]) + value * vw[r, s, c, o]
                    weights[r, s, c, o] = float(weights[r, s, c, o]) + value * vdy[n, i, j, o]
    assert np.array_equal(F16.decode(y), forward.astype(np.float64))
    dw = kernels.convolution_weight_gradient(x, E4M3, dy, E4M3, F16, taps, settings, accumulator=Chain(F16))
    assert np.array_equal(F16.decode(dw), weights.astype(np.float64))


def test_input_gradient_goes_through_taps_descending(rng):
    stride, image, taps = (2, 1), (6, 5), (3, 2)
    settings = kernels.Convolution(stride=stride, padding=(1, 1))
    w = E4M3.encode(rng.normal(size=(*taps, 2, 3)))
    dy = E4M3.encode(rng.normal(size=(1, 3, 6, 3)))
    dx = kernels.convolution_input_gradient(dy, E4M3, w, E4M3, F16, image, settings, accumulator=Chain(F16))
    vw, vdy = E4M3.decode(w), E4M3.decode(dy)
    for h, column, c in np.ndindex(*image, 2):
        total = np.float16(0)
        for r in reversed(range(3)):
            for s in reversed(range(2)):
                i, rest = divmod(h + 1 - r, 2)
                j = column + 1 - s
                if rest or not (0 <= i < 3 and 0 <= j < 6):
                    continue
                for o in range(3):
                    total = np.float16(float(total) + vdy[0, i, j, o] * vw[r, s, c, o])
        assert F16.decode(dx[0, h, column, c]) == total


@pytest.mark.parametrize("accumulator", [Exact(), Chain(F16), Chain(F32)], ids=["exact", "e5m10", "e8m23"])
def test_the_plan_computes_the_same_convolution(rng, accumulator):
    """A plan's products through windows, which hardware executes, and these kernels give the same bits."""
    names = {
        "activation": "e4m3fn",
        "weight": "e4m3fn",
        "gradient": "e5m2",
        "master_weight": "e8m23",
        "result": "e8m23",
    }
    plan = lower(
        Model("two convolutions", (Conv(3, kernel=3, padding=1), Conv(4, kernel=2, padding=0))),
        formats=SimpleNamespace(**names, overflow="saturate"),
        training=SimpleNamespace(learning_rate=0.1, momentum=0.9, loss_scale=1024.0, seed=1),
        batch=2,
        image=(6, 5, 2),
        classes=3,
    )
    images, labels = plan.inputs
    memory = {images.name: E4M3.encode(rng.normal(size=images.shape)), labels.name: np.array([0, 2], np.uint32)}
    after = execute(plan, {**plan.initial, **memory}, accumulator=accumulator)
    x, w, dy = after["conv1.output"], after["conv2.weight"], after["conv2.output.gradient"]
    product = {"accumulator": accumulator, "overflow": "saturate"}
    sums = kernels.convolution(x, E4M3, w, E4M3, F32, **product)
    bias = plan.initial["conv2.bias.master"]  # zero, so the sum with it needs no rounding
    y = kernels.bias(sums, F32, bias, F32, E4M3, "saturate")
    dw = kernels.convolution_weight_gradient(x, E4M3, dy, E5M2, F32, (2, 2), scale=-10, **product)
    dx = kernels.convolution_input_gradient(dy, E5M2, w, E4M3, E5M2, (6, 5), **product)
    assert np.array_equal(y, after["conv2.output"])
    assert np.array_equal(dw, after["conv2.weight.gradient"])
    assert np.array_equal(dx, after["conv1.output.gradient"])


def test_padding_is_an_operand_like_any_other():
    """An infinite weight times the zero beyond the edge is NaN, as in hardware."""
    x, w = F32.encode(np.ones((1, 1, 2, 1))), F32.encode(np.full((1, 2, 1, 1), np.inf))
    padded = kernels.Convolution(padding=(0, 1))
    y = F32.decode(kernels.convolution(x, F32, w, F32, F32, padded, accumulator=Exact()))
    assert np.isnan(y[0, 0, [0, 2], 0]).all()
    assert y[0, 0, 1, 0] == np.inf
