"""Bit for bit: what a target computed against what the golden model did, kernel by kernel."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pyhost.plan.calls import Kernel, Plan
from pyhost.plan.tensors import Tensor
from pyhost.profile.result import Mismatch, Number

__all__ = ["compare"]

Codes = NDArray[np.unsignedinteger]


def compare(plan: Plan, expected: Mapping[str, Codes], actual: Mapping[str, Codes]) -> tuple[Mismatch, ...]:
    """One Mismatch for each output tensor with at least one different code, in the order of the kernels.

    Later kernels work on what earlier ones wrote, so the first mismatch is the one to look at.
    """
    found = (
        _difference(index, kernel, tensor, expected[tensor.name], actual[tensor.name])
        for index, kernel in enumerate(plan.kernels)
        for tensor in kernel.outputs
    )
    return tuple(mismatch for mismatch in found if mismatch is not None)


def _difference(index: int, kernel: Kernel, tensor: Tensor, expected: Codes, actual: Codes) -> Mismatch | None:
    different = np.flatnonzero(expected.reshape(-1) != actual.reshape(-1))
    if not different.size:
        return None
    position = int(different[0])
    return Mismatch(
        kernel=kernel.name,
        kernel_index=index,
        tensor=tensor.name,
        format=tensor.format.name if tensor.format else "uint32",
        index=tuple(int(i) for i in np.unravel_index(position, tensor.shape)),
        expected=_number(tensor, expected, position),
        actual=_number(tensor, actual, position),
        different=int(different.size),
        elements=tensor.count,
    )


def _number(tensor: Tensor, codes: Codes, position: int) -> Number:
    code = codes.reshape(-1)[position]
    value = float(code) if tensor.format is None else float(tensor.format.decode(np.array([code], codes.dtype))[0])
    return Number(int(code), value)
