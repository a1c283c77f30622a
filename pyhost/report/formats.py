"""What `floatsoc formats` shows: the families, and all there is to one format."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import ConfigDict, TypeAdapter
from rich.columns import Columns
from rich.console import Console
from rich.text import Text

from pyhost.formats import ALIASES, FAMILIES, Format, ScalarFormat, parse_format
from pyhost.report.tables import facts, table

__all__ = ["FormatSummary", "show_families", "show_format"]

_TABLE_BITS = 8


@dataclass(frozen=True, kw_only=True)
class FormatSummary:
    """A format in numbers; `values` are those of all codes in order, where there are at most 256, one value each."""

    __pydantic_config__: ClassVar = ConfigDict(ser_json_inf_nan="strings")

    name: str
    aliases: tuple[str, ...]
    bits: int
    precision: int | None
    max: float
    min_normal: float
    min_subnormal: float
    has_inf: bool
    has_nan: bool
    nan_code: int | None
    values: tuple[float, ...] | None

    @classmethod
    def of(cls, format_: Format) -> "FormatSummary":
        """The summary of any format."""
        scalar = format_ if isinstance(format_, ScalarFormat) else None
        codes = np.arange(1 << format_.bits, dtype=np.uint32) if scalar and format_.bits <= _TABLE_BITS else None
        return cls(
            name=format_.name,
            aliases=tuple(alias for alias, name in ALIASES.items() if name == format_.name),
            bits=format_.bits,
            precision=scalar.precision if scalar else None,
            max=format_.max,
            min_normal=format_.min_normal,
            min_subnormal=format_.min_subnormal,
            has_inf=format_.has_inf,
            has_nan=format_.has_nan,
            nan_code=format_.nan_code if format_.has_nan else None,
            values=None if codes is None else tuple(map(float, format_.decode(codes))),
        )

    def to_json(self) -> str:
        """All fields; infinities and NaN are strings."""
        return TypeAdapter(FormatSummary).dump_json(self, indent=1).decode()


def show_families(console: Console) -> None:
    """How names are made, and the aliases."""
    console.print(facts(*FAMILIES.items()))
    console.print()
    rows = [(name, ", ".join(alias for alias, of in ALIASES.items() if of == name)) for name in _aliased()]
    console.print(table(("format", "also called"), rows, left=(0, 1)))
    console.print("\nfloatsoc formats NAME shows range, precision and codes of one of them.", highlight=False)


def _aliased() -> Iterator[str]:
    yield from sorted(dict.fromkeys(ALIASES.values()), key=lambda name: (-parse_format(name).bits, name))


def _precision(bits: int | None) -> str | None:
    return None if bits is None else f"{bits} significant bits, {bits * np.log10(2):.1f} decimal digits"


def show_format(summary: FormatSummary, console: Console) -> None:
    """Range, precision, specials, and the code table where it has at most 256 entries."""
    console.print(
        facts(
            ("name", summary.name + (f" ({', '.join(summary.aliases)})" if summary.aliases else "")),
            ("bits", str(summary.bits)),
            ("precision", _precision(summary.precision)),
            ("largest", f"{summary.max:.10g}"),
            ("least normal", f"{summary.min_normal:.10g} = 2^{np.log2(summary.min_normal):.0f}"),
            ("least positive", f"{summary.min_subnormal:.10g} = 2^{np.log2(summary.min_subnormal):.0f}"),
            ("infinities", "yes" if summary.has_inf else "no"),
            ("NaN", f"yes, written as {summary.nan_code:#x}" if summary.nan_code is not None else "no"),
        )
    )
    if summary.values:
        width = -(-summary.bits // 4)
        cells = [Text(f"{code:0{width}x} {value:<12.8g}") for code, value in enumerate(summary.values)]
        console.print()
        console.print(Columns(cells, equal=True, column_first=True, padding=(0, 1)))
