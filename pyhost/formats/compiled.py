"""Encoding of large arrays, compiled: the twin of `ScalarFormat.encode`.

Rounding to nearest even has a kernel of its own, which vectorises; the other modes share one with it in plain integers.

Importing this imports Numba, so only `Format.encode` does, and only for arrays that pay for it.
"""

# mypy: disable-error-code="call-arg, var-annotated"

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyhost.formats.binary import BinaryFormat
from pyhost.formats.jit import bit_and, bit_or, bits_of, float_of, kernel, minus, plus, shift_right
from pyhost.formats.posit import PositFormat
from pyhost.formats.rounding import Rounding

__all__ = ["encode_binary", "encode_posit"]


class _Constants(NamedTuple):
    """A binary format as integers of the width of lanes with w fraction bits; P are bit patterns of powers of two."""

    magnitude_mask: Any
    exponent_mask: Any
    floor: Any  # P of the smallest normal number
    ceiling: Any  # P beyond the largest finite value
    gap: Any  # what takes P to 2^(w-m) * P
    shift: Any  # w - m
    offset: Any  # gap + floor >> shift
    smallest: Any  # codes below are written as zero
    limit: Any  # codes above are written as this: the largest, or infinity
    signed_above: Any  # codes up to this have no sign: -1, or 0 where there is no -0
    largest_number: Any  # patterns above are written as NaN
    nan: Any
    sign: Any  # the code's
    sign_shift: Any  # how far it is from the lanes'


_MODES = {mode: number for number, mode in enumerate(Rounding)}
_NEAREST_EVEN, _NEAREST_AWAY, _TOWARD_ZERO, _UP, _DOWN, _TO_ODD, _STOCHASTIC = range(len(_MODES))


class _Draw(NamedTuple):
    """A mode, and what stochastic rounding draws from."""

    mode: int  # a value of _MODES
    random: Any  # uint64, one for each element
    bits: int


@kernel
def _rounds_up(low, rest, dropped, negative, draw, i):  # type: ignore[no-untyped-def]
    """`rounding.rounds_up` of element i, as 0 or 1, for a rest of `dropped` bits."""
    half = np.int64(1) << (dropped - 1)
    up = False
    if draw.mode == _NEAREST_AWAY:
        up = rest >= half
    elif draw.mode == _UP:
        up = (rest > 0) & (not negative)
    elif draw.mode == _DOWN:
        up = (rest > 0) & negative
    elif draw.mode == _TO_ODD:
        up = (rest > 0) & (low & 1 == 0)
    elif draw.mode == _STOCHASTIC:
        spare = dropped - draw.bits  # -1 of posit32es0 with 24 random bits
        part = rest >> spare if spare >= 0 else rest << -spare
        up = part + np.int64(draw.random[i]) >= np.int64(1) << draw.bits
    return np.int64(up)


@kernel
def _place(magnitude, to):  # type: ignore[no-untyped-def]
    """The place of a magnitude (a bit pattern) on the line of codes, rounded to nearest even, up to `limit`.

    Adding G = 2^(w-m) * P to |x|, P the power of two at the bottom of its binade (floor <= P <= ceiling), rounds
    |x| / (P * 2^-m) to an integer in the last bits of the sum; P's distance from the floor is the exponent field.
    """
    clipped = magnitude if magnitude < to.ceiling else to.ceiling
    p = bit_and(clipped, to.exponent_mask)
    p = p if p > to.floor else to.floor
    total = bits_of(float_of(clipped) + float_of(plus(p, to.gap)))
    place = plus(minus(total, p), minus(shift_right(p, to.shift), to.offset))
    return place if place < to.limit else to.limit


@kernel
def _encode(x, codes, to):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        bits = bits_of(x[i])
        magnitude = bit_and(bits, to.magnitude_mask)
        code = bit_or(_place(magnitude, to), bit_and(shift_right(bits, to.sign_shift), to.sign))
        codes[i] = code if magnitude <= to.largest_number else to.nan


@kernel
def _encode_with_gaps(x, codes, to):  # type: ignore[no-untyped-def]
    """`_encode` for formats without -0 or without subnormals."""
    zero = minus(to.sign, to.sign)
    for i in range(x.size):
        bits = bits_of(x[i])
        magnitude = bit_and(bits, to.magnitude_mask)
        place = _place(magnitude, to)
        place = place if place >= to.smallest else zero
        sign = bit_and(shift_right(bits, to.sign_shift), to.sign)
        code = bit_or(place, sign if place > to.signed_above else zero)
        codes[i] = code if magnitude <= to.largest_number else to.nan


