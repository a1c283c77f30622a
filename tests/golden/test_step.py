"""Whole steps of the golden model: plans against direct formulas, gradients against finite differences."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pyhost.datasets import load_dataset
from pyhost.errors import JobError
from pyhost.formats import parse_format
from pyhost.golden import kernels
from pyhost.golden.gemm import Chain, Exact
from pyhost.golden.step import execute
from pyhost.plan.calls import Gemm, Kernel, Plan
from pyhost.plan.lowering import lower
from pyhost.plan.models import MODELS, Conv, Dense, MaxPool, Model, Relu

FP32 = dict.fromkeys(("activation", "weight", "gradient", "master_weight", "result"), "e8m23")
FP8 = FP32 | {"activation": "e4m3fn", "weight": "e4m3fn", "gradient": "e5m2"}


def plan_of(model, formats, *, batch=3, image=(8, 7, 2), classes=4, seed=1, **training):
    settings = {"learning_rate": 0.1, "momentum": 0.9, "loss_scale": 1.0, "seed": seed} | training
    return lower(
        model,
        formats=SimpleNamespace(**formats, overflow="saturate"),
        training=SimpleNamespace(**settings),
        batch=batch,
        image=image,
        classes=classes,
    )


def memory_of(plan, seed=5):
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    images, labels = plan.inputs
    codes = images.format.encode(rng.normal(size=images.shape).astype(np.float32).astype(np.float64))
    return {images.name: codes, labels.name: rng.integers(0, 4, labels.shape).astype(np.uint32), **plan.initial}


def values(memory, plan):
    formats = {tensor.name: tensor.format for tensor in plan.tensors}
    return {name: codes if formats[name] is None else formats[name].decode(codes) for name, codes in memory.items()}


def direct_convolution(x, w, padding):
    """Y[n, i, j, o] = sum X[n, i + r - p, j + s - p, c] W[r, s, c, o], one tap at a time, in float64."""
    n, height, width, _ = x.shape
    kernel = w.shape[0]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows, columns = height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1
    y = np.zeros((n, rows, columns, w.shape[3]))
    for r in range(kernel):
        for s in range(kernel):
            y += padded[:, r : r + rows, s : s + columns] @ w[r, s]
    return y


def reference_loss(v, model, x, labels):
    """The network and its mean loss in float64, from values of the working weights."""
    counts = {}
    for layer in (*model.hidden, Dense(4)):
        kind = type(layer).__name__.lower()
        counts[kind] = counts.get(kind, 0) + 1
        name = f"{kind}{counts[kind]}"
        match layer:
            case Conv():
                x = direct_convolution(x, v[f"{name}.weight.master"], layer.padding) + v[f"{name}.bias.master"]
            case Dense():
                x = x.reshape(len(x), -1) @ v[f"{name}.weight.master"] + v[f"{name}.bias.master"]
            case Relu():
                x = np.maximum(x, 0)
            case MaxPool():
                n, h, w, c = x.shape
                h, w = h // layer.window, w // layer.window
                x = x[:, : h * layer.window, : w * layer.window]
                x = x.reshape(n, h, layer.window, w, layer.window, c).max(axis=(2, 4))
    shifted = x - x.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(x)), labels])


MODEL = Model(
    "every layer once", (Conv(3, kernel=3, padding=1), Relu(), MaxPool(), Conv(4, kernel=3, padding=0), Relu())
)


AFTER_POOLING = Model("a ReLU that no product can do", (Conv(3), MaxPool(), Relu(), Dense(6), Relu()))


@pytest.mark.parametrize("model", [MODEL, AFTER_POOLING, MODELS["mlp-digits"], MODELS["linear-digits"]])
@pytest.mark.parametrize("loss_scale", [1.0, 1024.0])
def test_gradients_are_those_of_the_loss(model, loss_scale):
    """In binary32, every parameter's gradient equals central differences of the float64 loss.

    Tolerance: 1e-4 of the gradient's scale, from binary32's rounding through a few hundred terms.
    """
    image = (8, 7, 2)
    plan = plan_of(model, FP32, image=image, loss_scale=loss_scale)
    memory = memory_of(plan)
    after = values(execute(plan, memory, accumulator=Chain(parse_format("e8m23"))), plan)
    before = values(memory, plan)
    x, labels = before["images"], before["labels"]
    assert np.isclose(after["loss"].mean(), reference_loss(before, model, x, labels), rtol=1e-6)
    for master in (tensor for tensor in plan.state if tensor.name.endswith(".master")):
        gradient = after[master.name.replace(".master", ".gradient")]
        numeric = np.zeros(master.count)
        flat = before[master.name].reshape(-1)
        for index in range(master.count):
            kept = flat[index]
            sides = []
            for side in (1e-6, -1e-6):
                flat[index] = kept + side
                sides.append(reference_loss(before, model, x, labels))
            flat[index] = kept
            numeric[index] = (sides[0] - sides[1]) / 2e-6
        error = np.abs(gradient.reshape(-1) - numeric).max()
        assert error < 1e-4 * max(np.abs(numeric).max(), 1e-2), (master.name, error)


def kernel_names(model):
    return [kernel.name for kernel in plan_of(model, FP8).kernels if kernel.kind not in ("convert", "sgd")]


def test_products_do_the_work_of_bias_and_relu():
    """Two convolutions with ReLUs, one of them pooled: of biases and ReLUs nothing is left but bias gradients."""
    assert kernel_names(MODEL) == [
        *("conv1.forward", "pool1.forward", "conv2.forward", "dense1.forward", "loss"),
        *("dense1.bias_gradient", "dense1.weight_gradient", "dense1.input_gradient"),
        *("conv2.bias_gradient", "conv2.weight_gradient", "conv2.input_gradient"),
        *("pool1.gradient", "conv1.bias_gradient", "conv1.weight_gradient"),
    ]
    names = kernel_names(AFTER_POOLING)
    assert names[:5] == ["conv1.forward", "pool1.forward", "relu1.forward", "dense1.forward", "dense2.forward"]
    assert "relu1.gradient" in names and "relu2.gradient" not in names


@pytest.mark.parametrize("accumulator", [Exact(), Chain(parse_format("e8m23"))])
def test_masks_of_products_are_gradients_of_relu(accumulator):
    """The masked input gradient, pooled back, is what ReLU's own gradient makes of the pooled one: the same codes."""
    plan = plan_of(MODEL, FP8)
    after = execute(plan, memory_of(plan), accumulator=accumulator)
    calls = {kernel.name: kernel.call for kernel in plan.kernels}
    call = calls["conv2.input_gradient"]
    assert call.mask.tensor.name == "pool1.output"
    unmasked = Plan((Kernel("product", replace(call, mask=None)),), (), ())
    pooled = execute(unmasked, after, accumulator=accumulator)[call.d.tensor.name]
    e4m3, e5m2 = parse_format("e4m3fn"), parse_format("e5m2")
    gradient = kernels.max_pool_gradient(after["conv1.output"], e4m3, pooled, e5m2, 2)
    expected = kernels.relu_gradient(after["conv1.output"], e4m3, gradient)
    assert np.array_equal(after["conv1.output.gradient"], expected)
    assert 0 < np.count_nonzero(expected) < np.count_nonzero(gradient)


