"""From what a run counted to joules: the energy of each kernel, part by part, with intervals.

Parts of a kernel's energy, all linear in the technology's figures::

    array        macs * (multiply + accumulate) + busy * (rows * decode_A + columns * decode_B)
    write_back   m * n * round
    scratchpad   (busy * (rows * bits_A + columns * bits_B) + loads * port_bits) of the two memories
    main_memory  (dma_beats * port_bits + words on the CPU's buses * 32) of SRAM of the job's size, or DRAM
    cpu          instructions * instruction
    idle         clocked registers without useful work: the core's in cycles without an instruction, the array's while
                 it waits, the accelerator's control while a job runs; its clock stands still otherwise
    leakage      time * (registers and their logic, bits of scratchpads and caches); not that of main memory

Intervals: within a part, errors of kernels add (they rest on the same figures); parts are independent, so that the
half widths of a total are the root of the sum of their squares. docs/energy.md has the tables and their sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from pyhost.cosim.hardware import hardware_of
from pyhost.energy.circuits import ACTIVITIES, ActivityName, Circuits
from pyhost.energy.costs import Costs
from pyhost.energy.design import Design, design
from pyhost.energy.estimate import Estimate, interval_of_sum
from pyhost.energy.technology import Technology
from pyhost.formats import parse_format
from pyhost.golden.cycles import Sizes
from pyhost.golden.cycles.jobs import DESCRIPTOR_BYTES
from pyhost.job import Buildable
from pyhost.plan.calls import Gemm, Kernel, Plan
from pyhost.profile.result import Energy, EnergyPart, KernelResult

__all__ = ["PARTS", "Counts", "energy_of", "parts_of"]

PARTS: Final = ("array", "write_back", "scratchpad", "main_memory", "cpu", "idle", "leakage")

_UNKNOWN_RATE: Final = (0.6, 0.25, 1.0)
"""Instructions a cycle (likely, lowest, highest) of a core that does not count them."""


class Counters(Protocol):
    """Of an accelerator's job: what was counted, or is predicted."""

    @property
    def cycles(self) -> int: ...
    @property
    def busy(self) -> int: ...
    @property
    def dma_beats(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a kernel cost: its cycles, the instructions retired meanwhile, its job's counters, words on the CPU's buses.

    cycles None: nothing is known. bus_words None: not recorded.
    """

    cycles: int | None
    instructions: int | None = None
    accelerator: Counters | None = None
    bus_words: int | None = None

    @classmethod
    def of(cls, kernel: KernelResult) -> Counts:
        """What was measured."""
        bus = kernel.cpu_bus
        return cls(
            cycles=kernel.cycles,
            instructions=kernel.instructions,
            accelerator=kernel.accelerator,
            bus_words=None if bus is None else bus.reads + bus.writes,
        )


def energy_of(
    kernels: Sequence[KernelResult],
    job: Buildable,
    plan: Plan,
    technology: Technology,
    circuits: Circuits | None = None,
    predictions: Sequence[Counts | None] = (),
) -> tuple[tuple[KernelResult, ...], Energy | None]:
    """The kernels with their energies, and the whole run's; None where a kernel's cost is not known.

    predictions: by index of the plan, for kernels that were not measured.
    """
    model = _Model(Costs(technology, circuits), job, design())
    counted: list[dict[str, Estimate] | None] = []
    for kernel in kernels:
        counts = Counts.of(kernel)
        if counts.cycles is None and predictions:
            counts = predictions[kernel.index] or counts
        known = counts.cycles is not None
        counted.append(model.parts(plan.kernels[kernel.index], counts) if known else None)
    results = tuple(
        kernel if parts is None else _with_energy(kernel, parts) for kernel, parts in zip(kernels, counted, strict=True)
    )
    if not counted or None in counted:
        return results, None
    totals = {name: sum((parts[name] for parts in counted if parts), Estimate()) for name in PARTS}
    return results, model.energy(totals)


def parts_of(
    kernel: Kernel, counts: Counts, job: Buildable, technology: Technology, circuits: Circuits | None = None
) -> dict[str, Estimate]:
    """The parts of one kernel's energy, with what each figure of the technology contributes."""
    return _Model(Costs(technology, circuits), job, design()).parts(kernel, counts)


def _with_energy(kernel: KernelResult, parts: Mapping[str, Estimate]) -> KernelResult:
    total, low, high = interval_of_sum(parts.values())
    energies = {name: part.value for name, part in parts.items()}
    return replace(kernel, energy_pj={**energies, "total": total}, energy_interval_pj=(low, high))


def _activity(name: str) -> ActivityName:
    """Whose operands a product of that name has."""
    parts = name.split(".")
    return next((activity for activity in ACTIVITIES if activity in parts), "uniform")


class _Model:
    def __init__(self, costs: Costs, job: Buildable, counted: Design) -> None:
        self.costs = costs
        self.job = job
        self.design = counted
        self.accelerator = job.accelerator if job.accelerator.enabled else None
        self._from_library = False
        self._figures = {name: costs.technology.figure(name) for name in costs.technology.figures}
        if self.accelerator:
            hardware = hardware_of(job).accelerator
            assert hardware is not None
            self.sizes = Sizes.of(hardware, job.soc.memory)

    def parts(self, kernel: Kernel, counts: Counts) -> dict[str, Estimate]:
        """By name of the part."""
        assert counts.cycles is not None
        parts = dict.fromkeys(PARTS, Estimate())
        if counts.accelerator is not None:
            assert isinstance(kernel.call, Gemm)
            parts |= self._product(kernel.name, kernel.call, counts.accelerator)
        parts["main_memory"] = self._main_memory(counts)
        parts["cpu"] = self._cpu(counts)
        parts["idle"] = self._idle(counts)
        parts["leakage"] = counts.cycles * self.leakage_a_cycle
        return parts

    def _product(self, name: str, call: Gemm, counters: Counters) -> dict[str, Estimate]:
        assert self.accelerator is not None
        costs, sizes, formats, activity = self.costs, self.sizes, self.accelerator.formats, _activity(name)
        a, b, d = (_format(view.tensor) for view in (call.a, call.b, call.d))
        mac = costs.mac((a, b), formats, self.accelerator.accumulator, activity)
        edge = sizes.rows * costs.decode(formats, a, activity) + sizes.columns * costs.decode(formats, b, activity)
        self._from_library |= costs.has_mac((a, b), formats, self.accelerator.accumulator)
        elements = call.m * call.n
        generated = (*formats, *self.job.result_formats)
        rounded = costs.write_back(d, generated, call.addend is not None, activity)
        return {
            "array": call.m * call.n * call.k * mac + counters.busy * edge,
            "write_back": elements * rounded,
            "scratchpad": self._scratchpad(call, counters),
        }

    def _scratchpad(self, call: Gemm, counters: Counters) -> Estimate:
        """Codes read at each step, words written as they are loaded; what is not loaded for a job is its D and itself.

        A memory costs as much as one of the whole scratchpad's size, at least as one of its banks.
        """
        sizes = self.sizes
        word = 8 * sizes.port_bytes
        lanes = ((sizes.rows, sizes.high, call.a.tensor), (sizes.columns, sizes.wide, call.b.tensor))
        total = Estimate()
        d_words = -(-call.m * call.n * call.d.tensor.dtype.itemsize // sizes.port_bytes)
        loads = max(0, counters.dma_beats - DESCRIPTOR_BYTES // sizes.port_bytes - d_words)
        for read, banks, tensor in lanes:
            size = sizes.depth * banks * tensor.dtype.itemsize
            bits = counters.busy * read * 8 * tensor.dtype.itemsize + loads * word / 2
            whole, bank = self.costs.sram(size, bits), self.costs.sram(size / banks, bits)
            total += whole.around(bank, whole)
        return total

    def _main_memory(self, counts: Counts) -> Estimate:
        bits = 32.0 * (counts.bus_words or 0)
        if counts.accelerator is not None:
            bits += counts.accelerator.dma_beats * 8.0 * self.sizes.port_bytes
        if self.job.soc.memory == "sdram":
            return self.costs.dram(bits)
        return self.costs.sram(self.job.soc.main_ram, bits)

    def _cpu(self, counts: Counts) -> Estimate:
        instruction = self._figures["cpu.instruction"]
        if counts.instructions is not None:
            return counts.instructions * instruction
        likely, lowest, highest = ((counts.cycles or 0) * rate * instruction for rate in _UNKNOWN_RATE)
        return likely.around(lowest, highest)

    def _idle(self, counts: Counts) -> Estimate:
        clock = self._figures["register.clock"]
        cycles = counts.cycles or 0
        instructions = counts.instructions if counts.instructions is not None else _UNKNOWN_RATE[0] * cycles
        bits = max(0.0, cycles - instructions) * self.design.core_registers
        if job := counts.accelerator:
            bits += job.cycles * self.design.control_registers
            bits += (job.cycles - job.busy) * self.array_registers
        return bits * clock

    @property
    def array_registers(self) -> float:
        """Flip-flops of all processing elements."""
        accelerator = self.accelerator
        if accelerator is None:
            return 0.0
        each = self.design.element_registers(accelerator.formats, accelerator.accumulator)
        return accelerator.rows * accelerator.columns * each

    @property
    def leakage_a_cycle(self) -> Estimate:
        """pJ: nW / MHz are fJ."""
        control = self.design.control_registers if self.accelerator else 0
        registers = self.design.core_registers + control + self.array_registers
        bits = self.design.cache_bits
        if self.accelerator:
            widest = max(parse_format(name).dtype.itemsize for name in self.accelerator.formats)
            bits += 8 * widest * self.sizes.depth * (self.sizes.high + self.sizes.wide)
        power = registers * self.design.logic_factor * self._figures["leakage.register"]
        power += bits * self._figures["leakage.sram"]
        return 1e-3 / self.costs.technology.clock_mhz * power

    def energy(self, totals: Mapping[str, Estimate]) -> Energy:
        """The report: parts with what they rest on."""
        technology = self.costs.technology
        total, low, high = interval_of_sum(totals.values())
        return Energy(
            technology=technology.name,
            node_nm=technology.node_nm,
            voltage=technology.voltage,
            clock_mhz=technology.clock_mhz,
            parts=tuple(
                EnergyPart(
                    name=name,
                    picojoules=part.value,
                    low=part.low,
                    high=part.high,
                    assumption=self._assumption(name),
                    source=self._source(name, part),
                )
                for name, part in totals.items()
            ),
            total_pj=total,
            low_pj=low,
            high_pj=high,
        )

    def _source(self, name: str, part: Estimate) -> str:
        sources = dict.fromkeys(self.costs.technology.source(figure) for figure in part.figures)
        if self._synthesised(name) and self.costs.circuits is not None:
            sources = {f"synthesis in {self.costs.circuits.technology}": None, **sources}
        return "; ".join(sources)

    def _synthesised(self, name: str) -> bool:
        """Whether a part rests on the circuit library."""
        return name in ("array", "write_back") and self._from_library

    def _assumption(self, name: str) -> str:
        match name:
            case "array" if self._synthesised(name):
                return "circuits cost what they do in another technology, times what binary32 costs in this one"
            case "array":
                return "interpolated by width of significand; an exact sum is an integer addition"
            case "write_back":
                return "what is around the rounder costs as much as a binary32 addition"
            case "scratchpad":
                return "banks cost as much as one memory of their total size"
            case "main_memory":
                return "DRAM at its interface" if self.job.soc.memory == "sdram" else "one SRAM of main memory's size"
            case "cpu":
                return "energy of an instruction of a simple core, whichever it is"
            case "idle":
                return "only the registers' own clock energy, without clock tree and gates behind them"
        return "25 degrees, no low-leakage cells; main memory's own is not counted"


def _format(tensor: object) -> str:
    name = getattr(getattr(tensor, "format", None), "name", None)
    assert isinstance(name, str)
    return name
