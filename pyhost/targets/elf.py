"""What the host knows of a program: its segments, symbols, struct layouts, enumerators and lines of source.

Layouts come from the debugging information, so that a struct is declared once, in C.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pyhost.errors import BuildError
from pyhost.targets.dwarf import read_enums, read_layouts, read_lines
from pyhost.targets.layout import Field, Layout

__all__ = ["ElfImage", "Field", "Layout", "Segment"]

_T = TypeVar("_T")
_EXECUTABLE = 4  # SHF_EXECINSTR
_LAST = "\U0010ffff"  # sorts after every name


@dataclass(frozen=True)
class Segment:
    """A part of memory: `data` from `address` on (physical), then zeros up to `size` bytes."""

    address: int
    data: bytes
    size: int


class ElfImage:
    """A 32-bit little-endian program.

    Raises BuildError for a file that is no such program and for a name that it does not have.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._elf = ELFFile(BytesIO(path.read_bytes()))
        except (OSError, ELFError) as error:
            raise BuildError(f"{path} is not a program that can be loaded: {error}") from error
        if self._elf.elfclass != 32 or not self._elf.little_endian:
            raise BuildError(f"{path} is not a 32-bit little-endian program")

    @property
    def entry(self) -> int:
        """Address of the first instruction."""
        return int(self._elf["e_entry"])

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """What a loader puts into memory."""
        return tuple(
            Segment(segment["p_paddr"], segment.data(), segment["p_memsz"])
            for segment in self._elf.iter_segments()
            if segment["p_type"] == "PT_LOAD" and segment["p_memsz"]
        )

    def has_symbol(self, name: str) -> bool:
        """Whether there is such a symbol."""
        return name in self._symbols

    def symbol(self, name: str) -> int:
        """Address of a symbol."""
        return _look_up(self._symbols, name, "symbol", self.path)

    def layout(self, name: str) -> Layout:
        """Layout of `struct name` or `union name`, or of a typedef of one."""
        return _look_up(self._layouts, name, "struct", self.path)

    def enum(self, name: str) -> dict[str, int]:
        """Enumerators of `enum name` and their values."""
        return _look_up(self._enums, name, "enum", self.path)

    def function_at(self, address: int) -> str:
        """What is at a program counter, for a message: "name (file:line)", or as much of it as is known."""
        index = bisect_right(self._functions, (address, _LAST)) - 1
        if index < 0:
            return f"{address:#010x}"
        name = self._functions[index][1]
        index = bisect_right(self._lines, (address, _LAST, 0)) - 1
        _, file, line = self._lines[index] if index >= 0 else (0, "", 0)
        return f"{name} ({file}:{line})" if file else name

    @cached_property
    def _symbols(self) -> dict[str, int]:
        return {symbol.name: symbol["st_value"] for symbol in self._iterate_symbols()}

    @cached_property
    def _functions(self) -> list[tuple[int, str]]:
        """Labels in code; assembly's have no type."""
        code = {i for i, section in enumerate(self._elf.iter_sections()) if section["sh_flags"] & _EXECUTABLE}
        return sorted(
            (symbol["st_value"], symbol.name)
            for symbol in self._iterate_symbols()
            if symbol["st_shndx"] in code
            and symbol["st_info"]["type"] in ("STT_FUNC", "STT_NOTYPE")
            and not symbol.name.startswith((".", "$"))  # the compiler's own labels
        )

    @cached_property
    def _layouts(self) -> dict[str, Layout]:
        return read_layouts(self._elf)

    @cached_property
    def _enums(self) -> dict[str, dict[str, int]]:
        return read_enums(self._elf)

    @cached_property
    def _lines(self) -> list[tuple[int, str, int]]:
        return read_lines(self._elf)

    def _iterate_symbols(self) -> Iterator[Any]:
        table = self._elf.get_section_by_name(".symtab")
        if isinstance(table, SymbolTableSection):
            yield from (symbol for symbol in table.iter_symbols() if symbol.name)


def _look_up(table: Mapping[str, _T], name: str, kind: str, path: Path) -> _T:
    if name not in table:
        raise BuildError(f"{path} has no {kind} {name!r}")
    return table[name]