@kernel
def _encode_in_any_mode(x, codes, to, largest, infinity, draw):  # type: ignore[no-untyped-def]
    """In integers of 64 bits; `infinity` is the code of infinity or what stands for it, -1 for NaN."""
    one, zero = np.int64(1), np.int64(0)
    hidden = one << 52
    lowest = to.floor >> 52
    for i in range(x.size):
        bits = bits_of(np.float64(x[i]))
        negative = bits < 0
        magnitude = bits & to.magnitude_mask
        clipped = min(magnitude, to.ceiling)
        exponent = clipped >> 52
        significand = (clipped & (hidden - 1)) | (hidden if exponent > 0 else zero)
        exponent = max(exponent, one)
        dropped = to.shift + max(lowest - exponent, zero)
        if dropped > 62:  # what leaves the rest stays as 'and something more'
            lost = min(dropped - 62, 62 * one)
            dropped = 62 * one
            significand = (significand >> lost) | np.int64(significand & ((one << lost) - 1) != 0)
        place = (significand >> dropped) + (max(exponent - lowest, zero) << (52 - to.shift))
        rest = significand & ((one << dropped) - 1)
        place += _rounds_up(place, rest, dropped, negative, draw, i)
        if magnitude == to.exponent_mask:
            place = infinity
        elif place > largest:
            inward = (draw.mode == _TOWARD_ZERO) | (draw.mode == _TO_ODD)
            inward |= draw.mode == (_DOWN if not negative else _UP)
            place = largest if inward else infinity
        if 0 <= place < to.smallest:
            place = zero
        code = place | (to.sign if negative and place > to.signed_above else zero)
        codes[i] = to.nan if magnitude > to.exponent_mask or place < 0 else code


def encode_binary(
    number_format: BinaryFormat,
    x: NDArray[Any],
    rounding: Rounding,
    saturate: bool,
    random: NDArray[np.uint64] | None,
    random_bits: int,
) -> NDArray[np.unsignedinteger]:
    """`number_format.encode(x, ...)` for large arrays.

    To nearest even, float32 lanes serve where all of the format's binades, and G, are normal binary32 numbers, and
    |x| < 2 P <= G.
    """
    m, bias = number_format.fraction_bits, number_format.bias
    top = int(np.frexp(number_format.max)[1])  # the binade beyond the largest value
    nearest_even = rounding is Rounding.NEAREST_EVEN
    narrow = nearest_even and x.dtype == np.float32 and m < 23 and 1 - bias >= -126 and top + 23 - m <= 127
    lane, number, w, lane_bias = (np.int32, np.float32, 23, 127) if narrow else (np.int64, np.float64, 52, 1023)
    largest, sign = number_format.largest_code, 1 << (number_format.bits - 1)
    floor, gap, infinity = (lane_bias + 1 - bias) << w, (w - m) << w, (2 * lane_bias + 1) << w
    to_nan = number_format.style in ("fn", "fnuz") and not saturate
    largest_number = infinity
    if to_nan:
        tie = int(number(number_format.threshold).view(lane))
        largest_number = tie - largest % 2  # a tie goes to the even code
    constants = _Constants(
        magnitude_mask=lane(np.iinfo(lane).max),
        exponent_mask=lane(infinity),
        floor=lane(floor),
        ceiling=lane((lane_bias + top) << w),
        gap=lane(gap),
        shift=lane(w - m),
        offset=lane(gap + (floor >> (w - m))),
        smallest=lane(0 if number_format.subnormals else 1 << m),
        limit=lane(largest + (number_format.has_inf and not saturate)),
        signed_above=lane(-1 if number_format.style != "fnuz" else 0),
        largest_number=lane(largest_number),
        nan=lane(number_format.nan_code),
        sign=lane(sign),
        sign_shift=lane(np.iinfo(lane).bits - number_format.bits),
    )
    codes = np.empty(x.shape, dtype=number_format.dtype)
    if nearest_even:
        plain = number_format.subnormals and number_format.style != "fnuz"
        (_encode if plain else _encode_with_gaps)(_flat(x, number), codes.reshape(-1), constants)
    else:
        beyond = np.int64(-1) if to_nan else np.int64(constants.limit)
        draw = _draw(rounding, random, random_bits)
        _encode_in_any_mode(_flat(x), codes.reshape(-1), constants, np.int64(largest), beyond, draw)
    return codes


