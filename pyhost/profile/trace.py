"""A run over time: kernels, jobs, what the array did, DMA and power as tracks of a trace for ui.perfetto.dev.

A nanosecond of the trace is a cycle of the SoC's clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pyhost.errors import FloatsocError, JobError
from pyhost.files import replacing
from pyhost.job import GemmJob, Job
from pyhost.profile.pftrace import Slice, Track, Value, write_tracks
from pyhost.profile.result import AcceleratorCounters, KernelResult, Result, read_result

__all__ = ["CYCLE", "SUMS", "Trace", "run_track", "write_trace"]

CYCLE: Final = "1 ns of the trace is 1 cycle of the SoC's clock"
SUMS: Final = "sums of each job, drawn one after the other"

_STATES: Final = {"wait_a": "wait A", "wait_b": "wait B", "busy": "busy", "wait_store": "wait store"}
"""What the array does in a cycle of a job, by counter, roughly in the order in which a job gets there."""

_RECORDS: Final = frozenset({"result.json", "tensors.npz", "console.txt", "activity.npz"})


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A trace that was written: its file, its kernels and their cycles, and what its waits are."""

    path: Path
    kernels: int
    cycles: int
    waits: str


def write_trace(run_dir: str | Path, output: str | Path | None = None) -> Trace:
    """Write the trace of a recorded run to `output`, else to trace.pftrace in its directory. An older file is replaced.

    Raises JobError where the directory holds no result, or one without cycles, and FloatsocError where `output` is no
    place for a trace.
    """
    result = read_result(run_dir)
    if not isinstance(result, Result):
        raise JobError(f"{run_dir}: training runs record no kernels; trace a run of `floatsoc run`, `gemm` or `conv`")
    directory = result.directory or Path(run_dir)
    path = Path(output) if output is not None else directory / "trace.pftrace"
    if path.name in _RECORDS and path.resolve().parent == directory.resolve():
        raise FloatsocError(f"cannot write {path}: it is a record of the run; name another file")
    try:
        tracks = [run_track(result, _name(result))]
        if result.baseline:
            tracks.append(run_track(result.baseline, f"baseline, {_name(result.baseline)}"))
    except JobError as error:
        raise JobError(f"{run_dir}: {error}") from error
    with replacing(path) as file:
        write_tracks(file, tracks)
    cycles = sum(kernel.cycles or 0 for kernel in result.kernels)
    return Trace(path=path, kernels=len(result.kernels), cycles=cycles, waits=SUMS)


@dataclass(frozen=True)
class _Timed:
    """A kernel, or the accelerator's job in it, and the cycles from `start` to before `end`."""

    kernel: KernelResult
    start: int
    end: int

    def slice(self, arguments: dict[str, Value]) -> Slice:
        return Slice(self.start, self.end - self.start, self.kernel.name, arguments)


def run_track(result: Result, name: str) -> Track:
    """The step as one slice, and below it a track for each kind of thing. Raises JobError where it has no cycles."""
    kernels = _timed_kernels(result.kernels)
    jobs = _timed_jobs(kernels)
    return Track(
        name=name,
        description=CYCLE,
        slices=[Slice(0, kernels[-1].end, name, _about(result))],
        children=(
            Track(name="CPU kernels", slices=[kernel.slice(_details(kernel.kernel)) for kernel in kernels]),
            *(_accelerator(jobs) if jobs else ()),
            *_power(result, kernels),
        ),
    )


def _timed_kernels(kernels: Sequence[KernelResult]) -> list[_Timed]:
    """Each kernel begins where the one before ends."""
    timed: list[_Timed] = []
    now = 0
    for kernel in kernels:
        if kernel.cycles is None:
            raise JobError(f"{kernel.name} has no cycles, which only a SoC counts; run it with --target verilator")
        timed.append(_Timed(kernel, now, now := now + kernel.cycles))
    if not timed:
        raise JobError("there is no kernel in its result")
    return timed


def _timed_jobs(kernels: Sequence[_Timed]) -> list[_Timed]:
    """Each job ends with its kernel, or where the next begins: no two share a cycle, though their kernels' ends, which
    are when the firmware saw them, may come a little late."""
    timed: list[_Timed] = []
    limit = kernels[-1].end
    for each in reversed(kernels):
        if job := each.kernel.accelerator:
            end = min(each.end, limit)
            limit = end - job.cycles
            timed.append(_Timed(each.kernel, limit, end))
    if limit < 0:
        raise JobError("its jobs took more cycles than its kernels: its result is damaged")
    return timed[::-1]


def _accelerator(jobs: Sequence[_Timed]) -> tuple[Track, ...]:
    """Of jobs whose counters alone are known."""
    return (
        Track(name="accelerator jobs", slices=[job.slice(_details(job.kernel)) for job in jobs]),
        Track(name="array", description=SUMS, slices=(block for job in jobs for block in _blocks(job))),
        Track(
            name="DMA",
            description="beats a cycle, mean of each job",
            unit="beats/cycle",
            samples=_levels((job, _counters(job).dma_beats) for job in jobs),
        ),
    )


def _counters(job: _Timed) -> AcceleratorCounters:
    assert job.kernel.accelerator is not None
    return job.kernel.accelerator


def _blocks(job: _Timed) -> Iterator[Slice]:
    """What the array did in a job, each kind in one block."""
    start = job.start
    for counter, name in _STATES.items():
        cycles: int = getattr(job.kernel.accelerator, counter)
        if cycles:
            yield Slice(start, cycles, f"{name} (sum)", {"job": job.kernel.name})
        start += cycles


def _power(result: Result, kernels: Sequence[_Timed]) -> Iterator[Track]:
    """Mean power of each kernel, where all their energies are known: pJ/cycle * MHz = uW."""
    energies = [kernel.kernel.energy_pj for kernel in kernels]
    if result.energy and None not in energies:
        milliwatts = result.energy.clock_mhz / 1000
        yield Track(
            name="power",
            description=f"mean of each kernel at {result.energy.clock_mhz:g} MHz, {result.energy.technology}",
            unit="mW",
            samples=_levels((k, e["total"] * milliwatts) for k, e in zip(kernels, energies, strict=True) if e),
        )


def _levels(amounts: Iterable[tuple[_Timed, float]]) -> list[tuple[int, float]]:
    """Amount per cycle over time: the mean of each interval, 0 between them."""
    levels = {0: 0.0}
    for each, amount in amounts:
        if each.end > each.start:
            levels[each.start] = amount / (each.end - each.start)
            levels[each.end] = 0.0
    return list(levels.items())


def _name(result: Result) -> str:
    match result.job:
        case Job(network=network):
            job = network.model
        case GemmJob():
            job = "gemm"
        case _:
            job = "conv"
    return f"{job} on {result.target}{'' if result.elements else ', without the accelerator'}"


def _details(kernel: KernelResult) -> dict[str, Value]:
    """All that is known of a kernel."""
    return {name: value for name, value in asdict(kernel).items() if name != "name"}


def _about(result: Result) -> dict[str, Value]:
    """What the trace says about itself and the run."""
    return {
        "time": CYCLE,
        "waits": SUMS,
        "floatsoc": result.floatsoc_version,
        "bit_exact": result.bit_exact,
        "loss": result.loss,
        "totals": asdict(result.totals),
        "energy": asdict(result.energy) if result.energy else None,
    }
