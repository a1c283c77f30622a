"""Placement and packing of plans."""

import numpy as np
import pytest

from pyhost.errors import JobError
from pyhost.formats import parse_format
from pyhost.plan.calls import Convert, Gemm, Kernel, Matrix, Operand
from pyhost.plan.queue import after
from pyhost.plan.tensors import ALIGNMENT, Tensor, place
from tests.rtl.windows import NOTHING, operand, random_window

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


@pytest.mark.parametrize("seed", range(50))
def test_windows_gather_what_they_say(seed):
    """Against the formulas of firmware/plan.h, one element at a time."""
    rng = np.random.default_rng(seed)
    majors, minors = (int(n) for n in rng.integers(1, 40, 2))
    window, count = random_window(rng, majors, minors, k_minor=1)
    tensor = Tensor("x", (count,), E4M3)
    codes = rng.integers(1, 255, tensor.shape).astype(np.uint8)
    seen = window.indices(majors, minors)
    expected = np.where(seen == NOTHING, 0, codes[np.where(seen == NOTHING, 0, seen)])
    assert np.array_equal(operand(window, tensor).gather(codes, majors, minors), expected), (seed, window)


def test_rows_are_the_whole_tensor():
    tensor = Tensor("x", (2, 5, 4, 3), E4M3)
    codes = np.arange(120, dtype=np.uint8).reshape(tensor.shape)
    assert np.array_equal(Operand.rows(tensor, 3, k_minor=True).gather(codes, 40, 3), codes.reshape(40, 3))


def test_kernels_know_their_shape_and_work():
    a, b, d = Tensor("a", (4, 6), E4M3), Tensor("b", (6, 5), E4M3), Tensor("d", (4, 5), F32)
    call = Gemm(
        m=4, n=5, k=6, a=Operand.rows(a, 6, k_minor=True), b=Operand.rows(b, 5, k_minor=False), d=Matrix.rows(d, 5)
    )  # fmt: skip
    kernel = Kernel("product", call)
    assert (kernel.kind, kernel.shape, kernel.macs) == ("gemm", (4, 5, 6), 120)
    assert kernel.tensors == (a, b, d)
    assert kernel.outputs == (d,)


def product(a, b, d, **matrices):
    """d = a * b, all 4 x 4 and named, with further matrices."""
    tensors = {name: Tensor(name, (4, 4), E4M3) for name in (a, b, d, *matrices.values())}
    views = {role: Matrix.rows(tensors[name], 4) for role, name in matrices.items()}
    rows = (Operand.rows(tensors[name], 4, k_minor=minor) for name, minor in ((a, True), (b, False)))
    return Kernel(d, Gemm(m=4, n=4, k=4, **dict(zip("ab", rows, strict=True)), d=Matrix.rows(tensors[d], 4), **views))


def copy(x, y):
    return Kernel(y, Convert(x=Tensor(x, (4, 4), E4M3), y=Tensor(y, (4, 4), E4M3), overflow="ieee"))


@pytest.mark.parametrize(
    ("kernels", "expected"),
    [
        ([product("a", "b", "c"), product("a", "b", "d")], [0, 0]),
        ([product("a", "b", "c"), product("c", "b", "d")], [0, 1]),
        ([product("a", "b", "c"), product("a", "c", "d")], [0, 1]),
        ([product("a", "b", "c"), product("a", "b", "d", addend="c")], [0, 1]),
        ([product("a", "b", "c"), product("a", "b", "d", mask="c")], [0, 1]),
        ([product("a", "b", "c"), product("a", "b", "d", c="c")], [0, 1]),
        # What is written twice, or read and then written, is in order anyway.
        ([product("a", "b", "c"), product("a", "b", "c"), product("d", "b", "a")], [0, 0, 0]),
        # One that waits has waited for all; what came after it counts again.
        (
            [product("a", "b", "c"), product("c", "b", "d"), product("c", "b", "e"), product("d", "b", "f")],
            [0, 1, 0, 1],
        ),
        # The firmware waits at every other kernel.
        ([product("a", "b", "c"), copy("a", "x"), product("c", "b", "d")], [0, 0, 0]),
    ],
)
def test_products_wait_for_what_they_read(kernels, expected):
    assert list(after(kernels)) == [bool(flag) for flag in expected]


def test_a_view_indexes_its_tensor():
    tensor = Tensor("x", (3, 8), E4M3)
    flat = np.arange(24)
    assert np.array_equal(flat[Matrix.rows(tensor, 8).index(3, 8)], flat.reshape(3, 8))
    assert np.array_equal(flat[Matrix(tensor=tensor, pitch=8, offset=5).index(3, 2)], flat.reshape(3, 8)[:, 5:7])
    assert np.array_equal(flat[Matrix.row(Tensor("row", (8,), E4M3)).index(4, 8)], np.tile(np.arange(8), (4, 1)))
