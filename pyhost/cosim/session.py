"""A job's plan on its target, step after step, beside the golden model."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pyhost.cosim.compare import compare
from pyhost.cosim.machine import StepRecord
from pyhost.errors import JobError
from pyhost.golden.gemm import Accumulator
from pyhost.golden.step import execute
from pyhost.plan.calls import Plan
from pyhost.plan.tensors import Tensor
from pyhost.profile.result import KernelResult, MemoryRegion, Mismatch, Totals
from pyhost.profile.step import StepProfile

__all__ = ["Backend", "Fault", "Outcome", "Reference", "Session"]

Codes = NDArray[np.unsignedinteger]


@dataclass(frozen=True)
class Fault:
    """A bit to flip in a tensor of the target's memory before a step: proof that a difference is found."""

    tensor: str
    index: int
    bit: int

    def tensor_of(self, plan: Plan) -> Tensor:
        """The tensor of `plan` to plant it in; JobError if it does not exist before a step, or has no such bit."""
        present = {tensor.name: tensor for tensor in (*plan.inputs, *plan.state)}
        if self.tensor not in present:
            raise JobError(f'no tensor "{self.tensor}" before a step; there are {", ".join(present)}')
        tensor = present[self.tensor]
        bits = 8 * tensor.dtype.itemsize
        if not 0 <= self.index < tensor.count or not 0 <= self.bit < bits:
            raise JobError(
                f"element {self.index}, bit {self.bit}: {tensor.name} has elements 0 to {tensor.count - 1} "
                f"of bits 0 to {bits - 1}"
            )
        return tensor


class Backend(Protocol):
    """Where a plan runs: a `Machine`, or the `Reference`."""

    @property
    def console(self) -> str: ...
    @property
    def memory(self) -> tuple[MemoryRegion, ...] | None: ...
    def write(self, memory: Mapping[str, Codes], tensors: Iterable[Tensor]) -> None: ...
    def read(self, tensors: Iterable[Tensor]) -> dict[str, Codes]: ...
    def flip(self, tensor: Tensor, index: int, bit: int) -> None: ...
    def run(self) -> StepRecord: ...
    def close(self) -> None: ...


class Reference:
    """The golden model's readable engine in the place of a SoC."""

    console = ""
    memory = None

    def __init__(self, plan: Plan, accumulator: Accumulator) -> None:
        self._plan = plan
        self._accumulator = accumulator
        self._memory: dict[str, Codes] = {}

    def write(self, memory: Mapping[str, Codes], tensors: Iterable[Tensor]) -> None:
        """Take the codes of `tensors` from `memory`."""
        self._memory |= {tensor.name: np.array(memory[tensor.name], tensor.dtype) for tensor in tensors}

    def read(self, tensors: Iterable[Tensor]) -> dict[str, Codes]:
        """Codes of `tensors`, by name."""
        return {tensor.name: self._memory[tensor.name] for tensor in tensors}

    def flip(self, tensor: Tensor, index: int, bit: int) -> None:
        """Flip one bit of one element."""
        self._memory[tensor.name].reshape(-1)[index] ^= tensor.dtype.type(1 << bit)

    def run(self) -> StepRecord:
        """Execute the plan once."""
        self._memory = execute(self._plan, self._memory, accumulator=self._accumulator, engine="reference")
        return StepRecord()

    def close(self) -> None:
        """Nothing to let go of."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One step: what it cost, what the target holds, and where that differs from the golden model.

    `mismatches` is None for a step that was not compared; `tensors` then holds only the outputs that were asked for.
    """

    kernels: tuple[KernelResult, ...]
    totals: Totals
    tensors: Mapping[str, Codes]
    mismatches: tuple[Mismatch, ...] | None
    run_seconds: float
    golden_seconds: float | None
    target_cycles: int | None
    profile: StepProfile | None = None

    @property
    def bit_exact(self) -> bool | None:
        """Whether every output of every kernel equals the golden model's; None where nothing was compared."""
        return None if self.mismatches is None else not self.mismatches


