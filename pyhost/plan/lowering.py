"""From a network, formats and an optimiser to a plan of one training step.

Order of a step: working weights from master weights; forward; loss; backward, layer by layer; update. Every kernel
writes a tensor of its own (only the optimiser works in place), so that all of them can still be compared when the step
is over. Convolutions are matrix products through windows, see `pyhost.plan.convolution`.

Products do at write-back what would be kernels of their own: the forward pass adds the bias, and is rectified where a
ReLU follows; the input gradient of whatever comes next is masked by that ReLU's output. Max pooling may lie between:
the winner of a window has the pooled value, so that the mask is the same on either side.
"""

from dataclasses import replace
from math import frexp, sqrt
from typing import Protocol

import numpy as np

from pyhost.errors import JobError
from pyhost.formats import Format, parse_format
from pyhost.plan.calls import (
    BiasGradient,
    Call,
    Codes,
    Convert,
    Gemm,
    Kernel,
    Matrix,
    MaxPoolGradient,
    Operand,
    Overflow,
    Plan,
    ReluGradient,
    Sgd,
    SoftmaxCrossEntropy,
)
from pyhost.plan.calls import MaxPool as MaxPoolCall
from pyhost.plan.calls import Relu as ReluCall
from pyhost.plan.convolution import Convolution
from pyhost.plan.models import Conv, Dense, MaxPool, Model, Relu
from pyhost.plan.tensors import Tensor

__all__ = ["TensorFormats", "TrainingSettings", "lower"]


class TensorFormats(Protocol):
    """Names of the formats of tensors: the [formats] table of a job."""

    @property
    def activation(self) -> str: ...
    @property
    def weight(self) -> str: ...
    @property
    def gradient(self) -> str: ...
    @property
    def master_weight(self) -> str: ...
    @property
    def result(self) -> str: ...
    @property
    def overflow(self) -> Overflow: ...


class TrainingSettings(Protocol):
    """The [training] table of a job, as far as a plan depends on it."""

    @property
    def learning_rate(self) -> float: ...
    @property
    def momentum(self) -> float: ...
    @property
    def loss_scale(self) -> float: ...
    @property
    def seed(self) -> int: ...


class _Lowering:
    """Collects kernels while it walks the layers forwards and then backwards."""

    def __init__(self, formats: TensorFormats, training: TrainingSettings) -> None:
        self.activation = parse_format(formats.activation)
        self.weight = parse_format(formats.weight)
        self.gradient = parse_format(formats.gradient)
        self.master = parse_format(formats.master_weight)
        self.result = parse_format(formats.result)
        self.overflow = formats.overflow
        self.training = training
        self.random = np.random.Generator(np.random.PCG64(training.seed))
        self.state: list[Tensor] = []
        self.initial: dict[str, Codes] = {}
        self.prologue: list[Kernel] = []
        self.forward: list[Kernel] = []
        self.backward: list[list[Kernel]] = []
        self.updates: list[Kernel] = []
        self.rectified: set[str] = set()
        """Names of tensors whose gradients have to be masked by them."""

    def parameter(self, name: str, shape: tuple[int, ...], limit: float) -> Tensor:
        """A master parameter, uniform in [-limit, limit), its velocity and its update; returns the master tensor."""
        master = Tensor(f"{name}.master", shape, self.master)
        velocity = Tensor(f"{name}.velocity", shape, self.master)
        gradient = Tensor(f"{name}.gradient", shape, self.result)
        values = (2 * self.random.random(master.count) - 1) * limit + 0.0  # no -0
        self.state += [master, velocity]
        self.initial[master.name] = self.master.encode(values.astype(np.float32).astype(np.float64)).reshape(shape)
        self.initial[velocity.name] = np.zeros(shape, self.master.dtype)
        self.updates.append(
            Kernel(
                f"{name}.update",
                Sgd(
                    weight=master,
                    velocity=velocity,
                    gradient=gradient,
                    learning_rate=self.training.learning_rate,
                    momentum=self.training.momentum,
                    overflow=self.overflow,
                ),
            )
        )
        return master

    def working_weight(self, name: str, shape: tuple[int, ...], fan_in: int) -> Tensor:
        """A weight in the working format, converted from its master copy at the start of the step."""
        master = self.parameter(name, shape, sqrt(6 / fan_in))
        weight = Tensor(name, shape, self.weight)
        self.prologue.append(Kernel(f"{name}.convert", Convert(x=master, y=weight, overflow=self.overflow)))
        return weight

    @property
    def gradient_unscale(self) -> int:
        """Exponent of two that takes the loss scale out of a parameter's gradient."""
        return -(frexp(self.training.loss_scale)[1] - 1)

    def forward_pass(self, name: str, calls: tuple[Gemm, ...], y: Tensor, *, relu: bool) -> None:
        """The products that make y, with a bias for each of its columns."""
        bias = self.parameter(f"{name}.bias", y.shape[-1:], 0.0)
        self.forward += self.products(
            f"{name}.forward",
            tuple(replace(c, addend=Matrix(tensor=bias, pitch=0, offset=c.d.offset), relu=relu) for c in calls),
        )
        if relu:
            self.rectified.add(y.name)

    def input_gradient(self, name: str, calls: tuple[Gemm, ...], x: Tensor) -> list[Kernel]:
        """The products that make the gradient of x."""
        if x.name in self.rectified:
            calls = tuple(replace(call, mask=replace(call.d, tensor=x)) for call in calls)
        return self.products(f"{name}.input_gradient", calls)

    def bias_gradient(self, name: str, dy: Tensor, channels: int) -> Kernel:
        gradient = Tensor(f"{name}.bias.gradient", (channels,), self.result)
        return Kernel(
            f"{name}.bias_gradient",
            BiasGradient(
                gradient=dy,
                bias_gradient=gradient,
                channels=channels,
                overflow=self.overflow,
                scale=2.0**self.gradient_unscale,
            ),
        )

    def products(self, name: str, calls: tuple[Gemm, ...], scale: int = 0) -> list[Kernel]:
        """A product, or those of a convolution's groups, which are numbered. JobError where an extent is too large."""
        for call in calls:
            for extent, what in ((call.m, "rows"), (call.n, "columns"), (call.k, "terms")):
                if not 1 <= extent <= 65535:
                    raise JobError(
                        f"{name}: a product with {extent:,} {what}; an extent can be 1 to 65,535: lower network.batch"
                    )
        names = [name] if len(calls) == 1 else [f"{name}.group{i}" for i in range(1, len(calls) + 1)]
        return [
            Kernel(each, replace(call, scale=scale, overflow=self.overflow))
            for each, call in zip(names, calls, strict=True)
        ]


