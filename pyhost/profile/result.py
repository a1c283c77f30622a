"""The object behind result.json (schema 1): what ran, what it cost, and whether it was equal.

Cycles are cycles of the SoC's clock, energies picojoules, times seconds. What is not known is None (null), never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Self

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pyhost.errors import FloatsocError, JobError
from pyhost.job import ConvolutionJob, GemmJob, Job

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "SCHEMA",
    "AcceleratorCounters",
    "CpuBusCounters",
    "Energy",
    "EnergyPart",
    "FunctionCycles",
    "KernelResult",
    "MemoryRegion",
    "Mismatch",
    "Number",
    "Result",
    "Seconds",
    "Speedup",
    "Step",
    "Totals",
    "TrainResult",
    "read_result",
    "speedups",
]

SCHEMA: Final = 1


@dataclass(frozen=True)
class Number:
    """An element of a tensor: its code and the value that this code has in the tensor's format."""

    code: int
    value: float


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """A tensor that differs from the golden model's: how many of its elements do, and the first that does."""

    kernel: str
    kernel_index: int
    tensor: str
    format: str
    index: tuple[int, ...]
    expected: Number
    actual: Number
    different: int
    elements: int


@dataclass(frozen=True, kw_only=True)
class _Counters:
    @classmethod
    def sum_of(cls, counters: Iterable[Self]) -> Self:
        """Each count summed."""
        all_counters = tuple(counters)
        return cls(**{f.name: sum(getattr(each, f.name) for each in all_counters) for f in fields(cls)})


@dataclass(frozen=True, kw_only=True)
class AcceleratorCounters(_Counters):
    """What the accelerator counted in a kernel, or in several: see struct accelerator_counters."""

    macs: int = 0
    cycles: int = 0
    busy: int = 0
    wait_a: int = 0
    wait_b: int = 0
    wait_store: int = 0
    dma_beats: int = 0
    bus_wait: int = 0


@dataclass(frozen=True, kw_only=True)
class CpuBusCounters(_Counters):
    """What passed between the CPU's buses and main memory in a kernel, or in several.

    reads, writes: words of 32 bits, those that fill a cache's line included; a byte or half written is a word. busy:
    cycles in which one was under way or waited.
    """

    reads: int = 0
    writes: int = 0
    busy: int = 0


