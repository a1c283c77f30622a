"""Baselines: what each is, that it trains, that binary32 agrees with binary64, and how the loss is scaled."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from pyhost.datasets import load_dataset
from pyhost.errors import JobError
from pyhost.formats import parse_format
from pyhost.golden import Exact, GoldenError
from pyhost.golden.baselines import BASELINES, train
from pyhost.golden.loss_scaling import LossScaler


@cache
def trained(name, model):
    return train(BASELINES[name], model, steps=30)


def mean_loss(steps):
    return np.mean([step.loss for step in steps])


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_learns_digits(name):
    """30 steps of the CNN: the last five losses are a fifth below the first five, and near those of binary32.

    Near: within 0.25, a third of what has been learned. Another rounding is another path of SGD with momentum; batches
    of 16 make losses vary by 0.3 from step to step on any of them.
    """
    steps, binary32 = trained(name, "cnn-digits"), trained("binary32", "cnn-digits")
    print(name, [round(step.loss, 3) for step in steps])
    assert mean_loss(steps[-5:]) < 0.8 * mean_loss(steps[:5])
    assert abs(mean_loss(steps[-5:]) - mean_loss(binary32[-5:])) < 0.25
    assert np.mean([step.accuracy for step in steps[-5:]]) > 0.5
    assert not any(step.skipped for step in steps)


def dense_relu_dense(steps, batch=16, learning_rate=0.05, momentum=0.9, seed=1):
    """Losses of mlp-digits in binary64, with the plan's initial weights drawn as its documentation says."""
    data = load_dataset("digits")
    random = np.random.Generator(np.random.PCG64(seed))
    parameters = []
    for inputs, outputs in ((64, 32), (32, 10)):
        limit = np.sqrt(6 / inputs)
        weight = ((2 * random.random(inputs * outputs) - 1) * limit).astype(np.float32).astype(np.float64)
        random.random(outputs)  # drawn for the bias, which begins at zero
        parameters += [weight.reshape(inputs, outputs), np.zeros(outputs)]
    velocities = [np.zeros_like(parameter) for parameter in parameters]
    losses = []
    for step in range(steps):
        w1, b1, w2, b2 = parameters
        pixels, labels = data.batch(batch, step, seed)
        x = pixels.reshape(batch, -1)
        hidden = np.maximum(x @ w1 + b1, 0)
        z = hidden @ w2 + b2
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(batch), labels]).mean())
        dz = (p - np.eye(10)[labels]) / batch
        dh = dz @ w2.T * (hidden > 0)
        for index, gradient in enumerate((x.T @ dh, dh.sum(axis=0), hidden.T @ dz, dz.sum(axis=0))):
            velocities[index] = momentum * velocities[index] + gradient
            parameters[index] = parameters[index] - learning_rate * velocities[index]
    return losses


def test_binary32_follows_binary64():
    """Over 30 steps the losses agree to 2e-6.

    A weight's 30 updates are off by 2^-24 each, in either direction, and momentum makes it ten times as much: 3e-6 in
    the worst weight, much less in a loss, which depends on all of them.
    """
    steps = trained("binary32", "mlp-digits")
    expected = dense_relu_dense(30)
    error = np.abs(np.array([step.loss for step in steps]) - expected).max()
    print("largest difference", error)
    assert error < 2e-6
    assert expected[-1] < 0.6 * expected[0]


