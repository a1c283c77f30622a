"""The project's own exp, log and rsqrt in binary32: the NumPy twin of firmware/elementary.c, operation by operation.

They are defined by the operations they do: every one rounds to binary32, nearest even, in the order written. So C
and NumPy give the same bits on any machine, which no libm promises. The constants and the error bounds are
explained in firmware/elementary.c; the largest error over all arguments is below one unit in the last place.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["exp", "log", "rsqrt"]

Float32Array = NDArray[np.float32]

_LN2_HIGH = np.float32(float.fromhex("0x1.62e4p-1"))
_LN2_LOW = np.float32(float.fromhex("0x1.7f7d1cp-20"))
_INVERSE_LN2 = np.float32(float.fromhex("0x1.715476p+0"))
_TO_INTEGER = np.float32(float.fromhex("0x1.8p+23"))

_EXP_COEFFICIENTS = tuple(
    np.float32(float.fromhex(c))
    for c in ("0x1.6a507ap-10", "0x1.123976p-7", "0x1.5558acp-5", "0x1.555492p-3", "0x1.fffffcp-2")
)
_LOG_COEFFICIENTS = tuple(np.float32(float.fromhex(c)) for c in ("0x1.31e03cp-2", "0x1.995ed8p-2", "0x1.55557ap-1"))

_SQRT_HALF_BITS = np.uint32(0x3F3504F3)
_ONE_BITS = np.uint32(0x3F800000)
_FRACTION_MASK = np.uint32(0x7FFFFF)
_RSQRT_GUESS_BITS = np.uint32(0x5F3759DF)
_SHORT_MASK = np.uint32(0xFFFFF000)


def exp(x: Float32Array) -> Float32Array:
    """e^x of a binary32 array of any shape: 2^n * exp(r), n = x / ln 2 to the nearest integer.

    NaN gives the canonical NaN; above 88.7228 the result is +inf, below -103.9721 it is +0.
    """
    x = np.asarray(x, dtype=np.float32)
    # Outside these bounds, and for NaN, the result is selected at the end.
    inside = np.where(np.abs(x) <= np.float32(104.0), np.minimum(x, np.float32(89.0)), np.float32(0.0))

    shifted = inside * _INVERSE_LN2 + _TO_INTEGER
    n_value = shifted - _TO_INTEGER
    n = n_value.astype(np.int32)

    r = (inside - n_value * _LN2_HIGH) - n_value * _LN2_LOW
    q = np.full_like(r, _EXP_COEFFICIENTS[0])
    for coefficient in _EXP_COEFFICIENTS[1:]:
        q = q * r + coefficient
    y = np.float32(1.0) + (r + (r * r) * q)

    first = n >> 1
    with np.errstate(over="ignore", under="ignore"):
        y = y * _power_of_two(first) * _power_of_two(n - first)
    y = np.where(x > np.float32(89.0), np.float32(np.inf), y)
    y = np.where(x < np.float32(-104.0), np.float32(0.0), y)
    return np.where(np.isnan(x), np.float32(np.nan), y).astype(np.float32)


def log(x: Float32Array) -> Float32Array:
    """Natural logarithm of a binary32 array of any shape: n * ln 2 + log(1 + f), 1 + f within sqrt(1/2)..sqrt(2).

    +-0 gives -inf, +inf itself, a negative number or NaN the canonical NaN.
    """
    x = np.asarray(x, dtype=np.float32)
    # Outside the positive finite numbers the result is selected at the end.
    inside = np.where((x > 0) & np.isfinite(x), x, np.float32(1.0))

    subnormal = inside < np.float32(2.0**-126)
    normal = inside * np.where(subnormal, np.float32(2.0**23), np.float32(1.0))
    bits = normal.view(np.uint32) + (_ONE_BITS - _SQRT_HALF_BITS)
    n = (bits >> np.uint32(23)).astype(np.int32) - np.where(subnormal, 127 + 23, 127).astype(np.int32)
    f = ((bits & _FRACTION_MASK) + _SQRT_HALF_BITS).view(np.float32) - np.float32(1.0)
    n_value = n.astype(np.float32)

    s = f / (np.float32(2.0) + f)
    z = s * s
    r = np.full_like(z, _LOG_COEFFICIENTS[0])
    for coefficient in _LOG_COEFFICIENTS[1:]:
        r = r * z + coefficient
    r = r * z
    half_square = np.float32(0.5) * f * f
    y = (((s * (half_square + r) + n_value * _LN2_LOW) - half_square) + f) + n_value * _LN2_HIGH

    y = np.where(x == 0, np.float32(-np.inf), y)
    y = np.where(x == np.inf, x, y)
    return np.where((x < 0) | np.isnan(x), np.float32(np.nan), y).astype(np.float32)


def rsqrt(x: Float32Array) -> Float32Array:
    """1 / sqrt(x) of a binary32 array of any shape: 2^-k / sqrt(m), x = 4^k * m, m from 1 to 4.

    +-0 gives the infinity of its sign, +inf gives +0, a negative number or NaN the canonical NaN.
    """
    x = np.asarray(x, dtype=np.float32)
    # Outside the positive finite numbers the result is selected at the end.
    inside = np.where((x > 0) & np.isfinite(x), x, np.float32(1.0))

    subnormal = inside < np.float32(2.0**-126)
    bits = (inside * np.where(subnormal, np.float32(2.0**24), np.float32(1.0))).view(np.uint32)
    k = ((bits >> np.uint32(23)).astype(np.int32) - np.int32(127)) >> 1
    m = (bits - (k << np.int32(24)).view(np.uint32)).view(np.float32)

    y = (_RSQRT_GUESS_BITS - (m.view(np.uint32) >> np.uint32(1))).view(np.float32)
    y = y * (np.float32(1.5) - (np.float32(0.5) * m) * y * y)
    y = (y.view(np.uint32) & _SHORT_MASK).view(np.float32)
    e = np.float32(1.0) - m * (y * y)
    q = e * np.float32(0.3125) + np.float32(0.375)
    q = e * q + np.float32(0.5)
    y = y + y * (e * q)
    y = y * _power_of_two(np.where(subnormal, np.int32(12), np.int32(0)) - k)

    y = np.where(x == 0, np.copysign(np.float32(np.inf), x), y)
    y = np.where(x == np.inf, np.float32(0.0), y)
    return np.where((x < 0) | np.isnan(x), np.float32(np.nan), y).astype(np.float32)


def _power_of_two(n: NDArray[np.int32]) -> Float32Array:
    """2^n for -126 <= n <= 127."""
    return ((n + np.int32(127)) << np.int32(23)).view(np.float32)
