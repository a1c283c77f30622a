"""The page's figures: charts, what they say of this run, and how that was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import altair as alt

from pyhost.errors import JobError
from pyhost.profile.activity import Activity
from pyhost.profile.result import Energy, KernelResult, MemoryRegion, Result, Step, TrainResult
from pyhost.profile.roofline import Point, Roofline
from pyhost.profile.tensors import TensorProfile
from pyhost.profile.timeline import Timed, estimated_jobs, recorded_jobs, timed_kernels
from pyhost.report.html import charts
from pyhost.report.html.words import COUNTERS, ENERGY, REGIONS, kind
from pyhost.report.units import energy, interval, scaled, share, size

__all__ = [
    "Figure",
    "curves",
    "energy_by_kernel",
    "energy_by_part",
    "exponent_map",
    "kinds",
    "memory_map",
    "part_name",
    "products",
    "region_name",
    "roofline_figure",
    "timeline",
]

_ROWS_SHOWN = 48
"""Most rows of a chart; the tables have all."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """says: what the charts show of this run. how: how it was measured. legend: what colours mean.

    brush: the first chart chooses what the second shows.
    """

    name: str
    title: str
    says: str
    how: str
    charts: tuple[alt.TopLevelMixin, ...]
    legend: Mapping[str, str] = field(default_factory=dict)
    brush: bool = False


def kinds(result: Result) -> Figure | None:
    """Cycles by kind of kernel; None where they are unknown or of one kind."""
    cycles: Counter[str] = Counter()
    for kernel in result.kernels:
        cycles[kernel.kind] += kernel.cycles or 0
    whole = result.totals.cycles
    if not whole or len(cycles) < 2 or not any(cycles.values()):
        return None
    named = {name: count for name, count in cycles.most_common() if count}
    rest = whole - sum(named.values())
    rows = [
        {
            "name": kind(name),
            "value": count,
            "label": f"{count:,}, {share(count, whole)}",
            "colour": "var(--c1)" if name == "gemm" else "var(--c0)",
        }
        for name, count in named.items()
    ]
    if rest > 0:
        rows.append(
            {
                "name": "between kernels",
                "value": rest,
                "label": f"{rest:,}, {share(rest, whole)}",
                "colour": "var(--c0)",
            }
        )
    first, *_ = named
    says = f"Most of the step's cycles go to {kind(first)}: {share(named[first], whole)}."
    if "gemm" in named and first != "gemm":
        says += f" The matrix products, all its multiply-adds, take {share(named['gemm'], whole)}."
    return Figure(
        name="cycles",
        title="Where the cycles go",
        says=says,
        how="Cycles of the SoC's clock by its own 64-bit counter, read by the firmware around each kernel.",
        charts=(charts.bars(rows, description="Cycles by kind of kernel"),),
    )


def _placed(kernels: list[Timed]) -> list[Timed]:
    """The jobs, or none where it cannot be told when they ran: the first of a queue may begin before its kernel."""
    try:
        return estimated_jobs(kernels)
    except JobError:
        return []


def timeline(result: Result, activity: Activity | None) -> Figure | None:
    """Kernels and the accelerator's jobs in time, exact where there is a recording; None where cycles are unknown."""
    if not result.kernels or any(kernel.cycles is None for kernel in result.kernels):
        return None
    kernels = timed_kernels(result.kernels)
    jobs = recorded_jobs(kernels, activity) if activity else _placed(kernels)
    many = len(kernels) > _ROWS_SHOWN

    def span(each: Timed, part: str) -> dict[str, Any]:
        row = kind(each.kernel.kind) if many else each.kernel.name
        label = f"{each.kernel.name}: {each.cycles:,} cycles from {each.start:,}"
        return {"name": row, "start": each.start, "end": each.end, "part": part, "label": label}

    spans = [
        span(each, "kernel in firmware" if each.kernel.accelerator is None else "product, firmware around its job")
        for each in kernels
    ]
    parts = {"kernel in firmware": "var(--c0)"} if any(k.kernel.accelerator is None for k in kernels) else {}
    says = f"{len(kernels):,} kernels, one after the other."
    if jobs:
        parts |= {"product, firmware around its job": "var(--c4)", "job of the accelerator": "var(--c1)"}
        says += f" The accelerator is at work in {share(sum(job.cycles for job in jobs), kernels[-1].end)} of the time."
    how = "When kernels begin, and how long they take, is counted by the SoC's clock. "
    if jobs:
        how += (
            "When jobs ran was recorded cycle by cycle."
            if activity
            else "Jobs last as long as the accelerator counted, and are drawn as if they ended with their kernels."
        )
    return Figure(
        name="timeline",
        title="Timeline",
        says=f"{says} Drag over the strip to look at a stretch; a double click shows all.",
        how=how,
        charts=(
            charts.strip(spans, parts=parts, description="The whole run, to choose a stretch from"),
            charts.waterfall(
                spans,
                [span(job, "job of the accelerator") for job in jobs],
                end=kernels[-1].end,
                rows=len({each["name"] for each in spans}),
                parts=parts,
                description="Kernels in time",
            ),
        ),
        legend=parts,
        brush=True,
    )


