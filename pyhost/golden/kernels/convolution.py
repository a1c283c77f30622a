"""2-D convolution (cross-correlation, as in every training library), depthwise included: matrix products of patches."""

from dataclasses import dataclass
from typing import Unpack

import numpy as np

from pyhost.formats import Format
from pyhost.golden.gemm import GoldenError, gemm
from pyhost.golden.kernels.codes import Codes, same_shape
from pyhost.golden.kernels.dense import Product
from pyhost.golden.kernels.windows import Window, patches

__all__ = ["Convolution", "convolution", "convolution_input_gradient", "convolution_weight_gradient"]


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """Vertical and horizontal stride, padding (zeros on either side) and dilation; groups of channels.

    Filter o of O sees the channels of its group alone, o // (O / groups). groups = channels is depthwise convolution.
    """

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def windows(self, taps: tuple[int, int]) -> tuple[Window, Window]:
        """The vertical and the horizontal window of a kernel of `taps`."""
        settings = zip(taps, self.stride, self.padding, self.dilation, strict=True)
        vertical, horizontal = (Window(taps=t, stride=s, padding=p, dilation=d) for t, s, p, d in settings)
        return vertical, horizontal

    def check(self, channels: int, w_shape: tuple[int, ...]) -> None:
        """GoldenError unless weights of that shape fit so many channels and the groups."""
        if len(w_shape) != 4:
            raise GoldenError(f"weights are [r, s, c, o], not an array of {len(w_shape)} dimensions")
        filters = w_shape[3]
        if self.groups < 1 or channels % self.groups or filters % self.groups:
            raise GoldenError(f"{channels} channels and {filters} filters do not divide into {self.groups} groups")
        if w_shape[2] != channels // self.groups:
            raise GoldenError(f"weights see {w_shape[2]} channels, where {channels // self.groups} are in a group")

    def output_shape(self, x_shape: tuple[int, ...], w_shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """[n, i, j, o]; GoldenError where x and the weights do not fit each other."""
        if len(x_shape) != 4:
            raise GoldenError(f"images are [n, h, w, c], not an array of {len(x_shape)} dimensions")
        images, height, width, channels = x_shape
        self.check(channels, w_shape)
        vertical, horizontal = self.windows((w_shape[0], w_shape[1]))
        return images, vertical.outputs(height), horizontal.outputs(width), w_shape[3]


def convolution(
    x: Codes,
    x_format: Format,
    w: Codes,
    w_format: Format,
    y_format: Format,
    settings: Convolution = Convolution(),
    **product: Unpack[Product],
) -> Codes:
    """y[n, i, j, o] = sum over (r, s, c), ascending, of x[n, i*S + r*D - P, j*S + s*D - P, c] * w[r, s, c, o].

    x[n, h, w, c], w[r, s, c / groups, o]; c runs over the channels of o's group. Beyond the edge x is +0, which is
    multiplied and added like any other operand.
    """
    images, rows, columns, filters = settings.output_shape(x.shape, w.shape)
    seen = patches(x, *settings.windows((w.shape[0], w.shape[1])), (rows, columns), x.dtype.type(0))
    groups = zip(np.split(seen, settings.groups, axis=-1), np.split(w, settings.groups, axis=-1), strict=True)
    products = [
        gemm(
            channels.reshape(images * rows * columns, -1),
            kernels.reshape(-1, kernels.shape[-1]),
            a_format=x_format,
            b_format=w_format,
            d_format=y_format,
            **product,
        )
        for channels, kernels in groups
    ]
    return np.concatenate(products, axis=1).reshape(images, rows, columns, filters)


def convolution_weight_gradient(
    x: Codes,
    x_format: Format,
    dy: Codes,
    dy_format: Format,
    dw_format: Format,
    taps: tuple[int, int],
    settings: Convolution = Convolution(),
    **product: Unpack[Product],
) -> Codes:
    """dw[r, s, c, o] = sum over (n, i, j), ascending, of x[n, i*S + r*D - P, j*S + s*D - P, c] * dy[n, i, j, o].

    taps: the extents of r and s. Returns [r, s, c / groups, o].
    """
    channels = x.shape[-1] // max(settings.groups, 1)
    same_shape("dy", dy, "x", settings.output_shape(x.shape, (*taps, channels, dy.shape[-1])))
    seen = patches(x, *settings.windows(taps), dy.shape[1:3], x.dtype.type(0))
    groups = zip(np.split(seen, settings.groups, axis=-1), np.split(dy, settings.groups, axis=-1), strict=True)
    products = [
        gemm(
            inputs.reshape(-1, taps[0] * taps[1] * channels),
            gradients.reshape(-1, gradients.shape[-1]),
            a_format=x_format,
            b_format=dy_format,
            d_format=dw_format,
            transpose="TN",
            **product,
        )
        for inputs, gradients in groups
    ]
    return np.concatenate(products, axis=1).reshape(*taps, channels, -1)


def convolution_input_gradient(
    dy: Codes,
    dy_format: Format,
    w: Codes,
    w_format: Format,
    dx_format: Format,
    image: tuple[int, int],
    settings: Convolution = Convolution(),
    **product: Unpack[Product],
) -> Codes:
    """dx[n, h, w, c] = sum over (r, s, o), r and s descending, o ascending, of dy[n, i, j, o] * w[r, s, c, o].

    i = (h + P - r*D) / S and j likewise; where that is no pixel of dy (a fraction, or beyond the edge) the operand is
    +0. So it is the convolution, with stride 1, of dy with its pixels S apart and the kernel turned by half a turn. o
    runs over the filters of c's group. image: height and width of x.
    """
    images = dy.shape[0]
    channels = w.shape[2] * settings.groups
    same_shape("dy", dy, "x", settings.output_shape((images, *image, channels), w.shape))
    vertical, horizontal = (window.turned for window in settings.windows((w.shape[0], w.shape[1])))
    seen = patches(dy, vertical, horizontal, image, dy.dtype.type(0))
    turned = w[::-1, ::-1].swapaxes(2, 3)
    groups = zip(np.split(seen, settings.groups, axis=-1), np.split(turned, settings.groups, axis=2), strict=True)
    products = [
        gemm(
            gradients.reshape(images * image[0] * image[1], -1),
            kernels.reshape(-1, kernels.shape[-1]),
            a_format=dy_format,
            b_format=w_format,
            d_format=dx_format,
            **product,
        )
        for gradients, kernels in groups
    ]
    return np.concatenate(products, axis=1).reshape(images, *image, channels)
