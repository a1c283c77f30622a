"""The training kernels other than matrix products: the specification of `firmware/plan.h` in NumPy.

Arrays are codes of the stated formats. Arithmetic is binary32 with one rounding an operation, in the order written in
plan.h: reductions run one element after the other (`np.add.accumulate` is sequential, `np.sum` is not), exp and log are
the project's own. `load` is exact for every format up to binary32; `store` rounds to nearest even.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pyhost.formats import Format
from pyhost.golden.elementary import exp, log

__all__ = [
    "bias",
    "bias_gradient",
    "convert",
    "load",
    "max_pool",
    "max_pool_gradient",
    "relu",
    "relu_gradient",
    "sgd",
    "softmax_cross_entropy",
    "store",
]

Codes = NDArray[np.unsignedinteger]
Binary32 = NDArray[np.float32]

Scalar = TypeVar("Scalar", bound=np.generic)

_ZERO = np.float32(0)
_ONE = np.float32(1)


def load(codes: Codes, format_: Format) -> Binary32:
    """The values of `codes` as binary32; exact, since no format here is wider."""
    return format_.decode(codes).astype(np.float32)


def store(values: Binary32, format_: Format, overflow: str) -> Codes:
    """Binary32 values rounded to `format_`, nearest even; `overflow` is "ieee" or "saturate"."""
    return format_.encode(values.astype(np.float64), saturate=overflow == "saturate")


def convert(x: Codes, x_format: Format, y_format: Format, overflow: str) -> Codes:
    """y = x."""
    return store(load(x, x_format), y_format, overflow)


def bias(x: Codes, x_format: Format, b: Codes, b_format: Format, y_format: Format, overflow: str) -> Codes:
    """y[..., c] = x[..., c] + b[c]."""
    with np.errstate(over="ignore", invalid="ignore"):
        return store(load(x, x_format) + load(b, b_format), y_format, overflow)


def bias_gradient(dy: Codes, dy_format: Format, db_format: Format, scale: float, overflow: str) -> Codes:
    """db[c] = scale * sum over rows of dy[row, c], rows ascending from +0; dy is [..., c], leading axes flattened."""
    rows = load(dy, dy_format).reshape(-1, dy.shape[-1])
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.accumulate(np.vstack((np.zeros_like(rows[:1]), rows)), axis=0)[-1]
        return store(np.float32(scale) * total, db_format, overflow)


def relu(x: Codes, x_format: Format, y_format: Format, overflow: str) -> Codes:
    """y = x where x > 0 or NaN, else +0."""
    values = load(x, x_format)
    return store(np.where((values > 0) | np.isnan(values), values, _ZERO), y_format, overflow)


def relu_gradient(y: Codes, y_format: Format, dy: Codes) -> Codes:
    """dx = dy where y > 0 or NaN, else +0; dy and dx share a format."""
    values = load(y, y_format)
    return np.where((values > 0) | np.isnan(values), dy, np.zeros((), dy.dtype))


def _windows(x: NDArray[Scalar], window: int) -> NDArray[Scalar]:
    """x[n, h, w, c] as [n, h / window, w / window, c, window * window], the edge that remains cut off."""
    n, height, width, channels = x.shape
    rows, columns = height // window, width // window
    whole = x[:, : rows * window, : columns * window]
    split = whole.reshape(n, rows, window, columns, window, channels)
    return split.transpose(0, 1, 3, 5, 2, 4).reshape(n, rows, columns, channels, window * window)


def _winners(x: Codes, x_format: Format, window: int) -> NDArray[np.intp]:
    """Index of each window's winner: the first NaN if there is one, else the first of the largest."""
    values = _windows(load(x, x_format), window).astype(np.float64)
    ranked = np.where(np.isnan(values), np.inf, values)
    # An infinity must not tie with a NaN: NaNs win even over it.
    ranked = np.where(np.isposinf(values), np.finfo(np.float64).max, ranked)
    winners: NDArray[np.intp] = np.argmax(ranked, axis=-1)
    return winners


def max_pool(x: Codes, x_format: Format, window: int) -> Codes:
    """y[n, i, j, c] = the winner's code of window (i, j) of x[n, h, w, c]."""
    return np.take_along_axis(_windows(x, window), _winners(x, x_format, window)[..., None], axis=-1)[..., 0]


def max_pool_gradient(x: Codes, x_format: Format, dy: Codes, window: int) -> Codes:
    """dx = dy at the winner of each window of x, +0 elsewhere; dy and dx share a format."""
    n, rows, columns, channels = dy.shape
    spread = np.zeros((*dy.shape, window * window), dy.dtype)
    np.put_along_axis(spread, _winners(x, x_format, window)[..., None], dy[..., None], axis=-1)
    dx = np.zeros(x.shape, dy.dtype)
    blocks = spread.reshape(n, rows, columns, channels, window, window).transpose(0, 1, 4, 2, 5, 3)
    dx[:, : rows * window, : columns * window] = blocks.reshape(n, rows * window, columns * window, channels)
    return dx


def softmax_cross_entropy(
    logits: Codes,
    logits_format: Format,
    labels: NDArray[np.unsignedinteger],
    gradient_format: Format,
    loss_format: Format,
    scale: float,
    overflow: str,
) -> tuple[Codes, Codes]:
    """(gradient, loss): gradient = scale * (softmax(logits) - onehot(labels)); loss = log(sum e) - (z[t] - top).

    logits [rows, classes], labels [rows]; top is the row's maximum, e = exp(logits - top), sum ascending from +0.
    """
    z = load(logits, logits_format)
    rows = np.arange(len(z))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        shifted = z - z.max(axis=1, keepdims=True)
        e = exp(shifted)
        total: Binary32 = np.add.accumulate(np.hstack((np.zeros_like(e[:, :1]), e)), axis=1)[:, -1:]
        onehot = np.zeros_like(z)
        onehot[rows, labels] = _ONE
        gradient = np.float32(scale) * (e / total - onehot)
        loss = log(total[:, 0]) - shifted[rows, labels]
    return store(gradient, gradient_format, overflow), store(loss, loss_format, overflow)


def sgd(
    weight: Codes,
    weight_format: Format,
    velocity: Codes,
    velocity_format: Format,
    gradient: Codes,
    gradient_format: Format,
    learning_rate: float,
    momentum: float,
    overflow: str,
) -> tuple[Codes, Codes]:
    """(weight, velocity) after v = momentum * v + g; w = w - learning_rate * v, before v is rounded for storage."""
    with np.errstate(over="ignore", invalid="ignore"):
        v = np.float32(momentum) * load(velocity, velocity_format) + load(gradient, gradient_format)
        w = load(weight, weight_format) - np.float32(learning_rate) * v
    return store(w, weight_format, overflow), store(v, velocity_format, overflow)
