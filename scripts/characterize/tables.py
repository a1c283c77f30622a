"""A circuit library as tables in Markdown."""

from collections.abc import Iterator, Sequence

from pyhost.energy.circuits import ACTIVITIES, Activity, Circuits

__all__ = ["circuit_table", "mac_table", "markdown"]

DECODED = 1 / 4
"""Operands that are decoded for a multiply-add in an array of 8 x 8: 16 of them for 64."""


def markdown(circuits: Circuits) -> str:
    """What was measured where, the multiply-adds, and all circuits."""
    node = "" if circuits.node_nm is None else f", {circuits.node_nm:g} nm"
    conditions = f"{circuits.technology}{node}, {circuits.voltage:g} V, {circuits.temperature:g} °C, {circuits.corner}"
    tools = ", ".join(f"{name} {version}" for name, version in circuits.tools.items())
    cells = f"{circuits.liberty.file} (sha256 {circuits.liberty.sha256[:12]}…)"
    head = f"{conditions}; {cells}; {tools}; {circuits.date}; seed {circuits.seed}; wires: {circuits.wire_model}"
    return "\n".join([head, "", *mac_table(circuits), "", *circuit_table(circuits)])


def mac_table(circuits: Circuits) -> list[str]:
    """pJ of a multiply-add: multiply, accumulate and a quarter of decode, or a unit that does all of it."""
    reference = circuits.find("fma", "e8m23", "e8m23")
    base = reference.energy_pj.get("forward") if reference is not None else None
    rows = []
    for circuit in circuits.circuits:
        if circuit.unit == "accumulate":
            parts = (circuits.find("multiply", circuit.formats), circuits.find("decode", circuit.formats))
            if None in parts:
                continue
            multiply, decode = parts
            weighted = [(circuit, 1.0), (multiply, 1.0), (decode, DECODED)]
            name, accumulator = "+".join(circuit.formats), circuit.accumulator
        elif circuit.unit in ("fma", "int8_mac"):
            weighted = [(circuit, 1.0)]
            name = f"{circuit.formats[0]}, fused multiply-add" if circuit.formats else "int8"
            accumulator = circuit.accumulator or "int32"
        else:
            continue
        sums = {
            activity: [sum(w * getattr(c.activities[activity], field) for c, w in weighted) for field in _FIELDS]
            for activity in ACTIVITIES
            if all(activity in c.activities for c, _ in weighted)
        }
        energy = [_number(sums[a][0]) if a in sums else "" for a in ACTIVITIES]
        ratio = f"{sums['forward'][0] / base:.2f}" if base and "forward" in sums else ""
        glitches = [_share(1 - sums[a][1] / sums[a][0]) if a in sums else "" for a in ("forward", "uniform")]
        area = sum(w * c.area_um2 for c, w in weighted)
        rows.append([name, accumulator, *energy, ratio, *glitches, f"{area:,.0f}"])
    names = [activity.replace("_", " ") for activity in ACTIVITIES]
    columns = ["operands", "accumulator", *(f"{name}, pJ" for name in names), "of binary32"]
    columns += ["glitches, forward", "glitches, uniform", "area, um2"]
    return list(_table(columns, rows, 2))


def circuit_table(circuits: Circuits) -> list[str]:
    """All circuits."""
    columns = ["unit", "formats", "accumulator", "cells", "flip-flops", "area, um2", "delay, ns", "leakage, nW"]
    columns += [*(f"{activity.replace('_', ' ')}, pJ" for activity in ACTIVITIES), "clock, pJ", "glitches, uniform"]
    rows = []
    for c in circuits.circuits:
        energy = [_mean(c.activities.get(activity)) for activity in ACTIVITIES]
        last = c.activities.get("uniform")
        share = _share(last.glitch_share) if last else ""
        counts = [f"{c.cells:,}", f"{c.flip_flops:,}", f"{c.area_um2:,.0f}", f"{c.delay_ns:.2f}", f"{c.leakage_nw:.0f}"]
        clock = _number(last.clock_pj) if last else ""
        rows.append([c.unit, "+".join(c.formats), c.accumulator or "", *counts, *energy, clock, share])
    return list(_table(columns, rows, 3))


_FIELDS = ("energy_pj", "glitch_free_pj")


def _mean(activity: Activity | None) -> str:
    if activity is None:
        return ""
    return f"{_number(activity.energy_pj)} ± {float(f'{activity.standard_error_pj:.1g}'):g}"


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _share(value: float) -> str:
    return f"{value:.0%}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> Iterator[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "|---" * words + "|--:" * (len(columns) - words) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
