"""Optimisers: the update of a parameter and of what it remembers."""

import numpy as np

from pyhost.formats import Format
from pyhost.golden.elementary import rsqrt
from pyhost.golden.kernels.codes import Binary32, Codes, Overflow, load, quiet, same_shape, store

__all__ = ["adam", "sgd"]


@quiet
def sgd(
    weight: Codes,
    weight_format: Format,
    velocity: Codes,
    velocity_format: Format,
    gradient: Codes,
    gradient_format: Format,
    learning_rate: float,
    momentum: float,
    overflow: Overflow,
) -> tuple[Codes, Codes]:
    """(weight, velocity) after v = momentum * v + g; w = w - learning_rate * v, before v is rounded for storage."""
    same_shape("the velocity", velocity, "the weight", weight.shape)
    same_shape("the gradient", gradient, "the weight", weight.shape)
    v = np.float32(momentum) * load(velocity, velocity_format) + load(gradient, gradient_format)
    w = load(weight, weight_format) - np.float32(learning_rate) * v
    return store(w, weight_format, overflow), store(v, velocity_format, overflow)


@quiet
def adam(
    weight: Codes,
    weight_format: Format,
    mean: Codes,
    square: Codes,
    moment_format: Format,
    gradient: Codes,
    gradient_format: Format,
    powers: tuple[float, float],
    learning_rate: float,
    overflow: Overflow,
    beta: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
) -> tuple[Codes, Codes, Codes, tuple[float, float]]:
    """(weight, mean, square, powers) after a step of Adam (Kingma and Ba 2015, algorithm 1)::

        m = beta1 * m + (1 - beta1) * g                 p1 = p1 * beta1
        s = beta2 * s + (1 - beta2) * (g * g)           p2 = p2 * beta2
        w = w - (learning_rate * (m / (1 - p1))) / (sqrt(s / (1 - p2)) + epsilon)

    on the m and s of the first lines, before they are rounded to `moment_format`. sqrt(x) is x * rsqrt(x), and x itself
    where x is zero, infinite or NaN. The powers of beta are carried in `powers`, binary32 numbers that begin as (1, 1):
    so the bias is corrected without a power function.
    """
    for name, codes in (("the mean", mean), ("the square", square), ("the gradient", gradient)):
        same_shape(name, codes, "the weight", weight.shape)
    one = np.float32(1)
    beta1, beta2 = np.float32(beta[0]), np.float32(beta[1])
    power1, power2 = np.float32(powers[0]) * beta1, np.float32(powers[1]) * beta2
    g = load(gradient, gradient_format)
    m: Binary32 = beta1 * load(mean, moment_format) + (one - beta1) * g
    s: Binary32 = beta2 * load(square, moment_format) + (one - beta2) * (g * g)
    corrected: Binary32 = s / (one - power2)
    root: Binary32 = np.where((corrected > 0) & np.isfinite(corrected), corrected * rsqrt(corrected), corrected)
    change = np.float32(learning_rate) * (m / (one - power1)) / (root + np.float32(epsilon))
    w = load(weight, weight_format) - change
    return (
        store(w, weight_format, overflow),
        store(m, moment_format, overflow),
        store(s, moment_format, overflow),
        (float(power1), float(power2)),
    )
