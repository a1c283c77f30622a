"""What the firmware's kernels cost, from their calls alone: cycles and instructions, fitted to runs of the RTL.

    cost = sum of coefficient * feature        for each kind of kernel and the formats that it works on

The features are counts: elements, windows, rows, channels, outputs, multiply-adds and 1. The arithmetic is binary32 in
software, whose time depends on the data, so a prediction has an error; `firmware.json` keeps the one that was found
over seeds, batches and networks when `scripts/fit_firmware.py` fitted it. Other than the accelerator's, these
predictions are approximations.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import prod
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from pyhost.plan.calls import (
    BiasGradient,
    Call,
    Gemm,
    Kernel,
    MaxPool,
    MaxPoolGradient,
    SoftmaxCrossEntropy,
)
from pyhost.plan.tensors import Tensor

__all__ = ["FirmwareCost", "features", "firmware_cost", "fits", "job_cost", "signature"]

_FILE: Final = Path(__file__).parent / "firmware.json"


class FirmwareCost(NamedTuple):
    """Of one kernel. bus_words: 32-bit words that the CPU's buses move in main memory.

    error: largest relative difference of the cycles from a run, when this was fitted.
    """

    cycles: int
    instructions: int
    bus_words: int
    error: float


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Fit(_Table):
    """Coefficients by feature. samples: kernels measured; error: see `FirmwareCost`; rms: typically."""

    cycles: Mapping[str, float]
    instructions: Mapping[str, float]
    bus_words: Mapping[str, float]
    samples: Annotated[int, Field(ge=1)]
    error: Annotated[float, Field(ge=0)]
    rms: Annotated[float, Field(ge=0)]


class Fits(_Table):
    """Of one CPU and memory, by kind and by `signature` of formats."""

    version: Literal[1] = Field(alias="schema")
    cpu: str
    memory: str
    source: str
    job: Fit
    """A product on the accelerator: `cycles` of its job are a feature."""
    kinds: Mapping[str, Mapping[str, Fit]]


@cache
def fits() -> Fits:
    """The fits that come with floatsoc."""
    return Fits.model_validate_json(_FILE.read_bytes())


def signature(call: Call, accumulator: str) -> str:
    """Formats that decide how long an element takes: of all tensors in order; of a product A, B, its accumulator.

    And what a product does at write-back: it tells a forward pass and both gradients apart, whose operands have more
    zeros or fewer.
    """
    if isinstance(call, Gemm):
        operands = (view.tensor.format for view in (call.a, call.b))
        after = "bias" if call.addend else "mask" if call.mask else "plain"
        return " ".join([*(format_.name for format_ in operands if format_), accumulator, after])
    views = (getattr(call, name) for name in call.__dataclass_fields__)
    return " ".join(view.format.name for view in views if isinstance(view, Tensor) and view.format)


def features(call: Call) -> dict[str, float]:
    """The counts that the time of a kernel is made of."""
    match call:
        case Gemm():
            return {"outputs": call.m * call.n, "macs": call.m * call.n * call.k}
        case MaxPool() | MaxPoolGradient():
            windows = call.images * (call.height // call.window) * (call.width // call.window) * call.channels
            return {"one": 1, "windows": windows, "elements": prod(call.x.shape)}
        case SoftmaxCrossEntropy():
            return {"one": 1, "rows": call.rows, "elements": call.rows * call.classes}
        case BiasGradient():
            return {"one": 1, "channels": call.channels, "elements": call.gradient.count}
    first = next(view for name in call.__dataclass_fields__ if isinstance(view := getattr(call, name), Tensor))
    return {"one": 1, "elements": first.count}


def firmware_cost(kernel: Kernel, accumulator: str, *, cpu: str, memory: str) -> FirmwareCost | None:
    """The cost of a kernel that runs in firmware; None on a CPU or memory, or for a kind, that was never measured.

    Of formats that were not measured the cost is that of the ones in the table with the most in common, and its
    error the spread of the whole kind.
    """
    table = fits()
    if (cpu, memory) != (table.cpu, table.memory) or kernel.kind not in table.kinds:
        return None
    known, wanted = table.kinds[kernel.kind], signature(kernel.call, accumulator)
    counts = features(kernel.call)
    if wanted in known:
        fit = known[wanted]
        return _cost(fit, counts, fit.error)
    words = wanted.split()
    best = max(known, key=lambda name: sum(a == b for a, b in zip(name.split(), words, strict=False)))
    all_cycles = [_evaluate(fit.cycles, counts) for fit in known.values()]
    cycles = _evaluate(known[best].cycles, counts)
    error = max(max(all_cycles) / cycles - 1, 1 - min(all_cycles) / cycles) if cycles else 1.0
    return _cost(known[best], counts, max(error, known[best].error))


def job_cost(cycles: int, *, cpu: str, memory: str) -> FirmwareCost | None:
    """The cost of a product on the accelerator whose job takes so many cycles, with the firmware around it."""
    fit = fits().job
    if (cpu, memory) != (fits().cpu, fits().memory):
        return None
    counts = {"one": 1.0, "cycles": float(cycles)}
    return _cost(fit, counts, fit.error)


def _cost(fit: Fit, counts: Mapping[str, float], error: float) -> FirmwareCost:
    cycles, instructions, words = (_evaluate(each, counts) for each in (fit.cycles, fit.instructions, fit.bus_words))
    return FirmwareCost(cycles, instructions, words, error)


def _evaluate(coefficients: Mapping[str, float], counts: Mapping[str, float]) -> int:
    return max(0, round(sum(coefficient * counts[name] for name, coefficient in coefficients.items())))
