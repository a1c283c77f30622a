"""Runs side by side in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pyhost.profile.compare import Comparison, Measure
from pyhost.report.tables import count, facts, percent, ratio, table, yes
from pyhost.report.units import energy, interval

__all__ = ["show_comparison"]

_RATIOS_BESIDE = 3
"""Most runs for which a kernel's row has cycles and ratios; with more, ratios alone."""


def show_comparison(comparison: Comparison, console: Console) -> None:
    """The runs by number, what differs between them, what they measured, and kernels."""
    numbers = [str(number) for number in range(1, len(comparison.runs) + 1)]
    console.print(facts(*((number, Path(run).name) for number, run in zip(numbers, comparison.runs, strict=True))))
    console.print()
    if comparison.differences:
        rows = [(each.key, *(value or "" for value in each.values)) for each in comparison.differences]
        console.print(table(("differs", *numbers), rows))
    else:
        console.print("jobs, target and versions are the same")
    console.print()
    verdicts = ("exact", *map(yes, comparison.bit_exact))
    measured = [verdicts, *((each.name, *_cells(each, console)) for each in comparison.measures)]
    console.print(table(("measured", *numbers), measured, wrong=[False in comparison.bit_exact]))
    if comparison.kernels:
        console.print()
        console.print(table(*_kernel_rows(comparison, numbers)))


def _cells(measure: Measure, console: Console) -> list[str]:
    """Each value, and below it what it is of the first run's; of energies also the interval."""
    unicode = console.encoding.lower().startswith("utf")
    cells = []
    for number, (value, part) in enumerate(zip(measure.values, measure.relative, strict=True)):
        lines = [_written(measure, value)]
        if measure.intervals and (known := measure.intervals[number]):
            lines.append(interval(known))
        if number and part is not None:
            lines.append(_times(part))
        cell = "\n".join(lines)
        cells.append(cell if unicode else cell.replace("\N{NO-BREAK SPACE}", " ").replace("µ", "u"))
    return cells


def _written(measure: Measure, value: float | None) -> str:
    if value is None:
        return ""
    match measure.name, measure.unit:
        case (("utilisation" | "last accuracy"), _):
            return percent(value, 1)
        case _, "pJ":
            return energy(value)
        case _, ("cycles" | "MACs"):
            return count(round(value))
        case "steps", _:
            return count(int(value))
        case "MACs a cycle", _:
            return ratio(value)
    return f"{value:.4g}"


def _kernel_rows(comparison: Comparison, numbers: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    beside = len(numbers) <= _RATIOS_BESIDE
    header = ["kernel", f"cycles of {numbers[0]}"]
    for number in numbers[1:]:
        header += [f"of {number}", f"{number} / 1"] if beside else [f"{number} / 1"]
    rows: list[list[str]] = []
    for kernel in comparison.kernels:
        first, *others = kernel.cycles
        row = [kernel.name, count(first)]
        for cycles in others:
            part = _times(cycles / first) if first and cycles is not None else ""
            row += [count(cycles), part] if beside else [part]
        rows.append(row)
    return header, rows


def _times(part: float) -> str:
    """Thousandths, where they say something; "same" where nothing differs."""
    if part == 1:
        return "same"
    return f"{part:.3f} x" if part < 10 else f"{part:,.1f} x"
