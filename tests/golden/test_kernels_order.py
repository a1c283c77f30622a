"""The order of operations, bit for bit: kernels against loops over scalars that round after every operation."""

import numpy as np
import pytest

from pyhost.formats import parse_format
from pyhost.golden import kernels
from pyhost.golden.elementary import exp, log, rsqrt
from tests.golden.formulas import F32, f32, floats

SEED = 577
E5M2 = parse_format("e5m2")
one = np.float32(1)


@pytest.fixture
def rng():
    print(f"seed {SEED}")
    return np.random.default_rng(SEED)


def normal(rng, *shape):
    """Mixed signs and magnitudes over six powers of ten, so that every order of a sum rounds differently."""
    return (rng.normal(size=shape) * 10 ** rng.uniform(-3, 3, size=shape)).astype(np.float32)


def same(codes, values):
    return np.array_equal(codes, f32(values))


def sequential(values):
    total = np.float32(0)
    for value in values:
        total = np.float32(total + value)
    return total


def scalar_rsqrt(x):
    return rsqrt(np.array([x], np.float32))[0]


def test_average_pool_sums_rows_then_columns(rng):
    x = normal(rng, 1, 6, 7, 2)
    expected = np.zeros((1, 3, 4, 2), np.float32)
    for i, j, c in np.ndindex(3, 4, 2):
        window = [
            x[0, i * 2 + r - 1, j * 2 + s - 1, c] if 0 <= i * 2 + r - 1 < 6 and 0 <= j * 2 + s - 1 < 7 else 0
            for r in range(3)
            for s in range(3)
        ]
        expected[0, i, j, c] = sequential(np.float32(window)) / np.float32(9)
    y = kernels.average_pool(f32(x), F32, F32, 3, "ieee", stride=2, padding=1)
    assert same(y, expected)
    turned = kernels.average_pool(f32(x.swapaxes(1, 2)), F32, F32, 3, "ieee", stride=2, padding=1)
    assert not np.array_equal(turned.swapaxes(1, 2), y)  # so the order was put to the test


def test_overlapping_windows_add_their_gradients_in_order(rng):
    x, dy = normal(rng, 1, 5, 5, 1), normal(rng, 1, 3, 3, 1)
    averages, maxima = np.zeros((5, 5), np.float32), np.zeros((5, 5), np.float32)
    for i, j in np.ndindex(3, 3):
        averages[i : i + 3, j : j + 3] += dy[0, i, j, 0]
        window = x[0, i : i + 3, j : j + 3, 0]
        r, s = np.unravel_index(window.argmax(), (3, 3))
        maxima[i + r, j + s] += dy[0, i, j, 0]
    dx = kernels.average_pool_gradient(f32(dy), F32, F32, (5, 5), 3, "ieee", stride=1)
    assert same(dx[0, :, :, 0], averages / np.float32(9))
    dx = kernels.max_pool_gradient(f32(x), F32, f32(dy), F32, 3, stride=1)
    assert same(dx[0, :, :, 0], maxima)


