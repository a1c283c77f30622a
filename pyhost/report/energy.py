"""What `floatsoc energy` shows: a technology, and the energy of a multiply-add by format."""

from collections.abc import Sequence

from rich.console import Console

from pyhost.energy import Technology, technologies
from pyhost.energy.comparison import Amount, MacEnergy
from pyhost.report.tables import amount, facts, table

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
    console.print("\npJ a multiply-add on random operands, and times that of binary32\n")

    def cells(energy: Amount | None) -> tuple[str, str]:
        if energy is None:
            return "", ""
        return amount(energy.picojoules), "" if energy.ratio is None else f"{energy.ratio:.2f} x"

    console.print(
        table(
            ("format", "sum", "bits", "table", "from", "to", "", "circuits", ""),
            [
                (
                    row.format,
                    row.accumulator,
                    str(row.accumulator_bits),
                    amount(row.published.picojoules),
                    amount(row.published.low),
                    amount(row.published.high),
                    cells(row.published)[1],
                    *cells(row.synthesised),
                )
                for row in rows
            ],
            left=(0, 1),
        )
    )
