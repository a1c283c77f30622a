"""Random bits for stochastic rounding: a hash of where a number stands, never a generator that runs.

All words have 32 bits and wrap. With the keys

    key         = mix(mix(mix(seed) + step) + tensor)      once for a tensor
    row_i       = mix(mix(key + 1) + i)                    once for a row
    column_j    = mix(mix(key + 2) + j)                    once for a column
    depth_k     = mix(mix(key + 3) + k)                    once for a step of a product

the word of an element at a step is scramble(scramble(row_i + column_j) + depth_k), and its r most significant bits are
the random integer. So stalls, tiles, array shapes and backends cannot change a result.

mix(x): x ^= x >> 16, x *= 0x7feb352d, x ^= x >> 15, x *= 0x846ca68b, x ^= x >> 16. It multiplies, so it is only
computed where a row, a column or a step enters an array. (Constants: Wellons, hash-prospector, 2018.)
scramble(x): x ^= x >> 16, x += x << 9, x ^= x >> 14, x += x << 6, x ^= x >> 11, x += x << 13, x ^= x >> 15. It takes
three adders in each processing element. (Two were too few: for one difference of inputs in four, the upper bits of
both outputs were correlated.)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyhost.formats.errors import FormatError
from pyhost.formats.rounding import RANDOM_BITS_LIMIT

__all__ = ["FIRST_ADDEND", "WRITE_BACK", "Stochastic", "mix", "scramble"]

WRITE_BACK = (1 << 32) - 1
"""The k of the rounding at write-back, and of a tensor that is rounded by itself."""
FIRST_ADDEND = (1 << 32) - 2
"""The k of the rounding of C, where a chain starts with it."""

_Words = NDArray[np.uint32]


def mix(x: ArrayLike) -> _Words:
    """A 32-bit bijection in which every input bit changes every output bit with a probability close to 1/2."""
    word: _Words = np.asarray(x).astype(np.uint32)
    with np.errstate(over="ignore"):
        word = (word ^ word >> np.uint32(16)) * np.uint32(0x7FEB352D)
        word = (word ^ word >> np.uint32(15)) * np.uint32(0x846CA68B)
    return word ^ word >> np.uint32(16)


def scramble(x: _Words) -> _Words:
    """A 32-bit bijection of three additions and four exclusive ors."""
    with np.errstate(over="ignore"):
        x = x ^ x >> np.uint32(16)
        x = x + (x << np.uint32(9))
        x = x ^ x >> np.uint32(14)
        x = x + (x << np.uint32(6))
        x = x ^ x >> np.uint32(11)
        x = x + (x << np.uint32(13))
        return x ^ x >> np.uint32(15)


@dataclass(frozen=True)
class Stochastic:
    """Stochastic rounding with `bits` random bits, drawn for a tensor of a step of a run.

    Rounds up iff floor(rest * 2^bits) + random >= 2^bits, `rest` the part of the way to the next code: the expected
    value is too small by less than 2^-bits of a step. Raises FormatError for bits outside 1..24, or for a seed, step
    or tensor that is no 32-bit unsigned integer.
    """

    bits: int
    seed: int
    step: int = 0
    tensor: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.bits, int | np.integer) or not 1 <= self.bits <= RANDOM_BITS_LIMIT:
            raise FormatError(f"stochastic rounding takes 1 to {RANDOM_BITS_LIMIT} random bits, not {self.bits!r}")
        for name in ("seed", "step", "tensor"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or not 0 <= value < 1 << 32:
                raise FormatError(f"{name} of stochastic rounding is a 32-bit unsigned integer, not {value!r}")

    @property
    def key(self) -> np.uint32:
        """mix(mix(mix(seed) + step) + tensor)."""
        with np.errstate(over="ignore"):
            return np.uint32(mix(mix(mix(self.seed) + np.uint32(self.step)) + np.uint32(self.tensor)))

    def rows(self, count: int) -> _Words:
        """The words of rows 0 to count - 1."""
        return self._stream(1, np.arange(count))

    def columns(self, count: int) -> _Words:
        """The words of columns 0 to count - 1."""
        return self._stream(2, np.arange(count))

    def depths(self, k: ArrayLike) -> _Words:
        """The words of steps k."""
        return self._stream(3, k)

    def _stream(self, number: int, index: ArrayLike) -> _Words:
        with np.errstate(over="ignore"):
            return mix(mix(self.key + np.uint32(number)) + np.asarray(index).astype(np.uint32))

    def draw(self, rows: int, columns: int, k: int = WRITE_BACK) -> NDArray[np.uint64]:
        """Random integers below 2^bits, [rows, columns]: what `encode` takes as `random`."""
        with np.errstate(over="ignore"):
            elements = scramble(self.rows(rows)[:, None] + self.columns(columns)[None, :])
            words = scramble(elements + self.depths(k))
        return (words >> np.uint32(32 - self.bits)).astype(np.uint64)
