"""When each kernel of a run, and each job of the accelerator, began and ended: cycles from the step's start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyhost.errors import JobError
from pyhost.profile.result import AcceleratorCounters, KernelResult

if TYPE_CHECKING:
    from pyhost.profile.activity import Activity

__all__ = ["Timed", "estimated_jobs", "recorded_jobs", "timed_kernels"]


@dataclass(frozen=True)
class Timed:
    """A kernel, or the job in it: cycle `start` is its first, `end` the first that is not its own."""

    kernel: KernelResult
    start: int
    end: int

    @property
    def cycles(self) -> int:
        """How many are its own."""
        return self.end - self.start

    @property
    def counters(self) -> AcceleratorCounters:
        """What the accelerator counted; zeros where it was not used."""
        return self.kernel.accelerator or AcceleratorCounters()


def timed_kernels(kernels: Sequence[KernelResult]) -> list[Timed]:
    """Each kernel from its `begin`, or from the end of the one before where that was not recorded.

    Raises JobError where there is no kernel, or one without cycles.
    """
    timed: list[Timed] = []
    now = 0
    for kernel in kernels:
        if kernel.cycles is None:
            raise JobError(f"{kernel.name} has no cycles, which only a SoC counts; run it with --target verilator")
        start = now if kernel.begin is None else kernel.begin
        timed.append(Timed(kernel, start, now := start + kernel.cycles))
    if not timed:
        raise JobError("there is no kernel in its result")
    return timed


def estimated_jobs(kernels: Sequence[Timed]) -> list[Timed]:
    """Each job ends with its kernel, or where the next job begins.

    For no two jobs share a cycle, while a kernel ends when the firmware sees that its job has, some cycles late.
    """
    timed: list[Timed] = []
    limit = kernels[-1].end
    for each in reversed(kernels):
        if each.counters.cycles:
            end = min(each.end, limit)
            limit = end - each.counters.cycles
            timed.append(Timed(each.kernel, limit, end))
    if limit < 0:
        raise JobError("its jobs took more cycles than its kernels: the result is damaged")
    return timed[::-1]


def recorded_jobs(kernels: Sequence[Timed], activity: Activity) -> list[Timed]:
    """Every cycle in which the accelerator is not idle belongs to one job, and jobs are worked off in order.

    So job i has those from number c(0) + ... + c(i - 1) on, c being `accelerator.cycles`.
    """
    jobs = [each for each in kernels if each.counters.cycles]
    bounds = np.cumsum([0, *(job.counters.cycles for job in jobs)])
    length = activity.length.astype(np.int64)
    times = np.cumsum(length)
    counts = np.cumsum(np.where(activity.state > 0, length, 0))
    if counts[-1] != bounds[-1]:
        raise JobError(f"activity.npz has {counts[-1]:,} cycles of jobs, result.json {bounds[-1]:,}: of two runs")

    def time_after(number: int) -> int:
        """The cycle after the cycle of this number, from 1, in which it is not idle."""
        run = np.searchsorted(counts, number)
        return int(times[run] - (counts[run] - number))

    return [
        Timed(job.kernel, time_after(first + 1) - 1, time_after(end))
        for job, first, end in zip(jobs, bounds[:-1], bounds[1:], strict=True)
    ]
