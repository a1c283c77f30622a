"""Random jobs: operands behind windows, their place in memory, and what D must be."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_rtl import AcceleratorConfig
from accel_rtl.registers import Flag
from pyhost.formats import Format, Rounding, Stochastic
from pyhost.golden import Chain, Exact, gemm
from tests.rtl.device import MEMORY_BASE
from tests.rtl.windows import NOTHING, random_window

__all__ = ["Job", "random_codes", "random_job"]

Codes = NDArray[np.unsignedinteger]


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
class Job:
    """A descriptor, the memory image before, and the image that must be there after."""

    descriptor: dict[str, int]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    description: str


class _DoesNotFitError(Exception):
    """The tensors of a job take more memory than there is."""


class _Memory:
    """Places tensors one after another, with gaps, in an image of random bytes."""

    def __init__(self, rng: np.random.Generator, size: int) -> None:
        self.image = rng.integers(0, 256, size, dtype=np.uint8)
        self._rng = rng
        self._next = 0

    def place(self, size_bytes: int, alignment: int) -> int:
        address = -(-(self._next + int(self._rng.integers(0, 40))) // alignment) * alignment
        self._next = address + size_bytes
        if self._next > len(self.image):
            raise _DoesNotFitError
        return address

    def store(self, codes: Codes) -> int:
        address = self.place(codes.nbytes, codes.itemsize)
        self.image[address : address + codes.nbytes] = np.ascontiguousarray(codes).reshape(-1).view(np.uint8)
        return address


def _matrix(
    rng: np.random.Generator, memory: _Memory, name: str, number_format: Format, index: int, m: int, n: int
) -> tuple[Codes, dict[str, int]]:
    """C, addend or mask: a matrix of any pitch, or one row that is repeated."""
    rows, pitch = (1, 0) if rng.random() < 0.3 else (m, n + int(rng.integers(0, 5)))
    codes = random_codes(rng, number_format, (rows, max(n, pitch)))
    address = memory.store(codes)
    words = {"address": MEMORY_BASE + address, "format": index, "pitch": pitch * codes.itemsize}
    return codes[0, :n] if pitch == 0 else codes[:, :n], {f"{name}_{field}": word for field, word in words.items()}


def random_job(rng: np.random.Generator, config: AcceleratorConfig, memory_bytes: int, largest: int = 40) -> Job:
    """A job that must succeed: ragged shapes, any windows and formats, and any of what write-back can do."""
    while True:
        try:
            return _draw(rng, config, memory_bytes, largest)
        except _DoesNotFitError:
            largest = max(1, largest - 1)  # what a window skips counts, too


def _draw(rng: np.random.Generator, config: AcceleratorConfig, memory_bytes: int, largest: int) -> Job:
    m, n, k = (int(x) for x in rng.integers(1, largest + 1, 3))
    if rng.random() < 0.2:
        k = int(rng.integers(config.depth // 2 - 2, config.depth + 9))
        m, n = min(m, 12), min(n, 12)
    memory = _Memory(rng, memory_bytes)
    words: dict[str, int] = {"m": m, "n": n, "k": k}
    operands, formats = {}, {}
    for name, lanes in (("a", m), ("b", n)):
        index = int(rng.integers(len(config.operands)))
        formats[name] = config.operands[index]
        k_minor = int(rng.integers(2))
        majors, minors = (lanes, k) if k_minor else (k, lanes)
        window, elements = random_window(rng, majors, minors, k_minor)
        codes = random_codes(rng, formats[name], (elements,))
        fields = window.words(MEMORY_BASE + memory.store(codes), index, codes.itemsize)
        for field, value in fields.items():
            parts = {f"_{part}": word for part, word in value.items()} if isinstance(value, dict) else {"": value}
            words |= {f"{name}_{field}{part}": word for part, word in parts.items()}
        indices = window.indices(majors, minors)
        matrix = np.where(indices == NOTHING, 0, codes[np.maximum(indices, 0)]).astype(codes.dtype)
        operands[name] = np.ascontiguousarray(matrix if bool(k_minor) == (name == "a") else matrix.T)
    extra = {}
    for name, choice, share in (
        ("c", config.operands, 0.4),
        ("addend", config.formats, 0.3),
        ("mask", config.formats, 0.3),
    ):
        if rng.random() < share:
            index = int(rng.integers(len(choice)))
            codes, fields = _matrix(rng, memory, name, choice[index], index, m, n)
            words |= fields
            extra |= {name: codes, f"{name}_format": choice[index]}
    index = int(rng.integers(len(config.formats)))
    d_format = config.formats[index]
    size, pitch = d_format.dtype.itemsize, n + int(rng.integers(0, 5))
    address = memory.place(m * pitch * size, size)
    words |= {"d_address": MEMORY_BASE + address, "d_format": index, "d_pitch": pitch * size}
    scale = int(rng.integers(-12, 13)) if rng.random() < 0.8 else int(rng.integers(-300, 301))
    saturate, relu, mode = (int(rng.integers(high)) for high in (2, 2, 3 if config.stochastic else 2))
    words |= {"scale": scale, "overflow": saturate, "rounding": mode, "flags": relu << Flag.RELU}
    rounding = [Rounding.NEAREST_EVEN, Rounding.TOWARD_ZERO, _stochastic(rng)][mode]
    if isinstance(rounding, Stochastic):
        words |= {"random_bits": rounding.bits, "random_key": int(rounding.key)}
    accumulator = Exact()
    if not config.exact:
        accumulator = Chain(config.chain_format)
        if config.stochastic_chain and rng.random() < 0.3:
            steps = _stochastic(rng)
            words |= {"chain_random_bits": steps.bits, "chain_random_key": int(steps.key)}
            accumulator = Chain(config.chain_format, steps)
    d = gemm(
        operands["a"],
        operands["b"],
        a_format=formats["a"],
        b_format=formats["b"],
        d_format=d_format,
        accumulator=accumulator,
        scale=scale,
        overflow="saturate" if saturate else "ieee",
        rounding=rounding,
        relu=bool(relu),
        engine="reference",
        **extra,
    )
    after = memory.image.copy()
    for row in range(m):
        start = address + row * pitch * size
        after[start : start + n * size] = d[row].view(np.uint8)
    formats |= {name: value for name, value in extra.items() if name.endswith("_format")}
    return Job(words, memory.image, after, f"{m}x{n}x{k} {formats} -> {d_format.name} {words}")


def _stochastic(rng: np.random.Generator) -> Stochastic:
    return Stochastic(int(rng.integers(1, 25)), *(int(word) for word in rng.integers(1 << 32, size=3)))
