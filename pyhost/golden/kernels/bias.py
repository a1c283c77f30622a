"""Bias: one number a channel, added to every row."""

import numpy as np

from pyhost.formats import Format
from pyhost.golden.kernels.codes import Codes, Overflow, ascending_sum, load, quiet, same_shape, store

__all__ = ["bias", "bias_gradient"]


@quiet
def bias(x: Codes, x_format: Format, b: Codes, b_format: Format, y_format: Format, overflow: Overflow) -> Codes:
    """y[..., c] = x[..., c] + b[c]. The gradient with respect to x is dy."""
    same_shape("the bias", b, "x", x.shape[-1:])
    return store(load(x, x_format) + load(b, b_format), y_format, overflow)


@quiet
def bias_gradient(dy: Codes, dy_format: Format, db_format: Format, scale: float, overflow: Overflow) -> Codes:
    """db[c] = scale * sum over rows of dy[row, c], rows ascending from +0; dy is [..., c], leading axes flattened."""
    rows = load(dy, dy_format).reshape(-1, dy.shape[-1])
    return store(np.float32(scale) * ascending_sum(rows, 0), db_format, overflow)
