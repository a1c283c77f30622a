"""From a network, formats and an optimiser to a plan of one training step.

Order of a step: working weights from master weights; forward; loss; backward, layer by layer; update. Every kernel
writes a tensor of its own (only the optimiser works in place), so that all of them can still be compared when the step
is over. Convolutions are matrix products through windows, see `pyhost.plan.convolution`.
"""

from dataclasses import replace
from math import frexp, sqrt
from typing import Protocol

import numpy as np

from pyhost.errors import JobError
from pyhost.formats import Format, parse_format
from pyhost.plan.calls import (
    Bias,
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

    def add_bias(self, name: str, x: Tensor, channels: int, format_: Format) -> Tensor:
        bias = self.parameter(f"{name}.bias", (channels,), 0.0)
        y = Tensor(f"{name}.output", x.shape, format_)
        self.forward.append(
            Kernel(f"{name}.bias", Bias(x=x, bias=bias, y=y, channels=channels, overflow=self.overflow))
        )
        return y

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

    def gemm(self, name: str, m: int, n: int, k: int, a: Operand, b: Operand, d: Tensor, scale: int = 0) -> Kernel:
        return self.product(name, Gemm(m=m, n=n, k=k, a=a, b=b, d=Matrix.rows(d, n)), scale)

    def product(self, name: str, call: Gemm, scale: int = 0) -> Kernel:
        for extent, what in ((call.m, "rows"), (call.n, "columns"), (call.k, "terms")):
            if not 1 <= extent <= 65535:
                raise JobError(
                    f"{name}: a product with {extent:,} {what}; an extent can be 1 to 65,535: lower network.batch"
                )
        return Kernel(name, replace(call, scale=scale, overflow=self.overflow))

    def groups(self, name: str, calls: tuple[Gemm, ...], scale: int = 0) -> list[Kernel]:
        """The products of a convolution; they are numbered if there is more than one group."""
        names = [name] if len(calls) == 1 else [f"{name}.group{i}" for i in range(1, len(calls) + 1)]
        return [self.product(each, call, scale) for each, call in zip(names, calls, strict=True)]


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
        match layer:
            case Conv():
                # What a ReLU or the loss goes on with stays in the result format; otherwise it is rounded here.
                x = _conv(low, name, layer, x, first, low.result if isinstance(following, Relu) else low.activation)
            case Dense():
                last = following is None
                working = low.result if last or isinstance(following, Relu) else low.activation
                x = _dense(low, name, layer, x, first, working)
            case Relu():
                x = _relu(low, name, x)
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


def _dense(low: _Lowering, name: str, layer: Dense, x: Tensor, first: bool, working: Format) -> Tensor:
    batch, units = x.shape[0], layer.units
    inputs = x.count // batch
    w = low.working_weight(f"{name}.weight", (inputs, units), inputs)
    product = Tensor(f"{name}.product", (batch, units), low.result)
    a = Operand.rows(x, inputs, k_minor=True)
    low.forward.append(
        low.gemm(f"{name}.forward", batch, units, inputs, a, Operand.rows(w, units, k_minor=False), product)
    )
    y = low.add_bias(name, product, units, working)
    dy = _gradient_of(y, low.gradient)
    dw = Tensor(f"{name}.weight.gradient", w.shape, low.result)
    group = [
        low.bias_gradient(name, dy, units),
        low.gemm(
            f"{name}.weight_gradient",
            inputs,
            units,
            batch,
            Operand.rows(x, inputs, k_minor=False),
            Operand.rows(dy, units, k_minor=False),
            dw,
            low.gradient_unscale,
        ),
    ]
    if not first:
        dx = _gradient_of(x, low.gradient)
        dy_rows = Operand.rows(dy, units, k_minor=True)
        w_turned = Operand.rows(w, units, k_minor=True)
        group.append(low.gemm(f"{name}.input_gradient", batch, inputs, units, dy_rows, w_turned, dx))
    low.backward.append(group)
    return y


def _conv(low: _Lowering, name: str, layer: Conv, x: Tensor, first: bool, working: Format) -> Tensor:
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
    product = Tensor(f"{name}.product", (images, *convolution.image, layer.channels), low.result)
    low.forward += low.groups(f"{name}.forward", convolution.forward(x, w, product))
    y = low.add_bias(name, product, layer.channels, working)
    dy = _gradient_of(y, low.gradient)
    dw = Tensor(f"{name}.weight.gradient", w.shape, low.result)
    group = [
        low.bias_gradient(name, dy, layer.channels),
        *low.groups(f"{name}.weight_gradient", convolution.weight_gradient(x, dy, dw), low.gradient_unscale),
    ]
    if not first:
        dx = _gradient_of(x, low.gradient)
        group += low.groups(f"{name}.input_gradient", convolution.input_gradient(dy, w, dx))
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
    extents = {"images": images, "height": height, "width": width, "channels": channels, "window": layer.window}
    low.forward.append(Kernel(f"{name}.forward", MaxPoolCall(x=x, y=y, **extents)))
    dy, dx = _gradient_of(y, low.gradient), _gradient_of(x, low.gradient)
    call = MaxPoolGradient(x=x, y_gradient=dy, x_gradient=dx, **extents)
    low.backward.append([Kernel(f"{name}.gradient", call)])
    return y