def _longest(kernels: Iterable[KernelResult]) -> list[KernelResult]:
    """Those that take most cycles, in the order of the plan."""
    by_cycles = sorted(kernels, key=lambda kernel: kernel.cycles or 0, reverse=True)
    return sorted(by_cycles[:_ROWS_SHOWN], key=lambda kernel: kernel.index)


def _cut(shown: int, all_of_them: int, what: str) -> str:
    return f" The {shown} longest of {all_of_them:,} {what} are shown." if shown < all_of_them else ""


def products(result: Result) -> Figure | None:
    """What the cycles of products on the accelerator were; None where there was none."""
    every = [kernel for kernel in result.kernels if kernel.accelerator]
    totals = result.totals.accelerator
    if not every or totals is None or not totals.cycles:
        return None
    shown = _longest(every)
    rows = []
    for kernel in shown:
        job = kernel.accelerator
        assert job is not None
        counts = [job.busy, job.wait_a, job.wait_b, job.wait_store]
        if kernel.cycles is not None:
            counts.append(max(0, kernel.cycles - job.cycles))
        for order, (part, count) in enumerate(zip(COUNTERS, counts, strict=False)):
            label = f"{count:,} cycles"
            rows.append({"name": kernel.name, "part": part, "value": count, "order": order, "label": label})
    waits = {"A": totals.wait_a, "B": totals.wait_b, "the store": totals.wait_store}
    worst = max(waits, key=lambda name: waits[name])
    says = f"While jobs ran, the array multiplied in {share(totals.busy, totals.cycles)} of the cycles"
    if waits[worst]:
        says += f"; mostly it waited for {worst}, {share(waits[worst], totals.cycles)}"
    return Figure(
        name="waits",
        title="Inside the matrix products",
        says=f"{says}.{_cut(len(shown), len(every), 'products')}",
        how="By the accelerator's own counters, job by job. Around the job is what the firmware took to submit it and "
        "to see it done; nothing, where that hid behind the job before.",
        charts=(
            charts.stacks(rows, parts=COUNTERS, title="cycles", description="Cycles of each product", names=len(shown)),
        ),
        legend=COUNTERS,
    )


def roofline_figure(result: Result, roofs: Roofline | None) -> Figure | None:
    """Products under the roofs of array and port, and the whole step where it is more than products."""
    if roofs is None:
        return None
    merged: dict[tuple[float, float], list[Point]] = {}
    for point in roofs.points:
        merged.setdefault((point.intensity, point.performance), []).append(point)
    rows: list[dict[str, Any]] = []
    for (intensity, performance), points in sorted(merged.items()):
        rows.append(
            {
                "name": ", ".join(point.name for point in points[:4]) + (", …" if len(points) > 4 else ""),
                "label": _numbers([point.index for point in points]),
                "intensity": intensity,
                "performance": performance,
                "part": "product, while its job ran",
                "at": f"{performance:.3g} of {roofs.roof(intensity):.3g} MACs a cycle, {intensity:.3g} MACs a byte",
            }
        )
    step = result.totals.macs_per_cycle
    if step and result.products.cycles != result.totals.cycles:
        traffic = sum(point.traffic for point in roofs.points)
        intensity = sum(point.macs for point in roofs.points) / traffic
        rows.append(
            {
                "name": "the whole run",
                "label": "all",
                "intensity": intensity,
                "performance": step,
                "part": "the whole run, firmware included",
                "at": f"{step:.3g} MACs a cycle",
            }
        )
    low = min([row["intensity"] for row in rows] + [roofs.ridge]) / 2
    high = max([row["intensity"] for row in rows] + [roofs.ridge]) * 4
    line = [
        {"intensity": low, "performance": roofs.roof(low), "label": f"port: {roofs.bandwidth} bytes a cycle"},
        {"intensity": roofs.ridge, "performance": float(roofs.peak)},
        {"intensity": high, "performance": float(roofs.peak), "label": f"array: {roofs.peak} a cycle"},
    ]
    best = max(roofs.points, key=lambda point: point.performance / roofs.roof(point.intensity))
    worst = min(roofs.points, key=lambda point: point.performance / roofs.roof(point.intensity))
    says = f"{best.name} reaches {share(best.performance, roofs.roof(best.intensity))} of what array and port allow"
    if worst is not best:
        says += f", {worst.name} {share(worst.performance, roofs.roof(worst.intensity))}"
    colours = {"product, while its job ran": "var(--c1)"}
    if rows[-1]["label"] == "all":
        colours["the whole run, firmware included"] = "var(--c6)"
    return Figure(
        name="roofline",
        title="Roofline",
        says=f"{says}. Numbers are those of the table below.",
        how=f"The flat roof is the array, {roofs.peak} multiply-adds a cycle; the slope is the accelerator's port, "
        f"{roofs.bandwidth} bytes a cycle. Traffic is the words that a job moved through the port; what was loaded "
        "during the job before counts too.",
        charts=(
            charts.roof(
                line,
                rows,
                bottom=min(roofs.roof(low), *(row["performance"] for row in rows)) / 2,
                colours=colours,
                description="Multiply-adds a cycle over multiply-adds a byte",
            ),
        ),
        legend=colours,
    )


