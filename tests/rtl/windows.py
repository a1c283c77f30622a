"""Random windows on tensors, and which elements they see: the formulas of firmware/plan.h, one element at a time."""

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pyhost.plan import calls
from pyhost.plan.calls import Operand
from pyhost.plan.tensors import Tensor

__all__ = ["NOTHING", "Axis", "Window", "operand", "random_window"]

NOTHING = -(1 << 40)
"""Index of an element that is a hole or outside of the tensor."""


@dataclass(frozen=True)
class Axis:
    """`struct axis` in positions, holes counted in start, step and tap; `pitch` elements from one to the next."""

    start: int = 0
    step: int = 0
    tap: int = 0
    dilation: int = 1
    pitch: int = 1
    extent: int = 1

    def elements(self, i: int, j: int) -> int | None:
        """Elements from the start of the axis to the position of i and j; None if that is a hole."""
        position = self.start + i * self.step + j * self.tap
        return None if position % self.dilation else position // self.dilation * self.pitch

    def words(self, size: int) -> dict[str, int]:
        """The fields of `struct axis` for elements of `size` bytes."""
        unit = self.pitch * size
        words = {"dilation": self.dilation, "unit": unit, "extent": self.extent * unit}
        for name in ("start", "step", "tap"):
            quotient, phase = divmod(getattr(self, name), self.dilation)
            words |= {name: quotient * unit, f"{name}_phase": phase}
        return words


@dataclass(frozen=True)
class Window:
    """`struct operand` with everything else in elements, at element `offset` of a tensor."""

    k_minor: int
    run: int
    x: Axis
    y: Axis
    taps: int = 1
    major_x: int = 1
    major_y: int = 1
    stride_n: int = 0
    offset: int = 0

    def indices(self, majors: int, minors: int) -> NDArray[np.int64]:
        """Indices [majors, minors] into the tensor, or NOTHING."""
        result = np.full((majors, minors), NOTHING)
        for v, u in np.ndindex(majors, minors):
            image, line = divmod(v, self.major_y * self.major_x)
            y, x = divmod(line, self.major_x)
            tap, e = divmod(u, self.run)
            row, column = divmod(tap, self.taps)
            across, down = self.x.elements(x, column), self.y.elements(y, row)
            if across is None or down is None:
                continue
            inside = 0 <= across + e < self.x.extent * self.x.pitch and 0 <= down < self.y.extent * self.y.pitch
            if inside:
                result[v, u] = self.offset + image * self.stride_n + down + across + e
        return result

    def words(self, address: int, format_index: int, size: int) -> dict[str, int | dict[str, int]]:
        """The fields of `struct operand` for elements of `size` bytes, the tensor at byte `address`."""
        counts = asdict(self)
        return {
            **{name: counts[name] for name in ("k_minor", "run", "taps", "major_x", "major_y")},
            "address": address + self.offset * size,
            "format": format_index,
            "stride_n": self.stride_n * size,
            "x": self.x.words(size),
            "y": self.y.words(size),
        }


def operand(window: Window, tensor: Tensor) -> Operand:
    """The same window as the plan has it."""
    axes = {axis: calls.Axis(**asdict(getattr(window, axis))) for axis in "xy"}
    return Operand(tensor=tensor, **{**vars(window), "k_minor": bool(window.k_minor), **axes})


def random_window(rng: np.random.Generator, majors: int, minors: int, k_minor: int) -> tuple[Window, int]:
    """A window that gives a majors x minors matrix, and the elements its tensor needs."""

    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    kind = rng.choice(["matrix", "convolution", "rotated", "wild"])
    if kind == "matrix":
        pitch = minors + draw(0, 3)
        x = Axis(step=1, pitch=pitch, extent=majors)
        window = Window(k_minor, minors, x, Axis(), major_x=majors, offset=draw(0, 8))
    elif kind == "convolution":  # of images, with stride and dilation, or with holes between pixels: the way back
        channels, pitch = draw(1, 5), draw(5, 7)
        stride, dilation, holes = draw(1, 3), draw(1, 3), draw(1, 3)
        width, height, padding = draw(1, 6), draw(1, 6), draw(-1, 3)
        step = {"step": stride, "tap": dilation * int(rng.choice([-1, 1])), "dilation": holes}
        x = Axis(start=-padding, pitch=pitch, extent=width, **step)
        y = Axis(start=-padding, pitch=width * pitch, extent=height, **step)
        counts = {"taps": draw(1, 3), "major_x": draw(1, 6), "major_y": draw(1, 6)}
        window = Window(k_minor, channels, x, y, stride_n=height * width * pitch, **counts)
    elif kind == "rotated":  # taps from the last to the first: rows of the window go backwards
        run = draw(1, 6)
        taps = -(-minors // run)
        x = Axis(step=1, pitch=run, extent=majors)
        y = Axis(start=taps - 1, tap=-1, pitch=majors * run, extent=taps)
        window = Window(k_minor, run, x, y, major_x=majors)
    else:
        axes = (
            Axis(draw(-9, 9), draw(-5, 5), draw(-5, 5), draw(1, 5), draw(1, 9), draw(0, 9)),
            Axis(draw(-9, 9), draw(-5, 5), draw(-5, 5), draw(1, 5), draw(1, 30), draw(1, 4)),
        )
        window = Window(k_minor, draw(1, 40), *axes, draw(1, 4), draw(1, 6), draw(1, 6), draw(-20, 20))
    indices = window.indices(majors, minors)
    seen = indices[indices != NOTHING]
    lowest, highest = (int(seen.min()), int(seen.max())) if seen.size else (0, 0)
    raised = max(0, -lowest)
    return replace(window, offset=window.offset + raised), highest + raised + 1
