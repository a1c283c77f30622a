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

from pyhost.plan.tensors import Tensor

__all__ = [
    "Bias",
    "BiasGradient",
    "Call",
    "Convert",
    "Gemm",
    "Kernel",
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
Overflow = Literal["ieee", "saturate"]


@dataclass(frozen=True, kw_only=True)
class Operand:
    """A tensor read as a matrix through a window: see struct operand.

    With v the major and u the minor index, u = row * run + e and v = (n * major_y + y) * major_x + x::

        vertical = y + row - pad_y          horizontal = x * stride_x + e - pad_x
        element  = tensor[offset + n * stride_n + vertical * stride_y + horizontal]

    and +0 outside 0 <= vertical < height, 0 <= horizontal < width.
    """

    tensor: Tensor
    k_minor: bool
    run: int
    major_x: int
    major_y: int = 1
    stride_x: int
    stride_y: int = 0
    stride_n: int = 0
    pad_x: int = 0
    pad_y: int = 0
    width: int
    height: int = 1
    offset: int = 0

    @classmethod
    def rows(cls, tensor: Tensor, columns: int, *, k_minor: bool) -> "Operand":
        """The whole tensor as a row-major matrix with `columns` columns (its minor axis)."""
        return cls(
            tensor=tensor,
            k_minor=k_minor,
            run=columns,
            major_x=tensor.count // columns,
            stride_x=columns,
            width=tensor.count,
        )

    def gather(self, codes: Codes, majors: int, minors: int) -> Codes:
        """The matrix [majors, minors] of the codes that the window reads from the tensor's flat `codes`."""
        v = np.arange(majors)[:, None]
        u = np.arange(minors)[None, :]
        x, y, n = v % self.major_x, v // self.major_x % self.major_y, v // (self.major_x * self.major_y)
        vertical = y + u // self.run - self.pad_y
        horizontal = x * self.stride_x + u % self.run - self.pad_x
        inside = (vertical >= 0) & (vertical < self.height) & (horizontal >= 0) & (horizontal < self.width)
        index = self.offset + n * self.stride_n + vertical * self.stride_y + horizontal
        return np.where(inside, codes.reshape(-1)[np.where(inside, index, 0)], np.zeros((), codes.dtype))


@dataclass(frozen=True, kw_only=True)
class Gemm:
    """d[m, n] = round(2^scale * (c[m, n] + sum_k a[m, k] * b[k, n])); c may be absent."""

    m: int
    n: int
    k: int
    a: Operand
    b: Operand
    d: Tensor
    c: Tensor | None = None
    scale: int = 0
    overflow: Overflow = "ieee"


@dataclass(frozen=True, kw_only=True)
class Convert:
    """y = x, rounded to y's format."""

    x: Tensor
    y: Tensor
    overflow: Overflow


@dataclass(frozen=True, kw_only=True)
class Bias:
    """y[r, c] = x[r, c] + bias[c]."""

    x: Tensor
    bias: Tensor
    y: Tensor
    channels: int
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


Call = (
    Gemm | Convert | Bias | BiasGradient | Relu | ReluGradient | MaxPool | MaxPoolGradient | SoftmaxCrossEntropy | Sgd
)

_OUTPUTS: dict[type, tuple[str, ...]] = {
    Gemm: ("d",),
    Convert: ("y",),
    Bias: ("y",),
    BiasGradient: ("bias_gradient",),
    Relu: ("y",),
    ReluGradient: ("x_gradient",),
    MaxPool: ("y",),
    MaxPoolGradient: ("x_gradient",),
    SoftmaxCrossEntropy: ("gradient", "loss"),
    Sgd: ("velocity", "weight"),
}


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
        return tuple(getattr(self.call, name) for name in _OUTPUTS[type(self.call)])

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Every tensor that the call touches."""
        values = [getattr(self.call, f.name) for f in fields(self.call)]
        values = [value.tensor if isinstance(value, Operand) else value for value in values]
        return tuple(value for value in values if isinstance(value, Tensor))

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
