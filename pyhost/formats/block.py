"""Block formats: elements of a narrow format that share a power-of-two scale."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyhost.formats.base import Format, ScalarFormat, real_numbers
from pyhost.formats.errors import FormatError
from pyhost.formats.rounding import Rounding
from pyhost.formats.scale import ScaleFormat

__all__ = ["BlockFormat"]

_SCALE = ScaleFormat()


@dataclass(frozen=True)
class BlockFormat(Format):
    """`mx(ELEMENT,32)`: blocks of 32 elements along the last axis, each block with an E8M0 scale.

    A block is stored in bytes: the scale, then the elements, packed from the least significant bit on. The scale
    is 2^(floor(log2 of the block's largest magnitude) - the element format's largest exponent), within
    2^-127..2^127; elements are value / scale, rounded, saturating at the element's largest value. An infinity or NaN
    that the element format cannot hold makes the scale NaN, and with it the block. A block of zeros has the smallest
    scale.
    Source: OCP Microscaling Formats 1.0, sections 5 and 6.3.

    Raises FormatError for a size that is no positive multiple of 8, or an element of more than 8 bits.
    """

    element: ScalarFormat
    size: int = 32

    def __post_init__(self) -> None:
        if self.size < 8 or self.size % 8:
            raise FormatError(f"block size {self.size}: a positive multiple of 8, as 32")
        if self.element.bits > 8:
            raise FormatError(f"element {self.element.name}: it may have 8 bits and fewer")

    @property
    def name(self) -> str:
        """`mx(ELEMENT,SIZE)`."""
        return f"mx({self.element.name},{self.size})"

    @property
    def bits(self) -> int:
        """Bits of a whole block: 8 + size * element.bits."""
        return 8 + self.size * self.element.bits

    @property
    def block_bytes(self) -> int:
        """Bytes of a whole block."""
        return self.bits // 8

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """uint8: a block is a row of bytes."""
        return np.dtype(np.uint8)

    @property
    def max(self) -> float:
        """2^127 times the element's largest value."""
        return self.element.max * _SCALE.max

    @property
    def min_normal(self) -> float:
        """2^-127 times the element's."""
        return self.element.min_normal * _SCALE.min_normal

    @property
    def min_subnormal(self) -> float:
        """2^-127 times the element's."""
        return self.element.min_subnormal * _SCALE.min_normal

    @property
    def has_inf(self) -> bool:
        """Whether the element has infinities."""
        return self.element.has_inf

    @property
    def has_nan(self) -> bool:
        """True: by the scale."""
        return True

    @property
    def nan_code(self) -> int:
        """255: the scale that makes a block NaN."""
        return _SCALE.nan_code

    def decode(self, codes: ArrayLike) -> NDArray[np.float64]:
        """Values [..., blocks * size] of bytes [..., blocks * block_bytes]; FormatError for another number of bytes."""
        codes = np.asarray(codes)
        if codes.dtype != np.uint8 or codes.ndim == 0 or codes.shape[-1] % self.block_bytes:
            raise FormatError(f"{self.name} is read from bytes (uint8), a multiple of {self.block_bytes} of them")
        blocks = codes.reshape(*codes.shape[:-1], codes.shape[-1] // self.block_bytes, self.block_bytes)
        bits = np.unpackbits(blocks[..., 1:], axis=-1, bitorder="little")
        bits = bits.reshape(*bits.shape[:-1], self.size, self.element.bits)
        elements = np.packbits(bits, axis=-1, bitorder="little")[..., 0]
        values = self.element.decode(elements) * _SCALE.decode(blocks[..., :1])
        return values.reshape(*codes.shape[:-1], blocks.shape[-2] * self.size)

    def encode(
        self,
        x: ArrayLike,
        rounding: Rounding | str = Rounding.NEAREST_EVEN,
        saturate: bool = False,
        *,
        random: ArrayLike | None = None,
        random_bits: int = 0,
        exact: bool = False,
    ) -> NDArray[np.unsignedinteger]:
        """Bytes [..., blocks * block_bytes] of values [..., blocks * size]; elements saturate in any case.

        FormatError where the last axis is no multiple of the block's size. `random`, of x's shape, and `exact` are as
        in `ScalarFormat.encode`.
        """
        x = real_numbers(self.name, x).astype(np.float64)
        if x.ndim == 0 or x.shape[-1] % self.size:
            raise FormatError(f"{self.name} takes a last axis of a multiple of {self.size} values, not shape {x.shape}")
        blocks = x.reshape(*x.shape[:-1], x.shape[-1] // self.size, self.size)
        finite = np.isfinite(blocks)
        largest = np.where(finite, np.abs(blocks), 0.0).max(axis=-1, keepdims=True, initial=0.0)
        held = finite | (np.isnan(blocks) & self.element.has_nan) | (np.isinf(blocks) & self.element.has_inf)
        exponent = np.frexp(largest)[1] - np.frexp(self.element.max)[1]
        exponent = np.where(largest == 0, -127, exponent).clip(-127, 127).astype(np.int32)
        scales = np.where(held.all(axis=-1, keepdims=True), (exponent + 127).astype(np.uint8), _SCALE.nan_code)
        scaled = np.ldexp(blocks, -exponent)
        if random is not None:
            try:
                random = np.broadcast_to(np.asarray(random), x.shape).reshape(blocks.shape)
            except ValueError:
                raise FormatError(f"random of shape {np.shape(random)} does not fit x of shape {x.shape}") from None
        infinite = np.isinf(blocks) & self.element.has_inf
        elements = self.element.encode(scaled, rounding, saturate=True, random=random, random_bits=random_bits)
        if infinite.any() and not saturate:
            elements = np.where(infinite, self.element.encode(scaled), elements)
        bits = np.unpackbits(elements[..., None], axis=-1, count=self.element.bits, bitorder="little")
        packed = np.packbits(bits.reshape(*bits.shape[:-2], self.size * self.element.bits), axis=-1, bitorder="little")
        codes = np.concatenate([scales.astype(np.uint8), packed], axis=-1)
        codes = codes.reshape(*x.shape[:-1], blocks.shape[-2] * self.block_bytes)
        if exact:
            read = self.decode(codes)
            wrong = ~((read == x) | (np.isnan(read) & np.isnan(x)))
            if wrong.any():
                value = float(x[wrong].flat[0])
                raise FormatError(f"{self.name} does not hold {value!r}: it becomes {float(read[wrong].flat[0])!r}")
        return codes
