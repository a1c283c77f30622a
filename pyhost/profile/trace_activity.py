"""What the accelerator and the buses did, for a trace, as activity.npz has it: cycle by cycle.

What would make a trace too large to look at is summed over windows of cycles, whose size the track says: no cycle and
no word is lost, only its place in the window.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pyhost.profile.activity import STATES, Activity
from pyhost.profile.pftrace import Slice, Track
from pyhost.profile.trace_sums import ARRAY_STATES

__all__ = ["recorded_tracks", "waits"]

Counts: TypeAlias = NDArray[np.int64]


_MOST_SLICES: Final = 2**17
_MOST_SAMPLES: Final = 2**16


def waits(activity: Activity) -> str:
    """What the slices of the array are."""
    window = _window(activity)
    return f"sums of each {window:,} cycles, drawn one after the other" if window else "cycle by cycle, as recorded"


def recorded_tracks(activity: Activity) -> Iterator[Track]:
    """Of the array, the accelerator's port and the CPU's buses."""
    window = _window(activity)
    slices = _summed(activity, window) if window else _all(activity)
    yield Track(name="array", description=waits(activity), slices=slices)
    reads, writes = activity.dma_reads.astype(np.int64), activity.dma_writes.astype(np.int64)
    yield _counter(
        activity,
        "DMA",
        "beats/cycle",
        reads + writes,
        (
            _counter(activity, "DMA reads", "beats/cycle", reads),
            _counter(activity, "DMA writes", "beats/cycle", writes),
            _counter(activity, "DMA held up", "cycles/cycle", activity.bus_wait.astype(np.int64)),
        ),
    )
    reads, writes = activity.cpu_reads.astype(np.int64), activity.cpu_writes.astype(np.int64)
    yield _counter(
        activity,
        "CPU bus",
        "words/cycle",
        reads + writes,
        (
            _counter(activity, "CPU reads", "words/cycle", reads),
            _counter(activity, "CPU writes", "words/cycle", writes),
            _counter(activity, "CPU bus busy", "cycles/cycle", activity.cpu_busy.astype(np.int64)),
        ),
    )


def _window(activity: Activity) -> int:
    """Cycles of a window in which slices are summed, a power of two; 0 where all are kept."""
    if np.count_nonzero(activity.state) <= _MOST_SLICES:
        return 0
    window = 1
    while len(ARRAY_STATES) * -(-activity.cycles // window) > _MOST_SLICES:
        window *= 2
    return window


def _all(activity: Activity) -> Iterator[Slice]:
    for begin, end, state in activity.runs():
        if state in ARRAY_STATES:
            yield Slice(begin, end - begin, ARRAY_STATES[state])


def _summed(activity: Activity, window: int) -> Iterator[Slice]:
    length = activity.length.astype(np.int64)
    times = np.cumsum([0, *length])
    edges = np.append(np.arange(0, activity.cycles, window), activity.cycles)
    sums = {}
    for state, name in ARRAY_STATES.items():
        until = np.cumsum([0, *np.where(activity.state == STATES.index(state), length, 0)])
        sums[name] = np.diff(np.interp(edges, times, until)).astype(np.int64)  # exact: it is linear in a run
    for number in np.flatnonzero(sum(sums.values())).tolist():
        start = number * window
        for name, cycles in sums.items():
            if cycles[number]:
                yield Slice(start, int(cycles[number]), f"{name} (sum)")
                start += int(cycles[number])


def _counter(activity: Activity, name: str, unit: str, events: Counts, children: tuple[Track, ...] = ()) -> Track:
    """Events a cycle, where they change. The intervals of the record, so many together that there are not too many."""
    together = 1
    while len(samples := _changes(activity, events, together)) > _MOST_SAMPLES:
        together *= 2
    description = f"mean of each {together * activity.interval} cycles"
    return Track(name=name, description=description, unit=unit, samples=samples, children=children)


def _changes(activity: Activity, events: Counts, together: int) -> list[tuple[int, float]]:
    sums = np.add.reduceat(events, np.arange(0, len(events), together))
    starts = np.arange(len(sums)) * together * activity.interval
    means = sums / np.diff(np.append(starts, activity.cycles))
    changes = np.flatnonzero(np.diff(means, prepend=np.nan))
    return [*zip(starts[changes].tolist(), means[changes].tolist(), strict=True), (activity.cycles, 0.0)]