def test_global_average_pool_sums_in_order(rng):
    x = normal(rng, 2, 20, 30, 2)
    expected = [[sequential(x[n, :, :, c].reshape(-1)) / np.float32(600) for c in range(2)] for n in range(2)]
    assert same(kernels.global_average_pool(f32(x), F32, F32, "ieee"), expected)
    assert not same(f32(x.mean(axis=(1, 2), dtype=np.float64)), expected)  # so the order was put to the test


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm"])
def test_normalization_rounds_every_operation(rng, name):
    x, dy, weight, bias = normal(rng, 30, 4), normal(rng, 30, 4), normal(rng, 4), normal(rng, 4)
    batch = name == "batch_norm"
    epsilon = np.float32(1e-5)
    mean, inverse = np.zeros((2, 4 if batch else 30), np.float32)
    y, dx, n = np.zeros((3, 30, 4), np.float32)
    sums = np.zeros(4, np.float32)
    for line in range(len(mean)):
        at = (slice(None), line) if batch else (line, slice(None))
        values = x[at]
        count = np.float32(len(values))
        mean[line] = sequential(values) / count
        d = [np.float32(v - mean[line]) for v in values]
        sums[line % 4] = sequential([v * v for v in d])
        inverse[line] = scalar_rsqrt(sums[line % 4] / count + epsilon)
        n[at] = [v * inverse[line] for v in d]
    for row, c in np.ndindex(30, 4):
        y[row, c] = weight[c] * n[row, c] + bias[c]
    g = dy if batch else (dy * weight).astype(np.float32)
    for line in range(len(mean)):
        at = (slice(None), line) if batch else (line, slice(None))
        count = np.float32(len(g[at]))
        a = sequential(g[at]) / count
        b = sequential([p * q for p, q in zip(g[at], n[at], strict=True)]) / count
        factor = weight[line] * inverse[line] if batch else inverse[line]
        dx[at] = [factor * ((p - a) - q * b) for p, q in zip(g[at], n[at], strict=True)]
    dweight = [np.float32(0.5) * sequential(dy[:, c] * n[:, c]) for c in range(4)]
    dbias = [np.float32(0.5) * sequential(dy[:, c]) for c in range(4)]

    old_mean, old_variance = normal(rng, 4), np.abs(normal(rng, 4))
    running = (f32(old_mean), f32(old_variance)) if batch else ()
    forward = getattr(kernels, name)(f32(x), F32, f32(weight), f32(bias), F32, *running, F32, "ieee")
    saved = forward.mean, forward.inverse
    assert same(forward.y, y)
    assert same(forward.mean, mean)
    assert same(forward.inverse, inverse)
    weights = getattr(kernels, f"{name}_weight_gradient")(f32(x), F32, *saved, f32(dy), F32, F32, 0.5, "ieee")
    assert same(weights[0], dweight)
    assert same(weights[1], dbias)
    inputs = getattr(kernels, f"{name}_input_gradient")
    assert same(inputs(f32(x), F32, f32(weight), F32, *saved, f32(dy), F32, F32, "ieee"), dx)
    if batch:
        momentum = np.float32(0.1)
        assert same(forward.running_mean, [m + momentum * (k - m) for m, k in zip(old_mean, mean, strict=True)])
        unbiased = sums / np.float32(29)
        variance = [v + momentum * (u - v) for v, u in zip(old_variance, unbiased, strict=True)]
        assert same(forward.running_variance, variance)
        n = [(x[0, c] - old_mean[c]) * scalar_rsqrt(old_variance[c] + epsilon) for c in range(4)]
        inference = kernels.batch_norm_inference(f32(x), F32, f32(weight), f32(bias), F32, *running, F32, "ieee")
        assert same(inference[0], [weight[c] * n[c] + bias[c] for c in range(4)])


def test_softmax_cross_entropy_rounds_every_operation(rng):
    z, labels = (rng.normal(size=(20, 9)) * 4).astype(np.float32), rng.integers(0, 9, 20).astype(np.uint32)
    gradient, loss = kernels.softmax_cross_entropy(f32(z), F32, labels, F32, F32, 0.3, "ieee")
    for row in range(20):
        shifted = [np.float32(value - z[row].max()) for value in z[row]]
        e = [exp(np.array([value]))[0] for value in shifted]
        total = sequential(e)
        share = [e[j] / total - np.float32(j == labels[row]) for j in range(9)]
        assert same(gradient[row], [np.float32(0.3) * value for value in share])
        assert same(loss[row], log(np.array([total]))[0] - shifted[labels[row]])


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm"])
def test_what_does_not_vary_is_normalized_to_the_bias_and_infinities_to_nan(name):
    x = np.zeros((3, 3), np.float32)
    x += [[2], [3], [4]] if name == "layer_norm" else [2, 3, 4]
    weight, bias = f32([1, 2, 3]), f32([-1, 0.5, 7])
    running = (f32(np.zeros(3)), f32(np.ones(3))) if name == "batch_norm" else ()
    y = getattr(kernels, name)(f32(x), F32, weight, bias, F32, *running, F32, "ieee").y
    assert same(y, [[-1, 0.5, 7]] * 3)
    x[1, 1] = np.inf
    y = getattr(kernels, name)(f32(x), F32, weight, bias, F32, *running, E5M2, "saturate").y
    line = y[:, 1] if name == "batch_norm" else y[1]
    assert (line == E5M2.nan_code).all()
    assert np.isfinite(E5M2.decode(y)).sum() == 6


@pytest.mark.parametrize("scale", [0.09, 0.3, 0.45, 1024.0])
def test_mean_squared_error_rounds_every_operation(rng, scale):
    y, targets = normal(rng, 5, 7), normal(rng, 5, 7)
    factor = np.float32(2) * np.float32(scale) / np.float32(7)
    gradient, loss = kernels.mean_squared_error(f32(y), F32, f32(targets), F32, F32, F32, scale, "ieee")
    for row in range(5):
        errors = [y[row, j] - targets[row, j] for j in range(7)]
        assert same(loss[row], sequential([e * e for e in errors]) / np.float32(7))
        assert same(gradient[row], [factor * e for e in errors])


