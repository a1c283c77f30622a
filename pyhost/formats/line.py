"""The line of codes that all binary families share: an exponent field above a fraction field, subnormals below."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["position", "value"]


def value(codes: NDArray[np.uint64], fraction_bits: int, bias: int) -> NDArray[np.float64]:
    """2^(max(e, 1) - bias) * (f / 2^m + (e > 0)) for codes e * 2^m + f, m = fraction_bits."""
    fraction = (codes & np.uint64((1 << fraction_bits) - 1)).astype(np.int64)
    exponent = (codes >> np.uint64(fraction_bits)).astype(np.int64)
    significand = fraction + (np.minimum(exponent, 1) << fraction_bits)
    values: NDArray[np.float64] = np.ldexp(
        significand.astype(np.float64), (np.maximum(exponent, 1) - bias - fraction_bits).astype(np.int32)
    )
    return values


def position(
    magnitude: NDArray[np.float64], fraction_bits: int, bias: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The code at or below each finite magnitude, and the rest in units of 2^-64 (the last bit sticky)."""
    pattern = magnitude.view(np.uint64)
    field = pattern >> np.uint64(52)
    significand = (pattern & np.uint64((1 << 52) - 1)) + (np.minimum(field, 1) << np.uint64(52))
    # Binades above the one that subnormals share with the smallest normals, or below it.
    above = np.maximum(field, 1).astype(np.int64) - (1023 + 1 - bias)
    dropped = (52 - fraction_bits - np.minimum(above, 0)).clip(max=127).astype(np.uint64)
    below_64 = np.minimum(dropped, 63)
    # The leading one of a normal number adds itself as the exponent's unit.
    low = np.where(dropped < 64, significand >> below_64, 0)
    low += np.maximum(above, 0).astype(np.uint64) << np.uint64(fraction_bits)
    beyond = np.maximum(dropped, 64) - np.uint64(64)
    far = significand >> beyond
    far |= (far << beyond != significand).astype(np.uint64)
    return low, np.where(dropped < 64, significand << (np.uint64(64) - below_64), far)