def lower(
    model: Model,
    *,
    formats: TensorFormats,
    training: TrainingSettings,
    batch: int,
    image: tuple[int, int, int],
    classes: int,
) -> Plan:
    """The plan of one training step of `model` on `batch` images of shape `image` (height, width, channels).

    Master weights start uniform in +-sqrt(6 / fan_in) (He et al. 2015), biases and velocities at zero, drawn from
    NumPy's PCG64 with `training.seed`. Inputs of the plan: `images` in the activation format, `labels` as integers.
    Raises JobError when a layer does not fit its input or a product's extent exceeds 65,535.
    """
    low = _Lowering(formats, training)
    images = Tensor("images", (batch, *image), low.activation)
    labels = Tensor("labels", (batch,), None)
    counters: dict[str, int] = {}
    x = images
    layers = (*model.hidden, Dense(classes))
    for index, layer in enumerate(layers):
        following = layers[index + 1] if index + 1 < len(layers) else None
        kind = type(layer).__name__.lower().replace("maxpool", "pool")
        counters[kind] = counters.get(kind, 0) + 1
        name = f"{kind}{counters[kind]}"
        first = x is images
        relu = isinstance(following, Relu)
        match layer:
            case Conv():
                x = _conv(low, name, layer, x, first, low.activation, relu=relu)
            case Dense():
                x = _dense(low, name, layer, x, first, low.activation if following else low.result, relu=relu)
            case Relu():
                x = x if x.name in low.rectified else _relu(low, name, x)
            case MaxPool():
                x = _max_pool(low, name, layer, x)
    gradient = _gradient_of(x, low.gradient)
    loss = Tensor("loss", (batch,), parse_format("e8m23"))
    call: Call = SoftmaxCrossEntropy(
        logits=x,
        labels=labels,
        gradient=gradient,
        loss=loss,
        rows=batch,
        classes=classes,
        overflow=low.overflow,
        scale=float(np.float32(training.loss_scale / batch)),
    )
    kernels = [*low.prologue, *low.forward, Kernel("loss", call)]
    for group in reversed(low.backward):
        kernels += group
    return Plan((*kernels, *low.updates), (images, labels), tuple(low.state), low.initial)


def _gradient_of(x: Tensor, format_: Format) -> Tensor:
    return Tensor(f"{x.name}.gradient", x.shape, format_)


