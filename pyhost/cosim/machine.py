"""A target that holds the firmware and a plan: tensors in, one step, tensors out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyhost.errors import JobError, TargetError
from pyhost.formats import Format
from pyhost.golden.gemm import Accumulator, Chain
from pyhost.plan.calls import Plan
from pyhost.plan.pack import FormatTable, pack_formats, pack_kernels
from pyhost.plan.tensors import ALIGNMENT, Tensor, place
from pyhost.profile.functions import Span
from pyhost.profile.result import AcceleratorCounters, CpuBusCounters, MemoryRegion
from pyhost.profile.step import StepProfile, profile_step
from pyhost.targets.base import Limit, Promise, Target
from pyhost.targets.elf import ElfImage

__all__ = ["KernelRecord", "Machine", "StepRecord"]

Codes = NDArray[np.unsignedinteger]

_BOOT = Limit(cycles=1_000_000)
_POISON = 0xA5
"""Outputs hold this before a step, so that a kernel that writes too little is seen."""


@dataclass(frozen=True)
class KernelRecord:
    """What the firmware measured for one kernel; `begin` is in cycles from the step's start.

    `accelerator` is None where it was not used, `cpu_bus` where its counts are not known: they are modulo 2^32. Where
    the target counts instructions, these alone are known.
    """

    begin: int | None
    cycles: int | None
    instructions: int | None
    accelerator: AcceleratorCounters | None
    cpu_bus: CpuBusCounters | None


@dataclass(frozen=True)
class StepRecord:
    """What a step cost: each kernel, the step by the SoC's own counter, and all cycles that the target spent on it.

    kernels and both counts are None where there is no SoC; profile where nothing was recorded.
    """

    kernels: tuple[KernelRecord, ...] | None = None
    cycles: int | None = None
    target_cycles: int | None = None
    profile: StepProfile | None = None


class Machine:
    """Firmware and plan on a target.

    Layout of main memory: the firmware up to its symbol `_end`, then kernels, records and tensors. Raises JobError if
    they do not fit before `memory_end` (a byte address), TargetError if the firmware does not start. `limit` is for one
    step; `entered(index)` is told now and then which kernel is running. `recorded`: steps are profiled; JobError where
    the target cannot do that.
    """

    def __init__(
        self,
        target: Target,
        image: ElfImage,
        plan: Plan,
        *,
        accumulator: Accumulator,
        formats: Iterable[Format],
        memory_end: int,
        limit: Limit,
        entered: Callable[[int], None] = lambda kernel: None,
        recorded: bool = False,
    ) -> None:
        self._recorder = target.recorder if recorded else None
        if recorded and self._recorder is None:
            raise JobError(f"the {target.name} target cannot be profiled: its cycles are not to be seen")
        self._target = target
        self._image = image
        self._plan = plan
        self._limit = limit
        self._entered = entered
        self._mailbox = image.symbol("mailbox")
        self._layout = image.layout("mailbox")
        chain = (accumulator.format,) if isinstance(accumulator, Chain) else ()
        table = FormatTable.of(plan, (*formats, *chain))

        record_type = image.layout("record").dtype
        kernels_at = -(-image.symbol("_end") // ALIGNMENT) * ALIGNMENT
        self._kernels_at = kernels_at
        self._records_at = kernels_at + len(plan.kernels) * image.layout("kernel").size
        tensors_at = self._records_at + len(plan.kernels) * record_type.itemsize
        self._placement = place(plan.tensors, tensors_at, memory_end)
        self._record_type = record_type
        self._outputs = {tensor.name: tensor for kernel in plan.kernels for tensor in kernel.outputs}

        target.load(image)
        self._set(
            plan_magic=image.enum("plan_magic")["PLAN_MAGIC"],
            kernels=kernels_at,
            records=self._records_at,
            kernel_count=len(plan.kernels),
            accumulator=image.enum("accumulator_kind")["ACCUMULATOR_CHAIN" if chain else "ACCUMULATOR_EXACT"],
            accumulator_format=table.index(chain[0]) if chain else 0,
        )
        field = self._layout["formats"]
        target.write(self._mailbox + field.offset, pack_formats(table, image).tobytes())
        kernels = pack_kernels(plan, self._placement, table, image, accumulator=accumulator, records=self._records_at)
        target.write(kernels_at, kernels.tobytes())
        self._run_until("STATE_READY", _BOOT)

    def write(self, memory: Mapping[str, Codes], tensors: Iterable[Tensor]) -> None:
        """Write `tensors`, whose codes are in `memory`, to the target."""
        for tensor in tensors:
            codes = np.ascontiguousarray(memory[tensor.name], tensor.dtype)
            self._target.write(self._placement[tensor], codes.tobytes())

    def read(self, tensors: Iterable[Tensor]) -> dict[str, Codes]:
        """Codes of `tensors` in the target's memory, by name."""
        return {
            tensor.name: np.frombuffer(self._target.read(self._placement[tensor], tensor.nbytes), tensor.dtype).reshape(
                tensor.shape
            )
            for tensor in tensors
        }

    def flip(self, tensor: Tensor, index: int, bit: int) -> None:
        """Flip one bit of one element in the target's memory."""
        address = self._placement[tensor] + index * tensor.dtype.itemsize + bit // 8
        self._target.write(address, bytes([self._target.read(address, 1)[0] ^ 1 << bit % 8]))

    def run(self) -> StepRecord:
        """Execute the plan once. Raises TargetError when the firmware traps, refuses a kernel or reaches the limit."""
        in_place = {tensor.name for tensor in self._plan.state}
        for tensor in self._outputs.values():
            if tensor.name not in in_place:
                self._target.write(self._placement[tensor], bytes([_POISON]) * tensor.nbytes)
        self._set(state=self._image.enum("state")["STATE_READY"], command=self._image.enum("command")["COMMAND_RUN"])
        before = self._target.cycles
        if self._recorder:
            self._recorder.start()
        self._run_until("STATE_DONE", self._limit, self._entered)
        recording = self._recorder.stop() if self._recorder else None
        size = len(self._plan.kernels) * self._record_type.itemsize
        records = np.frombuffer(self._target.read(self._records_at, size), self._record_type)
        cycles = _wide(self._read_mailbox(), "cycles")
        start = _wide(records[-1], "begin") + _wide(records[-1], "cycles") - cycles if len(records) else 0
        kernels = tuple(_record(r, start) for r in records)
        profile = None if recording is None else profile_step(recording, self._spans(kernels), cycles, self._image)
        if self._target.promise is Promise.FUNCTIONAL:
            return StepRecord(tuple(map(_instructions, kernels)))
        return StepRecord(kernels, cycles, self._target.cycles - before, profile)

    def _spans(self, records: Iterable[KernelRecord]) -> list[Span]:
        return [
            Span(kernel.name, record.begin, record.begin + record.cycles)
            for kernel, record in zip(self._plan.kernels, records, strict=True)
            if record.begin is not None and record.cycles is not None
        ]

    @property
    def console(self) -> str:
        """What the firmware printed."""
        return self._target.console

    @property
    def memory(self) -> tuple[MemoryRegion, ...]:
        """What lies where in main memory: firmware with its stack, kernels, records, tensors."""
        start = min(segment.address for segment in self._image.segments)
        records = len(self._plan.kernels) * self._record_type.itemsize
        kinds: dict[str, Literal["input", "state"]] = {
            **{tensor.name: "input" for tensor in self._plan.inputs},
            **{tensor.name: "state" for tensor in self._plan.state},
        }
        return (
            MemoryRegion(name="firmware", kind="firmware", address=start, size=self._image.symbol("_end") - start),
            MemoryRegion(name="plan", kind="plan", address=self._kernels_at, size=self._records_at - self._kernels_at),
            MemoryRegion(name="records", kind="records", address=self._records_at, size=records),
            *(
                MemoryRegion(
                    name=tensor.name,
                    kind=kinds.get(tensor.name, "tensor"),
                    address=self._placement[tensor],
                    size=tensor.nbytes,
                    format=tensor.format.name if tensor.format else None,
                    shape=tensor.shape,
                )
                for tensor in self._plan.tensors
            ),
        )

    def close(self) -> None:
        """Let go of the target."""
        self._target.close()

    def _run_until(self, state: str, limit: Limit, entered: Callable[[int], None] = lambda kernel: None) -> None:
        end = self._image.enum("state")[state]

        def ended() -> bool:
            mailbox = self._read_mailbox()
            entered(int(mailbox["current"]))
            return bool(mailbox["state"] == end)

        try:
            self._target.run(ended, limit)
        except TargetError as error:
            raise TargetError(f"{error}{self._kernel_name()}") from error

    def _kernel_name(self) -> str:
        """What the number in the target's message is called, once a kernel has begun."""
        mailbox = self._read_mailbox()
        begun = int(mailbox["state"]) not in {
            self._image.enum("state")[name] for name in ("STATE_RESET", "STATE_READY")
        }
        index = int(mailbox["current"])
        return (
            f"; kernel {index} is {self._plan.kernels[index].name}" if begun and index < len(self._plan.kernels) else ""
        )

    def _read_mailbox(self) -> Any:
        return np.frombuffer(self._target.read(self._mailbox, self._layout.size), self._layout.dtype)[0]

    def _set(self, **fields: int) -> None:
        for name, value in fields.items():
            field = self._layout[name]
            self._target.write(self._mailbox + field.offset, value.to_bytes(field.size, "little"))


def _wide(record: Any, name: str) -> int:
    """A 64-bit count that C keeps in two words."""
    return int(record[f"{name}_low"]) | int(record[f"{name}_high"]) << 32


def _record(record: Any, start: int) -> KernelRecord:
    counters = record["job"]["counters"]
    cycles = _wide(record, "cycles")
    singles = (name for name in counters.dtype.names if not name.startswith("macs_"))
    return KernelRecord(
        begin=_wide(record, "begin") - start,
        cycles=cycles,
        instructions=_wide(record, "instructions") or None,
        accelerator=AcceleratorCounters(macs=_wide(counters, "macs"), **{name: int(counters[name]) for name in singles})
        if record["on_accelerator"]
        else None,
        cpu_bus=CpuBusCounters(**{name: int(record["cpu_bus"][name]) for name in record["cpu_bus"].dtype.names})
        if cycles < 1 << 32
        else None,
    )


def _instructions(record: KernelRecord) -> KernelRecord:
    """The record of a SoC whose counter counts instructions, and whose accelerator takes no time."""
    return KernelRecord(begin=None, cycles=None, instructions=record.cycles, accelerator=None, cpu_bus=None)