def test_adam_rounds_every_operation(rng):
    w, m, s, g = normal(rng, 100), normal(rng, 100), np.abs(normal(rng, 100)), normal(rng, 100)
    s[0] = g[0] = 0  # a parameter without gradients stays where it is
    m[0] = 0
    beta1, beta2, rate, epsilon = np.float32(0.9), np.float32(0.999), np.float32(0.01), np.float32(1e-8)
    powers = (0.9, 0.998)
    p1, p2 = np.float32(powers[0]) * beta1, np.float32(powers[1]) * beta2
    expected = []
    for i in range(100):
        mean = beta1 * m[i] + (one - beta1) * g[i]
        square = beta2 * s[i] + (one - beta2) * (g[i] * g[i])
        corrected = square / (one - p2)
        root = corrected * scalar_rsqrt(corrected) if corrected > 0 else corrected
        expected.append((w[i] - rate * (mean / (one - p1)) / (root + epsilon), mean, square))
    weight, mean, square, after = kernels.adam(f32(w), F32, f32(m), f32(s), F32, f32(g), F32, powers, 0.01, "ieee")
    expected = np.array(expected, np.float32)
    assert same(weight, expected[:, 0])
    assert same(mean, expected[:, 1])
    assert same(square, expected[:, 2])
    assert weight[0] == f32(w[0])
    assert after == (float(p1), float(p2))


def test_add_and_relu6_round_once():
    x, z = f32([1, 1e38, np.inf, -0.0, 1]), f32([2.0**-24, 3e38, -np.inf, -0.0, np.nan])
    assert kernels.add(x, F32, z, F32, F32, "ieee").tolist() == [
        0x3F800000,
        0x7F800000,
        0x7FC00000,
        0x80000000,
        0x7FC00000,
    ]
    assert kernels.add(x, F32, z, F32, E5M2, "saturate").tolist() == [0x3C, 0x7B, 0x7E, 0x80, 0x7E]
    x = f32([-1, -0.0, 0.3, 5.9, 6, 7, np.inf, -np.inf, np.nan])
    y = kernels.relu6(x, F32, E5M2, "ieee")
    assert E5M2.decode(y[:-1]).tolist() == [0, 0, 0.3125, 6, 6, 6, 6, 0]
    assert y[-1] == E5M2.nan_code
    assert kernels.relu6_gradient(y, E5M2, np.arange(1, 10, dtype=np.uint8)).tolist() == [0, 0, 3, 0, 0, 0, 0, 0, 9]


@pytest.mark.parametrize(("overflow", "clipped"), [("saturate", 1.75), ("ieee", np.inf)])
def test_relu6_where_six_does_not_fit(overflow, clipped):
    """e3m2b6 ends at 1.75: what is beyond counts as clipped, whatever it became."""
    small = parse_format("e3m2b6")
    y = kernels.relu6(f32([0.5, 1, 5, 9]), F32, small, overflow)
    assert small.decode(y).tolist() == [0.5, 1, clipped, clipped]
    assert kernels.relu6_gradient(y, small, np.arange(1, 5, dtype=np.uint8)).tolist() == [1, 2, 0, 0]


def test_sums_begin_at_plus_zero():
    """So negative zeros alone add up to +0."""
    zeros = f32(np.full((1, 2, 2, 1), -0.0))
    assert kernels.bias_gradient(zeros, F32, F32, 1.0, "ieee").tolist() == [0]
    assert kernels.average_pool(zeros, F32, F32, 2, "ieee").tolist() == [[[[0]]]]
    assert kernels.global_average_pool(zeros, F32, F32, "ieee").tolist() == [[0]]
    assert not kernels.average_pool_gradient(zeros, F32, F32, (4, 4), 2, "ieee").any()


def test_binary32_is_what_kernels_work_in(rng):
    """No step widens: binary64 in between would show in the last bit of a store to binary32."""
    x = normal(rng, 50)
    assert floats(kernels.convert(f32(x), F32, F32, "ieee")).dtype == np.float32
    third = np.float32(1) / np.float32(3)
    assert same(kernels.bias_gradient(f32(x[:, None]), F32, F32, float(third), "ieee"), [third * sequential(x)])
