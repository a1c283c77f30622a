"""The networks a job can name. A layer says what it computes; input extents come from the data."""

from dataclasses import dataclass

__all__ = ["MODELS", "Conv", "Dense", "Layer", "MaxPool", "Model", "Relu"]


@dataclass(frozen=True)
class Conv:
    """2-D convolution, stride 1, square `kernel`, `padding` zeros on every side, with bias."""

    channels: int
    kernel: int = 3
    padding: int = 1


@dataclass(frozen=True)
class Dense:
    """Fully connected layer on the flattened input, with bias."""

    units: int


@dataclass(frozen=True)
class Relu:
    """max(x, 0), and the rounding of its input to the activation format."""


@dataclass(frozen=True)
class MaxPool:
    """Maximum over square windows, stride equal to `window`."""

    window: int = 2


Layer = Conv | Dense | Relu | MaxPool


@dataclass(frozen=True)
class Model:
    """A classifier: hidden layers, then a dense layer with one output a class, softmax and cross-entropy."""

    description: str
    hidden: tuple[Layer, ...]


MODELS: dict[str, Model] = {
    "cnn-digits": Model(
        "two 3x3 convolutions (8 and 16 channels), each with ReLU and 2x2 max pooling, and one dense layer",
        (Conv(8), Relu(), MaxPool(), Conv(16), Relu(), MaxPool()),
    ),
    "mlp-digits": Model("a dense layer of 32 with ReLU, and one dense layer", (Dense(32), Relu())),
    "linear-digits": Model("one dense layer: softmax regression", ()),
    "lenet": Model(
        "LeNet's shape with ReLU and max pooling: 5x5 convolutions (6 and 16 channels), dense 120 and 84",
        (
            Conv(6, kernel=5, padding=2),
            Relu(),
            MaxPool(),
            Conv(16, kernel=5, padding=2),
            Relu(),
            MaxPool(),
            Dense(120),
            Relu(),
            Dense(84),
            Relu(),
        ),
    ),
}
