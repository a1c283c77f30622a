"""Windows on images: which elements each output pixel sees."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pyhost.golden.gemm import GoldenError

__all__ = ["Window", "patches"]

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Along one axis: output i and tap r see the element (i * stride + r * dilation - padding) / spread.

    There is none outside the image, nor where the division leaves a remainder: with `spread` > 1 the elements of the
    image stand that far apart, nothing between them. A negative padding leaves out the first elements.
    """

    taps: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    spread: int = 1

    def __post_init__(self) -> None:
        for name in ("taps", "stride", "dilation", "spread"):
            if getattr(self, name) < 1:
                raise GoldenError(f"a window's {name} is {getattr(self, name)}: at least 1")

    @property
    def reach(self) -> int:
        """From the first tap to behind the last."""
        return (self.taps - 1) * self.dilation + 1

    @property
    def turned(self) -> "Window":
        """The window of the way back: element i sees, with taps in descending order, the outputs that saw it."""
        padding = self.reach - 1 - self.padding
        return Window(taps=self.taps, dilation=self.dilation, spread=self.stride, padding=padding)

    def outputs(self, extent: int) -> int:
        """Outputs along an image of `extent` elements, padded on both sides; GoldenError where there are none."""
        if self.padding < 0:
            raise GoldenError(f"a window's padding is {self.padding}: at least 0")
        room = extent + 2 * self.padding - self.reach
        if room < 0:
            raise GoldenError(
                f"a window over {self.reach} elements does not fit an image of {extent} with padding {self.padding}"
            )
        return room // self.stride + 1

    def elements(self, extent: int, outputs: int) -> NDArray[np.intp]:
        """[outputs, taps]: the element that each output sees at each tap; `extent` where there is none."""
        place = np.arange(outputs)[:, None] * self.stride + np.arange(self.taps) * self.dilation - self.padding
        inside = (place % self.spread == 0) & (place >= 0) & (place < extent * self.spread)
        return np.where(inside, place // self.spread, extent)


def patches(
    x: NDArray[Scalar], vertical: Window, horizontal: Window, outputs: tuple[int, int], outside: Scalar
) -> NDArray[Scalar]:
    """x[n, h, w, c] as [n, i, j, r, s, c]: what output (i, j) sees at tap (r, s), `outside` where there is nothing."""
    _, height, width, _ = x.shape
    framed = np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=outside)
    rows = vertical.elements(height, outputs[0])
    columns = horizontal.elements(width, outputs[1])
    seen: NDArray[Scalar] = framed[:, rows[:, None, :, None], columns[None, :, None, :], :]
    return seen
