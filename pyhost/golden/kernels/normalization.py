"""Batch and layer normalisation: n = (x - mean) / sqrt(variance + epsilon), y = weight * n + bias.

Batch normalisation (Ioffe and Szegedy 2015) takes mean and variance of each channel over all rows, layer normalisation
(Ba, Kiros and Hinton 2016) of each row over all channels. x is [..., c], leading axes flattened to rows. Both keep the
mean and the inverse deviation for the way back, as binary32 codes; the variance is the biased one.

With d = x - mean, every line an operation or a sequential sum from +0::

    mean     = (sum of x) / count
    variance = (sum of d * d) / count
    inverse  = rsqrt(variance + epsilon)
    y        = weight * (d * inverse) + bias

    d weight = scale * sum over rows of dy * (d * inverse)         d bias = scale * sum over rows of dy

    batch:   dx = (weight * inverse) * ((dy - mean(dy)) - n * mean(dy * n))
    layer:   dx = inverse * ((g - mean(g)) - n * mean(g * n)),  g = dy * weight
"""

from dataclasses import dataclass

import numpy as np

from pyhost.formats import Format, parse_format
from pyhost.golden.elementary import rsqrt
from pyhost.golden.gemm import GoldenError
from pyhost.golden.kernels.codes import Binary32, Codes, Overflow, ascending_sum, load, quiet, same_shape, store

__all__ = [
    "BatchNorm",
    "LayerNorm",
    "batch_norm",
    "batch_norm_inference",
    "batch_norm_input_gradient",
    "batch_norm_weight_gradient",
    "layer_norm",
    "layer_norm_input_gradient",
    "layer_norm_weight_gradient",
]

_BINARY32 = parse_format("e8m23")


@dataclass(frozen=True, kw_only=True)
class BatchNorm:
    """y, its saved statistics, and the running ones, after a batch; the statistics are binary32 codes [c]."""

    y: Codes
    mean: Codes
    inverse: Codes
    running_mean: Codes
    running_variance: Codes


@dataclass(frozen=True, kw_only=True)
class LayerNorm:
    """y and its saved statistics, binary32 codes [rows]."""

    y: Codes
    mean: Codes
    inverse: Codes


def _rows(x: Codes, x_format: Format) -> Binary32:
    return load(x, x_format).reshape(-1, x.shape[-1])


def _mean(values: Binary32, axis: int) -> Binary32:
    """Along an axis of a matrix, which stays with extent 1."""
    mean: Binary32 = np.expand_dims(ascending_sum(values, axis) / np.float32(values.shape[axis]), axis)
    return mean


def _normalized(x: Binary32, mean: Codes, inverse: Codes, axis: int) -> Binary32:
    """n, from the saved statistics."""
    statistics = (np.expand_dims(load(codes, _BINARY32), axis) for codes in (mean, inverse))
    saved_mean, saved_inverse = statistics
    n: Binary32 = (x - saved_mean) * saved_inverse
    return n


def _check(parameters: dict[str, Codes], channels: int, epsilon: float) -> None:
    for name, codes in parameters.items():
        same_shape(f"the {name}", codes, "x", (channels,))
    if not epsilon > 0:
        raise GoldenError(f"epsilon is {epsilon}: above 0")


@quiet
def batch_norm(
    x: Codes,
    x_format: Format,
    weight: Codes,
    bias: Codes,
    parameter_format: Format,
    running_mean: Codes,
    running_variance: Codes,
    y_format: Format,
    overflow: Overflow,
    momentum: float = 0.1,
    epsilon: float = 1e-5,
) -> BatchNorm:
    """Normalise each channel over the batch, and let the running statistics (binary32 codes) follow::

        running_mean     = running_mean     + momentum * (mean - running_mean)
        running_variance = running_variance + momentum * ((sum of d * d) / (rows - 1) - running_variance)

    GoldenError where there is one row only, which has no variance.
    """
    rows = _rows(x, x_format)
    parameters = {"weight": weight, "bias": bias, "running mean": running_mean, "running variance": running_variance}
    _check(parameters, rows.shape[1], epsilon)
    if len(rows) < 2:
        raise GoldenError(f"batch normalisation needs at least 2 rows, not {len(rows)}")
    mean = _mean(rows, 0)
    d = rows - mean
    squares = ascending_sum(d * d, 0)
    inverse = rsqrt(squares / np.float32(len(rows)) + np.float32(epsilon))
    y = load(weight, parameter_format) * (d * inverse) + load(bias, parameter_format)
    old_mean, old_variance = load(running_mean, _BINARY32), load(running_variance, _BINARY32)
    unbiased = squares / np.float32(len(rows) - 1)
    return BatchNorm(
        y=store(y, y_format, overflow).reshape(x.shape),
        mean=store(mean[0], _BINARY32, "ieee"),
        inverse=store(inverse, _BINARY32, "ieee"),
        running_mean=store(old_mean + np.float32(momentum) * (mean[0] - old_mean), _BINARY32, "ieee"),
        running_variance=store(old_variance + np.float32(momentum) * (unbiased - old_variance), _BINARY32, "ieee"),
    )


