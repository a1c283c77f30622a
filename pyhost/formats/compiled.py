"""Encoding of large arrays, compiled: the twin of `Format.encode` for rounding to nearest even.

Importing this imports Numba, so only `Format.encode` does, and only for arrays that pay for it.
"""

# mypy: disallow-untyped-decorators=False, disable-error-code="call-arg, var-annotated"

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pyhost.formats.binary import BinaryFormat
from pyhost.formats.bitcast import bit_and, bits_of, float_of, narrowed
from pyhost.formats.posit import PositFormat

__all__ = ["encode_binary", "encode_posit"]


class _Constants(NamedTuple):
    """A binary format as the integers of lanes with w fraction bits; P are bit patterns of powers of two."""

    magnitude_mask: Any
    exponent_mask: Any
    floor: Any  # P of the smallest normal number
    ceiling: Any  # P beyond the largest finite value
    gap: Any  # what takes P to 2^(w-m) * P
    shift: Any  # w - m
    smallest: Any  # codes below are written as zero
    largest: Any  # codes above are written as `beyond`
    beyond: Any
    largest_number: Any  # codes above are written as `nan`
    nan: Any
    sign: Any
    zero_sign: Any


@njit(cache=True, error_model="numpy")
def _encode(x, codes, to):  # type: ignore[no-untyped-def]
    """Adding G = 2^(w-m) * P to |x|, P the power of two at the bottom of its binade (floor <= P <= ceiling), rounds
    |x| / (P * 2^-m) to an integer in the last bits of the sum; P's distance from the floor is the exponent field.
    """
    zero = narrowed(0, to.floor)
    for i in range(x.size):
        bits = bits_of(x[i])
        magnitude = bit_and(bits, to.magnitude_mask)
        p = bit_and(bits, to.exponent_mask)
        p = p if p > to.floor else to.floor
        p = p if p < to.ceiling else to.ceiling
        g = narrowed(p + to.gap, to.floor)
        integer = narrowed(bits_of(float_of(magnitude) + float_of(g)) - g, to.floor)
        code = narrowed(integer + (narrowed(p - to.floor, to.floor) >> to.shift), to.floor)
        code = code if code >= to.smallest else zero
        not_a_number = (magnitude > to.exponent_mask) | (code > to.largest_number)
        code = code if code <= to.largest else to.beyond
        sign = to.zero_sign if code == 0 else to.sign
        codes[i] = to.nan if not_a_number else code | (sign if bits < 0 else zero)


def encode_binary(number_format: BinaryFormat, x: NDArray[np.floating], saturate: bool) -> NDArray[np.unsignedinteger]:
    """`number_format.encode(x, saturate=saturate)`, for float32 and float64 arrays.

    float32 lanes serve where all of the format's binades, and G, are normal binary32 numbers, and |x| < 2 P <= G.
    """
    m, bias = number_format.fraction_bits, number_format.bias
    top = int(np.frexp(number_format.max)[1])  # the binade beyond the largest value
    narrow = x.dtype == np.float32 and m < 23 and 1 - bias >= -126 and top + 23 - m <= 127
    lane, w, lane_bias = (np.int32, 23, 127) if narrow else (np.int64, 52, 1023)
    largest = number_format.largest_code
    sign = 1 << (number_format.bits - 1)
    to_infinity = number_format.has_inf and not saturate
    to_nan = number_format.style in ("fn", "fnuz") and not saturate
    constants = _Constants(
        magnitude_mask=lane(np.iinfo(lane).max),
        exponent_mask=lane((2 * lane_bias + 1) << w),
        floor=lane((lane_bias + 1 - bias) << w),
        ceiling=lane((lane_bias + top) << w),
        gap=lane((w - m) << w),
        shift=lane(w - m),
        smallest=lane(0 if number_format.subnormals else 1 << m),
        largest=lane(largest),
        beyond=lane(number_format.inf_code if to_infinity else largest),
        largest_number=lane(largest if to_nan else np.iinfo(lane).max),
        nan=lane(number_format.nan_code),
        sign=lane(sign),
        zero_sign=lane(0 if number_format.style == "fnuz" else sign),
    )
    codes = np.empty(x.shape, dtype=number_format.dtype)
    with np.errstate(invalid="ignore"):  # signalling NaNs are as good as any
        flat = np.ascontiguousarray(x, dtype=np.float32 if narrow else np.float64).reshape(-1)
    _encode(flat, codes.reshape(-1), constants)
    return codes


def encode_posit(number_format: PositFormat, x: NDArray[np.floating], saturate: bool) -> NDArray[np.unsignedinteger]:
    """`number_format.encode(x, saturate=saturate)`, for float32 and float64 arrays."""
    codes = np.empty(x.shape, dtype=number_format.dtype)
    flat = np.ascontiguousarray(x, dtype=x.dtype if x.dtype == np.float32 else np.float64).reshape(-1)
    infinity = number_format.nan_code - 1 if saturate else number_format.nan_code
    _encode_posit(
        flat,
        codes.reshape(-1),
        number_format.width,
        number_format.es,
        number_format.min_normal,
        number_format.max,
        infinity,
    )
    return codes


@njit(cache=True, error_model="numpy")
def _encode_posit(x, codes, width, es, smallest, largest, infinity):  # type: ignore[no-untyped-def]
    """`PositFormat._position`, without branches."""
    one = np.int64(1)
    body_bits = width - one
    mask = (one << width) - 1
    nar = one << body_bits
    for i in range(x.size):
        value = np.float64(x[i])
        magnitude = abs(value)
        clipped = magnitude if magnitude > smallest else smallest
        clipped = clipped if clipped < largest else largest
        pattern = bits_of(clipped)
        exponent = (pattern >> 52) - 1023
        regime = exponent >> es
        run = regime if regime >= 0 else -regime - 1  # and one more, and the end
        ones = ((2 * one << run) - 1) << 1 if regime >= 0 else one
        tail = ((exponent - (regime << es)) << 52) | (pattern & ((one << 52) - 1))
        kept = body_bits - run - 2
        room = kept if kept > 0 else 0 * one
        dropped = es + 52 - room
        low = (ones << room if kept >= 0 else ones >> 1) | (tail >> dropped)
        rest = tail & ((one << dropped) - 1)
        code = low + np.int64(rest + (low & 1) > one << (dropped - 1))
        code = code if magnitude > 0 else 0 * one
        code = code if magnitude < np.inf else infinity
        code = code if value >= 0 else -code & mask
        codes[i] = code if magnitude <= np.inf else nar
