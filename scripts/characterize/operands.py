"""Operands that circuits see: those of a network in training, in the array's own order, and random ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pyhost.cosim.launch import accumulator_of
from pyhost.cosim.run import plan_inputs, plan_of
from pyhost.datasets import load_dataset
from pyhost.formats import Format, parse_format
from pyhost.golden.step import execute
from pyhost.job import Job, load_job
from pyhost.plan.calls import Gemm

__all__ = ["STEPS", "Recording", "Run", "Sums", "Training", "record", "uniform"]

Codes = NDArray[np.unsignedinteger]

STEPS = 40
"""Of training, before the one whose operands are recorded."""

RUN_LIMIT = 32
"""Most terms of a sum that are taken from one place."""

TILE = 8
"""Rows of a tile, for the order in which sums are rounded."""

LANES = 4
"""Elements of a row of an 8 x 8 array that are rounded side by side."""

UNIFORM_RUN = 64
"""Terms of a sum of random codes."""


@dataclass(frozen=True)
class Training:
    """A job: the formats of activations and weights and of gradients, of results, and the sums' accumulator."""

    operand: str
    gradient: str
    accumulator: str
    result: str = "e8m23"
    loss_scale: float = 1.0

    @property
    def formats(self) -> tuple[str, ...]:
        """Formats of operands."""
        return tuple(dict.fromkeys((self.operand, self.gradient)))

    def job(self) -> Job:
        """The default job, in these formats."""
        changes = {
            "accelerator.formats": list(self.formats),
            "accelerator.accumulator": self.accumulator,
            "formats.activation": self.operand,
            "formats.weight": self.operand,
            "formats.gradient": self.gradient,
            "formats.result": self.result,
            "formats.master_weight": self.result,
            "training.loss_scale": self.loss_scale,
            "training.learning_rate": 0.05,
        }
        return load_job(None, changes)


@dataclass(frozen=True)
class Run:
    """Consecutive terms of one sum: codes of A and B. a_format, b_format: indices into the list of formats."""

    a: Codes
    b: Codes
    a_format: int
    b_format: int
    starts: bool
    """The first of them is the first of its sum."""
    largest: tuple[float, float]
    """Largest magnitudes of the tensors that A and B are."""


@dataclass(frozen=True)
class Sums:
    """What lanes round, tile after tile: values, and the format they become."""

    values: NDArray[np.float64]
    format: str


