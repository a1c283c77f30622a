"""Pooling over square windows of images [n, h, w, c]. Without a `stride`, windows stand side by side."""

import numpy as np
from numpy.typing import NDArray

from pyhost.formats import Format
from pyhost.golden.gemm import GoldenError
from pyhost.golden.kernels.codes import Binary32, Codes, Overflow, ascending_sum, load, quiet, same_shape, store
from pyhost.golden.kernels.windows import Window, patches

__all__ = [
    "average_pool",
    "average_pool_gradient",
    "global_average_pool",
    "global_average_pool_gradient",
    "max_pool",
    "max_pool_gradient",
]


def _window(window: int, stride: int | None, padding: int) -> Window:
    """GoldenError where a window could lie in the padding alone."""
    if 2 * padding > window:
        raise GoldenError(f"padding {padding} is more than half of a window of {window}")
    return Window(taps=window, stride=window if stride is None else stride, padding=padding)


def _outputs(window: Window, x_shape: tuple[int, ...]) -> tuple[int, int]:
    if len(x_shape) != 4:
        raise GoldenError(f"images are [n, h, w, c], not an array of {len(x_shape)} dimensions")
    return window.outputs(x_shape[1]), window.outputs(x_shape[2])


_LARGEST = 2.0**1000
"""Stands for infinity among binary32 numbers."""


def _winners(x: Codes, x_format: Format, window: Window) -> NDArray[np.intp]:
    """[n, i, j, c]: the tap r * window + s of each window's winner: the first NaN, else the first of the largest."""
    values = load(x, x_format).astype(np.float64)
    # An infinity must not tie with a NaN, which wins, nor with the padding, which does not.
    ranks = np.where(np.isnan(values), np.inf, values.clip(-_LARGEST, _LARGEST))
    seen = patches(ranks, window, window, _outputs(window, x.shape), np.float64(-np.inf))
    n, i, j, _, _, c = seen.shape
    winners: NDArray[np.intp] = seen.transpose(0, 1, 2, 5, 3, 4).reshape(n, i, j, c, -1).argmax(axis=-1)
    return winners


def _places(winners: NDArray[np.intp], window: Window) -> tuple[NDArray[np.intp], ...]:
    """Indices into x[n, h, w, c] of each window's winner."""
    images, rows, columns, channels = winners.shape
    i, j = np.arange(rows)[:, None, None], np.arange(columns)[:, None]
    r, s = np.divmod(winners, window.taps)
    vertical, horizontal = i * window.stride + r - window.padding, j * window.stride + s - window.padding
    return np.arange(images)[:, None, None, None], vertical, horizontal, np.arange(channels)


def max_pool(x: Codes, x_format: Format, window: int, stride: int | None = None, padding: int = 0) -> Codes:
    """y[n, i, j, c] = the winner's code of window (i, j) of x[n, h, w, c]: the largest, the first of equals.

    Rows are scanned before columns, -0 equals +0, and a NaN wins over numbers. What lies beyond the last whole window
    is not looked at; padding never wins.
    """
    settings = _window(window, stride, padding)
    return x[_places(_winners(x, x_format, settings), settings)]


@quiet
def max_pool_gradient(
    x: Codes,
    x_format: Format,
    dy: Codes,
    dy_format: Format,
    window: int,
    stride: int | None = None,
    padding: int = 0,
    overflow: Overflow = "ieee",
) -> Codes:
    """dx = dy at the winner of each window of x, +0 elsewhere; dy and dx share a format: codes are copied.

    An element that won several windows gets the sum of their dy, (i, j) ascending, rounded to the format.
    """
    settings = _window(window, stride, padding)
    winners = _winners(x, x_format, settings)
    same_shape("dy", dy, "x", winners.shape)
    places = _places(winners, settings)
    dx = np.zeros(x.shape, dy.dtype)
    dx[places] = dy
    wins = np.zeros(x.shape, np.intp)
    np.add.at(wins, places, 1)
    if (wins > 1).any():
        totals = np.zeros(x.shape, np.float32)
        np.add.at(totals, places, load(dy, dy_format))  # unbuffered: one after the other, in the order of dy
        dx = np.where(wins > 1, store(totals, dy_format, overflow), dx)
    return dx


@quiet
def average_pool(
    x: Codes,
    x_format: Format,
    y_format: Format,
    window: int,
    overflow: Overflow,
    stride: int | None = None,
    padding: int = 0,
) -> Codes:
    """y[n, i, j, c] = (sum over (r, s), ascending from +0, of x[n, i*S + r - P, j*S + s - P, c]) / window^2.

    Padding counts as zeros.
    """
    settings = _window(window, stride, padding)
    seen = patches(load(x, x_format), settings, settings, _outputs(settings, x.shape), np.float32(0))
    n, i, j, _, _, c = seen.shape
    return store(ascending_sum(seen.reshape(n, i, j, -1, c), 3) / np.float32(window * window), y_format, overflow)


@quiet
def average_pool_gradient(
    dy: Codes,
    dy_format: Format,
    dx_format: Format,
    image: tuple[int, int],
    window: int,
    overflow: Overflow,
    stride: int | None = None,
    padding: int = 0,
) -> Codes:
    """dx[n, h, w, c] = (sum over the windows (i, j) on (h, w), ascending from +0, of dy[n, i, j, c]) / window^2.

    image: height and width of x.
    """
    settings = _window(window, stride, padding)
    same_shape("dy", dy, "x", (dy.shape[0], *_outputs(settings, (dy.shape[0], *image, dy.shape[-1])), dy.shape[-1]))
    # With taps descending, windows ascend.
    seen = patches(load(dy, dy_format), settings.turned, settings.turned, image, np.float32(0))
    n, h, w, _, _, c = seen.shape
    return store(ascending_sum(seen.reshape(n, h, w, -1, c), 3) / np.float32(window * window), dx_format, overflow)


@quiet
def global_average_pool(x: Codes, x_format: Format, y_format: Format, overflow: Overflow) -> Codes:
    """y[n, c] = (sum over (h, w), ascending from +0, of x[n, h, w, c]) / (height * width)."""
    _outputs(Window(taps=1), x.shape)
    n, height, width, c = x.shape
    pixels = load(x, x_format).reshape(n, height * width, c)
    return store(ascending_sum(pixels, 1) / np.float32(height * width), y_format, overflow)


@quiet
def global_average_pool_gradient(
    dy: Codes, dy_format: Format, dx_format: Format, image: tuple[int, int], overflow: Overflow
) -> Codes:
    """dx[n, h, w, c] = dy[n, c] / (height * width). image: height and width of x."""
    share: Binary32 = load(dy, dy_format) / np.float32(image[0] * image[1])
    return np.broadcast_to(
        store(share, dx_format, overflow)[:, None, None, :], (dy.shape[0], *image, dy.shape[1])
    ).copy()
