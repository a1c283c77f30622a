"""Layers in float64, written from their definitions and not from the kernels; and gradients by central differences."""

import numpy as np

from pyhost.formats import parse_format

F32 = parse_format("e8m23")


def f32(values):
    """Codes of binary32 from NumPy's own bit patterns."""
    return np.asarray(values, np.float32).view(np.uint32)


def floats(codes):
    """Values of binary32 codes, as binary32."""
    assert codes.dtype == np.uint32
    return codes.view(np.float32)


def binary32(rng, *shape, scale=1.0):
    """Normal numbers that binary32 holds, in float64."""
    return rng.normal(scale=scale, size=shape).astype(np.float32).astype(np.float64)


def central_differences(loss, x, step=1e-5):
    """d loss / d x, element by element; errors of step^2 and of 2^-53 / step, both some 1e-11 of the loss's scale."""
    x = x.copy()
    flat = x.reshape(-1)
    gradient = np.zeros(flat.shape)
    for index, kept in enumerate(flat):
        flat[index] = kept + step
        above = loss(x)
        flat[index] = kept - step
        below = loss(x)
        flat[index] = kept
        gradient[index] = (above - below) / (2 * step)
    return gradient.reshape(x.shape)


def convolution(x, w, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """Tap by tap on slices of the padded image."""
    (rows, columns), filters = w.shape[:2], w.shape[3]
    padded = np.pad(x, ((0, 0), (padding[0],) * 2, (padding[1],) * 2, (0, 0)))
    height = (padded.shape[1] - (rows - 1) * dilation[0] - 1) // stride[0] + 1
    width = (padded.shape[2] - (columns - 1) * dilation[1] - 1) // stride[1] + 1
    y = np.zeros((len(x), height, width, filters))
    inputs, outputs = x.shape[3] // groups, filters // groups
    for group in range(groups):
        seen = padded[..., group * inputs : (group + 1) * inputs]
        to = slice(group * outputs, (group + 1) * outputs)
        for r in range(rows):
            for s in range(columns):
                top, left = r * dilation[0], s * dilation[1]
                tap = seen[:, top : top + height * stride[0] : stride[0], left : left + width * stride[1] : stride[1]]
                y[..., to] += tap[:, :height, :width] @ w[r, s, :, to]
    return y


def pool(reduce, x, window, stride, padding, outside):
    """`reduce` of each window of x[n, h, w, c]."""
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=outside)
    rows = (padded.shape[1] - window) // stride + 1
    columns = (padded.shape[2] - window) // stride + 1
    y = np.zeros((len(x), rows, columns, x.shape[3]))
    for i in range(rows):
        for j in range(columns):
            y[:, i, j] = reduce(padded[:, i * stride :, j * stride :][:, :window, :window], axis=(1, 2))
    return y


def batch_norm(x, weight, bias, epsilon=1e-5):
    rows = x.reshape(-1, x.shape[-1])
    return ((rows - rows.mean(0)) / np.sqrt(rows.var(0) + epsilon) * weight + bias).reshape(x.shape)


def layer_norm(x, weight, bias, epsilon=1e-5):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon) * weight + bias


def cross_entropy(z, labels):
    shifted = z - z.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(z)), labels])
