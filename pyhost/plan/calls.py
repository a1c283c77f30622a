"""Kernel calls: what a plan is made of. One dataclass for each struct of `firmware/plan.h`, whose comments define them.

Here extents, strides and paddings count elements, not bytes, and tensors are named, not addressed, so that the golden
model can execute a plan that lies nowhere; `pyhost.plan.pack` turns both into what the firmware reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyhost.formats import Rounding, Stochastic
from pyhost.plan.tensors import Tensor

__all__ = [
    "Axis",
    "BiasGradient",
    "Call",
    "Convert",
    "Gemm",
    "Kernel",
    "Matrix",
    "MaxPool",
    "MaxPoolGradient",
    "Operand",
    "Overflow",
    "Plan",
    "Relu",
    "ReluGradient",
    "Sgd",
    "SoftmaxCrossEntropy",
]

Codes = NDArray[np.unsignedinteger]
Indices = NDArray[np.intp]
Overflow = Literal["ieee", "saturate"]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis of an operand's window: see struct axis.

    position = start + i * step + j * tap, with i along major and j along minor, counts `dilation` - 1 holes after each
    of the tensor's `extent` positions, which lie `pitch` elements apart.
    """

    start: int = 0
    step: int = 0
    tap: int = 0
    dilation: int = 1
    pitch: int = 1
    extent: int = 1

    def elements(self, i: Indices, j: Indices) -> tuple[Indices, NDArray[np.bool_]]:
        """Elements from the axis' start to the position of i and j, and whether that is a position of the tensor."""
        position = self.start + i * self.step + j * self.tap
        return position // self.dilation * self.pitch, position % self.dilation == 0


@dataclass(frozen=True, kw_only=True)
class Operand:
    """A tensor read as a matrix through a window: see struct operand.

    With v = (n * major_y + y) * major_x + x the major and u = (row * taps + column) * run + e the minor index::

        across  = elements of axis x at (x, column) + e
        down    = elements of axis y at (y, row)
        element = tensor[offset + n * stride_n + down + across]

    and +0 in holes and outside 0 <= across < x.extent * x.pitch, 0 <= down < y.extent * y.pitch.
    """

    tensor: Tensor
    k_minor: bool
    run: int
    taps: int = 1
    major_x: int
    major_y: int = 1
    stride_n: int = 0
    x: Axis
    y: Axis = Axis()
    offset: int = 0

    @classmethod
    def rows(cls, tensor: Tensor, columns: int, *, k_minor: bool) -> "Operand":
        """The whole tensor as a row-major matrix with `columns` columns (its minor axis)."""
        rows = tensor.count // columns
        x = Axis(step=1, pitch=columns, extent=rows)
        return cls(tensor=tensor, k_minor=k_minor, run=columns, major_x=rows, x=x)

    def gather(self, codes: Codes, majors: int, minors: int) -> Codes:
        """The matrix [majors, minors] of the codes that the window reads from the tensor's flat `codes`."""
        v = np.arange(majors)[:, None]
        u = np.arange(minors)[None, :]
        x, y, n = v % self.major_x, v // self.major_x % self.major_y, v // (self.major_x * self.major_y)
        e, column, row = u % self.run, u // self.run % self.taps, u // (self.run * self.taps)
        across, inside_x = self.x.elements(x, column)
        down, inside_y = self.y.elements(y, row)
        across = across + e
        inside = inside_x & (across >= 0) & (across < self.x.extent * self.x.pitch)
        inside &= inside_y & (down >= 0) & (down < self.y.extent * self.y.pitch)
        index = self.offset + n * self.stride_n + down + across
        return np.where(inside, codes.reshape(-1)[np.where(inside, index, 0)], np.zeros((), codes.dtype))


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Elements [m, n] = tensor[offset + m * pitch + n] of a tensor, row after row; pitch 0 repeats one row."""

    tensor: Tensor
    pitch: int
    offset: int = 0

    @classmethod
    def rows(cls, tensor: Tensor, columns: int) -> "Matrix":
        """The whole tensor, with `columns` columns."""
        return cls(tensor=tensor, pitch=columns)

    @classmethod
    def row(cls, tensor: Tensor) -> "Matrix":
        """The whole tensor as the one row that every row is."""
        return cls(tensor=tensor, pitch=0)

    def index(self, m: int, n: int) -> NDArray[np.intp]:
        """Positions in the flat tensor, [m, n]."""
        return self.offset + np.arange(m)[:, None] * self.pitch + np.arange(n)


@dataclass(frozen=True, kw_only=True)
class Gemm:
    """d[m, n] = round(2^scale * (c[m, n] + sum_k a[m, k] * b[k, n]) + addend[m, n]), see struct gemm.

    relu: negative elements of d become +0. mask: elements of d become +0 where the mask's are neither positive nor NaN.
    rounding: nearest even, toward zero or stochastic. a_resident, b_resident: the operand is that of the Gemm before.
    """

    m: int
    n: int
    k: int
    a: Operand
    b: Operand
    d: Matrix
    c: Matrix | None = None
    addend: Matrix | None = None
    mask: Matrix | None = None
    relu: bool = False
    scale: int = 0
    overflow: Overflow = "ieee"
    rounding: Rounding | Stochastic = Rounding.NEAREST_EVEN
    a_resident: bool = False
    b_resident: bool = False

    @property
    def reads(self) -> tuple[Tensor, ...]:
        """The tensors that are read."""
        return tuple(view.tensor for view in (self.a, self.b, self.c, self.addend, self.mask) if view is not None)


@dataclass(frozen=True, kw_only=True)
class Convert:
    """y = x, rounded to y's format."""

    x: Tensor
    y: Tensor
    overflow: Overflow


