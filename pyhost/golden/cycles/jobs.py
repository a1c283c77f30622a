"""Jobs in the accelerator's queue: how they pass from stage to stage, and what each of them costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyhost import timing
from pyhost.formats import Stochastic
from pyhost.golden.cycles.sizes import Accelerator, Sizes
from pyhost.golden.cycles.tiles import Shape, chunks
from pyhost.golden.cycles.timeline import ADDEND, MASK, WINDOW, A, B, C, D, Machine, read, release, run, write
from pyhost.plan.calls import Gemm, Kernel, Matrix, Operand
from pyhost.plan.queue import after
from pyhost.plan.tensors import Placement

__all__ = ["Prediction", "predict"]

DESCRIPTOR_BYTES, RECORD_BYTES = 304, 48
"""Of struct gemm and struct job_record in firmware/plan.h."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What the accelerator counts in a job: see struct accelerator_counters in firmware/plan.h."""

    macs: int
    cycles: int
    busy: int
    wait_a: int
    wait_b: int
    wait_store: int
    dma_beats: int


def predict(
    kernels: Sequence[Kernel], accelerator: Accelerator, placement: Placement, memory: str = "sram"
) -> tuple[Prediction | None, ...]:
    """What the accelerator counts in each of `kernels`; None for those that are no matrix products.

    Products that follow each other wait in the queue together, each before the accelerator asks for it. memory: "sram",
    where the counters are predicted exactly, or "sdram", where they are approximations: only reads wait for it. Nobody
    else keeps it busy.
    """
    sizes = Sizes.of(accelerator, memory)
    products = [kernel.call for kernel in kernels if isinstance(kernel.call, Gemm)]
    queue = _Queue(sizes, sum(_most_writes(call, sizes) for call in products))
    jobs: list[_Job | None] = []
    for kernel, waits in zip(kernels, after(kernels), strict=True):
        if isinstance(kernel.call, Gemm):
            jobs.append(queue.run(kernel.call, _windows(kernel.call, placement), waits))
        else:
            queue.drain()
            jobs.append(None)
    queue.drain()
    return tuple(None if job is None else job.prediction for job in jobs)


@dataclass
class _Job:
    """When a job passes from stage to stage, and what it costs."""

    macs: int = 0
    busy: int = 0
    fetched: int = -1  # its descriptor leaves the queue
    begins: int = -1  # the first cycle that counts for it
    started: int = -1  # the issuer begins
    loaded: int = -1  # the reader is through with it
    through: int = -1  # all its steps have been issued
    drained: int = -1  # all its words have been handed to the memory port
    closed: int = -1  # the last cycle that counts for it
    ended: int = -1  # it counts as completed
    wait_a: int = 0  # once it has started
    wait_b: int = 0
    beats: int = 0

    @property
    def prediction(self) -> Prediction:
        """What the counters say: what is neither a step nor a wait for A or B is one for the store."""
        cycles = self.closed - self.begins + 1
        wait_a = self.started - self.begins + 1 + self.wait_a
        return Prediction(
            macs=self.macs,
            cycles=cycles,
            busy=self.busy,
            wait_a=wait_a,
            wait_b=self.wait_b,
            wait_store=cycles - self.busy - wait_a - self.wait_b,
            dma_beats=self.beats,
        )