@dataclass(frozen=True, kw_only=True)
class KernelResult:
    """One kernel of the plan. `macs` counts the multiply-adds of matrix products and is 0 for every other kernel."""

    index: int
    name: str
    kind: str
    shape: tuple[int, ...]
    macs: int
    cycles: int | None = None
    predicted_cycles: int | None = None
    begin: int | None = None
    """Cycles from the step's start to this kernel's."""
    instructions: int | None = None
    accelerator: AcceleratorCounters | None = None
    cpu_bus: CpuBusCounters | None = None
    energy_pj: Mapping[str, float] | None = None
    """By the names of `Energy.parts`, and their sum as "total"."""
    energy_interval_pj: tuple[float, float] | None = None
    """Lowest and highest total."""
    bit_exact: bool | None = None

    @property
    def macs_per_cycle(self) -> float | None:
        """Multiply-adds a cycle of the whole kernel; None for a kernel without any."""
        return self.macs / self.cycles if self.macs and self.cycles else None

    def utilization(self, elements: int) -> float | None:
        """macs / (elements * cycles while a job ran): the share of the array's `elements` that did useful work."""
        job = self.accelerator
        return self.macs / (elements * job.cycles) if job and job.cycles else None


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Of the whole step. cycles: from the first kernel's start to the last one's end. accelerator, cpu_bus: summed."""

    cycles: int | None
    macs: int
    macs_per_cycle: float | None
    utilization: float | None
    accelerator: AcceleratorCounters | None = None
    cpu_bus: CpuBusCounters | None = None
    energy_pj: float | None = None
    energy_interval_pj: tuple[float, float] | None = None
    predicted_cycles: int | None = None

    @classmethod
    def of(cls, kernels: Iterable[KernelResult], *, cycles: int | None, elements: int) -> Totals:
        """Sums over `kernels`; utilization is that of an array of `elements` while its jobs ran."""
        kernels = tuple(kernels)
        macs = sum(kernel.macs for kernel in kernels)
        jobs = [kernel for kernel in kernels if kernel.accelerator]
        counters = AcceleratorCounters.sum_of(kernel.accelerator for kernel in jobs if kernel.accelerator)
        available = elements * counters.cycles
        cpu_bus = [kernel.cpu_bus for kernel in kernels]
        predictions = [kernel.predicted_cycles for kernel in kernels]
        energies = [kernel.energy_pj["total"] if kernel.energy_pj else None for kernel in kernels]
        return cls(
            cycles=cycles,
            macs=macs,
            macs_per_cycle=macs / cycles if cycles else None,
            utilization=sum(kernel.macs for kernel in jobs) / available if available else None,
            accelerator=counters if jobs else None,
            cpu_bus=CpuBusCounters.sum_of(c for c in cpu_bus if c) if cpu_bus and None not in cpu_bus else None,
            energy_pj=sum(e for e in energies if e is not None) if energies and None not in energies else None,
            predicted_cycles=sum(p for p in predictions if p is not None) if None not in predictions else None,
        )


@dataclass(frozen=True, kw_only=True)
class EnergyPart:
    """One consumer of energy in a run: its estimate with the lowest and highest value, in pJ."""

    name: str
    picojoules: float
    low: float
    high: float
    assumption: str
    """What the width of the interval mostly comes from, in a sentence."""
    source: str
    """Where its figures are from: a publication, a model, a characterisation."""


@dataclass(frozen=True, kw_only=True)
class Energy:
    """What a run's joules rest on, and where they go: its kernels' energy by part; see `pyhost.energy`."""

    technology: str
    node_nm: float
    voltage: float
    clock_mhz: float
    parts: tuple[EnergyPart, ...]
    total_pj: float
    low_pj: float
    high_pj: float


@dataclass(frozen=True, kw_only=True)
class MemoryRegion:
    """A part of main memory during a run: `size` bytes from `address` on; of a tensor also its format and shape."""

    name: str
    kind: Literal["firmware", "plan", "records", "input", "state", "tensor"]
    address: int
    size: int
    format: str | None = None
    """None for integers, too."""
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class FunctionCycles:
    """Cycles in which a function of the firmware was the innermost (self), and in which it was under way at all."""

    name: str
    self_cycles: int
    total_cycles: int


@dataclass(frozen=True, kw_only=True)
class Seconds:
    """Where the time went on the host; `build` is 0 where everything came from the cache."""

    build: float | None = None
    load: float | None = None
    run: float | None = None
    golden: float | None = None
    total: float | None = None
    simulated_cycles_per_second: float | None = None


@dataclass(frozen=True, kw_only=True)
class _Document:
    """What every result file says about itself."""

    __pydantic_config__: ClassVar = ConfigDict(ser_json_inf_nan="strings")

    schema: Literal[1] = SCHEMA
    floatsoc_version: str = field(default_factory=lambda: version("floatsoc"))
    target: str
    environment: Mapping[str, str | None] = field(default_factory=dict)
    seconds: Seconds = Seconds()
    mismatches: tuple[Mismatch, ...] = ()
    memory: tuple[MemoryRegion, ...] | None = None
    """What lay where in main memory, by address; None where there was no SoC."""
    directory: Path | None = field(default=None, compare=False)
    """Where the run was recorded; not part of the file."""

    def to_json(self) -> str:
        """The text of the file. Infinities and NaN, which JSON lacks, are the strings Infinity, -Infinity and NaN."""
        return TypeAdapter(type(self)).dump_json(self, indent=1, exclude={"directory"}).decode() + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The result of a file's text; JobError where it is none of schema 1."""
        try:
            return TypeAdapter(cls).validate_json(text, context={"recorded": True})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "text"
            raise JobError(f"not a result of schema {SCHEMA}: {where}: {first['msg']}") from error


