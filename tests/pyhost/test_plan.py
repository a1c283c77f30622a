"""Placement and packing of plans."""

import numpy as np
import pytest

from pyhost.errors import JobError
from pyhost.formats import parse_format
from pyhost.plan.calls import Gemm, Kernel, Operand
from pyhost.plan.tensors import ALIGNMENT, Tensor, place

F32, E4M3 = parse_format("e8m23"), parse_format("e4m3fn")


def test_tensors_lie_apart_and_aligned():
    tensors = [Tensor("a", (3, 5), E4M3), Tensor("b", (7,), F32), Tensor("c", (4,), None)]
    placement = place(tensors, 0x40000123, 0x40001000)
    ends = 0x40000123
    for tensor in tensors:
        assert placement[tensor] % ALIGNMENT == 0
        assert placement[tensor] >= ends
        ends = placement[tensor] + tensor.nbytes
    assert placement.end == ends


def test_what_does_not_fit_is_said_with_its_sizes():
    tensors = [Tensor("small", (8,), E4M3), Tensor("large", (1000,), F32)]
    with pytest.raises(JobError, match=r"need 4,064 bytes.*2,048 are free.*largest is large, 4,000 bytes.*main_ram"):
        place(tensors, 0x40000000, 0x40000800)


def brute_force(operand, codes, majors, minors):
    """The window, one element at a time, from the comment in firmware/plan.h."""
    flat = codes.reshape(-1)
    result = np.zeros((majors, minors), codes.dtype)
    for v in range(majors):
        x = v % operand.major_x
        y = v // operand.major_x % operand.major_y
        n = v // (operand.major_x * operand.major_y)
        for u in range(minors):
            row, e = divmod(u, operand.run)
            vertical = y + row - operand.pad_y
            horizontal = x * operand.stride_x + e - operand.pad_x
            if 0 <= vertical < operand.height and 0 <= horizontal < operand.width:
                address = operand.offset + n * operand.stride_n + vertical * operand.stride_y + horizontal
                result[v, u] = flat[address]
    return result


def test_windows_gather_what_they_say():
    seed = 11
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    tensor = Tensor("x", (2, 5, 4, 3), E4M3)
    codes = rng.integers(1, 255, tensor.shape).astype(np.uint8)
    window = Operand(
        tensor=tensor, k_minor=True, run=9, major_x=4, major_y=5, stride_x=3, stride_y=12, stride_n=60,
        pad_x=3, pad_y=1, width=12, height=5,
    )  # fmt: skip
    assert (window.gather(codes, 40, 27) == brute_force(window, codes, 40, 27)).all()
    turned = Operand(
        tensor=tensor, k_minor=False, run=3, major_x=4, stride_x=3, stride_y=-12, width=12, height=10, offset=108
    )
    assert (turned.gather(codes, 4, 30) == brute_force(turned, codes, 4, 30)).all()
    assert (Operand.rows(tensor, 3, k_minor=True).gather(codes, 40, 3) == codes.reshape(40, 3)).all()


def test_kernels_know_their_shape_and_work():
    a, b, d = Tensor("a", (4, 6), E4M3), Tensor("b", (6, 5), E4M3), Tensor("d", (4, 5), F32)
    call = Gemm(
        m=4, n=5, k=6, a=Operand.rows(a, 6, k_minor=True), b=Operand.rows(b, 5, k_minor=False), d=d
    )  # fmt: skip
    kernel = Kernel("product", call)
    assert (kernel.kind, kernel.shape, kernel.macs) == ("gemm", (4, 5, 6), 120)
    assert kernel.tensors == (a, b, d)
    assert kernel.outputs == (d,)
