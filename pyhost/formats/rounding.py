"""Rounding: the one place where a position between two neighbouring codes becomes a code.

Every format lays its non-negative values out in the order of their codes. A real magnitude then has a
*position*: the code at or below it (`low`) and how far it is on the way to the next code (`rest`, in units of
2^-64, with the last bit standing for 'and something more'). Rounding only decides whether to take the next code.
"""

from enum import Enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyhost.formats.errors import FormatError

__all__ = ["RANDOM_BITS_LIMIT", "Rounding", "checked_random", "overflows", "rounds_up"]

RANDOM_BITS_LIMIT = 24
"""Most random bits a stochastic rounding may use: with them a binary64 still carries all that decides."""

_HALF = np.uint64(1 << 63)
_ONE = np.uint64(1)


class Rounding(Enum):
    """How a value between two neighbours is rounded.

    `NEAREST_EVEN` and `NEAREST_AWAY` differ at ties; `UP` and `DOWN` are toward +infinity and -infinity; `TO_ODD`
    takes the neighbour with the odd code, so that a later rounding to fewer bits is not a double rounding;
    `STOCHASTIC` takes the upper one with the probability of the distance, in steps of 2^-r for r random bits.
    """

    NEAREST_EVEN = "nearest_even"
    NEAREST_AWAY = "nearest_away"
    TOWARD_ZERO = "toward_zero"
    UP = "up"
    DOWN = "down"
    TO_ODD = "to_odd"
    STOCHASTIC = "stochastic"

    @classmethod
    def named(cls, mode: "Rounding | str") -> "Rounding":
        """A mode, given itself or its name; FormatError for what is neither."""
        try:
            return cls(mode)
        except ValueError:
            modes = ", ".join(known.value for known in cls)
            raise FormatError(f"rounding {mode!r} is none of {modes}") from None


def rounds_up(
    low: NDArray[np.uint64],
    rest: NDArray[np.uint64],
    negative: NDArray[np.bool_],
    rounding: Rounding,
    random: NDArray[np.uint64] | None = None,
    random_bits: int = 0,
) -> NDArray[np.bool_]:
    """Whether the magnitude at position `low + rest / 2^64` takes the code `low + 1`; all arrays of one shape.

    Stochastic: up iff floor(rest / 2^(64-r)) + random >= 2^r, with random uniform in 0 .. 2^r - 1.
    """
    up: NDArray[np.bool_]
    match rounding:
        case Rounding.NEAREST_EVEN:
            up = (rest > _HALF) | ((rest == _HALF) & (low & _ONE == _ONE))
        case Rounding.NEAREST_AWAY:
            up = rest >= _HALF
        case Rounding.TOWARD_ZERO:
            up = np.zeros(rest.shape, dtype=bool)
        case Rounding.UP:
            up = (rest > 0) & ~negative
        case Rounding.DOWN:
            up = (rest > 0) & negative
        case Rounding.TO_ODD:
            up = (rest > 0) & (low & _ONE == 0)
        case Rounding.STOCHASTIC:
            assert random is not None
            up = (rest >> np.uint64(64 - random_bits)) + random >= np.uint64(1 << random_bits)
    return up


def checked_random(random: ArrayLike | None, random_bits: int) -> NDArray[np.uint64]:
    """The random integers of a stochastic rounding; FormatError where there are none, or one has too many bits."""
    if random is None or not isinstance(random_bits, int | np.integer) or not 1 <= random_bits <= RANDOM_BITS_LIMIT:
        raise FormatError(
            f"stochastic rounding needs 'random' and 'random_bits' in 1..{RANDOM_BITS_LIMIT}, "
            f"not {'no random' if random is None else random_bits}"
        )
    integers = np.asarray(random)
    if integers.size and integers.dtype.kind not in "ui":
        raise FormatError(f"random is an array of integers, not of {integers.dtype}")
    for extreme in (integers.min(initial=0), integers.max(initial=0)) if integers.size else ():
        if not 0 <= extreme < 1 << random_bits:
            raise FormatError(f"random integers of {random_bits} bits are 0 to {(1 << random_bits) - 1}, not {extreme}")
    return integers.astype(np.uint64)


def overflows(negative: NDArray[np.bool_], rounding: Rounding) -> NDArray[np.bool_]:
    """Where a magnitude beyond the largest finite value leaves the finite values (elsewhere it becomes that value).

    The modes that never increase a magnitude do not overflow (IEEE 754-2019, 7.4); neither does `TO_ODD`, whose
    result stands for 'and something more'.
    """
    match rounding:
        case Rounding.TOWARD_ZERO | Rounding.TO_ODD:
            return np.zeros(negative.shape, dtype=bool)
        case Rounding.UP:
            return ~negative
        case Rounding.DOWN:
            return negative
        case _:
            return np.ones(negative.shape, dtype=bool)
