"""The golden model of a plan: the same kernel calls, in NumPy, on named tensors."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyhost.formats import Format
from pyhost.golden import kernels
from pyhost.golden.gemm import Accumulator, gemm
from pyhost.plan.calls import (
    BiasGradient,
    Call,
    Convert,
    Gemm,
    Kernel,
    Matrix,
    MaxPool,
    MaxPoolGradient,
    Plan,
    Relu,
    ReluGradient,
    Sgd,
    SoftmaxCrossEntropy,
)
from pyhost.plan.tensors import Tensor

__all__ = ["execute", "steps"]

Codes = NDArray[np.unsignedinteger]
Engine = Literal["fast", "reference"]
Memory = MutableMapping[str, Codes]


def execute(
    plan: Plan, memory: Mapping[str, Codes], *, accumulator: Accumulator, engine: Engine = "fast"
) -> dict[str, Codes]:
    """All tensors after one step of `plan` from `memory` (its inputs and state), which is left as it was."""
    after = dict(memory)
    for _ in steps(plan, after, accumulator=accumulator, engine=engine):
        pass
    return after


def steps(plan: Plan, memory: Memory, *, accumulator: Accumulator, engine: Engine = "fast") -> Iterator[Kernel]:
    """Execute `plan` on `memory` in place, one kernel for each item taken."""
    for kernel in plan.kernels:
        results = _run(kernel.call, memory, accumulator, engine)
        for tensor, codes in zip(kernel.outputs, results, strict=True):
            memory[tensor.name] = codes.reshape(tensor.shape)
        yield kernel


def _format(tensor: Tensor) -> Format:
    assert tensor.format is not None, f"{tensor.name} holds integers"
    return tensor.format


def _product(call: Gemm, memory: Memory, accumulator: Accumulator, engine: Engine) -> Codes:
    """The tensor of d: codes outside the part that the product writes stay as they are, or are 0."""
    a = call.a.gather(memory[call.a.tensor.name], *((call.m, call.k) if call.a.k_minor else (call.k, call.m)))
    b = call.b.gather(memory[call.b.tensor.name], *((call.n, call.k) if call.b.k_minor else (call.k, call.n)))

    def codes(matrix: Matrix | None) -> Codes | None:
        return None if matrix is None else memory[matrix.tensor.name].reshape(-1)[matrix.index(call.m, call.n)]

    def format_of(matrix: Matrix | None) -> Format | None:
        return None if matrix is None else _format(matrix.tensor)

    product = gemm(
        a if call.a.k_minor else a.T,
        b.T if call.b.k_minor else b,
        codes(call.c),
        a_format=_format(call.a.tensor),
        b_format=_format(call.b.tensor),
        c_format=format_of(call.c),
        d_format=_format(call.d.tensor),
        accumulator=accumulator,
        scale=call.scale,
        overflow=call.overflow,
        rounding=call.rounding,
        addend=codes(call.addend),
        addend_format=format_of(call.addend),
        relu=call.relu,
        mask=codes(call.mask),
        mask_format=format_of(call.mask),
        engine=engine,
    )
    d = call.d.tensor
    whole = memory[d.name].reshape(-1).copy() if d.name in memory else np.zeros(d.count, product.dtype)
    whole[call.d.index(call.m, call.n)] = product
    return whole


def _run(call: Call, memory: Memory, accumulator: Accumulator, engine: Engine) -> tuple[Codes, ...]:
    def codes(tensor: Tensor) -> Codes:
        return memory[tensor.name]

    match call:
        case Gemm():
            return (_product(call, memory, accumulator, engine),)
        case Convert(x=x, y=y):
            return (kernels.convert(codes(x), _format(x), _format(y), call.overflow),)
        case BiasGradient(gradient=dy, bias_gradient=db):
            rows = codes(dy).reshape(-1, call.channels)
            return (kernels.bias_gradient(rows, _format(dy), _format(db), call.scale, call.overflow),)
        case Relu(x=x, y=y):
            return (kernels.relu(codes(x), _format(x), _format(y), call.overflow),)
        case ReluGradient(y=y, y_gradient=dy):
            return (kernels.relu_gradient(codes(y), _format(y), codes(dy)),)
        case MaxPool(x=x):
            return (kernels.max_pool(codes(x), _format(x), call.window),)
        case MaxPoolGradient(x=x, y_gradient=dy):
            return (kernels.max_pool_gradient(codes(x), _format(x), codes(dy), _format(dy), call.window),)
        case SoftmaxCrossEntropy(logits=z, gradient=gradient, loss=loss):
            rows = codes(z).reshape(call.rows, call.classes)
            labels = codes(call.labels)
            formats = (_format(gradient), _format(loss))
            return kernels.softmax_cross_entropy(rows, _format(z), labels, *formats, call.scale, call.overflow)
        case Sgd(weight=w, velocity=v, gradient=g):
            state = kernels.sgd(
                codes(w), _format(w), codes(v), _format(v), codes(g), _format(g),
                call.learning_rate, call.momentum, call.overflow,
            )  # fmt: skip
            return (state[1], state[0])
