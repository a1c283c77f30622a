"""From codes to binary32 and back; and the two kernels that do no more than that: convert and add."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyhost.formats import Format, ScalarFormat
from pyhost.golden.gemm import GoldenError

__all__ = ["Binary32", "Codes", "Overflow", "add", "ascending_sum", "convert", "load", "quiet", "same_shape", "store"]

Codes = NDArray[np.unsignedinteger]
Binary32 = NDArray[np.float32]
Overflow = Literal["ieee", "saturate"]

quiet = np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore")
"""Infinities and NaNs are results like any other."""


@quiet
def load(codes: Codes, format_: Format) -> Binary32:
    """The values of `codes` as binary32: exact, but for formats wider than that (posit32), which are rounded."""
    return _scalar(format_).decode(codes).astype(np.float32)


def store(values: Binary32, format_: Format, overflow: Overflow) -> Codes:
    """Binary32 values rounded to `format_`, nearest even; `overflow` is "ieee" or "saturate"."""
    if overflow not in ("ieee", "saturate"):
        raise GoldenError(f"overflow {overflow!r} is neither 'ieee' nor 'saturate'")
    return _scalar(format_).encode(values.astype(np.float64), saturate=overflow == "saturate")


def _scalar(format_: Format) -> ScalarFormat:
    if not isinstance(format_, ScalarFormat):
        raise GoldenError(f"{format_.name} is for storage: kernels need a format of single values, such as e4m3fn")
    return format_


def ascending_sum(values: Binary32, axis: int) -> Binary32:
    """The sum along `axis` (from 0), one element after the other from +0.

    `np.add.accumulate` is sequential; `np.sum` adds in pairs.
    """
    start = np.zeros((*values.shape[:axis], 1, *values.shape[axis + 1 :]), np.float32)
    totals: Binary32 = np.take(np.add.accumulate(np.concatenate((start, values), axis), axis), -1, axis=axis)
    return totals


def same_shape(name: str, codes: Codes, other_name: str, shape: tuple[int, ...]) -> None:
    """GoldenError unless `codes` has the `shape` that follows from `other_name`."""
    if codes.shape != shape:
        raise GoldenError(f"{name} is {_extents(codes.shape)}, where {other_name} asks for {_extents(shape)}")


def _extents(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def convert(x: Codes, x_format: Format, y_format: Format, overflow: Overflow) -> Codes:
    """y = x. It is its own gradient: dx = dy."""
    return store(load(x, x_format), y_format, overflow)


@quiet
def add(x: Codes, x_format: Format, z: Codes, z_format: Format, y_format: Format, overflow: Overflow) -> Codes:
    """y = x + z, two tensors of one shape: a residual connection.

    Both gradients are dy, so there is no kernel for them; where the branches part, `add` sums what comes back.
    """
    same_shape("z", z, "x", x.shape)
    return store(load(x, x_format) + load(z, z_format), y_format, overflow)