@dataclass(frozen=True, kw_only=True)
class BiasGradient:
    """bias_gradient[c] = scale * sum_r gradient[r, c], r ascending."""

    gradient: Tensor
    bias_gradient: Tensor
    channels: int
    overflow: Overflow
    scale: float


@dataclass(frozen=True, kw_only=True)
class Relu:
    """y = max(x, 0)."""

    x: Tensor
    y: Tensor
    overflow: Overflow


@dataclass(frozen=True, kw_only=True)
class ReluGradient:
    """x_gradient = y_gradient where y > 0, else 0."""

    y: Tensor
    y_gradient: Tensor
    x_gradient: Tensor


@dataclass(frozen=True, kw_only=True)
class MaxPool:
    """y = the largest of each window of x[images, height, width, channels]."""

    x: Tensor
    y: Tensor
    images: int
    height: int
    width: int
    channels: int
    window: int


@dataclass(frozen=True, kw_only=True)
class MaxPoolGradient:
    """x_gradient = y_gradient at the winner of each window of x, else 0."""

    x: Tensor
    y_gradient: Tensor
    x_gradient: Tensor
    images: int
    height: int
    width: int
    channels: int
    window: int


@dataclass(frozen=True, kw_only=True)
class SoftmaxCrossEntropy:
    """loss[row] = -log softmax(logits[row])[label]; gradient = scale * (softmax - onehot)."""

    logits: Tensor
    labels: Tensor
    gradient: Tensor
    loss: Tensor
    rows: int
    classes: int
    overflow: Overflow
    scale: float


@dataclass(frozen=True, kw_only=True)
class Sgd:
    """velocity = momentum * velocity + gradient; weight = weight - learning_rate * velocity; both in place."""

    weight: Tensor
    velocity: Tensor
    gradient: Tensor
    learning_rate: float
    momentum: float
    overflow: Overflow


Call = Gemm | Convert | BiasGradient | Relu | ReluGradient | MaxPool | MaxPoolGradient | SoftmaxCrossEntropy | Sgd

_OUTPUTS: dict[type, tuple[str, ...]] = {
    Gemm: ("d",),
    Convert: ("y",),
    BiasGradient: ("bias_gradient",),
    Relu: ("y",),
    ReluGradient: ("x_gradient",),
    MaxPool: ("y",),
    MaxPoolGradient: ("x_gradient",),
    SoftmaxCrossEntropy: ("gradient", "loss"),
    Sgd: ("velocity", "weight"),
}


def _tensor(view: Tensor | Matrix | Operand) -> Tensor:
    return view if isinstance(view, Tensor) else view.tensor


@dataclass(frozen=True)
class Kernel:
    """One named call of a plan, e.g. `conv1.weight_gradient`."""

    name: str
    call: Call

    @property
    def kind(self) -> str:
        """Snake-case name of the call, as in enum kernel_kind: `gemm`, `max_pool`, ..."""
        name = type(self.call).__name__
        return "".join("_" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name))

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The tensors that the call writes."""
        return tuple(_tensor(getattr(self.call, name)) for name in _OUTPUTS[type(self.call)])

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Every tensor that the call touches."""
        values = (getattr(self.call, f.name) for f in fields(self.call))
        return tuple(_tensor(value) for value in values if isinstance(value, Tensor | Matrix | Operand))

    @property
    def shape(self) -> tuple[int, ...]:
        """(m, n, k) of a matrix product, else the shape of the first output."""
        if isinstance(self.call, Gemm):
            return (self.call.m, self.call.n, self.call.k)
        return self.outputs[0].shape

    @property
    def macs(self) -> int:
        """Multiply-adds of a matrix product, padding included; 0 for every other kernel."""
        return prod(self.shape) if isinstance(self.call, Gemm) else 0


@dataclass(frozen=True)
class Plan:
    """Kernel calls in order; `state` names the tensors that live from step to step (weights, velocities)."""

    kernels: tuple[Kernel, ...]
    inputs: tuple[Tensor, ...]
    state: tuple[Tensor, ...]
    initial: Mapping[str, Codes] = field(default_factory=dict, compare=False)
    """Codes of the state before the first step."""

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Every tensor once: inputs, state, then the others in order of first use."""
        used = (tensor for kernel in self.kernels for tensor in kernel.tensors)
        return tuple({tensor.name: tensor for tensor in (*self.inputs, *self.state, *used)}.values())
