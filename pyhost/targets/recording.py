"""What a target that is simulated can tell of a run: every cycle of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CALL", "INTERVAL", "RUN", "SAMPLE", "STATES", "TRAFFIC", "Recorder", "Recording"]

INTERVAL: Final = 64
"""Cycles of an interval of traffic."""

STATES: Final = ("idle", "busy", "wait_a", "wait_b", "wait_store")
"""Of the accelerator, by their number."""

TRAFFIC: Final = ("dma_reads", "dma_writes", "bus_wait", "cpu_reads", "cpu_writes", "cpu_busy")
"""What is counted in an interval, by column."""

# The structs of soc/recording.hpp.
CALL: Final = np.dtype([("caller", "<u4"), ("return_address", "<u4")])
SAMPLE: Final = np.dtype([("epoch", "<u4"), ("call", "<u4"), ("pc", "<u4"), ("cycles", "<u8")])
RUN: Final = np.dtype([("state", "<u4"), ("length", "<u4")])


@dataclass(frozen=True, eq=False)
class Recording:
    """A run from the first moment on; a moment is when software latches the SoC's cycle counter.

    moments: uint64[epochs], cycles since reset, ascending; epoch i is from moments[i] to the next, the last to the end.
    calls: CALL[calls], a tree: the call in which each happens (by index; 0, the first, is what was before) and the
    address after the instruction that calls.
    samples: SAMPLE[...], cycles of the instruction at `pc` in a call and an epoch; each cycle is in one of them.
    runs: RUN[...], the accelerator's states one after the other, and how many cycles each lasts.
    traffic: uint8[intervals, len(TRAFFIC)], events in each INTERVAL of cycles.
    """

    moments: NDArray[np.uint64]
    calls: NDArray[np.void]
    samples: NDArray[np.void]
    runs: NDArray[np.void]
    traffic: NDArray[np.uint8]


class Recorder(ABC):
    """Records a run of a target between `start` and `stop`. Recording changes no cycle."""

    @abstractmethod
    def start(self) -> None:
        """Begin; what was recorded before is forgotten."""

    @abstractmethod
    def stop(self) -> Recording:
        """End, and tell; TargetError where nothing was begun since the program was loaded."""