def _numbers(indices: list[int]) -> str:
    return str(indices[0]) if len(indices) == 1 else f"{indices[0]}–{indices[-1]}"


def energy_by_part(estimate: Energy) -> Figure:
    """Energy by part, with its interval."""
    unit, unit_name = scaled(max((part.high for part in estimate.parts), default=estimate.high_pj))
    parts = sorted(estimate.parts, key=lambda part: part.picojoules, reverse=True)
    rows = [
        {
            "name": part_name(part.name),
            "value": part.picojoules / unit,
            "low": part.low / unit,
            "high": part.high / unit,
            "colour": ENERGY.get(part.name, ("", "var(--c0)"))[1],
            "estimate": energy(part.picojoules),
            "interval": interval((part.low, part.high)),
        }
        for part in parts
    ]
    says = f"{energy(estimate.total_pj)} in all ({interval((estimate.low_pj, estimate.high_pj))})."
    if parts:
        says += f" The largest part is {part_name(parts[0].name)}, {share(parts[0].picojoules, estimate.total_pj)}."
    return Figure(
        name="energy",
        title="Where the energy goes",
        says=says,
        how=f"An estimate for {estimate.technology}, {estimate.node_nm:g} nm, {estimate.voltage:g} V, "
        f"{estimate.clock_mhz:g} MHz, from the run's counts times energies of circuits and memories. Lines are the "
        "lowest and highest value that the sources allow.",
        charts=(charts.intervals(rows, title=unit_name, description="Energy by part, with intervals"),),
    )


def part_name(name: str) -> str:
    """What a part of the energy is called."""
    return ENERGY.get(name, (name.replace("_", " "), ""))[0]


def energy_by_kernel(result: Result) -> Figure | None:
    """Energy of each kernel by part; None where it is unknown."""
    known = [kernel for kernel in result.kernels if kernel.energy_pj]
    if not known:
        return None
    by_energy = sorted(known, key=lambda kernel: (kernel.energy_pj or {}).get("total", 0.0), reverse=True)
    shown = sorted(by_energy[:_ROWS_SHOWN], key=lambda kernel: kernel.index)
    unit, unit_name = scaled(max((kernel.energy_pj or {}).get("total", 0.0) for kernel in known))
    order = {name: number for number, name in enumerate(ENERGY)}
    rows = [
        {
            "name": kernel.name,
            "part": part_name(part),
            "value": picojoules / unit,
            "order": order.get(part, len(order)),
            "label": energy(picojoules),
        }
        for kernel in shown
        for part, picojoules in (kernel.energy_pj or {}).items()
        if part != "total"
    ]
    drawn = {row["part"] for row in rows}
    parts = {name: colour for name, colour in ENERGY.values() if name in drawn}
    most = by_energy[0]
    total = sum((kernel.energy_pj or {}).get("total", 0.0) for kernel in known)
    spent = (most.energy_pj or {}).get("total", 0.0)
    return Figure(
        name="energy-kernels",
        title="Energy, kernel by kernel",
        says=f"{most.name} takes most, {energy(spent)}, {share(spent, total)}."
        + _cut(len(shown), len(known), "kernels"),
        how="The same counts and energies, for each kernel alone.",
        charts=(charts.stacks(rows, parts=parts, title=unit_name, description="Energy of kernels", names=len(shown)),),
        legend=parts,
    )