def test_a_forward_pass_rounds_once_after_the_bias():
    """Exact sums of small integers: NumPy's float64 product plus bias, rectified, rounded once."""
    plan = plan_of(MODELS["mlp-digits"], FP8, image=(4, 4, 1))
    memory = memory_of(plan)
    e4m3, f32 = parse_format("e4m3fn"), parse_format("e8m23")
    rng = np.random.default_rng(3)
    memory["images"] = e4m3.encode(rng.integers(-3, 4, memory["images"].shape))
    memory["dense1.weight.master"] = f32.encode(rng.integers(-3, 4, (16, 32)))
    memory["dense1.bias.master"] = f32.encode(rng.normal(size=32).astype(np.float32))
    after = execute(plan, memory, accumulator=Exact())
    sums = e4m3.decode(memory["images"]).reshape(3, 16) @ f32.decode(memory["dense1.weight.master"])
    wide = sums + f32.decode(memory["dense1.bias.master"])
    expected = e4m3.encode(np.maximum(wide, 0) + 0.0, saturate=True)
    assert np.array_equal(after["dense1.output"], expected)


def test_update_follows_momentum():
    plan = plan_of(MODEL, FP32, image=(8, 7, 2), learning_rate=0.5, momentum=0.75)
    first = execute(plan, memory_of(plan), accumulator=Chain(parse_format("e8m23")))
    second = execute(plan, first, accumulator=Chain(parse_format("e8m23")))
    one, two = values(first, plan), values(second, plan)
    name = "conv1.weight"
    velocity = np.float32(0.75) * one[f"{name}.velocity"] + two[f"{name}.gradient"]
    assert np.allclose(two[f"{name}.velocity"], velocity, rtol=1e-6)
    assert np.allclose(two[f"{name}.master"], one[f"{name}.master"] - 0.5 * two[f"{name}.velocity"], rtol=1e-6)


