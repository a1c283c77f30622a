"""Training kernels of the golden model against independent formulas in exact or wider arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import special

from pyhost.formats import parse_format
from pyhost.golden import kernels

E4M3, E5M2, F32 = parse_format("e4m3fn"), parse_format("e5m2"), parse_format("e8m23")
SEED = 20260


@pytest.fixture
def rng():
    print(f"seed {SEED}")
    return np.random.default_rng(SEED)


def f32(values):
    """Codes of binary32 from NumPy's own bit patterns."""
    return np.asarray(values, np.float32).view(np.uint32)


def nearest_binary32(value: Fraction) -> np.float32:
    """A rational rounded to binary32, nearest even: float64 holds enough bits to decide for sums of two binary32."""
    return np.float32(float(value))


def test_bias_adds_each_channel_once(rng):
    x = rng.normal(size=(5, 3)).astype(np.float32)
    b = rng.normal(size=3).astype(np.float32)
    y = kernels.bias(f32(x), F32, f32(b), F32, F32, "ieee")
    for row in range(5):
        for channel in range(3):
            exact = Fraction(float(x[row, channel])) + Fraction(float(b[channel]))
            assert y[row, channel] == f32(nearest_binary32(exact))


def test_bias_gradient_sums_in_order(rng):
    dy = rng.normal(size=(3000, 2)).astype(np.float32)
    expected = []
    for channel in range(2):
        total = np.float32(0)
        for value in dy[:, channel]:
            total = np.float32(total + value)
        expected.append(np.float32(0.25) * total)
    assert kernels.bias_gradient(f32(dy), F32, F32, 0.25, "ieee").tolist() == f32(expected).tolist()
    in_one_rounding = np.sum(dy, axis=0, dtype=np.float64).astype(np.float32)
    assert (f32(np.float32(0.25) * in_one_rounding) != f32(expected)).any()  # so the order was put to the test


def test_relu_specials():
    x = np.array([0x80000000, 0x00000001, 0x80000001, 0x7F800000, 0xFF800000, 0x7FC00000, 0x3F800000], np.uint32)
    y = kernels.relu(x, F32, E5M2, "ieee")
    assert y.tolist() == [0, 0, 0, 0x7C, 0, 0x7E, 0x3C]
    assert kernels.relu(x, F32, E5M2, "saturate").tolist()[3] == 0x7B
    dy = np.arange(1, 8, dtype=np.uint8)
    assert kernels.relu_gradient(y, E5M2, dy).tolist() == [0, 0, 0, 4, 0, 6, 7]


def test_max_pool_first_of_equals_wins_and_the_edge_is_ignored():
    x = np.zeros((1, 5, 4, 1), np.uint8)
    x[0, :4, :, 0] = [[1, 9, 0x80, 0], [9, 3, 0x81, 0x80], [0x7F, 2, 5, 5], [0x7E, 0xFF, 5, 5]]
    y = kernels.max_pool(x, E4M3, 2)
    assert y[0, :, :, 0].tolist() == [[9, 0x80], [0x7F, 5]]
    dx = kernels.max_pool_gradient(x, E4M3, np.array([[[[11], [12]], [[13], [14]]]], np.uint8), E5M2, 2)
    expected = np.zeros((5, 4), np.uint8)
    expected[0, 1], expected[0, 2], expected[2, 0], expected[2, 2] = 11, 12, 13, 14
    assert dx[0, :, :, 0].tolist() == expected.tolist()


def test_max_pool_of_infinities_takes_no_padding():
    x = np.full((1, 2, 2, 1), 0xFC, np.uint8)  # minus infinity
    assert kernels.max_pool(x, E5M2, 3, stride=1, padding=1).tolist() == x.tolist()


def test_max_pool_nan_wins_over_infinity():
    x = np.array([0x7C, 0x7E, 0x7F, 0x7C], np.uint8).reshape(1, 2, 2, 1)
    assert kernels.max_pool(x, E5M2, 2).item() == 0x7E


def test_softmax_cross_entropy_against_scipy(rng):
    """Bounds: exp and log err by less than 1.5 ulp, the sum of ten terms and the division by at most 11 half-ulps."""
    z = rng.normal(scale=3, size=(50, 10)).astype(np.float32)
    labels = rng.integers(0, 10, 50).astype(np.uint32)
    gradient, loss = kernels.softmax_cross_entropy(f32(z), F32, labels, F32, F32, 1 / 64, "ieee")
    expected_loss = -special.log_softmax(z.astype(np.float64), axis=1)[np.arange(50), labels]
    expected = (special.softmax(z.astype(np.float64), axis=1) - np.eye(10)[labels]) / 64
    ulp = 2.0**-23
    assert np.abs(loss.view(np.float32) - expected_loss).max() < 16 * ulp * np.abs(z).max()
    assert np.abs(gradient.view(np.float32) - expected).max() < 16 * ulp / 64


def test_softmax_with_a_nan_logit_is_nan():
    z = np.array([[0, np.nan, 1], [0, 1, 2]], np.float32)
    gradient, loss = kernels.softmax_cross_entropy(f32(z), F32, np.zeros(2, np.uint32), E5M2, F32, 1.0, "saturate")
    assert gradient[0].tolist() == [0x7E] * 3
    assert loss[0] == 0x7FC00000
    assert np.isfinite(loss[1:].view(np.float32)).all()


def test_sgd_rounds_every_operation(rng):
    w, v, g = (rng.normal(size=200).astype(np.float32) for _ in range(3))
    rate, momentum = 0.1, 0.9
    weight, velocity = kernels.sgd(f32(w), F32, f32(v), F32, f32(g), F32, rate, momentum, "ieee")
    rate32, momentum32 = Fraction(float(np.float32(rate))), Fraction(float(np.float32(momentum)))
    for i in range(200):
        product = nearest_binary32(momentum32 * Fraction(float(v[i])))
        new_velocity = nearest_binary32(Fraction(float(product)) + Fraction(float(g[i])))
        change = nearest_binary32(rate32 * Fraction(float(new_velocity)))
        new_weight = nearest_binary32(Fraction(float(w[i])) - Fraction(float(change)))
        assert (velocity[i], weight[i]) == (f32(new_velocity), f32(new_weight))


@pytest.mark.parametrize("overflow, expected", [("ieee", [0x7F, 0x7F, 0x7F]), ("saturate", [0x7E, 0xFE, 0x7F])])
def test_convert_overflow(overflow, expected):
    x = f32([1e6, -1e6, np.nan])
    assert kernels.convert(x, F32, E4M3, overflow).tolist() == expected
