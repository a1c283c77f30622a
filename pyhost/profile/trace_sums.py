"""What the accelerator and the buses did, for a trace, as result.json has it: sums and means of each job and kernel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pyhost.profile.pftrace import Slice, Track
from pyhost.profile.timeline import Timed

__all__ = ["ARRAY_STATES", "WAITS", "levels", "summed_tracks"]

WAITS: Final = "sums of each job, drawn one after the other"

ARRAY_STATES: Final = {"wait_a": "wait A", "wait_b": "wait B", "busy": "busy", "wait_store": "wait store"}
"""What the array does in a cycle of a job, by counter: roughly in the order in which a job gets there."""


def summed_tracks(kernels: Sequence[Timed], jobs: Sequence[Timed]) -> Iterator[Track]:
    """Of those things alone that were counted."""
    if jobs:
        blocks = (block for job in jobs for block in _blocks(job))
        yield Track(name="array", description=WAITS, slices=blocks)
        yield Track(
            name="DMA",
            description="words of the accelerator's port, mean of each job",
            unit="beats/cycle",
            samples=levels((job, job.counters.dma_beats) for job in jobs),
        )
    if all(each.kernel.cpu_bus for each in kernels):
        yield Track(
            name="CPU bus",
            description="words of 32 bits between the CPU's caches and main memory, mean of each kernel",
            unit="words/cycle",
            samples=levels((each, bus.reads + bus.writes) for each in kernels if (bus := each.kernel.cpu_bus)),
        )


def levels(amounts: Iterable[tuple[Timed, float]]) -> list[tuple[int, float]]:
    """Amount a cycle over time: the mean of each kernel or job, 0 where there is none."""
    samples = {0: 0.0}
    for each, amount in amounts:
        if each.cycles:
            samples[each.start] = amount / each.cycles
            samples[each.end] = 0.0
    return list(samples.items())


def _blocks(job: Timed) -> Iterator[Slice]:
    start = job.start
    for counter, name in ARRAY_STATES.items():
        if cycles := getattr(job.counters, counter):
            yield Slice(start, cycles, f"{name} (sum)", {"job": job.kernel.name})
            start += cycles
