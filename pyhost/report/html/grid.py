"""Tables of the page: columns of cells, each with the value that it is sorted by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Cell", "Column", "Grid", "numbers", "texts"]

_T = TypeVar("_T", int, float)


@dataclass(frozen=True)
class Cell:
    """What is written, and what it is sorted by; None sorts last. bar: a share of the cell's width that is filled."""

    text: str
    value: float | str | None = None
    bar: float | None = None


@dataclass(frozen=True)
class Column:
    """hint: what the column means, in a sentence."""

    title: str
    cells: Sequence[Cell]
    numeric: bool = True
    hint: str = ""
    footer: str = ""


@dataclass(frozen=True)
class Grid:
    """Columns of the same length; `wrong` marks rows."""

    caption: str
    columns: tuple[Column, ...]
    wrong: tuple[bool, ...] = ()

    @classmethod
    def of(cls, caption: str, *columns: Column, wrong: Iterable[bool] = ()) -> Grid:
        """Without the columns that are empty in every row."""
        kept = tuple(column for column in columns if any(cell.text for cell in column.cells))
        return cls(caption, kept, tuple(wrong))

    @property
    def rows(self) -> list[tuple[Cell, ...]]:
        """The same by rows."""
        return list(zip(*(column.cells for column in self.columns), strict=True))

    @property
    def has_footer(self) -> bool:
        """Whether any column has a last line."""
        return any(column.footer for column in self.columns)


def texts(title: str, values: Iterable[str], *, hint: str = "", footer: str = "") -> Column:
    """A column of words, sorted by the alphabet."""
    return Column(title, [Cell(value, value or None) for value in values], numeric=False, hint=hint, footer=footer)


def numbers(
    title: str,
    values: Iterable[_T | None],
    write: Callable[[_T], str],
    *,
    hint: str = "",
    footer: str = "",
    bar: bool = False,
) -> Column:
    """A column of numbers as `write` writes them, empty where there is none. bar: with their share of the largest."""
    known = list(values)
    largest = max((value for value in known if value is not None), default=0)

    def filled(value: float) -> float | None:
        return value / largest if bar and largest else None

    cells = [Cell("") if value is None else Cell(write(value), value, filled(value)) for value in known]
    return Column(title, cells, hint=hint, footer=footer)
