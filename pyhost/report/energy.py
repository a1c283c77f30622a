"""What `floatsoc energy` shows: a technology, and the energy of a multiply-add by format."""

from collections.abc import Sequence

from rich.console import Console

from pyhost.energy import Technology, technologies
from pyhost.energy.comparison import Amount, MacEnergy
from pyhost.report.tables import amount, facts, ratio, table

__all__ = ["show_energies"]


def show_energies(rows: Sequence[MacEnergy], technology: Technology, library: str | None, console: Console) -> None:
    """The technology, then a row for each format and accumulator; ratios are to binary32."""
    others = [name for name in technologies() if name != technology.name]
    console.print(
        facts(
            ("technology", f"{technology.name}, {technology.node_nm:g} nm, {technology.voltage:g} V"),
            ("figures", technology.description),
            ("circuits", library),
            ("others", ", ".join(others) or None),
        )
    )
    console.print("\nenergy of a multiply-add in pJ, with its interval, and times that of binary32\n")

    def cells(energy: Amount | None) -> tuple[str, str, str]:
        if energy is None:
            return "", "", ""
        times = "" if energy.ratio is None else f"{ratio(energy.ratio)} x"
        return amount(energy.picojoules), f"{amount(energy.low)} to {amount(energy.high)}", times

    console.print(
        table(
            ("format", "sum", "bits", "table", "", "", "circuits", "", ""),
            [
                (row.format, row.accumulator, str(row.accumulator_bits), *cells(row.published), *cells(row.synthesised))
                for row in rows
            ],
            left=(0, 1),
        )
    )
