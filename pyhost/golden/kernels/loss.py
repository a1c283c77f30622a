"""Losses: one number a row, and the gradient that training starts from."""

import numpy as np
from numpy.typing import NDArray

from pyhost.formats import Format
from pyhost.golden.elementary import exp, log
from pyhost.golden.gemm import GoldenError
from pyhost.golden.kernels.codes import Codes, Overflow, ascending_sum, load, quiet, same_shape, store

__all__ = ["mean_squared_error", "softmax_cross_entropy"]


@quiet
def softmax_cross_entropy(
    logits: Codes,
    logits_format: Format,
    labels: NDArray[np.unsignedinteger],
    gradient_format: Format,
    loss_format: Format,
    scale: float,
    overflow: Overflow,
) -> tuple[Codes, Codes]:
    """(gradient, loss): gradient = scale * (softmax(logits) - onehot(labels)); loss = log(sum e) - (z[t] - top).

    logits [rows, classes], labels [rows]; top is the row's maximum, e = exp(logits - top), sum ascending from +0.
    `scale` is the loss scale over the number of rows, so that the gradient is that of the mean loss.
    """
    z = load(logits, logits_format)
    same_shape("the labels", labels, "the logits", z.shape[:1])
    if (labels >= z.shape[1]).any():
        raise GoldenError(f"label {labels.max()} is no class: they are 0 to {z.shape[1] - 1}")
    rows = np.arange(len(z))
    shifted = z - z.max(axis=1, keepdims=True)
    e = exp(shifted)
    total = ascending_sum(e, 1)
    onehot = np.zeros_like(z)
    onehot[rows, labels] = 1
    gradient = np.float32(scale) * (e / total[:, None] - onehot)
    loss = log(total) - shifted[rows, labels]
    return store(gradient, gradient_format, overflow), store(loss, loss_format, overflow)


@quiet
def mean_squared_error(
    y: Codes,
    y_format: Format,
    targets: Codes,
    targets_format: Format,
    gradient_format: Format,
    loss_format: Format,
    scale: float,
    overflow: Overflow,
) -> tuple[Codes, Codes]:
    """(gradient, loss): with e = y - targets, gradient = (2 * scale / columns) * e; loss = (sum of e * e) / columns.

    y and targets [rows, columns], the sum ascending from +0. `scale` is the loss scale over the number of rows, so that
    the gradient is that of the mean loss.
    """
    same_shape("the targets", targets, "y", y.shape)
    error = load(y, y_format) - load(targets, targets_format)
    columns = np.float32(y.shape[1])
    loss = ascending_sum(error * error, 1) / columns
    factor = np.float32(2) * np.float32(scale) / columns
    return store(factor * error, gradient_format, overflow), store(loss, loss_format, overflow)
