"""Which functions an instruction belongs to: the one that contains it, and those that were inlined there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from elftools.elf.elffile import ELFFile

__all__ = ["InlineMap"]

_FUNCTIONS = ("DW_TAG_subprogram", "DW_TAG_inlined_subroutine")
_ORIGINS = ("DW_AT_abstract_origin", "DW_AT_specification")
_EXECUTABLE = 4  # SHF_EXECINSTR
_INSTANCE = re.compile(r"__(func|anon)_\d+$")  # Zig's numbers of a generic function's instances
_STEP = 2  # bytes: every RISC-V instruction lies at a multiple of it

Die = Any  # elftools is untyped


class InlineMap:
    """Functions by address, from the debugging information (DWARF 4 and 5) of an ELF file."""

    def __init__(self, elf: ELFFile) -> None:
        code = [section for section in elf.iter_sections() if section["sh_flags"] & _EXECUTABLE and section["sh_size"]]
        self._start = min((section["sh_addr"] for section in code), default=0)
        end = max((section["sh_addr"] + section["sh_size"] for section in code), default=0)
        self._names = [""]
        self._parents = [0]
        # The innermost function of each place: inner ones come after outer ones, and are written over them.
        self._innermost = np.zeros((end - self._start + _STEP - 1) // _STEP, np.int32)
        if elf.has_dwarf_info():
            dwarf = elf.get_dwarf_info()
            self._range_lists: Any = dwarf.range_lists()
            for unit in dwarf.iter_CUs():
                self._enter(unit.get_top_DIE(), 0)

    def at(self, address: int) -> tuple[str, ...]:
        """Names of the functions, outermost first; none where the debugging information does not say."""
        place = (address - self._start) // _STEP
        index = int(self._innermost[place]) if 0 <= place < len(self._innermost) else 0
        names = []
        while index:
            names.append(self._names[index])
            index = self._parents[index]
        return tuple(reversed(names))

    def _enter(self, die: Die, outer: int) -> None:
        for child in die.iter_children():
            inner = outer
            if child.tag in _FUNCTIONS:
                # What the linker dropped lies at 0.
                ranges = [(low, high) for low, high in self._ranges(child) if low >= self._start]
                if ranges:
                    inner = len(self._names)
                    self._names.append(_name(child))
                    self._parents.append(outer if child.tag == "DW_TAG_inlined_subroutine" else 0)
                for low, high in ranges:
                    self._innermost[(low - self._start) // _STEP : (high - self._start) // _STEP] = inner
            if child.has_children:
                self._enter(child, inner)

    def _ranges(self, die: Die) -> Iterator[tuple[int, int]]:
        """Addresses from and up to."""
        attributes = die.attributes
        if "DW_AT_ranges" in attributes:
            base = _base(die.cu)
            entries = self._range_lists.get_range_list_at_offset(attributes["DW_AT_ranges"].value, cu=die.cu)
            for entry in entries:
                if hasattr(entry, "base_address"):
                    base = entry.base_address
                elif getattr(entry, "is_absolute", False):
                    yield entry.begin_offset, entry.end_offset
                else:
                    yield base + entry.begin_offset, base + entry.end_offset
        elif "DW_AT_low_pc" in attributes and "DW_AT_high_pc" in attributes:
            low, high = attributes["DW_AT_low_pc"].value, attributes["DW_AT_high_pc"]
            yield low, high.value if high.form == "DW_FORM_addr" else low + high.value


def _base(unit: Any) -> int:
    low = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
    return int(low.value) if low else 0


def _name(die: Die) -> str:
    while "DW_AT_name" not in die.attributes:
        origin = next((attribute for attribute in _ORIGINS if attribute in die.attributes), None)
        if origin is None:
            return "?"
        die = die.get_DIE_from_attribute(origin)
    return _INSTANCE.sub("", die.attributes["DW_AT_name"].value.decode())
