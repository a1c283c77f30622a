"""A plan as the firmware reads it: `struct kernel` records and the format table, laid out as the ELF's DWARF says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pyhost.errors import JobError
from pyhost.formats import BinaryFormat, Format, P3109Format, PositFormat, Rounding, Stochastic
from pyhost.golden.gemm import Accumulator, Chain
from pyhost.plan.calls import Axis, Call, Gemm, Matrix, Operand, Plan
from pyhost.plan.queue import after
from pyhost.plan.tensors import Placement, Tensor

__all__ = ["FormatTable", "StructLayouts", "pack_format", "pack_formats", "pack_kernels"]


class _Layout(Protocol):
    @property
    def dtype(self) -> np.dtype[np.void]: ...
    @property
    def size(self) -> int: ...


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
    """`struct mailbox.formats`. Raises JobError for more formats than it holds.

    An entry for a format that is none of single values says that the firmware does not know it.
    """
    packed: NDArray[np.void] = np.zeros(1, layouts.layout("mailbox").dtype)["formats"][0]
    if len(table.formats) > len(packed):
        raise JobError(f"the job uses {len(table.formats)} formats; at most {len(packed)} can be used together")
    styles = layouts.enum("format_style")
    for entry, format_ in zip(packed, table.formats, strict=False):
        pack_format(entry, format_, styles)
    return packed


def pack_format(entry: Any, format_: Format, styles: Mapping[str, Any]) -> None:
    """Fill the fields of `entry`, a `struct format`; those that the format does not have stay as they are."""
    entry["bits"] = format_.bits
    entry["subnormals"] = getattr(format_, "subnormals", True)
    style: str
    match format_:
        case BinaryFormat():
            style = format_.style
        case P3109Format():
            style = "p3109_extended" if format_.extended else "p3109_finite"
        case PositFormat():
            style = "posit"
            entry["exponent_bits"] = format_.es
        case _:
            style = "unknown"
    entry["style"] = styles[f"STYLE_{style.upper()}"]
    if isinstance(format_, BinaryFormat | P3109Format):
        entry["exponent_bits"] = format_.exponent_bits
        entry["fraction_bits"] = format_.fraction_bits
        entry["bias"] = format_.bias


def pack_kernels(
    plan: Plan,
    placement: Placement,
    table: FormatTable,
    layouts: StructLayouts,
    *,
    accumulator: Accumulator,
    records: int,
) -> NDArray[np.void]:
    """`struct kernel[len(plan.kernels)]`, little-endian. records: address of `struct record[len(plan.kernels)]`.

    Raises JobError for roundings that hardware and firmware lack.
    """
    packed = np.zeros(len(plan.kernels), layouts.layout("kernel").dtype)
    kinds = layouts.enum("kernel_kind")
    packer = _Packer(placement, table, layouts, accumulator)
    size = layouts.layout("record").size
    for index, (entry, kernel, waits) in enumerate(zip(packed, plan.kernels, after(plan.kernels), strict=True)):
        entry["kind"] = kinds[f"KERNEL_{kernel.kind.upper()}"]
        if isinstance(kernel.call, Gemm):
            _assign(entry["gemm"], packer.gemm(kernel.call, waits, records + index * size))
        else:
            _assign(entry[kernel.kind], packer.plain(kernel.call))
    return packed


def _assign(record: Any, values: Mapping[str, Any]) -> None:
    """Fill a NumPy record, every field of it: a field that only C or only Python knows is a defect."""
    assert set(record.dtype.names) == set(values), (record.dtype.names, sorted(values))
    for name, value in values.items():
        if isinstance(value, Mapping):
            _assign(record[name], value)
        else:
            record[name] = value


def _random(rounding: Rounding | Stochastic) -> tuple[int, int]:
    """Bits and key of random numbers; no bits where none are needed."""
    return (rounding.bits, int(rounding.key)) if isinstance(rounding, Stochastic) else (0, 0)


@dataclass(frozen=True)
class _Packer:
    placement: Placement
    table: FormatTable
    layouts: StructLayouts
    accumulator: Accumulator

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
        return self.layouts.enum("overflow")[f"OVERFLOW_{name.upper()}"]

    def tensor(self, tensor: Tensor) -> dict[str, int]:
        return {
            "address": self.placement[tensor],
            "format": self.table.index(tensor.format),
            "count": tensor.count,
        }

    def gemm(self, call: Gemm, waits: bool, record: int) -> dict[str, Any]:
        bits = self.layouts.enum("gemm_flags")
        flags = {
            "GEMM_RELU": call.relu,
            "GEMM_AFTER": waits,
            "GEMM_A_RESIDENT": call.a_resident,
            "GEMM_B_RESIDENT": call.b_resident,
        }
        random_bits, random_key = _random(call.rounding)
        chain_random_bits, chain_random_key = (
            _random(self.accumulator.rounding) if isinstance(self.accumulator, Chain) else (0, 0)
        )
        return {
            "m": call.m,
            "n": call.n,
            "k": call.k,
            "record": record,
            "scale": call.scale,
            "overflow": self.overflow(call.overflow),
            "rounding": self.rounding(call.rounding),
            "flags": sum(bits[name] for name, is_set in flags.items() if is_set),
            "random_bits": random_bits,
            "random_key": random_key,
            "chain_random_bits": chain_random_bits,
            "chain_random_key": chain_random_key,
            **{name: self.matrix(getattr(call, name)) for name in ("c", "d", "addend", "mask")},
            "a": self.operand(call.a),
            "b": self.operand(call.b),
        }

    def rounding(self, rounding: Rounding | Stochastic) -> int:
        name = "stochastic" if isinstance(rounding, Stochastic) else rounding.value
        try:
            return self.layouts.enum("rounding")[f"ROUNDING_{name.upper()}"]
        except KeyError:
            raise JobError(
                f"rounding {name}: hardware and firmware have nearest_even, toward_zero, stochastic"
            ) from None

    def matrix(self, matrix: Matrix | None) -> dict[str, int]:
        if matrix is None:
            return {"address": 0, "format": 0, "pitch": 0}
        size = matrix.tensor.dtype.itemsize
        return {
            "address": self.placement[matrix.tensor] + matrix.offset * size,
            "format": self.table.index(matrix.tensor.format),
            "pitch": matrix.pitch * size,
        }

    def operand(self, operand: Operand) -> dict[str, Any]:
        """Elements become bytes, and positions a quotient in bytes and a phase."""
        size = operand.tensor.dtype.itemsize
        return {
            "address": self.placement[operand.tensor] + operand.offset * size,
            "format": self.table.index(operand.tensor.format),
            "k_minor": int(operand.k_minor),
            "run": operand.run,
            "taps": operand.taps,
            "major_x": operand.major_x,
            "major_y": operand.major_y,
            "stride_n": operand.stride_n * size,
            "x": self.axis(operand.x, size),
            "y": self.axis(operand.y, size),
        }

    @staticmethod
    def axis(axis: Axis, size: int) -> dict[str, int]:
        unit = axis.pitch * size
        packed = {"dilation": axis.dilation, "unit": unit, "extent": axis.extent * unit}
        for name in ("start", "step", "tap"):
            quotient, phase = divmod(getattr(axis, name), axis.dilation)
            packed |= {name: quotient * unit, f"{name}_phase": phase}
        return packed
