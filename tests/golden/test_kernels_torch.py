"""Kernels in binary32 against PyTorch's float32 on the CPU: forward and autograd's gradients.

Both round every operation, in different orders, so sums of n terms differ by some sqrt(n) * 2^-24 of their magnitudes.
With n below 200 that is 1e-6; 5e-6 of the largest magnitude of a tensor leaves room for what cancels.
"""

import numpy as np
import pytest

from pyhost.golden import Chain, kernels
from tests.golden.formulas import F32, binary32, f32, floats

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'floatsoc[torch]'")
torch.set_num_threads(1)  # tensors this small gain nothing from more, and lose much on a busy machine
functional = torch.nn.functional

SEED = 271
CHAIN = Chain(F32)


@pytest.fixture
def rng():
    print(f"seed {SEED}")
    return np.random.default_rng(SEED)


def leaf(values):
    return torch.tensor(values, dtype=torch.float32, requires_grad=True)


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def close(codes, expected):
    expected = expected.detach().numpy()
    actual = floats(codes)
    assert actual.shape == expected.shape
    return np.abs(actual - expected).max() < 5e-6 * max(np.abs(expected).max(), 1e-3)


def test_dense(rng):
    x, w, dy = binary32(rng, 8, 30), binary32(rng, 30, 10), binary32(rng, 8, 10)
    tx, tw = leaf(x), leaf(w)
    y = tx @ tw
    y.backward(torch.tensor(dy, dtype=torch.float32))
    assert close(kernels.dense(f32(x), F32, f32(w), F32, F32, accumulator=CHAIN), y)
    assert close(kernels.dense_weight_gradient(f32(x), F32, f32(dy), F32, F32, accumulator=CHAIN), tw.grad)
    assert close(kernels.dense_input_gradient(f32(dy), F32, f32(w), F32, F32, accumulator=CHAIN), tx.grad)


@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("padding", [(0, 0), (2, 1)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1)])
@pytest.mark.parametrize(("channels", "filters", "groups"), [(3, 4, 1), (4, 6, 2), (5, 5, 5), (3, 6, 3)])
def test_convolution(rng, stride, padding, dilation, channels, filters, groups):
    x, w = binary32(rng, 2, 9, 8, channels), binary32(rng, 3, 3, channels // groups, filters)
    tx, tw = leaf(x), leaf(w)
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    y = nhwc(functional.conv2d(nchw(tx), tw.permute(3, 2, 0, 1), **settings))
    dy = binary32(rng, *y.shape)
    y.backward(torch.tensor(dy, dtype=torch.float32))
    convolution = kernels.Convolution(**settings)
    assert close(kernels.convolution(f32(x), F32, f32(w), F32, F32, convolution, accumulator=CHAIN), y)
    dw = kernels.convolution_weight_gradient(f32(x), F32, f32(dy), F32, F32, (3, 3), convolution, accumulator=CHAIN)
    dx = kernels.convolution_input_gradient(f32(dy), F32, f32(w), F32, F32, (9, 8), convolution, accumulator=CHAIN)
    assert close(dw, tw.grad)
    assert close(dx, tx.grad)


@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_activation(rng, name):
    x, dy = binary32(rng, 40, 10, scale=5), binary32(rng, 40, 10)
    tx = leaf(x)
    y = getattr(functional, name)(tx)
    y.backward(torch.tensor(dy, dtype=torch.float32))
    actual = getattr(kernels, name)(f32(x), F32, F32, "ieee")
    assert (actual == f32(y.detach().numpy())).all()
    dx = getattr(kernels, f"{name}_gradient")(actual, F32, f32(dy))
    assert (floats(dx) == tx.grad.numpy()).all()


@pytest.mark.parametrize(("window", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 0)])
def test_pooling(rng, window, stride, padding):
    x = binary32(rng, 2, 9, 7, 3)
    place = {"stride": stride, "padding": padding}
    tx = leaf(x)
    y = nhwc(functional.max_pool2d(nchw(tx), window, **place))
    dy = binary32(rng, *y.shape)
    y.backward(torch.tensor(dy, dtype=torch.float32))
    assert (floats(kernels.max_pool(f32(x), F32, window, **place)) == y.detach().numpy()).all()
    assert close(kernels.max_pool_gradient(f32(x), F32, f32(dy), F32, window, **place), tx.grad)
    tx = leaf(x)
    y = nhwc(functional.avg_pool2d(nchw(tx), window, **place))
    y.backward(torch.tensor(dy, dtype=torch.float32))
    assert close(kernels.average_pool(f32(x), F32, F32, window, "ieee", **place), y)
    assert close(kernels.average_pool_gradient(f32(dy), F32, F32, (9, 7), window, "ieee", **place), tx.grad)


def test_global_average_pool(rng):
    x, dy = binary32(rng, 2, 9, 7, 3), binary32(rng, 2, 3)
    tx = leaf(x)
    y = functional.adaptive_avg_pool2d(nchw(tx), 1)[..., 0, 0]
    y.backward(torch.tensor(dy, dtype=torch.float32))
    assert close(kernels.global_average_pool(f32(x), F32, F32, "ieee"), y)
    assert close(kernels.global_average_pool_gradient(f32(dy), F32, F32, (9, 7), "ieee"), tx.grad)


