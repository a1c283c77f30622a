"""What the host knows of a program: its segments, symbols, struct layouts, enumerators and lines of source.

Layouts come from the debugging information, so that a struct is declared once, in C.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from struct import Struct
from typing import Generic, TypeVar

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from pyhost.errors import BuildError
from pyhost.targets.dwarf import enums, layouts, read_lines
from pyhost.targets.inlining import InlineMap
from pyhost.targets.layout import Field, Layout

__all__ = ["ElfImage", "Field", "Layout", "Segment"]

_T = TypeVar("_T")
_SYMBOL = Struct("<IIIBBH")  # Elf32_Sym: name, value, size, info, other, section
_NO_TYPE, _FUNCTION = 0, 2  # STT_NOTYPE, STT_FUNC
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
        self._layouts = _Index(layouts(self._elf), "struct", path)
        self._enums = _Index(enums(self._elf), "enum", path)

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
        if not self.has_symbol(name):
            raise BuildError(f"{self.path} has no symbol {name!r}")
        return self._symbols[name]

    def layout(self, name: str) -> Layout:
        """Layout of `struct name` or `union name`, or of a typedef of one."""
        return self._layouts.find(name)

    def enum(self, name: str) -> dict[str, int]:
        """Enumerators of `enum name` and their values."""
        return self._enums.find(name)

    def function_at(self, address: int) -> str:
        """What is at a program counter, for a message: "name (file:line)", or as much of it as is known."""
        name = self._label_at(address)
        if name is None:
            return f"{address:#010x}"
        index = bisect_right(self._lines, (address, _LAST, 0)) - 1
        _, file, line = self._lines[index] if index >= 0 else (0, "", 0)
        return f"{name} ({file}:{line})" if file else name

    def functions_at(self, address: int) -> tuple[str, ...]:
        """The function that contains an instruction, then those inlined there, to the innermost."""
        return self._inlining.at(address) or (self._label_at(address) or f"{address:#010x}",)

    def _label_at(self, address: int) -> str | None:
        """The last label in code up to `address`."""
        index = bisect_right(self._functions, (address, _LAST)) - 1
        return self._functions[index][1] if index >= 0 else None

    @cached_property
    def _inlining(self) -> InlineMap:
        return InlineMap(self._elf)

    @cached_property
    def _symbols(self) -> dict[str, int]:
        return {name: value for name, value, _, _ in self._symbol_table}

    @cached_property
    def _functions(self) -> list[tuple[int, str]]:
        """Labels in code; assembly's have no type, and those with a dot or dollar are the compiler's own."""
        code = {i for i, section in enumerate(self._elf.iter_sections()) if section["sh_flags"] & _EXECUTABLE}
        return sorted(
            (value, name)
            for name, value, kind, section in self._symbol_table
            if section in code and kind in (_NO_TYPE, _FUNCTION) and not name.startswith((".", "$"))
        )

    @cached_property
    def _symbol_table(self) -> list[tuple[str, int, int, int]]:
        """Name, value, type and section of each symbol."""
        table = self._elf.get_section_by_name(".symtab")
        if table is None:
            return []
        names: bytes = self._elf.get_section(table["sh_link"]).data()
        return [
            (names[start : names.index(b"\0", start)].decode(), value, info & 0xF, section)
            for start, value, _, info, _, section in _SYMBOL.iter_unpack(table.data())
            if start
        ]

    @cached_property
    def _lines(self) -> list[tuple[int, str, int]]:
        return read_lines(self._elf)


class _Index(Generic[_T]):
    """Names looked up in pairs that are read only as far as needed: most of an ELF's information is never asked for."""

    def __init__(self, pairs: Iterator[tuple[str, _T]], kind: str, path: Path) -> None:
        self._pairs = pairs
        self._kind = kind
        self._path = path
        self._found: dict[str, _T] = {}

    def find(self, name: str) -> _T:
        while name not in self._found:
            pair = next(self._pairs, None)
            if pair is None:
                raise BuildError(f"{self._path} has no {self._kind} {name!r}")
            self._found.setdefault(*pair)
        return self._found[name]