@dataclass(frozen=True)
class Recording:
    """Of a kind of products: runs, in proportion to the multiplications of each product, and the sums."""

    runs: tuple[Run, ...]
    sums: tuple[Sums, ...]
    losses: tuple[float, float]
    """Mean loss of the first step and of the recorded one."""

    def operands(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """(a, b, first) of a processing element, one a cycle."""
        first = [np.arange(len(run.a)) == 0 if run.starts else np.zeros(len(run.a)) for run in self.runs]
        a, b = (np.concatenate([getattr(run, name) for run in self.runs]).astype(np.int64) for name in "ab")
        return a, b, np.concatenate(first).astype(np.int64)

    def formats(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(a, b): the format of each operand, by index."""
        a = np.concatenate([np.full(len(run.a), run.a_format) for run in self.runs])
        return a, np.concatenate([np.full(len(run.b), run.b_format) for run in self.runs])


@lru_cache
def _trained(training: Training) -> tuple[list[Gemm], list[str], Mapping[str, Codes], tuple[float, float]]:
    """Products of a step, their kernels' names, all tensors after STEPS + 1 steps, first and last loss."""
    job = training.job()
    data = load_dataset(job.training.data)
    plan = plan_of(job, data)
    memory: Mapping[str, Codes] = plan.initial
    losses = []
    for step in range(STEPS + 1):
        before = {**memory, **plan_inputs(job, plan, data, step)}
        memory = execute(plan, before, accumulator=accumulator_of(job))
        losses.append(float(parse_format("e8m23").decode(memory["loss"]).mean()))
    kernels = [kernel for kernel in plan.kernels if isinstance(kernel.call, Gemm)]
    # The step updates master weights in place, but working weights are those that it used.
    return [k.call for k in kernels], [k.name for k in kernels], memory, (losses[0], losses[-1])


def record(training: Training, activity: str, vectors: int, random: np.random.Generator) -> Recording:
    """`vectors` operations of "forward", "weight_gradient" or "input_gradient" products of the step after STEPS others.

    Each run is the operands of one element of the array, k ascending, at most RUN_LIMIT of them.
    """
    calls, names, memory, losses = _trained(training)
    chosen = [call for call, name in zip(calls, names, strict=True) if name.split(".")[1] == activity]
    products = [_matrices(call, memory) for call in chosen]
    largest = [
        tuple(
            float(np.abs(o.tensor.format.decode(codes)).max()) for o, codes in zip((call.a, call.b), pair, strict=True)
        )
        for call, pair in zip(chosen, products, strict=True)
    ]
    weights = np.array([call.m * call.n * call.k for call in chosen], np.float64)
    runs: list[Run] = []
    while (missing := vectors - sum(len(run.a) for run in runs)) > 0:
        index = int(random.choice(len(chosen), p=weights / weights.sum()))
        call, (a, b) = chosen[index], products[index]
        start = RUN_LIMIT * int(random.integers(-(-call.k // RUN_LIMIT)))
        stop = min(start + RUN_LIMIT, start + missing)
        row, column = a[random.integers(call.m), start:stop], b[start:stop, random.integers(call.n)]
        places = (training.formats.index(o.tensor.format.name) for o in (call.a, call.b))
        runs.append(Run(row, column, *places, not start, largest[index]))
    sums = tuple(_sums(call, *matrices) for call, matrices in zip(chosen, products, strict=True))
    return Recording(tuple(runs), sums, losses)


def _matrices(call: Gemm, memory: Mapping[str, Codes]) -> tuple[Codes, Codes]:
    """A [m, k] and B [k, n], as codes."""
    a = call.a.gather(memory[call.a.tensor.name], *((call.m, call.k) if call.a.k_minor else (call.k, call.m)))
    b = call.b.gather(memory[call.b.tensor.name], *((call.n, call.k) if call.b.k_minor else (call.k, call.n)))
    return (a if call.a.k_minor else a.T), (b.T if call.b.k_minor else b)


def _sums(call: Gemm, a: Codes, b: Codes) -> Sums:
    """2^scale * A B, without the addend, as the lanes of the write-back see it, one after the other."""
    assert call.a.tensor.format and call.b.tensor.format and call.d.tensor.format
    values = call.a.tensor.format.decode(a) @ call.b.tensor.format.decode(b) * 2.0**call.scale
    order = [
        values[row, left + lane : right : LANES]
        for lane in range(LANES)
        for top in range(0, call.m, TILE)
        for left, right in _tiles(call.n)
        for row in range(top, min(top + TILE, call.m))
    ]
    return Sums(np.concatenate(order), call.d.tensor.format.name)


def _tiles(n: int) -> Iterator[tuple[int, int]]:
    for left in range(0, n, TILE):
        yield left, min(left + TILE, n)


def uniform(formats: tuple[str, ...], accumulator: str, vectors: int, random: np.random.Generator) -> Recording:
    """Random codes of finite numbers, each as likely as any other, in sums of UNIFORM_RUN terms.

    Those are left out whose products could overflow such a sum, for an infinity stops everything behind it.
    """
    known = [parse_format(name) for name in formats]
    limit = np.inf if accumulator == "exact" else parse_format(accumulator).max
    codes = [_finite(f, np.sqrt(limit / UNIFORM_RUN)) for f in known]
    runs = []
    for start in range(0, vectors, UNIFORM_RUN):
        count = min(UNIFORM_RUN, vectors - start)
        a, b = (int(random.integers(len(known))) for _ in range(2))
        pair = (_draw(codes[k], count, random) for k in (a, b))
        runs.append(Run(*pair, a, b, True, (known[a].max, known[b].max)))
    sums = []
    for name, number_format, choice in zip(formats, known, codes, strict=True):
        x, y = (number_format.decode(_draw(choice, vectors, random)) for _ in range(2))
        sums.append(Sums(x * y, name))
    return Recording(tuple(runs), tuple(sums), (np.nan, np.nan))


def _finite(number_format: Format, limit: float) -> Codes | int:
    """All codes of magnitudes below `limit`; of formats of more than 16 bits the number of such positive codes."""
    if number_format.bits <= 16:
        codes = np.arange(1 << number_format.bits, dtype=number_format.dtype)
        values = number_format.decode(codes)
        return codes[np.isfinite(values) & (np.abs(values) <= limit)]
    return int(number_format.encode(np.array([min(limit, number_format.max)]))[0])


def _draw(choice: Codes | int, count: int, random: np.random.Generator) -> Codes:
    if isinstance(choice, int):
        bits = 32
        return (random.integers(choice, size=count) | random.integers(2, size=count) << (bits - 1)).astype(np.uint32)
    return random.choice(choice, count)
