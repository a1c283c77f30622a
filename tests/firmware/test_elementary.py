"""exp, log and rsqrt: error bounds against binary64, specials, and the same bits in C and in NumPy."""

import ctypes

import numpy as np
import pytest

from pyhost.golden import elementary

STEP = 1013  # a prime: every exponent, and all low bits, are met


def arguments():
    """Every 1013th of all 2^32 binary32 codes, and the places where something changes."""
    sampled = np.arange(0, 1 << 32, STEP, dtype=np.uint64).astype(np.uint32).view(np.float32)
    edges = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, 2.0**-126, 2.0**-149, 88.72283, 88.72284, 89.0, -87.33655, -103.9]
    edges = np.float32([*edges, -103.97208, -104.0, -104.1, 0.70710677, 0.70710683, 1.4142135, 1.4142137])
    with np.errstate(invalid="ignore"):
        around = [edges, np.nextafter(edges, np.float32(np.inf)), np.nextafter(edges, np.float32(-np.inf))]
    return np.concatenate([sampled, *around])


def ulp(values):
    """Distance of binary32 numbers near `values` (binary64): 2^-149 below the normal range."""
    _, exponent = np.frexp(values)
    return np.ldexp(1.0, np.maximum(exponent - 24, -149))


def same_bits(x, y):
    return np.where(np.isnan(x), np.isnan(y), x.view(np.uint32) == y.view(np.uint32))


@pytest.mark.parametrize("name", ["exp", "log", "rsqrt"])
def test_c_and_numpy_agree(native, name):
    x = arguments()
    y = np.empty_like(x)
    call = getattr(native.library, f"{name}_all")
    call(x.ctypes.data_as(ctypes.c_void_p), y.ctypes.data_as(ctypes.c_void_p), len(x))
    with np.errstate(all="raise", under="ignore", invalid="ignore"):  # comparing a signalling NaN is invalid
        expected = getattr(elementary, name)(x)
    assert expected.dtype == np.float32
    assert same_bits(y, expected).all()


def test_exp_error():
    x = arguments()
    y = elementary.exp(x)
    with np.errstate(over="ignore", invalid="ignore"):
        exact = np.exp(x.astype(np.float64))
    overflows = exact >= 2.0**128 - 2.0**103
    assert np.isposinf(y[overflows]).all()
    rest = ~overflows & ~np.isnan(x)
    assert (np.abs(y[rest] - exact[rest]) / ulp(exact[rest])).max() < 1.0
    assert (y[rest & (x < -104)] == 0).all() and not np.signbit(y[rest]).any()


def test_log_error():
    x = arguments()
    y = elementary.log(x)
    positive = (x > 0) & np.isfinite(x)
    exact = np.log(x[positive].astype(np.float64))
    assert (np.abs(y[positive] - exact) / ulp(exact)).max() < 0.9


def test_rsqrt_error():
    """Everything is scaled by powers of four, so two binades are exhaustive; the sample crosses the whole range."""
    two_binades = np.arange(0x3F800000, 0x40800000, dtype=np.uint32).view(np.float32)
    sampled = arguments()
    for x in (two_binades, sampled[(sampled > 0) & np.isfinite(sampled)]):
        exact = 1 / np.sqrt(x.astype(np.float64))
        assert (np.abs(elementary.rsqrt(x) - exact) / ulp(exact)).max() < 0.76
    powers_of_four = np.ldexp(np.float32(1), np.arange(-148, 128, 2))
    assert elementary.rsqrt(powers_of_four).tolist() == np.ldexp(1.0, -np.arange(-148, 128, 2) // 2).tolist()


def test_specials():
    nan, inf = np.float32(np.nan), np.float32(np.inf)
    zero = np.float32(0.0)
    assert elementary.exp(np.array([inf, -inf, zero, -zero])).tolist() == [np.inf, 0.0, 1.0, 1.0]
    assert elementary.log(np.array([inf, zero, -zero, np.float32(1)])).tolist() == [np.inf, -np.inf, -np.inf, 0.0]
    assert elementary.rsqrt(np.array([inf, zero, -zero, np.float32(1)])).tolist() == [0.0, np.inf, -np.inf, 1.0]
    outside = np.array([nan, np.float32(-1), -inf])
    for result in (elementary.exp(np.array([nan, -nan])), elementary.log(outside), elementary.rsqrt(outside)):
        assert set(result.view(np.uint32).tolist()) == {0x7FC00000}


def test_shape_is_kept():
    x = np.ones((2, 3, 4), np.float32)
    assert elementary.exp(x).shape == elementary.log(x).shape == elementary.rsqrt(x).shape == x.shape
