"""Tables and bars that stay readable in 80 columns, in plain ASCII and without colour."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

__all__ = ["amount", "bar", "count", "energy_unit", "facts", "percent", "ratio", "table", "yes"]

_EIGHTHS = " ▏▎▍▌▋▊▉"


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    footer: Sequence[Sequence[str]] = (),
    wrong: Sequence[bool] = (),
    left: Sequence[int] = (0,),
) -> Table:
    """A table without frames; columns that are empty in every row are left out.

    `footer` are last rows under a rule; rows marked `wrong` are red; columns are aligned right but for those of `left`.
    """
    kept = [column for column in range(len(header)) if any(row[column] for row in rows)]
    made = Table(box=box.SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), show_footer=bool(footer))
    for column in kept:
        made.add_column(
            header[column],
            footer="\n".join(row[column] for row in footer),
            justify="left" if column in left else "right",
            no_wrap=column != 0,  # where there is no room, the first column is shortened, never a number
            overflow="ellipsis",
        )
    for number, row in enumerate(rows):
        style = "red" if number < len(wrong) and wrong[number] else ""
        made.add_row(*(row[column] for column in kept), style=style)
    return made


def facts(*pairs: tuple[str, str | None]) -> Table:
    """Names and what there is to say of each, in two columns; None is left out."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None:
            grid.add_row(name, value)
    return grid


def bar(share: float, console: Console, width: int) -> str:
    """`width` characters filled from the left, to an eighth of a character or, without Unicode, to whole ones."""
    share = min(max(share, 0.0), 1.0)
    if not console.encoding.lower().startswith("utf"):
        return ("#" * round(share * width)).ljust(width)
    whole, eighths = divmod(round(share * width * 8), 8)
    return ("█" * whole + (_EIGHTHS[eighths] if eighths else "")).ljust(width)


def count(number: int | None) -> str:
    """1,234,567; nothing for None."""
    return "" if number is None else f"{number:,}"


def ratio(number: float | None) -> str:
    """Three significant digits; nothing for None."""
    return "" if number is None else f"{number:.3g}"


def energy_unit(picojoules: float, console: Console) -> tuple[float, str]:
    """(size in pJ, name) of the largest unit that is no larger than an energy; pJ for the smallest."""
    micro = "µJ" if console.encoding.lower().startswith("utf") else "uJ"
    units = ((1e12, "J"), (1e9, "mJ"), (1e6, micro), (1e3, "nJ"))
    return next((unit for unit in units if abs(picojoules) >= unit[0]), (1.0, "pJ"))


def amount(number: float | None, most: int = 3) -> str:
    """Three digits, as many after the point as that leaves, `most` at most: 1,234, 12.3, 0.012; nothing for None."""
    if number is None:
        return ""
    digits = min(most, 0 if number >= 100 else 1 if number >= 10 else 2 if number >= 1 else 3)
    return f"{number:,.{digits}f}"


def percent(number: float | None, digits: int = 0) -> str:
    """28%; nothing for None. digits: after the point."""
    return "" if number is None else f"{number:.{digits}%}"


def yes(equal: bool | None) -> str:
    """yes, NO (in letters, for those without colour), or nothing where it was not looked at."""
    return "" if equal is None else "yes" if equal else "NO"
