"""A plan as the firmware reads it: `struct kernel` records and the format table, laid out as the ELF's DWARF says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pyhost.errors import JobError
from pyhost.formats import BinaryFormat, Format
from pyhost.plan.calls import Call, Gemm, Kernel, Operand, Plan
from pyhost.plan.tensors import Placement, Tensor

__all__ = ["FormatTable", "StructLayouts", "pack_formats", "pack_kernels"]


class _Layout(Protocol):
    @property
    def dtype(self) -> np.dtype[np.void]: ...


class StructLayouts(Protocol):
    """Where structs and enumerators come from: `pyhost.targets.elf.ElfImage`."""

    def layout(self, name: str) -> _Layout: ...
    def enum(self, name: str) -> dict[str, int]: ...


@dataclass(frozen=True)
class FormatTable:
    """The formats a run uses, numbered: `first` in the accelerator's order, then the others of the plan."""

    formats: tuple[Format, ...]

    @classmethod
    def of(cls, plan: Plan, first: Iterable[Format]) -> "FormatTable":
        """The table for `plan` on an accelerator that numbers its formats as `first`."""
        used = (tensor.format for tensor in plan.tensors if tensor.format is not None)
        return cls(tuple(dict.fromkeys((*first, *used))))

    def index(self, format_: Format | None) -> int:
        """Number of `format_`; integers (None), which no kernel decodes, are 0."""
        return 0 if format_ is None else self.formats.index(format_)


def pack_formats(table: FormatTable, layouts: StructLayouts) -> NDArray[np.void]:
    """`struct mailbox.formats`. Raises JobError for more formats than it holds and for families the firmware lacks."""
    packed: NDArray[np.void] = np.zeros(1, layouts.layout("mailbox").dtype)["formats"][0]
    if len(table.formats) > len(packed):
        raise JobError(f"the job uses {len(table.formats)} formats; at most {len(packed)} can be used together")
    styles = layouts.enum("format_style")
    for entry, format_ in zip(packed, table.formats, strict=False):
        if not isinstance(format_, BinaryFormat):
            raise JobError(f"{format_.name}: the firmware knows binary formats only, such as e4m3fn")
        entry["exponent_bits"] = format_.exponent_bits
        entry["fraction_bits"] = format_.fraction_bits
        entry["bias"] = format_.bias
        entry["style"] = styles[f"STYLE_{format_.style.upper()}"]
        entry["subnormals"] = format_.subnormals
    return packed


def pack_kernels(plan: Plan, placement: Placement, table: FormatTable, layouts: StructLayouts) -> NDArray[np.void]:
    """`struct kernel[len(plan.kernels)]`, little-endian."""
    records = np.zeros(len(plan.kernels), layouts.layout("kernel").dtype)
    kinds = layouts.enum("kernel_kind")
    overflows = layouts.enum("overflow")
    packer = _Packer(placement, table, overflows)
    for record, kernel in zip(records, plan.kernels, strict=True):
        record["kind"] = kinds[f"KERNEL_{kernel.kind.upper()}"]
        _assign(record[kernel.kind], packer.call(kernel))
    return records


def _assign(record: Any, values: Mapping[str, Any]) -> None:
    """Fill a NumPy record, every field of it: a field that only C or only Python knows is a defect."""
    assert set(record.dtype.names) == set(values), (record.dtype.names, sorted(values))
    for name, value in values.items():
        if isinstance(value, Mapping):
            _assign(record[name], value)
        else:
            record[name] = value


@dataclass(frozen=True)
class _Packer:
    placement: Placement
    table: FormatTable
    overflows: Mapping[str, int]

    def call(self, kernel: Kernel) -> dict[str, Any]:
        call = kernel.call
        return self.gemm(call) if isinstance(call, Gemm) else self.plain(call)

    def plain(self, call: Call) -> dict[str, Any]:
        """Fields of the same names: tensors by address, real numbers as binary32, integers as they are."""
        return {f.name: self.value(f.name, getattr(call, f.name)) for f in fields(call)}

    def value(self, name: str, value: object) -> Any:
        match value:
            case Tensor():
                return self.tensor(value)
            case float():
                return int(np.float32(value).view(np.uint32))
            case str():
                return self.overflow(value)
            case _:
                return value

    def overflow(self, name: str) -> int:
        return self.overflows[f"OVERFLOW_{name.upper()}"]

    def tensor(self, tensor: Tensor) -> dict[str, int]:
        return {
            "address": self.placement[tensor],
            "format": self.table.index(tensor.format),
            "count": tensor.count,
        }

    def gemm(self, call: Gemm) -> dict[str, Any]:
        absent = {"address": 0, "format": 0, "pitch": 0}
        return {
            "m": call.m,
            "n": call.n,
            "k": call.k,
            "scale": call.scale,
            "overflow": self.overflow(call.overflow),
            "a": self.operand(call.a),
            "b": self.operand(call.b),
            "c": absent if call.c is None else self.matrix(call.c, call.n),
            "d": self.matrix(call.d, call.n),
        }

    def matrix(self, tensor: Tensor, columns: int) -> dict[str, int]:
        return {
            "address": self.placement[tensor],
            "format": self.table.index(tensor.format),
            "pitch": columns * tensor.dtype.itemsize,
        }

    def operand(self, operand: Operand) -> dict[str, int]:
        """Elements become bytes."""
        size = operand.tensor.dtype.itemsize
        return {
            "address": self.placement[operand.tensor] + operand.offset * size,
            "format": self.table.index(operand.tensor.format),
            "k_minor": int(operand.k_minor),
            "run": operand.run,
            "major_x": operand.major_x,
            "major_y": operand.major_y,
            "stride_x": operand.stride_x * size,
            "stride_y": operand.stride_y * size,
            "stride_n": operand.stride_n * size,
            "pad_x": operand.pad_x * size,
            "pad_y": operand.pad_y,
            "width": operand.width * size,
            "height": operand.height,
        }