@quiet
def batch_norm_inference(
    x: Codes,
    x_format: Format,
    weight: Codes,
    bias: Codes,
    parameter_format: Format,
    running_mean: Codes,
    running_variance: Codes,
    y_format: Format,
    overflow: Overflow,
    epsilon: float = 1e-5,
) -> Codes:
    """y = weight * ((x - running_mean) * rsqrt(running_variance + epsilon)) + bias."""
    rows = _rows(x, x_format)
    parameters = {"weight": weight, "bias": bias, "running mean": running_mean, "running variance": running_variance}
    _check(parameters, rows.shape[1], epsilon)
    inverse = rsqrt(load(running_variance, _BINARY32) + np.float32(epsilon))
    n = (rows - load(running_mean, _BINARY32)) * inverse
    y = load(weight, parameter_format) * n + load(bias, parameter_format)
    return store(y, y_format, overflow).reshape(x.shape)


@quiet
def batch_norm_weight_gradient(
    x: Codes,
    x_format: Format,
    mean: Codes,
    inverse: Codes,
    dy: Codes,
    dy_format: Format,
    gradient_format: Format,
    scale: float,
    overflow: Overflow,
) -> tuple[Codes, Codes]:
    """(d weight, d bias) = scale * (sum over rows of dy * n, sum over rows of dy)."""
    return _weight_gradient(x, x_format, mean, inverse, 0, dy, dy_format, gradient_format, scale, overflow)


@quiet
def batch_norm_input_gradient(
    x: Codes,
    x_format: Format,
    weight: Codes,
    parameter_format: Format,
    mean: Codes,
    inverse: Codes,
    dy: Codes,
    dy_format: Format,
    dx_format: Format,
    overflow: Overflow,
) -> Codes:
    """dx = (weight * inverse) * ((dy - mean(dy)) - n * mean(dy * n)), means over the rows."""
    same_shape("dy", dy, "x", x.shape)
    n = _normalized(_rows(x, x_format), mean, inverse, 0)
    g = _rows(dy, dy_format)
    centred = (g - _mean(g, 0)) - n * _mean(g * n, 0)
    dx = (load(weight, parameter_format) * load(inverse, _BINARY32)) * centred
    return store(dx, dx_format, overflow).reshape(x.shape)


@quiet
def layer_norm(
    x: Codes,
    x_format: Format,
    weight: Codes,
    bias: Codes,
    parameter_format: Format,
    y_format: Format,
    overflow: Overflow,
    epsilon: float = 1e-5,
) -> LayerNorm:
    """Normalise each row over its channels."""
    rows = _rows(x, x_format)
    _check({"weight": weight, "bias": bias}, rows.shape[1], epsilon)
    mean = _mean(rows, 1)
    d = rows - mean
    inverse = rsqrt(_mean(d * d, 1) + np.float32(epsilon))
    y = load(weight, parameter_format) * (d * inverse) + load(bias, parameter_format)
    return LayerNorm(
        y=store(y, y_format, overflow).reshape(x.shape),
        mean=store(mean[:, 0], _BINARY32, "ieee"),
        inverse=store(inverse[:, 0], _BINARY32, "ieee"),
    )


@quiet
def layer_norm_weight_gradient(
    x: Codes,
    x_format: Format,
    mean: Codes,
    inverse: Codes,
    dy: Codes,
    dy_format: Format,
    gradient_format: Format,
    scale: float,
    overflow: Overflow,
) -> tuple[Codes, Codes]:
    """(d weight, d bias) = scale * (sum over rows of dy * n, sum over rows of dy)."""
    return _weight_gradient(x, x_format, mean, inverse, 1, dy, dy_format, gradient_format, scale, overflow)


@quiet
def layer_norm_input_gradient(
    x: Codes,
    x_format: Format,
    weight: Codes,
    parameter_format: Format,
    mean: Codes,
    inverse: Codes,
    dy: Codes,
    dy_format: Format,
    dx_format: Format,
    overflow: Overflow,
) -> Codes:
    """dx = inverse * ((g - mean(g)) - n * mean(g * n)), g = dy * weight, means over the channels."""
    same_shape("dy", dy, "x", x.shape)
    n = _normalized(_rows(x, x_format), mean, inverse, 1)
    g = _rows(dy, dy_format) * load(weight, parameter_format)
    centred = (g - _mean(g, 1)) - n * _mean(g * n, 1)
    return store(load(inverse, _BINARY32)[:, None] * centred, dx_format, overflow).reshape(x.shape)


def _weight_gradient(
    x: Codes,
    x_format: Format,
    mean: Codes,
    inverse: Codes,
    axis: int,
    dy: Codes,
    dy_format: Format,
    gradient_format: Format,
    scale: float,
    overflow: Overflow,
) -> tuple[Codes, Codes]:
    same_shape("dy", dy, "x", x.shape)
    n = _normalized(_rows(x, x_format), mean, inverse, axis)
    g = _rows(dy, dy_format)
    d_weight, d_bias = (np.float32(scale) * ascending_sum(terms, 0) for terms in (g * n, g))
    return store(d_weight, gradient_format, overflow), store(d_bias, gradient_format, overflow)