@pytest.mark.parametrize("accumulator", [Exact(), Chain(parse_format("e8m23")), Chain(parse_format("e5m10"))])
def test_engines_agree_on_a_whole_step(accumulator):
    plan = plan_of(MODEL, FP8)
    memory = memory_of(plan)
    fast = execute(plan, memory, accumulator=accumulator)
    reference = execute(plan, memory, accumulator=accumulator, engine="reference")
    for tensor in plan.tensors:
        assert np.array_equal(fast[tensor.name], reference[tensor.name]), tensor.name


def test_memory_is_left_alone_and_the_state_changes():
    plan = plan_of(MODEL, FP8)
    memory = memory_of(plan)
    copies = {name: codes.copy() for name, codes in memory.items()}
    after = execute(plan, memory, accumulator=Exact())
    assert all(np.array_equal(memory[name], copies[name]) for name in copies)
    assert any((after[tensor.name] != memory[tensor.name]).any() for tensor in plan.state)


def test_digits_are_learned_in_fp8():
    """Ten steps of the default network on digits: the loss falls. The golden model alone, no target."""
    data = load_dataset("digits")
    plan = plan_of(MODELS["cnn-digits"], FP8, batch=16, image=data.image, classes=data.classes)
    images, labels = plan.inputs
    memory = dict(plan.initial)
    losses = []
    for step in range(10):
        pixels, digits = data.batch(16, step, 1)
        memory |= {images.name: images.format.encode(pixels), labels.name: digits}
        memory = execute(plan, memory, accumulator=Exact())
        losses.append(float(values(memory, plan)["loss"].mean()))
    print("losses", losses)
    assert np.mean(losses[-3:]) < min(losses[0], np.log(10) + 0.1)


def test_extents_beyond_the_hardware_are_refused():
    with pytest.raises(JobError, match=r"conv1.forward: a product with 65,664 rows.*lower network.batch"):
        plan_of(MODELS["cnn-digits"], FP8, batch=1026, image=(8, 8, 1))
    with pytest.raises(JobError, match="does not fit its input of 1x1"):
        plan_of(Model("", (MaxPool(),)), FP8, image=(1, 1, 1))


def test_every_kernel_writes_a_tensor_of_its_own():
    plan = plan_of(MODELS["lenet"], FP8, image=(28, 28, 1), classes=10)
    written = [tensor.name for kernel in plan.kernels for tensor in kernel.outputs]
    assert len(written) == len(set(written))
    known = {tensor.name for tensor in (*plan.inputs, *plan.state)}
    for kernel in plan.kernels:
        outputs = {tensor.name for tensor in kernel.outputs}
        assert {tensor.name for tensor in kernel.tensors} - outputs <= known, kernel.name
        known |= outputs
    macs = sum(kernel.macs for kernel in plan.kernels if isinstance(kernel.call, Gemm))
    assert macs > 0
