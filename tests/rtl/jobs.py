"""Random jobs: operands behind windows, their place in memory, and what D must be."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from accel_rtl import AcceleratorConfig
from pyhost.formats import Format
from pyhost.golden import Chain, Exact, gemm
from tests.rtl.device import MEMORY_BASE

__all__ = ["PADDING", "Job", "Window", "random_codes", "random_job", "random_window"]

Codes = NDArray[np.unsignedinteger]
PADDING = -(1 << 40)


def element_bytes(number_format: Format) -> int:
    """Bytes of an element in memory."""
    return number_format.dtype.itemsize


def random_codes(rng: np.random.Generator, number_format: Format, shape: tuple[int, ...]) -> Codes:
    """Codes of mixed sign: mostly of moderate size so that sums cancel, some small or huge, some special."""
    spread = rng.choice([0.5, 3.0, 30.0])
    values = rng.standard_normal(shape) * 2.0 ** (spread * rng.standard_normal(shape))
    values = np.where(rng.random(shape) < 0.1, 0.0 * values, values)
    codes = number_format.encode(values, saturate=True)
    if rng.random() < 0.3:
        anything = rng.integers(0, 1 << number_format.bits, shape, dtype=np.uint64).astype(number_format.dtype)
        codes = np.where(rng.random(shape) < rng.choice([0.01, 1.0]), anything, codes)
    return codes


@dataclass(frozen=True)
class Window:
    """`struct operand` in elements instead of bytes, at element `offset` of a tensor."""

    k_minor: int
    run: int
    major_x: int
    major_y: int
    stride_x: int
    stride_y: int
    stride_n: int
    pad_x: int
    pad_y: int
    width: int
    height: int
    offset: int = 0

    def indices(self, majors: int, minors: int) -> NDArray[np.int64]:
        """Indices [majors, minors] into the tensor, or PADDING: the formulas of firmware/plan.h, one by one."""
        result = np.full((majors, minors), PADDING)
        for v in range(majors):
            image, line = divmod(v, self.major_y * self.major_x)
            y, x = divmod(line, self.major_x)
            for u in range(minors):
                row, e = divmod(u, self.run)
                vertical, horizontal = y + row - self.pad_y, x * self.stride_x + e - self.pad_x
                if 0 <= vertical < self.height and 0 <= horizontal < self.width:
                    result[v, u] = self.offset + image * self.stride_n + vertical * self.stride_y + horizontal
        return result

    def registers(self, operand: str, address: int, format_index: int, size: int) -> dict[str, int]:
        """The registers of this operand of elements of `size` bytes, the tensor at byte `address` of memory."""
        scaled = {name: getattr(self, name) * size for name in ("stride_x", "stride_y", "stride_n", "pad_x", "width")}
        plain = {name: getattr(self, name) for name in ("k_minor", "run", "major_x", "major_y", "pad_y", "height")}
        place = {"address": MEMORY_BASE + address + self.offset * size, "format": format_index}
        return {f"{operand}_{name}": value for name, value in (scaled | plain | place).items()}


def random_window(rng: np.random.Generator, majors: int, minors: int, k_minor: int) -> tuple[Window, int]:
    """A window that gives a majors x minors matrix, and the elements its tensor needs."""
    kind = rng.choice(["matrix", "image", "rotated", "wild"])
    if kind == "matrix":
        pitch = minors + int(rng.integers(0, 4))
        window = Window(k_minor, minors, majors, 1, pitch, 0, 0, 0, 0, majors * pitch, 1, int(rng.integers(0, 9)))
    elif kind == "image":  # a convolution's window over n images of height x width x channels
        channels, kernel = int(rng.integers(1, 6)), int(rng.integers(1, 4))
        width, height = int(rng.integers(kernel, 9)), int(rng.integers(kernel, 9))
        pad = int(rng.integers(0, kernel))
        run = kernel * channels
        window = Window(
            *(k_minor, run, width, height, channels, width * channels, height * width * channels),
            *(pad * channels, pad, width * channels, height),
        )
    elif kind == "rotated":  # taps from the last to the first: rows of the window go backwards
        run = int(rng.integers(1, 6))
        taps = -(-minors // run)
        window = Window(k_minor, run, majors, 1, run, -majors * run, 0, 0, 0, majors * run, taps)
    else:
        numbers = (int(n) for n in rng.integers(1, 7, 8))
        window = Window(
            *(k_minor, next(numbers), next(numbers), next(numbers), next(numbers), 3 * next(numbers), 20),
            *(next(numbers) - 1, next(numbers) - 1, 2 * next(numbers), 5),
        )
    indices = window.indices(majors, minors)
    inside = indices[indices != PADDING]
    lowest, highest = (int(inside.min()), int(inside.max())) if inside.size else (0, 0)
    raised = max(0, -lowest)
    return replace(window, offset=window.offset + raised), highest + raised + 1


@dataclass(frozen=True)
class Job:
    """Registers, the memory image before, and the image that must be there after."""

    registers: dict[str, int]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    description: str


class _Memory:
    """Places tensors one after another, with gaps, in an image of random bytes."""

    def __init__(self, rng: np.random.Generator, size: int) -> None:
        self.image = rng.integers(0, 256, size, dtype=np.uint8)
        self._rng = rng
        self._next = 0

    def place(self, size_bytes: int, alignment: int) -> int:
        address = -(-(self._next + int(self._rng.integers(0, 24))) // alignment) * alignment
        self._next = address + size_bytes
        assert self._next <= len(self.image), "the job does not fit the memory of the test"
        return address


def random_job(rng: np.random.Generator, config: AcceleratorConfig, memory_bytes: int, largest: int = 40) -> Job:
    """A job that must succeed, with ragged shapes, any windows and formats, with or without C."""
    m, n, k = (int(x) for x in rng.integers(1, largest + 1, 3))
    if rng.random() < 0.15:
        k = int(rng.integers(config.chunk - 2, 2 * config.chunk + 9))
        m, n = min(m, 12), min(n, 12)
    memory = _Memory(rng, memory_bytes)
    registers = {"m": m, "n": n, "k": k}
    matrices, formats = {}, {}
    for operand, lanes in (("a", m), ("b", n)):
        index = int(rng.integers(len(config.operands)))
        number_format = config.operands[index]
        k_minor = int(rng.integers(2))
        majors, minors = (lanes, k) if k_minor else (k, lanes)
        window, elements = random_window(rng, majors, minors, k_minor)
        size = element_bytes(number_format)
        address = memory.place(elements * size, size)
        codes = random_codes(rng, number_format, (elements,))
        memory.image[address : address + elements * size] = codes.view(np.uint8)
        indices = window.indices(majors, minors)
        matrix = np.where(indices == PADDING, 0, codes[np.maximum(indices, 0)]).astype(codes.dtype)
        matrices[operand] = matrix if k_minor == (operand == "a") else matrix.T
        formats[operand] = number_format
        registers |= window.registers(operand, address, index, size)
    c = None
    if rng.random() < 0.4:
        index = int(rng.integers(len(config.operands)))
        formats["c"] = config.operands[index]
        size = element_bytes(formats["c"])
        pitch = n + int(rng.integers(0, 5))
        address = memory.place(m * pitch * size, size)
        c = random_codes(rng, formats["c"], (m, pitch))
        memory.image[address : address + c.nbytes] = c.reshape(-1).view(np.uint8)
        registers |= {"c_address": MEMORY_BASE + address, "c_format": index, "c_pitch": pitch * size}
        c = c[:, :n]
    index = int(rng.integers(len(config.formats)))
    d_format = config.formats[index]
    size = element_bytes(d_format)
    pitch = n + int(rng.integers(0, 5))
    address = memory.place(m * pitch * size, size)
    scale = int(rng.integers(-12, 13)) if rng.random() < 0.8 else int(rng.integers(-300, 301))
    saturate = bool(rng.integers(2))
    registers |= {"d_address": MEMORY_BASE + address, "d_format": index, "d_pitch": pitch * size}
    registers |= {"scale": scale, "overflow": int(saturate)}
    d = gemm(
        np.ascontiguousarray(matrices["a"]),
        np.ascontiguousarray(matrices["b"]),
        None if c is None else np.ascontiguousarray(c),
        a_format=formats["a"],
        b_format=formats["b"],
        c_format=formats.get("c"),
        d_format=d_format,
        accumulator=Exact() if config.exact else Chain(config.chain_format),
        scale=scale,
        overflow="saturate" if saturate else "ieee",
        engine="reference",
    )
    after = memory.image.copy()
    for row in range(m):
        start = address + row * pitch * size
        after[start : start + n * size] = d[row].view(np.uint8)
    return Job(registers, memory.image, after, f"{m}x{n}x{k} {formats} -> {d_format.name} {registers}")