class _Queue:
    """Runs jobs, one after the other.

    A job passes through the stages of `accel_rtl.core.Core`: the reader has it until its operands are loaded, the
    issuer from when the job before is through; it is closed when the next one gets the issuer or it is drained, and
    ends when its record is written.
    """

    def __init__(self, sizes: Sizes, writes: int) -> None:
        self._sizes = sizes
        self._machine = Machine.of(sizes.depth, writes)
        self._state = self._machine.state[0]
        self._last, self._before_last = _Job(), _Job()
        self._idle = True
        self._random_key: int | None = None

    def run(self, call: Gemm, windows: NDArray[np.void], waits: bool) -> _Job:
        """The next job; it ends with `drain`, or when another one follows."""
        machine, state, sizes, last = self._machine, self._state, self._sizes, self._last
        job = _Job(macs=call.m * call.n * call.k, fetched=(last.ended if self._idle else last.loaded) + 1)
        steps = call.k * -(-call.m // sizes.rows) + (0 if call.c is None else call.m)
        job.busy = steps * -(-call.n // sizes.columns)
        state["reads"] = state["words"] = state["wait_a"] = state["wait_b"] = 0

        # The job before closes alone if this one is valid too late to get the issuer before.
        written = int(state["writes"])
        self._close_alone()
        valid = taken = self._fetch(job.fetched)
        if valid <= last.closed:
            state["writes"], state["passed"] = written, min(state["passed"], written)
            taken = max(valid, last.through, self._before_last.ended + 1)
            self._close(last, taken)
        job.begins = max(last.closed, job.fetched) + 1
        job.started = taken + timing.START
        for ring, resident in ((A, call.a_resident), (B, call.b_resident)):
            if not resident:
                release(machine, ring, machine.head[ring] - machine.tail[ring], job.started)

        load = max(taken, last.ended) + 1 if waits else valid
        state["look"], state["step"] = load + timing.START, job.started + timing.START
        work = chunks(Shape.of(call.m, call.n, call.k, sizes), sizes)
        run(machine, windows, work, sizes, last.ended + 1, self._key(call))
        job.loaded = int(max(state["kept"] + 1, state["look"], taken + 1))
        job.through, job.drained = int(state["step"]), int(state["stored"])
        job.wait_a, job.wait_b = int(state["wait_a"]), int(state["wait_b"])
        job.beats = int(state["reads"] + state["words"])
        self._before_last, self._last, self._idle = last, job, False
        return job

    def drain(self) -> None:
        """No job follows before all have ended."""
        self._close_alone()
        self._idle = True

    def _close_alone(self) -> None:
        if not self._idle:
            last = self._last
            self._close(last, max(last.through, last.drained, self._before_last.ended + 1))

    def _fetch(self, cycle: int) -> int:
        """When the descriptor that leaves the queue in `cycle` has been read and checked."""
        for word in range(DESCRIPTOR_BYTES // self._sizes.port_bytes):
            cycle = read(self._machine, self._sizes.memory, cycle + 1, word)
        return int(self._state["data"]) + timing.CHECK

    def _key(self, call: Gemm) -> int:
        """Cycles until the hash of stochastic rounding has the job's key."""
        if not isinstance(call.rounding, Stochastic) or call.rounding.key == self._random_key:
            return 0
        self._random_key = int(call.rounding.key)
        return timing.RANDOM_KEY

    def _close(self, job: _Job, cycle: int) -> None:
        """The job's counters stop; its record is written when all else is."""
        job.closed = cycle
        cycle = max(cycle + 1, job.drained)
        for word in range(RECORD_BYTES // self._sizes.port_bytes):
            cycle += 1
            write(self._machine, cycle, word)
        job.ended = cycle + timing.SETTLED


def _most_writes(call: Gemm, sizes: Sizes) -> int:
    """Words that a job writes, at most: one for each group of elements, one more for each row of a tile, the record."""
    groups = -(-sizes.columns // sizes.rounders) + 1
    return call.m * -(-call.n // sizes.columns) * groups + RECORD_BYTES // sizes.port_bytes


def _windows(call: Gemm, placement: Placement) -> NDArray[np.void]:
    """All operands and D as windows, an array of WINDOW."""
    result: NDArray[np.void] = np.zeros(D + 1, WINDOW)
    for index, operand, resident in ((A, call.a, call.a_resident), (B, call.b, call.b_resident)):
        result[index] = _window(operand, placement)
        result[index]["used"] = not resident
    for index, matrix in ((C, call.c), (ADDEND, call.addend), (MASK, call.mask), (D, call.d)):
        if matrix is not None:
            result[index] = _matrix(matrix, placement)
    return result


def _window(operand: Operand, placement: Placement) -> tuple[object, ...]:
    size = operand.tensor.dtype.itemsize
    axes = []
    for axis in (operand.x, operand.y):
        unit = axis.pitch * size
        axes.append((axis.start, axis.step, axis.tap, axis.dilation, unit, axis.extent * unit))
    counts = operand.run, operand.taps, operand.major_x, operand.major_y
    address = placement[operand.tensor] + operand.offset * size
    return (1, operand.k_minor, size, address, *counts, operand.stride_n * size, *axes)


def _matrix(matrix: Matrix, placement: Placement) -> tuple[object, ...]:
    """Major runs along its rows, minor along one of them."""
    size = matrix.tensor.dtype.itemsize
    endless = (0, 0, 0, 1, 0, 1 << 32)
    address = placement[matrix.tensor] + matrix.offset * size
    return (1, 0, size, address, 1 << 16, 1, 1, 1, matrix.pitch * size, endless, endless)