def exponent_map(profiles: tuple[TensorProfile, ...]) -> Figure | None:
    """Which exponents tensors use, against those that their formats have."""
    shown = [profile for profile in profiles if profile.exponents][:_ROWS_SHOWN]
    if not shown:
        return None
    first = min(min(profile.exponents) for profile in shown) - 2
    last = max(max(profile.exponents) for profile in shown) + 2
    formats = dict.fromkeys(profile.format for profile in shown)
    palette = ["var(--c1)", "var(--c2)", "var(--c3)", "var(--c5)", "var(--c6)", "var(--c4)", "var(--c0)"]
    colours = {name: palette[min(number, len(palette) - 1)] for number, name in enumerate(formats)}
    rows = [
        {
            "name": profile.name,
            "format": profile.format,
            "low": exponent,
            "high": exponent + 1,
            "share": count / profile.elements,
            "exponent": f"2^{exponent}",
            "label": f"{count:,} of {profile.elements:,} elements, {share(count, profile.elements)}",
        }
        for profile in shown
        for exponent, count in profile.exponents.items()
    ]
    spans = [
        {"name": profile.name, "format": profile.format, "low": profile.span[0], "high": profile.span[1] + 1}
        for profile in shown
    ]
    return Figure(
        name="formats",
        title="Formats and what they cost",
        says=_worst(profiles),
        how="Darker squares hold more of a tensor's elements; behind them are the exponents that its format has, "
        "subnormals included. Zeros, infinities and NaN have no exponent and stand in the table.",
        charts=(
            charts.exponents(
                rows, spans, first=first, last=last, colours=colours, description="Exponents used, by tensor"
            ),
        ),
        legend=colours,
    )


def _worst(profiles: Iterable[TensorProfile]) -> str:
    known = [
        (error, profile)
        for profile in profiles
        if profile.error is not None and (error := profile.error.relative_rms) is not None
    ]
    if not known:
        return "Which exponents each tensor uses, of those that its format has."
    error, profile = max(known, key=lambda pair: pair[0])
    lost = sum(p.error.underflowed for _, p in known if p.error)
    beyond = sum(p.error.saturated for _, p in known if p.error)
    return (
        f"Rounding cost most in {profile.name}: {100 * error:.2g} % relative rms error in {profile.format}. In all "
        f"tensors together {beyond or 'no'} value{'' if beyond == 1 else 's'} lay beyond the largest of the format, "
        f"and {lost or 'none'} became zero."
    )


def memory_map(result: Result | TrainResult) -> Figure | None:
    """What takes how much of main memory; None where that was not recorded."""
    if not result.memory:
        return None
    sizes: Counter[str] = Counter()
    for region in result.memory:
        sizes[_region_kind(region)] += region.size
    rows = [
        {"part": label, "value": sizes[name] / 1024, "order": order, "label": size(sizes[name])}
        for order, (name, (label, _)) in enumerate(REGIONS.items())
        if sizes[name]
    ]
    parts = {label: colour for name, (label, colour) in REGIONS.items() if sizes[name]}
    used = max(region.address + region.size for region in result.memory) - min(r.address for r in result.memory)
    whole = result.job.soc.main_ram
    largest = max(result.memory, key=lambda region: region.size)
    return Figure(
        name="memory",
        title="Memory map",
        says=f"{size(used)} of {size(whole)} of main memory are in use; the largest piece is {largest.name}, "
        f"{size(largest.size)}.",
        how="Where the host put firmware, plan and tensors before the step; tensors begin at multiples of 64 bytes.",
        charts=(charts.area_strip(rows, parts=parts, title="KiB", description="Main memory in use, by content"),),
        legend=parts,
    )


def _region_kind(region: MemoryRegion) -> str:
    """Gradients are tensors of their own kind."""
    return "gradient" if region.kind == "tensor" and region.name.endswith(".gradient") else region.kind


def region_name(region: MemoryRegion) -> str:
    """What a region holds."""
    return REGIONS[_region_kind(region)][0]


def curves(steps: tuple[Step, ...]) -> Figure | None:
    """Loss and accuracy by step."""
    if not steps:
        return None

    def rows(values: Iterable[tuple[Step, float]], write: str) -> Iterator[Mapping[str, Any]]:
        for step, value in values:
            yield {"step": step.step, "value": value, "label": format(value, write), "wrong": step.bit_exact is False}

    losses = list(rows(((step, step.loss) for step in steps), ".4g"))
    drawn = [charts.curve(losses, title="loss", axis_format="~g", zero=True, description="Loss by step")]
    known = [(step, step.accuracy) for step in steps if step.accuracy is not None]
    if known:
        accuracies = list(rows(known, ".0%"))
        drawn.append(
            charts.curve(accuracies, title="accuracy", axis_format="~%", zero=True, description="Accuracy by step")
        )
    first, last = steps[0], steps[-1]
    return Figure(
        name="curves",
        title="Loss and accuracy",
        says=f"From a loss of {first.loss:.4g} in step {first.step} to {last.loss:.4g} in step {last.step}.",
        how="Mean loss, and share of right answers, of each step's own batch before its update.",
        charts=tuple(drawn),
    )
