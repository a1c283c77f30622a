"""From a job to a session: what must be built, where it runs, how long it may take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from platform import platform, python_version

from pyhost.cosim.build import build_firmware
from pyhost.cosim.hardware import hardware_of
from pyhost.cosim.machine import Machine
from pyhost.cosim.roundings import rounding_of
from pyhost.cosim.session import Outcome, Reference, Session
from pyhost.cosim.targets import Where, open_target
from pyhost.energy.model import Counts
from pyhost.errors import JobError
from pyhost.formats import parse_format
from pyhost.golden.cycles import Prediction, predict
from pyhost.golden.cycles.firmware import firmware_cost, job_cost
from pyhost.golden.gemm import Accumulator, Chain, Exact
from pyhost.job import Buildable, GemmJob
from pyhost.plan.calls import Kernel, Plan
from pyhost.plan.tensors import place
from pyhost.profile.result import Seconds
from pyhost.targets.base import Limit
from pyhost.targets.elf import ElfImage
from pyhost.targets.fpga import FpgaTarget
from pyhost.targets.renode import RenodeTarget
from pyhost.targets.verilator import MAIN_RAM

__all__ = ["Launched", "Progress", "Where", "accumulator_of", "hardware_of", "launch", "silent"]

Progress = Callable[[str], None]


def silent(message: str) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True)
class Launched:
    """A session that is ready for its first step, and what it took to get there."""

    session: Session
    build_seconds: float | None
    load_seconds: float | None
    environment: dict[str, str | None]
    predictions: tuple[Counts | None, ...]
    """What each kernel is expected to cost, for targets that count nothing."""

    def seconds(self, outcomes: Sequence[Outcome], total: float) -> Seconds:
        """Where the time of the session's steps went, `total` in all."""
        run = sum(outcome.run_seconds for outcome in outcomes)
        golden = [outcome.golden_seconds for outcome in outcomes if outcome.golden_seconds is not None]
        cycles = [outcome.target_cycles for outcome in outcomes if outcome.target_cycles is not None]
        return Seconds(
            build=self.build_seconds,
            load=self.load_seconds,
            run=run,
            golden=sum(golden) if golden else None,
            total=total,
            simulated_cycles_per_second=sum(cycles) / run if cycles else None,
        )


def accumulator_of(job: Buildable) -> Accumulator:
    """The golden model's accumulator for `accelerator.accumulator`."""
    name = job.accelerator.accumulator
    if name == "exact":
        return Exact()
    if isinstance(job, GemmJob):
        return Chain(parse_format(name), rounding_of(job.product.chain_rounding, job.product.seed, 0))
    return Chain(parse_format(name))


def launch(
    job: Buildable,
    plan: Plan,
    *,
    where: Where,
    toolchain: str,
    progress: Progress,
    stall: float = 0.0,
    recorded: bool = False,
) -> Launched:
    """Build what is missing, load it and place `plan`.

    With the target "golden" there is no SoC: the readable engine of the golden model takes its place and is compared
    with the fast one. recorded: steps are profiled. Raises JobError, BuildError, TargetError.
    """
    accumulator = accumulator_of(job)
    elements = job.accelerator.rows * job.accelerator.columns if job.accelerator.enabled else 0
    environment: dict[str, str | None] = {
        "platform": platform(),
        "python": python_version(),
        "numpy": version("numpy"),
    }
    if where.target != "verilator" and recorded:
        raise JobError(
            f"the {where.target} target cannot be profiled: nobody sees its every cycle; run with --target verilator"
        )
    if where.target == "golden":
        reference, expected = Reference(plan, accumulator), _predictions(job, plan, stall)
        predictions = tuple(map(_predicted_cycles, expected))
        session = Session(plan, reference, accumulator=accumulator, elements=0, predictions=predictions)
        return Launched(session, None, None, environment, expected)
    if job.golden_only:
        field, format_ = next(iter(job.golden_only.items()))
        raise JobError(f"{field}: hardware and firmware do not compute in {format_}: run with --target golden")
    doing = "simulating" if where.simulated else "running"
    place(plan.tensors, MAIN_RAM, MAIN_RAM + job.soc.main_ram)  # what cannot fit is not worth a build
    started = time.perf_counter()
    target, soc = open_target(hardware_of(job), where, stall=stall, progress=progress)
    try:
        image = ElfImage(build_firmware(soc, toolchain, progress))
        built = time.perf_counter()
        names = (*job.accelerator.formats, *job.result_formats)
        machine = Machine(
            target,
            image,
            plan,
            accumulator=accumulator,
            formats=(parse_format(name) for name in names),
            memory_end=MAIN_RAM + job.soc.main_ram,
            limit=_limit(plan, job),
            entered=_Narrator(plan, progress, doing),
            recorded=recorded,
        )
        progress(doing)
        expected = _predictions(job, plan, stall)
        predictions = tuple(map(_predicted_cycles, expected))
        session = Session(plan, machine, accumulator=accumulator, elements=elements, predictions=predictions)
    except BaseException:
        target.close()
        raise
    environment |= {
        "board": str(target.identity) if isinstance(target, FpgaTarget) else None,
        "verilator": _version("verilator") if where.simulated else None,
        "renode": str(target.renode) if isinstance(target, RenodeTarget) else None,
        "litex": _version("litex"),
        "toolchain": toolchain if toolchain != "zig" else f"zig {_version('ziglang')}",
    }
    return Launched(session, built - started, time.perf_counter() - built, environment, expected)