def test_batch_norm_over_three_batches_then_inference(rng):
    weight, bias = binary32(rng, 4), binary32(rng, 4)
    tw, tb = leaf(weight), leaf(bias)
    mean, variance = torch.zeros(4), torch.ones(4)
    running = f32(np.zeros(4)), f32(np.ones(4))
    for _ in range(3):
        x, dy = binary32(rng, 3, 5, 2, 4, scale=3) + 1, binary32(rng, 3, 5, 2, 4)
        x = x.astype(np.float32)
        tx = leaf(x)
        tw.grad = tb.grad = None
        y = nhwc(functional.batch_norm(nchw(tx), mean, variance, tw, tb, training=True, momentum=0.1, eps=1e-5))
        y.backward(torch.tensor(dy, dtype=torch.float32))
        forward = kernels.batch_norm(f32(x), F32, f32(weight), f32(bias), F32, *running, F32, "ieee")
        running = forward.running_mean, forward.running_variance
        saved = forward.mean, forward.inverse
        dweight, dbias = kernels.batch_norm_weight_gradient(f32(x), F32, *saved, f32(dy), F32, F32, 1.0, "ieee")
        dx = kernels.batch_norm_input_gradient(f32(x), F32, f32(weight), F32, *saved, f32(dy), F32, F32, "ieee")
        assert close(forward.y, y)
        assert close(dweight, tw.grad)
        assert close(dbias, tb.grad)
        assert close(dx, tx.grad)
        assert close(running[0], mean)
        assert close(running[1], variance)
    y = nhwc(functional.batch_norm(nchw(tx), mean, variance, tw, tb, training=False, eps=1e-5))
    assert close(kernels.batch_norm_inference(f32(x), F32, f32(weight), f32(bias), F32, *running, F32, "ieee"), y)


def test_layer_norm(rng):
    x, dy, weight, bias = (
        binary32(rng, 6, 4, 20, scale=3),
        binary32(rng, 6, 4, 20),
        binary32(rng, 20),
        binary32(rng, 20),
    )
    tx, tw, tb = leaf(x), leaf(weight), leaf(bias)
    y = functional.layer_norm(tx, (20,), tw, tb, eps=1e-5)
    y.backward(torch.tensor(dy, dtype=torch.float32))
    forward = kernels.layer_norm(f32(x), F32, f32(weight), f32(bias), F32, F32, "ieee")
    saved = forward.mean, forward.inverse
    dweight, dbias = kernels.layer_norm_weight_gradient(f32(x), F32, *saved, f32(dy), F32, F32, 1.0, "ieee")
    dx = kernels.layer_norm_input_gradient(f32(x), F32, f32(weight), F32, *saved, f32(dy), F32, F32, "ieee")
    assert close(forward.y, y)
    assert close(dweight, tw.grad)
    assert close(dbias, tb.grad)
    assert close(dx, tx.grad)


def test_losses(rng):
    z, labels, targets = binary32(rng, 16, 10, scale=3), rng.integers(0, 10, 16), binary32(rng, 16, 10)
    tz = leaf(z)
    loss = functional.cross_entropy(tz, torch.tensor(labels), reduction="none")
    loss.mean().backward()
    gradient, losses = kernels.softmax_cross_entropy(f32(z), F32, labels.astype(np.uint32), F32, F32, 1 / 16, "ieee")
    assert close(losses, loss)
    assert close(gradient, tz.grad)
    tz = leaf(z)
    functional.mse_loss(tz, torch.tensor(targets, dtype=torch.float32)).backward()
    gradient, losses = kernels.mean_squared_error(f32(z), F32, f32(targets), F32, F32, F32, 1 / 16, "ieee")
    assert np.isclose(floats(losses).mean(), ((z - targets) ** 2).mean(), rtol=1e-5)
    assert close(gradient, tz.grad)


def test_sgd_over_five_steps(rng):
    w = binary32(rng, 50)
    parameter = leaf(w)
    optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
    state = f32(w), f32(np.zeros(50))
    for _ in range(5):
        g = binary32(rng, 50)
        parameter.grad = torch.tensor(g, dtype=torch.float32)
        optimizer.step()
        state = kernels.sgd(state[0], F32, state[1], F32, f32(g), F32, 0.1, 0.9, "ieee")
        assert close(state[0], parameter)


def test_adam_over_twenty_steps(rng):
    """With the betas that binary32 holds: 1 - 0.999 in binary64, as PyTorch has it, differs from theirs by 1e-5."""
    w = binary32(rng, 50)
    parameter = leaf(w)
    optimizer = torch.optim.Adam([parameter], lr=0.01, betas=(float(np.float32(0.9)), float(np.float32(0.999))))
    weight, mean, square, powers = f32(w), f32(np.zeros(50)), f32(np.zeros(50)), (1.0, 1.0)
    for _ in range(20):
        g = binary32(rng, 50)
        parameter.grad = torch.tensor(g, dtype=torch.float32)
        optimizer.step()
        weight, mean, square, powers = kernels.adam(weight, F32, mean, square, F32, f32(g), F32, powers, 0.01, "ieee")
        assert close(weight, parameter)
        assert close(mean, optimizer.state[parameter]["exp_avg"])
        assert close(square, optimizer.state[parameter]["exp_avg_sq"])
