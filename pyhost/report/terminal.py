"""Results in a terminal."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pyhost.job import Buildable, Convolution, ConvolutionJob, GemmJob, Job, Product, ProductJob
from pyhost.profile import (
    AcceleratorCounters,
    KernelResult,
    Mismatch,
    Number,
    Result,
    Step,
    Totals,
    TrainResult,
    speedups,
)
from pyhost.profile.result import Energy, FunctionCycles
from pyhost.report.tables import amount, bar, count, energy_unit, facts, percent, ratio, table, yes

__all__ = ["show", "verdict"]

_MISMATCHES_SHOWN = 5
_STEPS_SHOWN = 20
_FUNCTIONS_SHOWN = 15
_WIDE = 88
"""Columns of a terminal in which a table with energies has room for bars."""


def verdict(result: Result | TrainResult) -> Text:
    """One line: equal or not, and how much was compared."""
    if isinstance(result, TrainResult):
        compared = sum(step.bit_exact is not None for step in result.steps)
        what = f"{compared} of {_plural(len(result.steps), 'step')} compared with the golden model"
    else:
        compared = sum(kernel.bit_exact is not None for kernel in result.kernels)
        what = f"{_plural(compared, 'kernel')} compared with the golden model"
    match result.bit_exact:
        case True:
            return Text.assemble(("EXACT", "bold green"), f"  {what}: every bit equal")
        case False:
            return Text.assemble(
                ("NOT EQUAL", "bold red"), f"  {what}, {_plural(len(result.mismatches), 'tensor')} wrong"
            )
    return Text.assemble(("NOT COMPARED", "bold yellow"), "  nothing was compared with the golden model")


def show(result: Result | TrainResult, console: Console) -> None:
    """All there is to say of a result: verdict, what ran, mismatches, tables."""
    if isinstance(result, TrainResult):
        _show_training(result, console)
    else:
        _show_result(result, console)


def _show_result(result: Result, console: Console) -> None:
    """The verdict, what ran, what it cost, and the table of kernels (for `floatsoc gemm`, of jobs)."""
    totals = result.totals
    console.print(verdict(result))
    console.print()
    console.print(
        facts(
            *_job_facts(result.job),
            ("hardware", _hardware(result.job) if result.target != "golden" else None),
            ("target", result.target),
            ("loss", None if result.loss is None else f"{result.loss:.6g}"),
            ("cycles", f"{totals.cycles:,}" if totals.cycles else None),
            ("instructions", f"{_instructions(result.kernels):,}" if _in_instructions(result) else None),
            (
                "MACs",
                f"{totals.macs:,}" + (f", {ratio(totals.macs_per_cycle)} a cycle" if totals.macs_per_cycle else ""),
            ),
            ("array", _utilization(result)),
            ("energy", _energy(result, console)),
            *_time_facts(result),
        )
    )
    _show_mismatches(result.mismatches, console)
    console.print()
    console.print(_job_table(result) if isinstance(result.job, ProductJob) else _kernel_table(result, console))
    if result.energy:
        _show_energy(result.energy, console)
    if result.functions:
        console.print()
        console.print(_function_table(result.functions, console))
    if result.baseline:
        _show_baseline(result, result.baseline, console)
    _show_directory(result, console)


def _function_table(functions: Sequence[FunctionCycles], console: Console) -> Table:
    """The functions with the most cycles of their own."""
    cycles = sum(function.self_cycles for function in functions)

    def row(name: str, own: int, total: int | None) -> tuple[str, ...]:
        return (name, f"{own:,}", bar(own / cycles, console, 8), percent(own / cycles, 1), count(total))

    shown, others = functions[:_FUNCTIONS_SHOWN], functions[_FUNCTIONS_SHOWN:]
    rows = [row(f.name, f.self_cycles, f.total_cycles) for f in shown]
    if others:
        rows.append(row(_plural(len(others), "other"), sum(f.self_cycles for f in others), None))
    return table(
        ("function", "cycles", "", "share", "with what it calls"), rows, footer=[row("step", cycles, None)], left=(0, 2)
    )


def _show_baseline(result: Result, baseline: Result, console: Console) -> None:
    """Cycles with and without the accelerator, kernel by kernel, and the speed-up of the whole step."""
    console.print("\nThe same step in firmware alone\n")
    console.print(verdict(baseline))
    _show_mismatches(baseline.mismatches, console)
    console.print()
    kernels = speedups(result, baseline)
    console.print(
        table(
            ("kernel", "firmware alone", "accelerator", "speed-up"),
            [_speedup(kernel.name, kernel.baseline_cycles, kernel.cycles) for kernel in kernels],
            footer=[
                _speedup("matrix products", baseline.products.cycles, result.products.cycles),
                _speedup("step", baseline.totals.cycles, result.totals.cycles),
            ],
        )
    )
    if result.energy and baseline.energy:
        times = baseline.energy.total_pj / result.energy.total_pj
        console.print(f"\nenergy       {_joules(baseline.energy, console)}, {times:,.1f} times as much")


def _speedup(name: str, before: int | None, cycles: int | None) -> tuple[str, ...]:
    return name, count(before), count(cycles), f"{before / cycles:,.1f} x" if before and cycles else ""


def _show_training(result: TrainResult, console: Console) -> None:
    """The verdict and the curve of loss and accuracy; of long runs, evenly spaced steps."""
    console.print(verdict(result))
    console.print()
    hardware = _hardware(result.job) if result.target != "golden" else None
    console.print(
        facts(*_job_facts(result.job), ("hardware", hardware), ("target", result.target), *_time_facts(result))
    )
    _show_mismatches(result.mismatches, console)
    console.print()
    console.print(_curve(result.steps, console))
    _show_directory(result, console)


def _utilization(result: Result) -> str | None:
    """The share of the array's elements at work while jobs ran; of products alone also in all of the SoC's cycles."""
    totals = result.totals
    if totals.utilization is None:
        return None
    if isinstance(result.job, ProductJob) and totals.macs_per_cycle:
        in_all = totals.macs_per_cycle / result.elements
        return f"{totals.utilization:.2%} of its elements at work, {in_all:.2%} by the SoC's count"
    return f"{totals.utilization:.0%} of its elements at work while a job ran"


def _energy(result: Result, console: Console) -> str | None:
    """The total with its interval, of products alone also for a multiply-add, and what that rests on."""
    energy = result.energy
    if energy is None:
        return None
    each = f", {ratio(energy.total_pj / result.totals.macs)} pJ a MAC" if isinstance(result.job, ProductJob) else ""
    return f"{_joules(energy, console)}{each}, {energy.technology} at {energy.clock_mhz:g} MHz"


def _joules(energy: Energy, console: Console) -> str:
    """607 µJ (388 to 756)."""
    size, unit = energy_unit(energy.total_pj, console)
    low, high = amount(energy.low_pj / size), amount(energy.high_pj / size)
    return f"{amount(energy.total_pj / size)} {unit} ({low} to {high})"


def _show_energy(energy: Energy, console: Console) -> None:
    """Where the energy goes, and what the width of its interval mostly comes from."""
    size, unit = energy_unit(energy.total_pj, console)
    parts = [part for part in energy.parts if part.picojoules]
    console.print()
    console.print(
        table(
            ("energy of", unit, "share", "from", "to"),
            [
                (
                    part.name.replace("_", " "),
                    amount(part.picojoules / size),
                    percent(part.picojoules / energy.total_pj, 1),
                    amount(part.low / size),
                    amount(part.high / size),
                )
                for part in parts
            ],
        )
    )
    if parts:
        widest = max(parts, key=lambda part: part.high - part.low)
        console.print(
            f"\nleast certain is {widest.name.replace('_', ' ')}: {widest.assumption}", highlight=False, style="dim"
        )


def _job_facts(job: Buildable) -> Iterator[tuple[str, str]]:
    match job:
        case GemmJob():
            yield from _product_facts(job.product)
        case ConvolutionJob():
            yield from _convolution_facts(job.convolution)
        case Job():
            formats = job.formats
            yield "network", f"{job.network.model}, batch {job.network.batch}, on {job.training.data}"
            yield "formats", f"activation {formats.activation}, weight {formats.weight}, gradient {formats.gradient}"
    accumulator = job.accelerator.accumulator
    yield "accumulator", accumulator if accumulator == "exact" else f"chain of {accumulator}"


def _product_facts(p: Product) -> Iterator[tuple[str, str]]:
    how = "resident, " if p.resident else "queued, " if p.jobs > 1 else "cold, "
    yield "product", f"{p.m} x {p.n} x {p.k} {p.transpose}, {how}seed {p.seed}"
    addend = f" + C {p.c}" if p.c else ""
    yield "formats", f"A {p.a} * B {p.b}{addend} -> D {p.d}, scale 2^{p.scale}, overflow {p.overflow}"
    done = [
        f"rounded {p.rounding}" if p.rounding != "nearest_even" else "",
        f"+ row of {p.bias}" if p.bias else "",
        "+ D of the job before" if p.accumulate else "",
        "ReLU" if p.relu else "",
        f"mask of {p.mask}" if p.mask else "",
        f"chain rounded {p.chain_rounding}" if p.chain_rounding != "nearest_even" else "",
    ]
    if any(done):
        yield "write-back", ", ".join(filter(None, done))


def _convolution_facts(c: Convolution) -> Iterator[tuple[str, str]]:
    yield (
        "convolution",
        f"{c.images} x {c.height} x {c.width} x {c.channels} -> {c.filters}, kernel {c.kernel}, stride {c.stride}, "
        f"padding {c.padding}, dilation {c.dilation}, groups {c.groups}, seed {c.seed}",
    )
    yield "formats", f"X {c.activation}, W {c.weight}, dY {c.gradient} -> {c.result}, overflow {c.overflow}"
    if c.rounding != "nearest_even":
        yield "write-back", f"rounded {c.rounding}"


def _hardware(job: Buildable) -> str:
    accelerator = job.accelerator
    array = f"array of {accelerator.rows} x {accelerator.columns}" if accelerator.enabled else "no accelerator"
    return f"VexRiscv {job.soc.cpu}, {array}, {job.soc.memory.upper()}"


def _time_facts(result: Result | TrainResult) -> Iterator[tuple[str, str]]:
    seconds = result.seconds
    spent = [(name, getattr(seconds, name)) for name in ("build", "load", "run", "golden", "total")]
    if known := [f"{name} {value:.1f} s" for name, value in spent if value is not None]:
        yield "time", ", ".join(known)
    if seconds.simulated_cycles_per_second:
        yield "speed", f"{seconds.simulated_cycles_per_second / 1e6:.2f} million cycles simulated a second"


def _kernel_table(result: Result, console: Console) -> Table:
    totals = result.totals
    size, unit = energy_unit(max((k.energy_pj["total"] for k in result.kernels if k.energy_pj), default=0.0), console)
    room = result.energy is None or console.width >= _WIDE

    in_instructions = _in_instructions(result)
    step = _instructions(result.kernels) if in_instructions else totals.cycles
    products = _instructions(k for k in result.kernels if k.macs) if in_instructions else result.products.cycles

    def share(spent: int | None) -> str:
        if not spent or not step:
            return ""
        return f"{bar(spent / step, console, 4) + ' ' if room else ''}{spent / step:5.1%}"

    def energy(of: KernelResult | Totals) -> str:
        known = of.energy_pj if isinstance(of, Totals) else of.energy_pj and of.energy_pj["total"]
        return amount(known / size, 2) if known else ""

    def total(name: str, of: Totals, spent: int | None, equal: str = "") -> tuple[str, ...]:
        costs = (ratio(of.macs_per_cycle), percent(of.utilization))
        part = share(spent) if of is not totals else ""
        return name, count(spent), part, count(of.macs), *costs, energy(of), equal

    spent_in = "instructions" if in_instructions else "cycles"
    return table(
        ("kernel", spent_in, "share", "MACs", "a cycle", "array", unit, "exact"),
        [
            (
                kernel.name,
                count(kernel.instructions if in_instructions else kernel.cycles),
                share(kernel.instructions if in_instructions else kernel.cycles),
                count(kernel.macs or None),
                ratio(kernel.macs_per_cycle),
                percent(kernel.utilization(result.elements)),
                energy(kernel),
                yes(kernel.bit_exact),
            )
            for kernel in result.kernels
        ],
        footer=[
            total("matrix products", result.products, products),
            total("step", totals, step, yes(result.bit_exact)),
        ],
        wrong=[kernel.bit_exact is False for kernel in result.kernels],
    )


def _in_instructions(result: Result) -> bool:
    """Whether the target counted instructions and no cycles."""
    return any(k.instructions for k in result.kernels) and not any(k.cycles for k in result.kernels)


def _instructions(kernels: Iterable[KernelResult]) -> int:
    return sum(kernel.instructions or 0 for kernel in kernels)


def _job_table(result: Result) -> Table:
    """Each job by the accelerator's own counters, and their sums."""

    def row(name: str, job: AcceleratorCounters | None, *cells: str) -> tuple[str, ...]:
        waits = (job.busy, job.wait_a, job.wait_b, job.wait_store, job.dma_beats, job.bus_wait) if job else (None,) * 6
        cycles, predicted, utilization, equal = cells
        return (name, cycles, predicted, utilization, *map(count, waits), equal)

    totals = result.totals
    return table(
        ("job", "cycles", "predicted", "array", "busy", "wait A", "B", "store", "beats", "bus", "exact"),
        [
            row(
                kernel.name,
                kernel.accelerator,
                count(kernel.accelerator.cycles if kernel.accelerator else kernel.cycles),
                count(kernel.predicted_cycles),
                percent(kernel.utilization(result.elements), 1),
                yes(kernel.bit_exact),
            )
            for kernel in result.kernels
        ],
        footer=[
            row(
                "total",
                totals.accelerator,
                count(totals.accelerator.cycles if totals.accelerator else totals.cycles),
                count(totals.predicted_cycles),
                percent(totals.utilization, 1),
                yes(result.bit_exact),
            )
        ],
        wrong=[kernel.bit_exact is False for kernel in result.kernels],
    )


