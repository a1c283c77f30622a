"""The roofline of a run (Williams, Waterman, Patterson, CACM 52(4), 2009), in multiply-adds and cycles.

performance [MACs a cycle] <= min(peak, bandwidth * intensity), with intensity [MACs a byte] of main memory traffic.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyhost.profile.result import AcceleratorCounters, Result

__all__ = ["Point", "Roofline", "roofline"]


@dataclass(frozen=True, kw_only=True)
class Point:
    """A product: its multiply-adds, the bytes that its job moved, and the job's own cycles."""

    index: int
    name: str
    macs: int
    traffic: int
    cycles: int

    @property
    def intensity(self) -> float:
        """Multiply-adds a byte of main memory traffic."""
        return self.macs / self.traffic

    @property
    def performance(self) -> float:
        """Multiply-adds a cycle while the job ran."""
        return self.macs / self.cycles


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """peak: multiply-adds a cycle, an element of the array each. bandwidth: bytes a cycle through the memory port."""

    peak: int
    bandwidth: int
    points: tuple[Point, ...]

    @property
    def ridge(self) -> float:
        """The intensity from which on the array is the limit, no longer the port."""
        return self.peak / self.bandwidth

    def roof(self, intensity: float) -> float:
        """The most multiply-adds a cycle at this intensity."""
        return min(float(self.peak), self.bandwidth * intensity)


def roofline(result: Result) -> Roofline | None:
    """The products of `result` that ran on the accelerator under its roofs; None where none is known.

    Traffic are the words that the job moved through the accelerator's port, times its width. A job in the queue loads
    while the one before multiplies: its cycles then do not hold all of its traffic, and it may lie above the port's
    roof.
    """
    accelerator = result.job.accelerator
    width = accelerator.port_bits // 8

    def measured(counters: AcceleratorCounters | None) -> bool:
        return counters is not None and counters.cycles > 0 and counters.dma_beats > 0

    points = tuple(
        Point(
            index=kernel.index,
            name=kernel.name,
            macs=kernel.macs,
            traffic=kernel.accelerator.dma_beats * width,
            cycles=kernel.accelerator.cycles,
        )
        for kernel in result.kernels
        if kernel.macs and kernel.accelerator is not None and measured(kernel.accelerator)
    )
    return Roofline(peak=result.elements, bandwidth=width, points=points) if points else None
