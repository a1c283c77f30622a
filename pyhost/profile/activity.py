"""What the accelerator and the buses did in a step, cycle by cycle: the file `activity.npz` of a run directory.

docs/profile.md describes its arrays.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pyhost.errors import JobError, TargetError
from pyhost.targets.recording import INTERVAL, STATES, TRAFFIC, Recording

__all__ = ["FILE", "STATES", "TRAFFIC", "Activity", "activity_of", "read_activity"]

FILE: Final = "activity.npz"
_VERSION: Final = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Activity:
    """Time is in cycles from the step's start.

    cycles: of the step. interval: cycles of an interval of traffic.
    state: uint8[runs], places in STATES; length: uint32[runs], cycles that each lasts, in sum `cycles`.
    The others: uint8[intervals], events in each interval; see TRAFFIC and docs/profile.md.
    """

    cycles: int
    interval: int
    state: NDArray[np.uint8]
    length: NDArray[np.uint32]
    dma_reads: NDArray[np.uint8]
    dma_writes: NDArray[np.uint8]
    bus_wait: NDArray[np.uint8]
    cpu_reads: NDArray[np.uint8]
    cpu_writes: NDArray[np.uint8]
    cpu_busy: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if len(self.state) != len(self.length) or int(self.length.sum(dtype=np.int64)) != self.cycles:
            raise JobError(f"the states of the accelerator do not last {self.cycles} cycles together")
        if np.any(self.state >= len(STATES)):
            raise JobError(f"{self.state.max()} is no state of the accelerator")
        intervals = -(-self.cycles // self.interval)
        for name in TRAFFIC:
            if (count := len(getattr(self, name))) != intervals:
                raise JobError(f"{name} has {count} intervals, the step {intervals}")

    def runs(self) -> Iterator[tuple[int, int, str]]:
        """(begin, end, state) of each stay in a state, in order."""
        ends = np.cumsum(self.length, dtype=np.int64)
        for end, length, state in zip(ends.tolist(), self.length.tolist(), self.state.tolist(), strict=True):
            yield end - length, end, STATES[state]

    def cycles_in(self, state: str) -> int:
        """Cycles of the step in one of STATES."""
        return int(self.length[self.state == STATES.index(state)].sum(dtype=np.int64))

    def write(self, directory: Path) -> None:
        """The file of a run directory."""
        arrays: Mapping[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        np.savez_compressed(directory / FILE, version=np.int64(_VERSION), **arrays)


def activity_of(recording: Recording, cycles: int) -> Activity:
    """The first `cycles` of a recording, which are the step."""
    ends = np.cumsum(recording.runs["length"], dtype=np.int64)
    if not len(ends) or ends[-1] < cycles:
        raise TargetError(f"the recording is shorter than the step of {cycles} cycles")
    count = int(np.searchsorted(ends, cycles)) + 1
    length = recording.runs["length"][:count].copy()
    length[-1] -= ends[count - 1] - cycles
    traffic = recording.traffic[: -(-cycles // INTERVAL)]
    return Activity(
        cycles=cycles,
        interval=INTERVAL,
        state=recording.runs["state"][:count].astype(np.uint8),
        length=length,
        **dict(zip(TRAFFIC, traffic.T.copy(), strict=True)),
    )


def read_activity(directory: str | Path) -> Activity:
    """What a run directory (or its activity.npz) says; JobError where there is none, or it is damaged."""
    path = Path(directory)
    file = path / FILE if path.is_dir() else path
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
    except FileNotFoundError:
        raise JobError(f"{path}: there is no {FILE}: the run was not made with --profile") from None
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise JobError(f"{file}: damaged or no {FILE}: {error}") from error
    names = {f.name for f in fields(Activity)}
    if missing := sorted({"version", *names} - arrays.keys()):
        raise JobError(f"{file}: damaged: {', '.join(missing)} missing")
    if (found := int(arrays["version"])) != _VERSION:
        raise JobError(f"{file}: version {found}; this floatsoc reads version {_VERSION}")
    scalars: dict[str, Any] = {name: int(arrays[name]) for name in ("cycles", "interval")}
    try:
        return Activity(**{name: arrays[name] for name in names} | scalars)
    except JobError as error:
        raise JobError(f"{file}: damaged: {error}") from None
