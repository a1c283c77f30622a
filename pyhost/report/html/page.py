"""The page: its sections and tables, put into the template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel

from pyhost.job import ConvolutionJob, GemmJob, Job
from pyhost.profile.result import Mismatch, Number, Result, Seconds, Step, TrainResult, speedups
from pyhost.profile.roofline import Roofline, roofline
from pyhost.profile.tensors import TensorProfile
from pyhost.report.html import figures
from pyhost.report.html.evidence import Evidence
from pyhost.report.html.figures import Figure
from pyhost.report.html.grid import Cell, Column, Grid, numbers, texts
from pyhost.report.html.runtime import compile_chart
from pyhost.report.tables import count, percent, ratio, yes
from pyhost.report.units import address, energy, interval, share, size

__all__ = ["render"]

_MISMATCHES_SHOWN = 12


@dataclass(frozen=True)
class Tile:
    """A figure of the headline, with a remark."""

    name: str
    value: str
    remark: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page: figures, tables, and sentences for what is missing. folded: tables start closed."""

    name: str
    title: str
    figures: tuple[Figure, ...] = ()
    grids: tuple[Grid, ...] = ()
    notes: tuple[str, ...] = ()
    folded: bool = False


def render(result: Result | TrainResult, evidence: Evidence, vega: str) -> str:
    """The page of a result as HTML. vega: the script that draws its charts."""
    sections = list(
        _train_sections(result, evidence) if isinstance(result, TrainResult) else _sections(result, evidence)
    )
    environment = Environment(
        loader=PackageLoader("pyhost.report.html", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawn = {
        f"{figure.name}-{number}": compile_chart(chart)
        for section in sections
        for figure in section.figures
        for number, chart in enumerate(figure.charts)
    }
    here = Path(__file__).parent
    return environment.get_template("report.html").render(
        title=_title(result),
        subject=_subject(result),
        recorded=result.directory.resolve().name if result.directory else None,
        verdict=_verdict(result),
        tiles=list(_train_tiles(result) if isinstance(result, TrainResult) else _tiles(result)),
        sections=sections,
        configuration=list(_configuration(result)),
        version=result.floatsoc_version,
        charts=drawn,
        style=(here / "report.css").read_text(encoding="utf-8"),
        script=(here / "report.js").read_text(encoding="utf-8"),
        vega=vega if drawn else "",
    )


def _title(result: Result | TrainResult) -> str:
    match result.job:
        case GemmJob(product=p):
            return f"Matrix product, {_shape((p.m, p.n, p.k))}"
        case ConvolutionJob(convolution=c):
            return f"Convolution, {_shape((c.images, c.height, c.width, c.channels))} to {c.filters}"
        case Job():
            what = f"{len(result.steps):,} training steps" if isinstance(result, TrainResult) else "One training step"
            return f"{what} of {result.job.network.model}"


def _subject(result: Result | TrainResult) -> str:
    job, accelerator = result.job, result.job.accelerator
    match job:
        case GemmJob(product=p):
            parts = [f"A {p.a}, B {p.b}, D {p.d}", f"{p.jobs} queued" if p.jobs > 1 else ""]
            parts.append("operands resident" if p.resident else "")
        case ConvolutionJob(convolution=c):
            parts = [f"kernel {c.kernel}, stride {c.stride}", f"X {c.activation}, W {c.weight}, dY {c.gradient}"]
        case Job():
            f = job.formats
            parts = [f"batch of {job.network.batch} from {job.training.data}"]
            parts.append(f"activations {f.activation}, weights {f.weight}, gradients {f.gradient}")
    accumulator = accelerator.accumulator
    if result.target == "golden":
        parts.append("the golden model alone, without hardware")
    elif accelerator.enabled:
        parts.append(f"array of {_shape((accelerator.rows, accelerator.columns))}")
        parts.append("exact accumulation" if accumulator == "exact" else f"accumulation in a chain of {accumulator}")
        parts.append(f"VexRiscv {job.soc.cpu}, {job.soc.memory.upper()}")
    else:
        parts.append(f"firmware alone on VexRiscv {job.soc.cpu}, {job.soc.memory.upper()}")
    return " · ".join(filter(None, parts))


def _verdict(result: Result | TrainResult) -> tuple[str, str, str]:
    """(class, words, sentence)."""
    if isinstance(result, TrainResult):
        compared = sum(step.bit_exact is not None for step in result.steps)
        what = f"{compared:,} of {len(result.steps):,} steps were compared with the golden model"
    else:
        compared = sum(kernel.bit_exact is not None for kernel in result.kernels)
        what = f"{compared:,} kernels were compared with the golden model"
    match result.bit_exact:
        case True:
            return "good", "Exact", f"{what}: every bit of every output is equal."
        case False:
            wrong = len(result.mismatches)
            return "bad", "Not equal", f"{what}; {wrong:,} {'tensor differs' if wrong == 1 else 'tensors differ'}."
    return "unknown", "Not compared", "Nothing was compared with the golden model."


def _shape(extents: Iterable[int]) -> str:
    """Extents that stay on one line."""
    return "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}".join(map(str, extents))


def _tiles(result: Result) -> Iterator[Tile]:
    totals = result.totals
    if totals.cycles:
        seconds = ""
        if result.energy:
            seconds = (
                f"{totals.cycles / result.energy.clock_mhz / 1e3:.3g} ms at an assumed {result.energy.clock_mhz:g} MHz"
            )
        yield Tile("cycles", f"{totals.cycles:,}", seconds)
    elif totals.predicted_cycles:
        yield Tile("cycles predicted", f"{totals.predicted_cycles:,}", "of the accelerator's jobs")
    if totals.macs:
        yield Tile("multiply-adds", f"{totals.macs:,}")
    if totals.macs_per_cycle:
        of_all = f"of {result.elements} possible" if result.elements else ""
        yield Tile("a cycle", ratio(totals.macs_per_cycle), of_all)
    if totals.utilization is not None:
        yield Tile("array at work", percent(totals.utilization), "while a job ran")
    if totals.energy_pj is not None:
        remark = f"{interval(totals.energy_interval_pj)}" if totals.energy_interval_pj else ""
        yield Tile("energy", energy(totals.energy_pj), remark)
        if totals.macs:
            yield Tile("a multiply-add", energy(totals.energy_pj / totals.macs), "of the run's energy")
    if result.loss is not None:
        yield Tile("loss", f"{result.loss:.4g}", "before the update")
    if result.baseline and result.baseline.totals.cycles and totals.cycles:
        factor = result.baseline.totals.cycles / totals.cycles
        yield Tile("speed-up", f"{factor:.3g} ×", "over firmware alone")


def _train_tiles(result: TrainResult) -> Iterator[Tile]:
    yield Tile("steps", f"{len(result.steps):,}")
    if result.steps:
        last = result.steps[-1]
        yield Tile("loss", f"{last.loss:.4g}", "of the last step")
        if last.accuracy is not None:
            yield Tile("accuracy", percent(last.accuracy), "of the last batch")
    cycles = [step.cycles for step in result.steps if step.cycles is not None]
    if cycles:
        yield Tile("cycles a step", f"{sum(cycles) // len(cycles):,}", "on average")


def _sections(result: Result, evidence: Evidence) -> Iterator[Section]:
    if result.mismatches:
        yield _mismatches(result.mismatches)
    kinds, times = figures.kinds(result), figures.timeline(result, evidence.activity)
    if drawn := tuple(filter(None, (kinds, times))):
        yield Section("time", "Time", drawn)
    roofs = roofline(result)
    drawn = tuple(filter(None, (figures.products(result), figures.roofline_figure(result, roofs))))
    if drawn:
        yield Section("products", "Matrix products", drawn, (_product_grid(result, roofs),))
    yield from _energy(result)
    yield Section("kernels", "Kernels", (), (_kernel_grid(result),), _kernel_notes(result))
    if result.baseline:
        yield _baseline(result, result.baseline)
    yield from _formats(evidence)
    yield from _memory(result)


def _train_sections(result: TrainResult, evidence: Evidence) -> Iterator[Section]:
    if result.mismatches:
        yield _mismatches(result.mismatches)
    figure = figures.curves(result.steps)
    grids = (_step_grid(result.steps),) if result.steps else ()
    yield Section("training", "Training", (figure,) if figure else (), grids, folded=len(result.steps) > 20)
    yield from _formats(evidence)
    yield from _memory(result)


def _mismatches(mismatches: tuple[Mismatch, ...]) -> Section:
    shown = mismatches[:_MISMATCHES_SHOWN]

    def number(of: Number) -> str:
        return f"{of.value:.9g} ({of.code:#x})"  # nine digits tell any two binary32 numbers apart

    grid = Grid.of(
        "Tensors that differ from the golden model, the first kernel first",
        texts("kernel", [m.kernel for m in shown]),
        texts("tensor", [m.tensor for m in shown]),
        texts("format", [m.format for m in shown]),
        numbers("differ", [m.different for m in shown], count, hint="elements that differ"),
        numbers("of", [m.elements for m in shown], count),
        texts("first at", [f"[{', '.join(map(str, m.index))}]" for m in shown]),
        texts("expected", [number(m.expected) for m in shown]),
        texts("actual", [number(m.actual) for m in shown]),
    )
    first = mismatches[0]
    notes = [f"{first.kernel} is the first kernel that went wrong; what follows may only have inherited it."]
    if len(mismatches) > len(shown):
        notes.append(f"The first {len(shown)} of {len(mismatches):,} tensors are shown; result.json has all.")
    return Section("mismatches", "What differs", (), (grid,), tuple(notes))


def _kernel_grid(result: Result) -> Grid:
    kernels, totals = result.kernels, result.totals
    energies = [None if k.energy_pj is None else k.energy_pj.get("total") for k in kernels]
    utilizations = [k.utilization(result.elements) if result.elements else None for k in kernels]
    shares = [None if k.cycles is None or not totals.cycles else k.cycles / totals.cycles for k in kernels]
    predictions = [k.predicted_cycles if totals.cycles is None else None for k in kernels]
    useful = "share of the array that did useful work while the job ran"
    every_interval = interval(totals.energy_interval_pj)
    return Grid.of(
        "Kernels of the plan; a click on a heading sorts",
        numbers("#", [k.index for k in kernels], str, hint="place in the plan"),
        texts("kernel", [k.name for k in kernels], footer="all"),
        texts("exact", [yes(k.bit_exact) for k in kernels], footer=yes(result.bit_exact)),
        numbers("cycles", [k.cycles for k in kernels], count, footer=count(totals.cycles), bar=True),
        numbers("predicted", predictions, count, hint="cycles of the job, by the golden cycle model", bar=True),
        numbers("share", shares, lambda value: share(value, 1)),
        numbers("energy", energies, energy, footer=energy(totals.energy_pj)),
        texts("low to high", [interval(k.energy_interval_pj) for k in kernels], footer=every_interval),
        numbers("MACs", [k.macs or None for k in kernels], count, footer=count(totals.macs or None)),
        numbers("a cycle", [k.macs_per_cycle for k in kernels], ratio, footer=ratio(totals.macs_per_cycle)),
        numbers("array", utilizations, percent, hint=useful, footer=percent(totals.utilization)),
        numbers("instructions", [k.instructions for k in kernels], count, hint="that the processor retired meanwhile"),
        texts("shape", [_shape(k.shape) for k in kernels], hint="m × n × k of a product, else of the output"),
        wrong=[k.bit_exact is False for k in kernels],
    )


def _kernel_notes(result: Result) -> tuple[str, ...]:
    if result.totals.cycles is None:
        told = "Without a SoC there are no cycles; predicted ones are those of the accelerator's jobs alone."
        priced = any(kernel.energy_pj for kernel in result.kernels)
        return (f"{told} Energies rest on them." if priced else told,)
    return ()


def _product_grid(result: Result, roofs: Roofline | None) -> Grid:
    kernels = [k for k in result.kernels if k.accelerator]
    jobs = [k.accelerator for k in kernels if k.accelerator]
    points = {point.index: point for point in roofs.points} if roofs else {}
    placed = [points.get(k.index) for k in kernels]
    return Grid.of(
        "The accelerator's counters, job by job",
        numbers("#", [k.index for k in kernels], str),
        texts("product", [k.name for k in kernels]),
        texts("m × n × k", [_shape(k.shape) for k in kernels]),
        numbers("cycles", [job.cycles for job in jobs], count, hint="of the job, as the accelerator counts", bar=True),
        numbers("predicted", [k.predicted_cycles for k in kernels], count, hint="by the golden cycle model"),
        numbers("busy", [job.busy for job in jobs], count, hint="cycles in which the array multiplied"),
        numbers("wait A", [job.wait_a for job in jobs], count),
        numbers("wait B", [job.wait_b for job in jobs], count),
        numbers("wait store", [job.wait_store for job in jobs], count),
        numbers("bus wait", [job.bus_wait or None for job in jobs], count, hint="the memory held a request up"),
        numbers(
            "traffic", [p.traffic if p else None for p in placed], size, hint="bytes through the accelerator's port"
        ),
        numbers("MACs a byte", [p.intensity if p else None for p in placed], ratio),
        numbers("MACs a cycle", [p.performance if p else None for p in placed], ratio),
        numbers(
            "of its roof",
            [p.performance / roofs.roof(p.intensity) if p and roofs else None for p in placed],
            lambda value: share(value, 1),
        ),
        texts(
            "limit",
            ["" if p is None or roofs is None else "array" if p.intensity >= roofs.ridge else "port" for p in placed],
            hint="which roof is lower there",
        ),
        wrong=[k.bit_exact is False for k in kernels],
    )


def _energy(result: Result) -> Iterator[Section]:
    estimate = result.energy
    if estimate is None:
        return
    parts = sorted(estimate.parts, key=lambda part: part.picojoules, reverse=True)
    grid = Grid.of(
        "Parts, what their figures assume and where they are from",
        texts("part", [figures.part_name(part.name) for part in parts], footer="all"),
        numbers("energy", [part.picojoules for part in parts], energy, bar=True, footer=energy(estimate.total_pj)),
        numbers("low", [part.low for part in parts], energy, footer=energy(estimate.low_pj)),
        numbers("high", [part.high for part in parts], energy, footer=energy(estimate.high_pj)),
        texts("the interval comes from", [part.assumption for part in parts]),
        texts("source", [part.source for part in parts]),
    )
    drawn = (figures.energy_by_part(estimate), figures.energy_by_kernel(result))
    yield Section("energy", "Energy", tuple(filter(None, drawn)), (grid,))


def _baseline(result: Result, baseline: Result) -> Section:
    rows = speedups(result, baseline)

    def factor(before: int | None, now: int | None) -> str:
        return _times(before / now) if before and now else ""

    grid = Grid.of(
        "The same job without the accelerator",
        texts("kernel", [row.name for row in rows], footer="all"),
        numbers("firmware alone", [row.baseline_cycles for row in rows], count, footer=count(baseline.totals.cycles)),
        numbers("with accelerator", [row.cycles for row in rows], count, footer=count(result.totals.cycles)),
        numbers(
            "speed-up",
            [row.factor for row in rows],
            _times,
            footer=factor(baseline.totals.cycles, result.totals.cycles),
        ),
    )
    verdict = {True: "It is exact, too.", False: "It is NOT equal to the golden model.", None: "It was not compared."}
    products = factor(baseline.products.cycles, result.products.cycles)
    said = f"The matrix products alone are {products} as fast. " if products else ""
    return Section("baseline", "Against firmware alone", (), (grid,), (said + verdict[baseline.bit_exact],))


def _times(factor: float) -> str:
    return f"{factor:,.1f} ×"


def _formats(evidence: Evidence) -> Iterator[Section]:
    profiles = evidence.tensors
    figure = figures.exponent_map(profiles)
    grids = (_tensor_grid(profiles),) if profiles else ()
    if grids or evidence.missing:
        yield Section("formats", "Formats", (figure,) if figure else (), grids, evidence.missing)


def _tensor_grid(profiles: tuple[TensorProfile, ...]) -> Grid:
    errors = [profile.error for profile in profiles]
    saturated = [error.saturated if error else None for error in errors]
    lost = [error.underflowed if error else None for error in errors]

    def of_all(values: list[int], title: str, hint: str) -> Column:
        """Shares of a tensor's elements; the column is left out where there are none at all."""
        cells = [
            Cell(
                share(value, profile.elements) if value else "0", value / profile.elements if profile.elements else 0.0
            )
            for value, profile in zip(values, profiles, strict=True)
        ]
        return Column(title, cells if any(values) else [Cell("")] * len(cells), hint=hint)

    return Grid.of(
        "Tensors, how they use their formats, and what rounding cost",
        texts("tensor", [p.name for p in profiles]),
        texts("format", [p.format for p in profiles]),
        texts("shape", [_shape(p.shape) for p in profiles]),
        of_all([p.zeros for p in profiles], "zeros", "of the tensor's elements"),
        of_all([p.subnormals for p in profiles], "subnormal", "smaller than the smallest normal value"),
        of_all([p.largest for p in profiles], "at largest", "of the format's largest magnitude"),
        of_all([p.infinite for p in profiles], "infinite", "of the tensor's elements"),
        of_all([p.nan for p in profiles], "NaN", "of the tensor's elements"),
        of_all([p.invalid for p in profiles], "no code", "what lies there is no code of the format"),
        texts(
            "exponents",
            [f"{min(p.exponents)} to {max(p.exponents)}".replace("-", "−") if p.exponents else "" for p in profiles],
            hint="floor(log2 |value|), smallest to largest",
        ),
        numbers("too large", saturated, count, hint="values beyond the format's largest before rounding"),
        numbers("became zero", lost, count, hint="values that were not zero before rounding"),
        numbers(
            "rms error",
            [error.relative_rms if error else None for error in errors],
            lambda value: f"{100 * value:.2g} %",
            hint="root of the sums of squares, of rounding errors over values",
        ),
    )


def _memory(result: Result | TrainResult) -> Iterator[Section]:
    figure = figures.memory_map(result)
    if figure is None or not result.memory:
        return
    regions = result.memory
    grid = Grid.of(
        "Main memory by address",
        numbers("address", [r.address for r in regions], address),
        texts("what", [r.name for r in regions]),
        texts("kind", [figures.region_name(r) for r in regions]),
        texts("format", [r.format or "" for r in regions]),
        texts("shape", [_shape(r.shape) if r.shape else "" for r in regions]),
        numbers("size", [r.size for r in regions], size, bar=True),
    )
    yield Section("memory", "Memory", (figure,), (grid,), folded=True)


def _step_grid(steps: tuple[Step, ...]) -> Grid:
    return Grid.of(
        "Steps",
        numbers("step", [step.step for step in steps], str),
        numbers("loss", [step.loss for step in steps], lambda value: f"{value:.4f}", bar=False),
        numbers("accuracy", [step.accuracy for step in steps], percent),
        numbers("cycles", [step.cycles for step in steps], count),
        texts("exact", [yes(step.bit_exact) for step in steps]),
        wrong=[step.bit_exact is False for step in steps],
    )


def _configuration(result: Result | TrainResult) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Tables of the job, versions and times: (title, pairs)."""
    for name, table in result.job:
        if isinstance(table, BaseModel):
            yield name, list(_pairs(table.model_dump(mode="json")))
    versions = {"floatsoc": result.floatsoc_version, **result.environment}
    yield "versions", [(name, value) for name, value in versions.items() if value is not None]
    if times := list(_times_on_host(result.seconds)):
        yield "time on the host", times


def _pairs(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, list):
            yield key, ", ".join(map(str, value))
        elif value is not None:
            yield key, str(value).lower() if isinstance(value, bool) else str(value)


def _times_on_host(seconds: Seconds) -> Iterator[tuple[str, str]]:
    for name in ("build", "load", "run", "golden", "total"):
        value = getattr(seconds, name)
        if value is not None:
            yield name, f"{value:.1f} s"
    if seconds.simulated_cycles_per_second:
        yield "speed", f"{seconds.simulated_cycles_per_second / 1e6:.2f} million cycles a second"
