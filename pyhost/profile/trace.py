"""A run over time: kernels, jobs, what the array did, traffic and power as tracks of a trace for ui.perfetto.dev.

A nanosecond of the trace is a cycle of the SoC's clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pyhost.errors import FloatsocError, JobError
from pyhost.files import replacing
from pyhost.job import GemmJob, Job
from pyhost.profile import trace_activity, trace_sums
from pyhost.profile.activity import FILE, Activity, read_activity
from pyhost.profile.pftrace import Slice, Track, Value, write_tracks
from pyhost.profile.result import KernelResult, Result, read_result
from pyhost.profile.timeline import Timed, estimated_jobs, recorded_jobs, timed_kernels

__all__ = ["CYCLE", "Trace", "run_track", "write_trace"]

CYCLE: Final = "1 ns of the trace is 1 cycle of the SoC's clock"

_RECORDS: Final = frozenset(
    {"result.json", "tensors.npz", "console.txt", "profile.speedscope.json", "profile.collapsed.txt", FILE}
)


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A trace that was written: its file, its kernels, the cycles of all of them, and what its waits are."""

    path: Path
    kernels: int
    cycles: int
    waits: str


def write_trace(run_dir: str | Path, output: str | Path | None = None) -> Trace:
    """Write the trace of a recorded run to `output`, else to trace.pftrace in its directory. An older file is replaced.

    What the array did comes from activity.npz where the run was made with --profile, else from result.json.

    Raises JobError where the directory holds no result, one without cycles, or a damaged record, and FloatsocError
    where `output` is no place for a trace.
    """
    result = read_result(run_dir)
    if not isinstance(result, Result):
        raise JobError(f"{run_dir}: training runs record no kernels; trace a run of `floatsoc run`, `gemm` or `conv`")
    directory = result.directory or Path(run_dir)
    path = Path(output) if output is not None else directory / "trace.pftrace"
    if path.name in _RECORDS and path.resolve().parent == directory.resolve():
        raise FloatsocError(f"cannot write {path}: it is a record of the run; name another file")
    activity = read_activity(directory) if (directory / FILE).exists() else None
    try:
        tracks = [run_track(result, _name(result), activity)]
        if result.baseline:
            tracks.append(run_track(result.baseline, f"baseline, {_name(result.baseline)}"))
    except JobError as error:
        raise JobError(f"{run_dir}: {error}") from error
    with replacing(path) as file:
        write_tracks(file, tracks)
    return Trace(
        path=path,
        kernels=len(result.kernels),
        cycles=sum(kernel.cycles or 0 for kernel in result.kernels),
        waits=_waits(activity),
    )


def run_track(result: Result, name: str, activity: Activity | None = None) -> Track:
    """The step as one slice, and below it a track for each kind of thing. Raises JobError where it has no cycles."""
    kernels = timed_kernels(result.kernels)
    if activity is None:
        jobs = estimated_jobs(kernels)
        happened = trace_sums.summed_tracks(kernels, jobs)
    else:
        jobs = recorded_jobs(kernels, activity)
        happened = trace_activity.recorded_tracks(activity)
    return Track(
        name=name,
        description=CYCLE,
        slices=[Slice(0, result.totals.cycles or kernels[-1].end, name, _about(result, activity))],
        children=(
            Track(name="CPU kernels", slices=_slices(kernels)),
            *([Track(name="accelerator jobs", slices=_slices(jobs))] if jobs else []),
            *happened,
            *_power(result, kernels),
        ),
    )


def _slices(timed: Sequence[Timed]) -> list[Slice]:
    return [Slice(each.start, each.cycles, each.kernel.name, _details(each.kernel)) for each in timed]


def _power(result: Result, kernels: Sequence[Timed]) -> Iterator[Track]:
    """Mean power of each kernel, where all their energies are known: pJ/cycle * MHz = uW."""
    energies = [each.kernel.energy_pj for each in kernels]
    if result.energy and all(energies):
        milliwatts = result.energy.clock_mhz / 1000
        yield Track(
            name="power",
            description=f"mean of each kernel at {result.energy.clock_mhz:g} MHz, {result.energy.technology}",
            unit="mW",
            samples=trace_sums.levels(
                (each, energy["total"] * milliwatts) for each, energy in zip(kernels, energies, strict=True) if energy
            ),
        )


def _details(kernel: KernelResult) -> dict[str, Value]:
    """All that is known of a kernel."""
    return {name: value for name, value in asdict(kernel).items() if name != "name"}


def _about(result: Result, activity: Activity | None) -> dict[str, Value]:
    """What the trace says about itself and the run."""
    return {
        "time": CYCLE,
        "waits": _waits(activity),
        "floatsoc": result.floatsoc_version,
        "bit_exact": result.bit_exact,
        "loss": result.loss,
        "totals": asdict(result.totals),
        "energy": asdict(result.energy) if result.energy else None,
    }


def _waits(activity: Activity | None) -> str:
    return trace_sums.WAITS if activity is None else trace_activity.waits(activity)


def _name(result: Result) -> str:
    match result.job:
        case Job(network=network):
            job = network.model
        case GemmJob():
            job = "gemm"
        case _:
            job = "conv"
    return f"{job} on {result.target}{'' if result.elements else ', without the accelerator'}"