@dataclass(frozen=True, kw_only=True)
class Result(_Document):
    """A job on a target, compared with the golden model: `floatsoc run` and `floatsoc gemm`.

    `bit_exact` is None where nothing was compared (the golden target itself). `loss` is the mean over the batch,
    before the update.
    """

    job: Job | GemmJob | ConvolutionJob
    bit_exact: bool | None
    kernels: tuple[KernelResult, ...]
    totals: Totals
    loss: float | None = None
    energy: Energy | None = None
    functions: tuple[FunctionCycles, ...] | None = None
    """Of a profiled run: those with the most cycles of their own first."""
    baseline: Result | None = None
    """The same job without the accelerator, where that was asked for."""

    @property
    def equal(self) -> bool | None:
        """Whether this run and its baseline equal the golden model; None where nothing was compared."""
        verdicts = [self.bit_exact, self.baseline.bit_exact] if self.baseline else [self.bit_exact]
        return False if False in verdicts else None if None in verdicts else True

    @property
    def elements(self) -> int:
        """Processing elements of the array, 0 where there is none."""
        accelerator = self.job.accelerator
        return accelerator.rows * accelerator.columns if accelerator.enabled else 0

    @property
    def products(self) -> Totals:
        """Totals of the matrix products alone."""
        kernels = [kernel for kernel in self.kernels if kernel.macs]
        cycles = [kernel.cycles for kernel in kernels]
        known = sum(c for c in cycles if c is not None) if None not in cycles else None
        return Totals.of(kernels, cycles=known, elements=self.elements)

    def to_frame(self) -> pd.DataFrame:
        """One row a kernel, the accelerator's counters in columns `accelerator.busy`, ...; needs pandas."""
        try:
            import pandas as pd
        except ImportError as error:
            raise FloatsocError("to_frame() needs pandas: pip install 'floatsoc[frame]'") from error
        return pd.json_normalize([asdict(kernel) for kernel in self.kernels]).set_index("index")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a training run; `accuracy` is that of the batch, before the update."""

    step: int
    loss: float
    accuracy: float | None
    cycles: int | None
    bit_exact: bool | None


@dataclass(frozen=True, kw_only=True)
class TrainResult(_Document):
    """Many steps of a job: `floatsoc train`. `bit_exact` covers the steps that were compared."""

    job: Job
    bit_exact: bool | None
    steps: tuple[Step, ...]

    @property
    def equal(self) -> bool | None:
        """Whether every step that was compared equals the golden model's; None where none was."""
        return self.bit_exact


def read_result(directory: str | Path) -> Result | TrainResult:
    """What a run directory (or its result.json) holds; JobError where it is none."""
    path = Path(directory)
    file = path / "result.json" if path.is_dir() else path
    try:
        text = file.read_bytes()
    except FileNotFoundError as error:
        raise JobError(f"{path}: not a run directory: there is no {file}") from error
    except OSError as error:
        raise JobError(f"{file}: cannot be read: {error.strerror}") from error
    kind: type[Result | TrainResult] = TrainResult if b'"steps"' in text else Result
    try:
        return replace(kind.from_json(text), directory=file.parent)
    except JobError as error:
        raise JobError(f"{file}: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Speedup:
    """One kernel with and without the accelerator: cycles of both, and baseline_cycles / cycles."""

    name: str
    cycles: int
    baseline_cycles: int

    @property
    def factor(self) -> float:
        """How many times fewer cycles than the baseline."""
        return self.baseline_cycles / self.cycles


def speedups(result: Result, baseline: Result) -> tuple[Speedup, ...]:
    """The kernels of `result` against those of the same names in `baseline`, in order; needs both cycle counts."""
    before = {kernel.name: kernel.cycles for kernel in baseline.kernels}
    return tuple(
        Speedup(name=kernel.name, cycles=kernel.cycles, baseline_cycles=cycles)
        for kernel in result.kernels
        if kernel.cycles and (cycles := before.get(kernel.name))
    )