class Session:
    """Runs steps of `plan` on `backend` and compares them. A context manager: leaving it closes the backend.

    elements: processing elements of the accelerator's array, 0 without one; for the utilisation. predictions: cycles
    that the accelerator will count for each kernel, where they are known.
    """

    def __init__(
        self,
        plan: Plan,
        backend: Backend,
        *,
        accumulator: Accumulator,
        elements: int,
        predictions: Sequence[int | None] = (),
    ) -> None:
        self._plan = plan
        self._backend = backend
        self._accumulator = accumulator
        self.elements = elements
        self._predictions = predictions or (None,) * len(plan.kernels)
        self._state: Mapping[str, Codes] | None = plan.initial
        backend.write(plan.initial, plan.state)

    def step(
        self,
        inputs: Mapping[str, Codes],
        *,
        compared: bool = True,
        wanted: Iterable[Tensor] = (),
        faults: Iterable[Fault] = (),
    ) -> Outcome:
        """Run the plan once on `inputs` (codes of the plan's inputs) and the state that the last step left.

        A step that is not compared leaves the golden model out and reads back only the tensors `wanted`; the next
        compared one starts the golden model from the target's own state.
        """
        self._backend.write(inputs, self._plan.inputs)
        if self._state is None:
            self._state = self._backend.read(self._plan.state)
        before = {**self._state, **inputs}
        for fault in faults:
            self._backend.flip(fault.tensor_of(self._plan), fault.index, fault.bit)
        with ThreadPoolExecutor(1) as pool:
            # A simulation runs outside Python's lock, so the golden model beside it costs no time of its own.
            golden = pool.submit(self._golden, before) if compared else None
            started = time.perf_counter()
            record = self._backend.run()
            run_seconds = time.perf_counter() - started
            expected, golden_seconds = golden.result() if golden else (None, None)
        outputs = (tensor for kernel in self._plan.kernels for tensor in kernel.outputs)
        actual = self._backend.read(wanted if expected is None else outputs)
        mismatches = None if expected is None else compare(self._plan, expected, actual)
        self._state = None if expected is None else {tensor.name: expected[tensor.name] for tensor in self._plan.state}
        kernels = self._kernels(record, mismatches)
        return Outcome(
            kernels=kernels,
            totals=Totals.of(kernels, cycles=record.cycles, elements=self.elements),
            tensors=actual,
            mismatches=mismatches,
            run_seconds=run_seconds,
            golden_seconds=golden_seconds,
            target_cycles=record.target_cycles,
            profile=record.profile,
        )

    def _golden(self, before: Mapping[str, Codes]) -> tuple[dict[str, Codes], float]:
        started = time.perf_counter()
        after = execute(self._plan, before, accumulator=self._accumulator)
        return after, time.perf_counter() - started

    def _kernels(self, record: StepRecord, mismatches: tuple[Mismatch, ...] | None) -> tuple[KernelResult, ...]:
        wrong = None if mismatches is None else {mismatch.kernel_index for mismatch in mismatches}
        measured = record.kernels or (None,) * len(self._plan.kernels)
        return tuple(
            KernelResult(
                index=index,
                name=kernel.name,
                kind=kernel.kind,
                shape=kernel.shape,
                macs=kernel.macs,
                cycles=cost.cycles if cost else None,
                predicted_cycles=predicted,
                begin=cost.begin if cost else None,
                instructions=cost.instructions if cost else None,
                accelerator=cost.accelerator if cost else None,
                cpu_bus=cost.cpu_bus if cost else None,
                bit_exact=None if wrong is None else index not in wrong,
            )
            for index, (kernel, cost, predicted) in enumerate(
                zip(self._plan.kernels, measured, self._predictions, strict=True)
            )
        )

    @property
    def console(self) -> str:
        """What the firmware printed."""
        return self._backend.console

    @property
    def memory(self) -> tuple[MemoryRegion, ...] | None:
        """What lies where in the target's main memory; None where there is no SoC."""
        return self._backend.memory

    def close(self) -> None:
        """Let go of the target."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