def _predictions(job: Buildable, plan: Plan, stall: float) -> tuple[Counts | None, ...]:
    """What each kernel is expected to cost, by the golden cycle model; None where that does not know.

    Tensors are where they would be without firmware: what matters is their place in a word, and somewhat in a row of
    SDRAM. With random stalls nothing is predicted for products.
    """
    hardware = hardware_of(job)
    jobs: Sequence[Prediction | None] = (None,) * len(plan.kernels)
    if hardware.accelerator and not job.golden_only and not stall:
        placement = place(plan.tensors, MAIN_RAM, 1 << 32)
        jobs = predict(plan.kernels, hardware.accelerator, placement, hardware.memory)
    return tuple(_expected(job, kernel, counters) for kernel, counters in zip(plan.kernels, jobs, strict=True))


def _expected(job: Buildable, kernel: Kernel, counters: Prediction | None) -> Counts | None:
    soc = job.soc
    if counters is not None:
        around = job_cost(counters.cycles, cpu=soc.cpu, memory=soc.memory)
        cycles = around.cycles if around else counters.cycles
        instructions, words = (around.instructions, around.bus_words) if around else (None, None)
        return Counts(cycles=cycles, instructions=instructions, accelerator=counters, bus_words=words)
    if job.accelerator.enabled and kernel.macs:
        return None
    cost = firmware_cost(kernel, job.accelerator.accumulator, cpu=soc.cpu, memory=soc.memory)
    return cost and Counts(cycles=cost.cycles, instructions=cost.instructions, bus_words=cost.bus_words)


def _predicted_cycles(expected: Counts | None) -> int | None:
    """Of a product on the accelerator the cycles of its job, which are exact; else those of the kernel."""
    if expected is None:
        return None
    return expected.accelerator.cycles if expected.accelerator else expected.cycles


class _Narrator:
    """Tells `progress` which kernel is running, when it changes and not more often than every two seconds."""

    def __init__(self, plan: Plan, progress: Progress, doing: str) -> None:
        self._plan = plan
        self._progress = progress
        self._doing = doing
        self._last = (-1, time.monotonic())

    def __call__(self, index: int) -> None:
        told, when = self._last
        now = time.monotonic()
        if index != told and now - when > 2 and index < len(self._plan.kernels):
            self._last = (index, now)
            count = len(self._plan.kernels)
            self._progress(f"{self._doing} kernel {index + 1} of {count}, {self._plan.kernels[index].name}")


def _limit(plan: Plan, job: Buildable) -> Limit:
    """Cycles that no healthy step takes: several times the slowest seen for each multiply-add and each element.

    In firmware a multiply-add takes some 50 to 200 cycles and an element of another kernel up to 500 (of the softmax
    3,000); without a hardware multiplier, up to ten times as many.
    """
    macs = sum(kernel.macs for kernel in plan.kernels)
    elements = sum(tensor.count for tensor in plan.tensors)
    slow = 10 if job.soc.cpu in ("minimal", "lite") else 1
    return Limit(cycles=10_000_000 + slow * (2_000 * elements + (100 if job.accelerator.enabled else 2_000) * macs))


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