@pytest.mark.parametrize("model", ["mlp-digits", "cnn-digits"])
def test_binary32_follows_pytorch_in_binary64(model):
    """The same for PyTorch, whose max pooling and ReLU have the kernels' choice of gradients. Tolerance as above."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'floatsoc[torch]'")
    torch.set_num_threads(1)  # layers this small gain nothing from more, and lose much on a busy machine
    data = load_dataset("digits")
    random = np.random.Generator(np.random.PCG64(1))

    def parameter(*shape, fan_in):
        drawn = (2 * random.random(int(np.prod(shape))) - 1) * np.sqrt(6 / fan_in)
        random.random(shape[-1])
        values = drawn.astype(np.float32).astype(np.float64).reshape(shape)
        return [
            torch.tensor(values, requires_grad=True),
            torch.zeros(shape[-1], dtype=torch.float64, requires_grad=True),
        ]

    if model == "mlp-digits":
        parameters = [*parameter(64, 32, fan_in=64), *parameter(32, 10, fan_in=32)]
    else:
        parameters = [
            *parameter(3, 3, 1, 8, fan_in=9),
            *parameter(3, 3, 8, 16, fan_in=72),
            *parameter(64, 10, fan_in=64),
        ]

    def logits(x):
        if model == "mlp-digits":
            w1, b1, w2, b2 = parameters
            return torch.relu(x.flatten(1) @ w1 + b1) @ w2 + b2
        *convolutions, w, b = parameters
        x = x.permute(0, 3, 1, 2)
        for weight, bias in zip(convolutions[::2], convolutions[1::2], strict=True):
            x = torch.relu(torch.nn.functional.conv2d(x, weight.permute(3, 2, 0, 1), bias, padding=1))
            x = torch.nn.functional.max_pool2d(x, 2)
        return x.permute(0, 2, 3, 1).flatten(1) @ w + b

    optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9)
    expected = []
    for step in range(30):
        pixels, labels = data.batch(16, step, 1)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits(torch.tensor(pixels)), torch.tensor(labels.astype(np.int64)))
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    steps = trained("binary32", model)
    error = np.abs(np.array([step.loss for step in steps]) - expected).max()
    print("largest difference", error)
    assert error < 2e-6


def test_loss_scale_does_not_change_what_is_learned():
    """Powers of two scale exactly: with gradients in binary32 not a bit differs, as long as nothing underflows."""
    plain = train(BASELINES["binary32"], "mlp-digits", steps=5)
    scaled = train(replace(BASELINES["binary32"], loss_scaler=LossScaler()), "mlp-digits", steps=5)
    assert [step.loss for step in plain] == [step.loss for step in scaled]


def test_overflowing_steps_are_skipped_and_the_scale_recovers():
    """From 2^24 the gradients of binary16 overflow: the scale halves until they fit, nothing is learned meanwhile."""
    baseline = replace(BASELINES["mixed-fp16"], loss_scaler=LossScaler(scale=2.0**24, interval=4))
    steps = train(baseline, "mlp-digits", steps=30)
    scales = [step.loss_scale for step in steps]
    print("scales", [int(np.log2(scale)) for scale in scales])
    first_good = next(index for index, step in enumerate(steps) if not step.skipped)
    assert first_good > 2
    assert scales[: first_good + 1] == [2.0 ** (24 - index) for index in range(first_good + 1)]
    assert scales[first_good + 4] == 2 * scales[first_good]  # after four good steps
    assert mean_loss(steps[-5:]) < 0.8 * mean_loss(steps[:5])
    # The first step that is not skipped finds the initial weights.
    fresh = train(replace(baseline, loss_scaler=None), "mlp-digits", steps=1)
    assert steps[0].loss == fresh[0].loss


def test_without_scaling_binary16_gradients_underflow():
    """Why the scale is there: gradients below 2^-25 round to zero, so a network with tiny gradients stands still."""
    e5m10 = parse_format("e5m10")
    tiny = np.array([2.0**-26, -(2.0**-27)])
    assert not e5m10.decode(e5m10.encode(tiny)).any()
    assert (e5m10.decode(e5m10.encode(tiny * LossScaler().scale)) / LossScaler().scale == tiny).all()


def test_scaler_grows_halves_and_stays_in_range():
    scaler = LossScaler(scale=4.0, interval=2)
    assert scaler.after(True).scale == 4
    assert scaler.after(True).after(True) == LossScaler(scale=8.0, interval=2)
    assert scaler.after(True).after(False) == LossScaler(scale=2.0, interval=2)
    assert scaler.after(True).after(False).after(True).scale == 2  # counting begins again
    assert LossScaler(scale=1.0).after(False).scale == 1
    assert LossScaler(scale=2.0**24, interval=1).after(True).scale == 2.0**24


def test_what_does_not_fit_is_refused():
    with pytest.raises(GoldenError, match=r"a power of two from 1 to 2\^24, not 3.0"):
        LossScaler(scale=3.0)
    with pytest.raises(GoldenError, match="at least 1 step, not 0"):
        LossScaler(interval=0)
    with pytest.raises(JobError, match='no model "cnn"; allowed are cnn-digits, mlp-digits'):
        train(BASELINES["binary32"], "cnn", steps=1)


def test_baselines_are_what_their_names_say():
    assert set(BASELINES) == {"binary32", "mixed-fp16", "bfloat16", "hybrid-fp8", "posit8", "posit16"}
    assert BASELINES["mixed-fp16"].loss_scaler == LossScaler(scale=2.0**15, interval=2000)
    assert BASELINES["mixed-fp16"].master_weight == "e8m23"
    assert BASELINES["hybrid-fp8"].accumulator == Exact()
    for baseline in BASELINES.values():
        for name in (baseline.activation, baseline.weight, baseline.gradient, baseline.result, baseline.master_weight):
            assert parse_format(name).name == name
