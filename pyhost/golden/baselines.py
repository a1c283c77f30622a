"""Ways to train that the field knows, as ordinary settings; and training with the golden model alone.

>>> from pyhost.golden.baselines import BASELINES, train
>>> steps = train(BASELINES["bfloat16"], "mlp-digits", steps=30)
>>> steps[-1].loss < steps[0].loss
True
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pyhost.datasets import load_dataset
from pyhost.errors import JobError
from pyhost.formats import parse_format
from pyhost.golden.gemm import Accumulator, Chain, Exact
from pyhost.golden.kernels.codes import Overflow
from pyhost.golden.loss_scaling import LossScaler
from pyhost.golden.step import execute
from pyhost.plan.calls import Plan, Sgd, SoftmaxCrossEntropy
from pyhost.plan.lowering import lower
from pyhost.plan.models import MODELS
from pyhost.plan.tensors import Tensor

__all__ = ["BASELINES", "Baseline", "BaselineStep", "train"]

Codes = NDArray[np.unsignedinteger]

_BINARY32_CHAIN = Chain(parse_format("e8m23"))


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Formats of tensors (names, as in the [formats] table of a job), accumulator of products, loss scale.

    It is a `pyhost.plan.lowering.TensorFormats`. Without a `loss_scaler` the loss is not scaled.
    """

    description: str
    activation: str
    weight: str
    gradient: str
    result: str = "e8m23"
    master_weight: str = "e8m23"
    overflow: Overflow = "ieee"
    accumulator: Accumulator = _BINARY32_CHAIN
    loss_scaler: LossScaler | None = None


BASELINES: Mapping[str, Baseline] = {
    "binary32": Baseline(
        description="full binary32: every tensor, and products in a chain of fused multiply-adds",
        activation="e8m23",
        weight="e8m23",
        gradient="e8m23",
    ),
    "mixed-fp16": Baseline(
        description="mixed precision (Micikevicius et al. 2018): binary16 tensors, binary32 products and master "
        "weights, dynamic loss scaling",
        activation="e5m10",
        weight="e5m10",
        gradient="e5m10",
        loss_scaler=LossScaler(),
    ),
    "bfloat16": Baseline(
        description="bfloat16 (Kalamkar et al. 2019): bfloat16 tensors, binary32 products and master weights",
        activation="e8m7",
        weight="e8m7",
        gradient="e8m7",
    ),
    "hybrid-fp8": Baseline(
        description="hybrid FP8 (Sun et al. 2019, formats of Micikevicius et al. 2022): E4M3 forward, E5M2 gradients, "
        "exact products, saturation",
        activation="e4m3fn",
        weight="e4m3fn",
        gradient="e5m2",
        overflow="saturate",
        accumulator=Exact(),
    ),
    "posit16": Baseline(
        description="16-bit posits for every tensor, master weights included, and the quire",
        activation="posit16",
        weight="posit16",
        gradient="posit16",
        result="posit16",
        master_weight="posit16",
        accumulator=Exact(),
    ),
    "posit8": Baseline(
        description="8-bit posits with the quire, 16-bit posits for results and master weights",
        activation="posit8",
        weight="posit8",
        gradient="posit8",
        result="posit16",
        master_weight="posit16",
        accumulator=Exact(),
    ),
}
"""By name."""


@dataclass(frozen=True)
class BaselineStep:
    """One step: mean loss and accuracy of its batch before the update; `skipped` where gradients were not finite."""

    loss: float
    accuracy: float
    loss_scale: float
    skipped: bool


@dataclass(frozen=True)
class _Training:
    """Satisfies `pyhost.plan.lowering.TrainingSettings`."""

    learning_rate: float
    momentum: float
    loss_scale: float
    seed: int


def train(
    baseline: Baseline,
    model: str,
    *,
    steps: int,
    data: str = "digits",
    batch: int = 16,
    learning_rate: float = 0.05,
    momentum: float = 0.9,
    seed: int = 1,
) -> tuple[BaselineStep, ...]:
    """Train `model` (of `pyhost.plan.models`) for `steps` steps in the golden model, each on a batch of its own.

    With the settings of a job, these are the bits of that job. Raises JobError for a model that there is not.
    """
    if model not in MODELS:
        raise JobError(f'no model "{model}"; allowed are {", ".join(MODELS)}')
    dataset = load_dataset(data)

    @cache
    def plan_at(scale: float) -> Plan:
        training = _Training(learning_rate, momentum, scale, seed)
        image, classes = dataset.image, dataset.classes
        return lower(MODELS[model], formats=baseline, training=training, batch=batch, image=image, classes=classes)

    scaler = baseline.loss_scaler
    state: Mapping[str, Codes] | None = None
    done = []
    for step in range(steps):
        scale = 1.0 if scaler is None else scaler.scale
        plan = plan_at(scale)
        images, labels = plan.inputs
        pixels, classes = dataset.batch(batch, step, seed)
        inputs = {images.name: parse_format(baseline.activation).encode(pixels), labels.name: classes}
        before = plan.initial if state is None else state
        after = execute(plan, {**before, **inputs}, accumulator=baseline.accumulator)
        skipped = scaler is not None and not _gradients_are_finite(plan, after)
        if scaler is not None:
            scaler = scaler.after(finite=not skipped)
        state = before if skipped else {tensor.name: after[tensor.name] for tensor in plan.state}
        loss, accuracy = _judged(plan, after, classes)
        done.append(BaselineStep(loss, accuracy, scale, skipped))
    return tuple(done)


def _judged(plan: Plan, memory: Mapping[str, Codes], classes: NDArray[np.unsignedinteger]) -> tuple[float, float]:
    """Mean loss, and share of the batch whose largest logit is its label's."""
    call = next(kernel.call for kernel in plan.kernels if isinstance(kernel.call, SoftmaxCrossEntropy))
    right = _values(memory, call.logits).argmax(axis=1) == classes
    return float(_values(memory, call.loss).mean()), float(right.mean())


def _gradients_are_finite(plan: Plan, memory: Mapping[str, Codes]) -> bool:
    updates = (kernel.call for kernel in plan.kernels if isinstance(kernel.call, Sgd))
    return all(np.isfinite(_values(memory, update.gradient)).all() for update in updates)


def _values(memory: Mapping[str, Codes], tensor: Tensor) -> NDArray[np.float64]:
    assert tensor.format is not None
    return tensor.format.decode(memory[tensor.name])