def encode_posit(
    number_format: PositFormat,
    x: NDArray[Any],
    rounding: Rounding,
    saturate: bool,
    random: NDArray[np.uint64] | None,
    random_bits: int,
) -> NDArray[np.unsignedinteger]:
    """`number_format.encode(x, ...)` for large arrays."""
    codes = np.empty(x.shape, dtype=number_format.dtype)
    width, es = np.int64(number_format.width), np.int64(number_format.es)
    infinity = number_format.nan_code - 1 if saturate else number_format.nan_code
    bounds = number_format.min_normal, number_format.max
    if rounding is Rounding.NEAREST_EVEN:
        _encode_posit(_flat(x), codes.reshape(-1), width, es, *bounds, infinity)
    else:
        draw = _draw(rounding, random, random_bits)
        _encode_posit_in_any_mode(_flat(x), codes.reshape(-1), width, es, *bounds, infinity, draw)
    return codes


def _flat(x: NDArray[Any], number: type[np.floating] | None = None) -> NDArray[np.floating]:
    """As a row of `number`, or of what it is where that is binary32, or of binary64."""
    with np.errstate(invalid="ignore"):  # signalling NaNs are as good as any
        wanted = number or (np.float32 if x.dtype == np.float32 else np.float64)
        return np.ascontiguousarray(x, dtype=wanted).reshape(-1)


def _draw(rounding: Rounding, random: NDArray[np.uint64] | None, random_bits: int) -> _Draw:
    integers = np.zeros(1, dtype=np.uint64) if random is None else np.ascontiguousarray(random).reshape(-1)
    return _Draw(_MODES[rounding], integers, random_bits)


@kernel
def _posit_place(pattern, width, es):  # type: ignore[no-untyped-def]
    """(low, rest, bits of rest) of a positive number within the posit's range: `PositFormat._position`, unbranched."""
    one, zero = np.int64(1), np.int64(0)
    lowest = one << 10  # takes exponents above zero, where a shift to the right is cheap
    exponent = shift_right(pattern, 52 * one) - 1023
    regime = shift_right(exponent + lowest, es) - shift_right(lowest, es)
    run = regime if regime >= 0 else -regime - 1  # and one more, and the end
    ones = ((2 * one << run) - 1) << 1 if regime >= 0 else one
    tail = ((exponent - (regime << es)) << 52) | (pattern & ((one << 52) - 1))
    kept = width - run - 3
    room = kept if kept > 0 else zero
    dropped = es + 52 - room
    low = (ones << room if kept >= 0 else shift_right(ones, one)) | shift_right(tail, dropped)
    return low, tail & ((one << dropped) - 1), dropped


@kernel
def _encode_posit(x, codes, width, es, smallest, largest, infinity):  # type: ignore[no-untyped-def]
    one, zero = np.int64(1), np.int64(0)
    nar = one << (width - 1)
    mask = (one << width) - 1
    for i in range(x.size):
        value = np.float64(x[i])
        magnitude = abs(value)
        clipped = magnitude if magnitude > smallest else smallest
        clipped = clipped if clipped < largest else largest
        low, rest, dropped = _posit_place(bits_of(clipped), width, es)
        code = low + np.int64(rest + (low & 1) > one << (dropped - 1))
        code = code if magnitude > 0 else zero
        code = code if magnitude < np.inf else infinity
        code = code if value >= 0 else -code & mask
        codes[i] = code if magnitude <= np.inf else nar


@kernel
def _encode_posit_in_any_mode(x, codes, width, es, smallest, largest, infinity, draw):  # type: ignore[no-untyped-def]
    one, zero = np.int64(1), np.int64(0)
    nar = one << (width - 1)
    mask = (one << width) - 1
    for i in range(x.size):
        value = np.float64(x[i])
        magnitude = abs(value)
        clipped = magnitude if magnitude > smallest else smallest
        clipped = clipped if clipped < largest else largest
        low, rest, dropped = _posit_place(bits_of(clipped), width, es)
        code = low + _rounds_up(low, rest, dropped, value < 0, draw, i)
        code = code if magnitude > 0 else zero
        code = code if magnitude < np.inf else infinity
        code = code if value >= 0 else -code & mask
        codes[i] = code if magnitude <= np.inf else nar
