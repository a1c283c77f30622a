"""Encoding of large arrays, compiled: the twin of `Format.encode` for rounding to nearest even.

Importing this imports Numba, so only `Format.encode` does, and only for arrays that pay for it.
"""

# mypy: disable-error-code="call-arg, var-annotated"

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyhost.formats.binary import BinaryFormat
from pyhost.formats.jit import bit_and, bit_or, bits_of, float_of, kernel, minus, plus, shift_right
from pyhost.formats.posit import PositFormat

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


def encode_binary(number_format: BinaryFormat, x: NDArray[np.floating], saturate: bool) -> NDArray[np.unsignedinteger]:
    """`number_format.encode(x, saturate=saturate)`, for float32 and float64 arrays.

    float32 lanes serve where all of the format's binades, and G, are normal binary32 numbers, and |x| < 2 P <= G.
    """
    m, bias = number_format.fraction_bits, number_format.bias
    top = int(np.frexp(number_format.max)[1])  # the binade beyond the largest value
    narrow = x.dtype == np.float32 and m < 23 and 1 - bias >= -126 and top + 23 - m <= 127
    lane, number, w, lane_bias = (np.int32, np.float32, 23, 127) if narrow else (np.int64, np.float64, 52, 1023)
    largest, sign = number_format.largest_code, 1 << (number_format.bits - 1)
    floor, gap, infinity = (lane_bias + 1 - bias) << w, (w - m) << w, (2 * lane_bias + 1) << w
    largest_number = infinity
    if number_format.style in ("fn", "fnuz") and not saturate:
        last_step = number_format.max - float(number_format.decode([largest - 1])[0])
        tie = int(number(number_format.max + last_step / 2).view(lane))
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
    with np.errstate(invalid="ignore"):  # signalling NaNs are as good as any
        flat = np.ascontiguousarray(x, dtype=number).reshape(-1)
    plain = number_format.subnormals and number_format.style != "fnuz"
    (_encode if plain else _encode_with_gaps)(flat, codes.reshape(-1), constants)
    return codes


def encode_posit(number_format: PositFormat, x: NDArray[np.floating], saturate: bool) -> NDArray[np.unsignedinteger]:
    """`number_format.encode(x, saturate=saturate)`, for float32 and float64 arrays."""
    codes = np.empty(x.shape, dtype=number_format.dtype)
    flat = np.ascontiguousarray(x, dtype=x.dtype if x.dtype == np.float32 else np.float64).reshape(-1)
    infinity = number_format.nan_code - 1 if saturate else number_format.nan_code
    _encode_posit(
        flat,
        codes.reshape(-1),
        np.int64(number_format.width),
        np.int64(number_format.es),
        number_format.min_normal,
        number_format.max,
        infinity,
    )
    return codes


@kernel
def _encode_posit(x, codes, width, es, smallest, largest, infinity):  # type: ignore[no-untyped-def]
    """`PositFormat._position`, without branches."""
    one = np.int64(1)
    zero = np.int64(0)
    lowest = np.int64(1 << 10)  # takes exponents above zero, where a shift to the right is cheap
    body_bits = width - one
    mask = (one << width) - 1
    nar = one << body_bits
    for i in range(x.size):
        value = np.float64(x[i])
        magnitude = abs(value)
        clipped = magnitude if magnitude > smallest else smallest
        clipped = clipped if clipped < largest else largest
        pattern = bits_of(clipped)
        exponent = shift_right(pattern, 52 * one) - 1023
        regime = shift_right(exponent + lowest, es) - shift_right(lowest, es)
        run = regime if regime >= 0 else -regime - 1  # and one more, and the end
        ones = ((2 * one << run) - 1) << 1 if regime >= 0 else one
        tail = ((exponent - (regime << es)) << 52) | (pattern & ((one << 52) - 1))
        kept = body_bits - run - 2
        room = kept if kept > 0 else zero
        dropped = es + 52 - room
        low = (ones << room if kept >= 0 else shift_right(ones, one)) | shift_right(tail, dropped)
        rest = tail & ((one << dropped) - 1)
        code = low + np.int64(rest + (low & 1) > one << (dropped - 1))
        code = code if magnitude > 0 else zero
        code = code if magnitude < np.inf else infinity
        code = code if value >= 0 else -code & mask
        codes[i] = code if magnitude <= np.inf else nar