def _curve(steps: Sequence[Step], console: Console) -> Table:
    shown = min(_STEPS_SHOWN, len(steps))
    chosen = [steps[round(i * (len(steps) - 1) / max(shown - 1, 1))] for i in range(shown)]
    top = max((step.loss for step in steps), default=0.0)
    return table(
        ("step", "loss", "", "accuracy", "cycles", "exact"),
        [
            (
                str(step.step),
                f"{step.loss:.4f}",
                bar(step.loss / top, console, 24) if top > 0 else "",
                percent(step.accuracy),
                count(step.cycles),
                yes(step.bit_exact),
            )
            for step in chosen
        ],
        wrong=[step.bit_exact is False for step in chosen],
        left=(2,),
    )


def _show_mismatches(mismatches: Sequence[Mismatch], console: Console) -> None:
    for mismatch in mismatches[:_MISMATCHES_SHOWN]:
        console.print()
        console.print(f"kernel {mismatch.kernel} (number {mismatch.kernel_index})", style="red", highlight=False)
        console.print(
            facts(
                ("  tensor", f"{mismatch.tensor}, {mismatch.format}"),
                ("  differ", f"{mismatch.different:,} of {mismatch.elements:,} elements"),
                ("  first", f"[{', '.join(map(str, mismatch.index))}]".replace("[", r"\[")),
                ("  expected", _number(mismatch.expected)),
                ("  actual", _number(mismatch.actual)),
            )
        )
    if (rest := len(mismatches) - _MISMATCHES_SHOWN) > 0:
        console.print(f"\nand {rest} more tensors: all are in result.json", highlight=False)


def _show_directory(result: Result | TrainResult, console: Console) -> None:
    if result.directory:
        console.print(f"\nrecorded in {result.directory}", highlight=False, soft_wrap=True)


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _number(number: Number) -> str:
    return f"code {number.code:#x}, value {number.value!r}"
