"""Debugging information (DWARF 4 and 5) of an ELF file: struct layouts, enumerators, lines of source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import PurePosixPath
from typing import Any

from elftools.elf.elffile import ELFFile

from pyhost.targets.layout import Field, Layout

__all__ = ["enums", "layouts", "read_enums", "read_layouts", "read_lines"]

_ALIASES = ("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type")
_AGGREGATES = ("DW_TAG_structure_type", "DW_TAG_union_type")
_SIGNED_ENCODINGS = (5, 6)  # DW_ATE_signed, DW_ATE_signed_char

Die = Any  # elftools is untyped


def layouts(elf: ELFFile) -> Iterator[tuple[str, Layout]]:
    """Structs and unions that have a tag or a typedef, by that name, as they are found; the first of a name counts.

    Our own files come first; the compiler's run-time library, with most of the information, last.
    """
    for die in _dies(elf):
        if (die.tag in _AGGREGATES or die.tag == "DW_TAG_typedef") and _name(die):
            target = _resolve(die)
            if target is not None and target.tag in _AGGREGATES and _is_laid_out(target):
                yield _name(die), _layout(target)


def enums(elf: ELFFile) -> Iterator[tuple[str, dict[str, int]]]:
    """Enums that have a tag, by that name, with their enumerators, as they are found."""
    for die in _dies(elf):
        if die.tag == "DW_TAG_enumeration_type" and _name(die):
            members = (child for child in die.iter_children() if child.tag == "DW_TAG_enumerator")
            yield _name(die), {_name(member): member.attributes["DW_AT_const_value"].value for member in members}


def read_layouts(elf: ELFFile) -> dict[str, Layout]:
    """All of `layouts`."""
    return dict(reversed(list(layouts(elf))))


def read_enums(elf: ELFFile) -> dict[str, dict[str, int]]:
    """All of `enums`."""
    return dict(reversed(list(enums(elf))))


def read_lines(elf: ELFFile) -> list[tuple[int, str, int]]:
    """(address, file, line), sorted; the line holds from its address on, and file "" ends a sequence."""
    lines = []
    if elf.has_dwarf_info():
        dwarf = elf.get_dwarf_info()
        for unit in dwarf.iter_CUs():
            program = dwarf.line_program_for_CU(unit)
            if program is None:
                continue
            first = 0 if program["version"] >= 5 else 1  # number of the first file
            files = [PurePosixPath(entry.name.decode()).name for entry in program["file_entry"]]
            for entry in program.get_entries():
                state = entry.state
                if state is not None and (state.line or state.end_sequence):  # line 0: of no line in particular
                    file = "" if state.end_sequence else files[state.file - first]
                    lines.append((state.address, file, state.line))
    return sorted(lines)


def _dies(elf: ELFFile) -> Iterator[Die]:
    if elf.has_dwarf_info():
        for unit in elf.get_dwarf_info().iter_CUs():
            yield from unit.iter_DIEs()


def _name(die: Die) -> str:
    attribute = die.attributes.get("DW_AT_name")
    return attribute.value.decode() if attribute else ""


def _resolve(die: Die) -> Die | None:
    """`die` without typedefs and qualifiers; None stands for void."""
    while die.tag in _ALIASES:
        if "DW_AT_type" not in die.attributes:
            return None
        die = die.get_DIE_from_attribute("DW_AT_type")
    return die


def _is_laid_out(die: Die) -> bool:
    """A complete struct or union, nowhere in it a bit-field: only the compilers' run-time libraries have those."""
    if "DW_AT_byte_size" not in die.attributes:
        return False
    for member in _members(die):
        inner = _resolve(member.get_DIE_from_attribute("DW_AT_type"))
        if "DW_AT_data_bit_offset" in member.attributes or "DW_AT_bit_size" in member.attributes:
            return False
        if inner is not None and inner.tag in _AGGREGATES and not _is_laid_out(inner):
            return False
    return True


def _members(die: Die) -> Iterator[Die]:
    for child in die.iter_children():
        if child.tag == "DW_TAG_member":
            yield child


def _layout(die: Die) -> Layout:
    fields: list[Field] = []
    for member in _members(die):
        offset = member.attributes["DW_AT_data_member_location"].value if die.tag == _AGGREGATES[0] else 0
        field = _field(_name(member), offset, _resolve(member.get_DIE_from_attribute("DW_AT_type")))
        if not field.name and field.layout:
            fields += (replace(inner, offset=offset + inner.offset) for inner in field.layout.fields)
        else:
            fields.append(field)
    return Layout(_name(die), die.attributes["DW_AT_byte_size"].value, tuple(fields))


def _field(name: str, offset: int, die: Die) -> Field:
    if die.tag == "DW_TAG_array_type":
        element = _field(name, offset, _resolve(die.get_DIE_from_attribute("DW_AT_type")))
        extents = (_extent(child) for child in die.iter_children() if child.tag == "DW_TAG_subrange_type")
        return replace(element, count=prod(extents) * (element.count or 1))
    size = die.attributes["DW_AT_byte_size"].value if "DW_AT_byte_size" in die.attributes else 4  # of a pointer
    encoding = die.attributes.get("DW_AT_encoding")
    return Field(
        name,
        offset,
        size,
        signed=encoding is not None and encoding.value in _SIGNED_ENCODINGS,
        layout=_layout(die) if die.tag in _AGGREGATES else None,
    )


def _extent(subrange: Die) -> int:
    if "DW_AT_count" in subrange.attributes:
        return int(subrange.attributes["DW_AT_count"].value)
    return int(subrange.attributes["DW_AT_upper_bound"].value) + 1
