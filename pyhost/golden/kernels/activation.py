"""ReLU and ReLU6. Their gradients look at y, which a step keeps anyway, not at x."""

import numpy as np

from pyhost.formats import Format
from pyhost.golden.kernels.codes import Codes, Overflow, load, same_shape, store

__all__ = ["relu", "relu6", "relu6_gradient", "relu_gradient"]

_ZERO, _SIX = np.float32(0), np.float32(6)


def relu(x: Codes, x_format: Format, y_format: Format, overflow: Overflow) -> Codes:
    """y = x where x > 0 or NaN, else +0."""
    values = load(x, x_format)
    return store(np.where((values > 0) | np.isnan(values), values, _ZERO), y_format, overflow)


def relu_gradient(y: Codes, y_format: Format, dy: Codes) -> Codes:
    """dx = dy where y > 0 or NaN, else +0; dy and dx share a format: codes are copied."""
    same_shape("dy", dy, "y", y.shape)
    values = load(y, y_format)
    return np.where((values > 0) | np.isnan(values), dy, np.zeros((), dy.dtype))


def relu6(x: Codes, x_format: Format, y_format: Format, overflow: Overflow) -> Codes:
    """y = 6 where x > 6, x where 0 < x <= 6 or NaN, else +0 (Krizhevsky 2010)."""
    values = load(x, x_format)
    clipped = np.where(values > _SIX, _SIX, values)
    return store(np.where((values > 0) | np.isnan(values), clipped, _ZERO), y_format, overflow)


def relu6_gradient(y: Codes, y_format: Format, dy: Codes) -> Codes:
    """dx = dy where 0 < y < 6 or NaN, else +0; dy and dx share a format: codes are copied.

    What was rounded to 6, or up to where 6 itself is rounded to, counts as clipped.
    """
    same_shape("dy", dy, "y", y.shape)
    values = load(y, y_format)
    six = load(y_format.encode(_SIX, saturate=True), y_format)
    return np.where(((values > 0) & (values < six)) | np.isnan(values), dy, np.zeros((), dy.dtype))
