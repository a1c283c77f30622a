"""Tensors of a plan and where they lie in main memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from pyhost.errors import JobError
from pyhost.formats import Format

__all__ = ["ALIGNMENT", "Placement", "Tensor", "place"]

ALIGNMENT = 64
"""Byte alignment of every tensor: a cache line of the CPU, and a multiple of every bus width."""


@dataclass(frozen=True)
class Tensor:
    """A dense row-major array of codes; `format` None means 32-bit unsigned integers (labels)."""

    name: str
    shape: tuple[int, ...]
    format: Format | None

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """NumPy dtype of an element in memory, little-endian."""
        return np.dtype("<u4") if self.format is None else np.dtype(self.format.dtype).newbyteorder("<")

    @property
    def count(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.count * self.dtype.itemsize


@dataclass(frozen=True)
class Placement:
    """Byte addresses of the tensors of one plan, and the first free address after them."""

    addresses: Mapping[str, int]
    end: int

    def __getitem__(self, tensor: Tensor) -> int:
        return self.addresses[tensor.name]


def place(tensors: Iterable[Tensor], start: int, end: int) -> Placement:
    """Lay `tensors` out one after the other in [start, end), each aligned to `ALIGNMENT` bytes.

    Raises JobError with the sizes when they do not fit.
    """
    tensors = tuple(tensors)
    addresses: dict[str, int] = {}
    position = start
    for tensor in tensors:
        position = -(-position // ALIGNMENT) * ALIGNMENT
        addresses[tensor.name] = position
        position += tensor.nbytes
    if position > end:
        largest = max(tensors, key=lambda tensor: tensor.nbytes)
        raise JobError(
            f"the job's tensors need {position - start:,} bytes of main memory, and beside the firmware "
            f"{max(0, end - start):,} are free (the largest is {largest.name}, {largest.nbytes:,} bytes): "
            "make them smaller or main memory larger (soc.main_ram, --main-ram of gemm)"
        )
    return Placement(addresses, position)
