"""Recorded runs side by side: what differs in their jobs, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, TypeAdapter

from pyhost.errors import JobError
from pyhost.profile.result import Result, TrainResult

__all__ = ["Comparison", "Difference", "KernelCycles", "Measure", "compare_runs"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A key that is not the same in all runs, like `accelerator.rows`: each run's value, or None."""

    key: str
    values: tuple[str | None, ...]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number of each run, None where it is unknown; `intervals` are lowest and highest value, of energies alone."""

    name: str
    unit: str
    values: tuple[float | None, ...]
    intervals: tuple[tuple[float, float] | None, ...] | None = None

    @property
    def relative(self) -> tuple[float | None, ...]:
        """Each value over the first run's; None where one is unknown or the first is 0."""
        first = self.values[0]
        return tuple(None if value is None or not first else value / first for value in self.values)


@dataclass(frozen=True, kw_only=True)
class KernelCycles:
    """Cycles of the kernel of this name in each run, None where a run has none or does not know them."""

    name: str
    cycles: tuple[int | None, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`runs` are directories, `bit_exact` their verdicts; all other tuples have a value for each of them, in order."""

    __pydantic_config__: ClassVar = ConfigDict(ser_json_inf_nan="strings")

    runs: tuple[str, ...]
    bit_exact: tuple[bool | None, ...]
    differences: tuple[Difference, ...]
    measures: tuple[Measure, ...]
    kernels: tuple[KernelCycles, ...]

    def to_json(self) -> str:
        """All fields; infinities and NaN are strings."""
        return TypeAdapter(Comparison).dump_json(self, indent=1).decode()


def compare_runs(results: Sequence[Result | TrainResult]) -> Comparison:
    """Compare two or more results of one kind. Raises JobError for fewer, and for different kinds."""
    if len(results) < 2:
        raise JobError(f"{len(results)} run: a comparison takes at least two run directories")
    first, *others = results
    for other in others:
        if _kind(other) != _kind(first):
            raise JobError(
                f"{other.directory} is a run of `floatsoc {_kind(other)}`, {first.directory} one of "
                f"`floatsoc {_kind(first)}`: only runs of one command can be compared"
            )
    settings = [dict(_settings(result)) for result in results]
    keys = dict.fromkeys(key for each in settings for key in each)
    rows = {key: tuple(each.get(key) for each in settings) for key in keys}
    steps = [result for result in results if isinstance(result, Result)]
    trained = [result for result in results if isinstance(result, TrainResult)]
    measures = _step_measures(steps) if steps else _train_measures(trained)
    return Comparison(
        runs=tuple(str(result.directory) for result in results),
        bit_exact=tuple(result.bit_exact for result in results),
        differences=tuple(Difference(key=key, values=values) for key, values in rows.items() if len(set(values)) > 1),
        measures=tuple(measure for measure in measures if any(value is not None for value in measure.values)),
        kernels=_kernels(steps),
    )


def _kind(result: Result | TrainResult) -> str:
    """The command that made it."""
    if isinstance(result, TrainResult):
        return "train"
    return {"GemmJob": "gemm", "ConvolutionJob": "conv"}.get(type(result.job).__name__, "run")


def _settings(result: Result | TrainResult) -> Iterator[tuple[str, str]]:
    """All that a user can decide: the job's keys, target, versions."""
    yield "target", result.target
    for table, content in result.job:
        if isinstance(content, BaseModel):
            for key, value in content.model_dump(mode="json").items():
                if value is not None:
                    yield f"{table}.{key}", _text(value)
    yield "floatsoc", result.floatsoc_version
    for name, version in result.environment.items():
        if version is not None:
            yield name, version


def _text(value: object) -> str:
    """As a job file has it, without quotation marks."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return ", ".join(map(str, value))
    return str(value)


def _step_measures(results: Sequence[Result]) -> Iterator[Measure]:
    totals = [result.totals for result in results]
    products = [result.products.cycles if result.products.macs else None for result in results]
    yield Measure(name="cycles", unit="cycles", values=tuple(t.cycles for t in totals))
    yield Measure(name="cycles of products", unit="cycles", values=tuple(products))
    yield Measure(name="MACs", unit="MACs", values=tuple(t.macs for t in totals))
    yield Measure(name="MACs a cycle", unit="MACs/cycle", values=tuple(t.macs_per_cycle for t in totals))
    yield Measure(name="utilisation", unit="", values=tuple(t.utilization for t in totals))
    yield Measure(
        name="energy",
        unit="pJ",
        values=tuple(t.energy_pj for t in totals),
        intervals=tuple(t.energy_interval_pj for t in totals),
    )
    yield Measure(name="loss", unit="", values=tuple(result.loss for result in results))


def _train_measures(results: Sequence[TrainResult]) -> Iterator[Measure]:
    last = [result.steps[-1] if result.steps else None for result in results]
    cycles = [[step.cycles for step in result.steps if step.cycles is not None] for result in results]
    yield Measure(name="steps", unit="", values=tuple(len(result.steps) for result in results))
    yield Measure(name="last loss", unit="", values=tuple(step.loss if step else None for step in last))
    yield Measure(name="last accuracy", unit="", values=tuple(step.accuracy if step else None for step in last))
    yield Measure(
        name="cycles a step", unit="cycles", values=tuple(sum(each) / len(each) if each else None for each in cycles)
    )


def _kernels(results: Sequence[Result]) -> tuple[KernelCycles, ...]:
    """In the order of the first run that has them."""
    cycles: list[Mapping[str, int | None]] = [{k.name: k.cycles for k in result.kernels} for result in results]
    names = dict.fromkeys(name for each in cycles for name in each)
    rows = (KernelCycles(name=name, cycles=tuple(each.get(name) for each in cycles)) for name in names)
    return tuple(row for row in rows if any(count is not None for count in row.cycles))