def _dense(low: _Lowering, name: str, layer: Dense, x: Tensor, first: bool, format_: Format, *, relu: bool) -> Tensor:
    batch, units = x.shape[0], layer.units
    inputs = x.count // batch
    w = low.working_weight(f"{name}.weight", (inputs, units), inputs)
    y = Tensor(f"{name}.output", (batch, units), format_)
    dy, dw = _gradient_of(y, low.gradient), Tensor(f"{name}.weight.gradient", w.shape, low.result)

    def product(m: int, n: int, k: int, a: Operand, b: Operand, d: Tensor) -> tuple[Gemm, ...]:
        return (Gemm(m=m, n=n, k=k, a=a, b=b, d=Matrix.rows(d, n)),)

    rows, columns = Operand.rows(x, inputs, k_minor=True), Operand.rows(x, inputs, k_minor=False)
    low.forward_pass(name, product(batch, units, inputs, rows, Operand.rows(w, units, k_minor=False), y), y, relu=relu)
    group = [
        low.bias_gradient(name, dy, units),
        *low.products(
            f"{name}.weight_gradient",
            product(inputs, units, batch, columns, Operand.rows(dy, units, k_minor=False), dw),
            low.gradient_unscale,
        ),
    ]
    if not first:
        dy_rows, w_turned = Operand.rows(dy, units, k_minor=True), Operand.rows(w, units, k_minor=True)
        dx = _gradient_of(x, low.gradient)
        group += low.input_gradient(name, product(batch, inputs, units, dy_rows, w_turned, dx), x)
    low.backward.append(group)
    return y


def _conv(low: _Lowering, name: str, layer: Conv, x: Tensor, first: bool, format_: Format, *, relu: bool) -> Tensor:
    images, height, width, channels = x.shape
    kernel = (layer.kernel, layer.kernel)
    convolution = Convolution(
        images=images,
        height=height,
        width=width,
        channels=channels,
        filters=layer.channels,
        kernel=kernel,
        padding=(layer.padding, layer.padding),
    )
    if min(convolution.image) < 1:
        raise JobError(f"{name}: a {layer.kernel}x{layer.kernel} window does not fit its input of {height}x{width}")
    w = low.working_weight(f"{name}.weight", (*kernel, channels, layer.channels), layer.kernel**2 * channels)
    y = Tensor(f"{name}.output", (images, *convolution.image, layer.channels), format_)
    dy, dw = _gradient_of(y, low.gradient), Tensor(f"{name}.weight.gradient", w.shape, low.result)
    low.forward_pass(name, convolution.forward(x, w, y), y, relu=relu)
    group = [
        low.bias_gradient(name, dy, layer.channels),
        *low.products(f"{name}.weight_gradient", convolution.weight_gradient(x, dy, dw), low.gradient_unscale),
    ]
    if not first:
        dx = _gradient_of(x, low.gradient)
        group += low.input_gradient(name, convolution.input_gradient(dy, w, dx), x)
    low.backward.append(group)
    return y


def _relu(low: _Lowering, name: str, x: Tensor) -> Tensor:
    y = Tensor(f"{name}.output", x.shape, low.activation)
    low.forward.append(Kernel(f"{name}.forward", ReluCall(x=x, y=y, overflow=low.overflow)))
    dy, dx = _gradient_of(y, low.gradient), _gradient_of(x, low.gradient)
    low.backward.append([Kernel(f"{name}.gradient", ReluGradient(y=y, y_gradient=dy, x_gradient=dx))])
    return y


def _max_pool(low: _Lowering, name: str, layer: MaxPool, x: Tensor) -> Tensor:
    images, height, width, channels = x.shape
    if height < layer.window or width < layer.window:
        raise JobError(f"{name}: a {layer.window}x{layer.window} window does not fit its input of {height}x{width}")
    y = Tensor(f"{name}.output", (images, height // layer.window, width // layer.window, channels), x.format)
    if x.name in low.rectified:
        low.rectified.add(y.name)
    extents = {"images": images, "height": height, "width": width, "channels": channels, "window": layer.window}
    low.forward.append(Kernel(f"{name}.forward", MaxPoolCall(x=x, y=y, **extents)))
    dy, dx = _gradient_of(y, low.gradient), _gradient_of(x, low.gradient)
    call = MaxPoolGradient(x=x, y_gradient=dy, x_gradient=dx, **extents)
    low.backward.append([Kernel(f"{name}.gradient", call)])
    return y
