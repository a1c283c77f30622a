"""Convolutions as matrix products through windows: forward, weight gradient and input gradient, one for each group.

With X[n, h, w, c], W[r, s, c, o] and Y[n, i, j, o], stride S, padding P and dilation D, and p a pixel::

    forward           Y[p, o]            = sum_(r, s, c)  X[p * S + (r, s) * D - P, c]      * W[r, s, c, o]
    weight gradient   dW[(r, s, c), o]   = sum_p          X[p * S + (r, s) * D - P, c]      * dY[p, o]
    input gradient    dX[p, c]           = sum_(r, s, o)  dY[(p + P - (r, s) * D) / S, o]   * W[r, s, c, o]

Sums run in the order of `pyhost.golden.kernels`: indices ascending, but r and s descending in the input gradient, where
the window goes forwards over dY with its pixels S apart.
"""

from dataclasses import dataclass, replace

from pyhost.plan.calls import Axis, Gemm, Matrix, Operand
from pyhost.plan.tensors import Tensor

__all__ = ["Convolution"]

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """x[images, height, width, channels] * w[r, s, channels / groups, filters] -> y[images, i, j, filters].

    Pairs are vertical and horizontal; groups divide channels and filters. The methods take tensors of these shapes and
    return a product for each group, with no scale and nothing else done at write-back.
    """

    images: int
    height: int
    width: int
    channels: int
    filters: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def image(self) -> Pair:
        """Height and width of y, 0 or less where the kernel does not fit x."""
        height, width = (
            (extent + 2 * padding - (kernel - 1) * dilation - 1) // stride + 1
            for extent, kernel, stride, padding, dilation in zip(
                (self.height, self.width), self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )
        return height, width

    def forward(self, x: Tensor, w: Tensor, y: Tensor) -> tuple[Gemm, ...]:
        """y from x and w."""
        return tuple(
            Gemm(
                m=self._pixels,
                n=self._filters,
                k=self._taps * self._channels,
                a=self._patches(x, group, k_minor=True),
                b=self._columns(w, group),
                d=self._result(y, group),
            )
            for group in range(self.groups)
        )

    def weight_gradient(self, x: Tensor, dy: Tensor, dw: Tensor) -> tuple[Gemm, ...]:
        """dw from x and dy."""
        return tuple(
            Gemm(
                m=self._taps * self._channels,
                n=self._filters,
                k=self._pixels,
                a=self._patches(x, group, k_minor=False),
                b=self._columns(dy, group),
                d=self._result(dw, group),
            )
            for group in range(self.groups)
        )

    def input_gradient(self, dy: Tensor, w: Tensor, dx: Tensor) -> tuple[Gemm, ...]:
        """dx from dy and w."""
        return tuple(
            Gemm(
                m=self.images * self.height * self.width,
                n=self._channels,
                k=self._taps * self._filters,
                a=self._gradient_patches(dy, group),
                b=self._turned(w, group),
                d=self._result(dx, group),
            )
            for group in range(self.groups)
        )

    @property
    def _channels(self) -> int:
        """Channels of a group."""
        return self.channels // self.groups

    @property
    def _filters(self) -> int:
        """Filters of a group."""
        return self.filters // self.groups

    @property
    def _taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @property
    def _pixels(self) -> int:
        return self.images * self.image[0] * self.image[1]

    def _patches(self, x: Tensor, group: int, *, k_minor: bool) -> Operand:
        """x as the matrix [output pixel, (r, s, c)]."""
        axes = (
            Axis(start=-padding, step=stride, tap=dilation)
            for stride, padding, dilation in zip(self.stride, self.padding, self.dilation, strict=True)
        )
        return self._window(x, group, self.image, *axes, k_minor=k_minor)

    def _gradient_patches(self, dy: Tensor, group: int) -> Operand:
        """dy as the matrix [input pixel, (r, s, o)], r and s descending."""
        axes = (
            Axis(start=padding - (kernel - 1) * dilation, step=1, tap=dilation, dilation=stride)
            for kernel, stride, padding, dilation in zip(
                self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )
        return self._window(dy, group, (self.height, self.width), *axes, k_minor=True)

    def _window(
        self, tensor: Tensor, group: int, outputs: Pair, vertical: Axis, horizontal: Axis, *, k_minor: bool
    ) -> Operand:
        """The group's channels of images, as a kernel sees them from each of `outputs`."""
        _, height, width, channels = tensor.shape
        run, taps = channels // self.groups, self.kernel[1]
        offset = group * run
        if run == channels and horizontal.tap == horizontal.dilation == 1:
            run, taps = taps * run, 1  # neighbours in the window are neighbours in memory
        return Operand(
            tensor=tensor,
            k_minor=k_minor,
            run=run,
            taps=taps,
            major_x=outputs[1],
            major_y=outputs[0],
            stride_n=height * width * channels,
            x=replace(horizontal, pitch=channels, extent=width),
            y=replace(vertical, pitch=width * channels, extent=height),
            offset=offset,
        )

    def _columns(self, tensor: Tensor, group: int) -> Operand:
        """Of a tensor whose innermost extent is that of filters, the matrix [everything else, the group's filters]."""
        rows = Operand.rows(tensor, self.filters, k_minor=False)
        return replace(rows, run=self._filters, offset=group * self._filters)

    def _turned(self, w: Tensor, group: int) -> Operand:
        """w as the matrix [(r, s, o), c], r and s descending."""
        return Operand(
            tensor=w,
            k_minor=True,
            run=self._filters,
            major_x=self._channels,
            x=Axis(step=1, pitch=self.filters, extent=self._channels),
            y=Axis(start=self._taps - 1, tap=-1, pitch=self._channels * self.filters, extent=self._taps),
            offset=group * self._filters,
        )

    def _result(self, tensor: Tensor, group: int) -> Matrix:
        """The group's columns of the matrix [everything else, the innermost extent]."""
        columns = tensor.shape[-1]
        return Matrix(tensor=tensor, pitch=columns, offset=group * (columns // self.groups))
