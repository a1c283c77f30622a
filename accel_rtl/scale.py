"""The power of two between a sum and its result, and the rounding to binary32 of what meets an addend."""

from migen import Cat, Module, Mux, Record, Signal

from accel_rtl.bits import index_bits
from accel_rtl.round import EXPONENT_BITS, unrounded_layout
from pyhost import timing

__all__ = ["SCALE_LIMIT", "Scaler"]

SCALE_LIMIT = 1023
"""A scale beyond this makes infinity or zero of everything, just as this one does."""

PRECISION = 24
LEAST_NORMAL, LARGEST_EXPONENT = -126, 127
"""Of binary32."""


class Scaler(Module):
    """scaled = 2^scale * number, or the binary32 nearest to that (ties to even, overflow to infinity).

    ====== ========= ========================================================
    signal direction meaning
    ====== ========= ========================================================
    number in        record of `unrounded_layout(significand_bits)`
    scale  in        signed, within +-SCALE_LIMIT
    narrow in        1: round to binary32
    scaled out       record of the same layout; not sticky where it is narrow
    ====== ========= ========================================================

    LATENCY cycles, one number a cycle; scale and narrow belong to the number that enters, and stay for those cycles.

    The number is rounded where it stands: with d bits to drop, the sticky bit among them, 2^(d-1) - 1 is added, one
    more if the bit above is odd, and the d bits are cleared. A number below binary32's normal ones drops more of them,
    up to one that rounds to the least subnormal by a carry, and beyond.
    """

    LATENCY = timing.SCALER

    def __init__(self, significand_bits: int) -> None:
        self.number = number = Record(unrounded_layout(significand_bits))
        self.scale = Signal((index_bits(SCALE_LIMIT + 1) + 1, True))
        self.narrow = Signal()
        self.scaled = scaled = Record(unrounded_layout(significand_bits), reset_less=True)

        ###

        # Cycle 1: the exponent, and how many bits are dropped.
        width = significand_bits + 1
        dropped_normal = 1 + max(0, significand_bits - PRECISION)
        dropped_most = width + 1
        product, lacking = Signal((EXPONENT_BITS + 1, True)), Signal((EXPONENT_BITS + 1, True))
        moved = Record(unrounded_layout(significand_bits), reset_less=True)
        dropped = Signal(index_bits(dropped_most + 1), reset_less=True)
        self.comb += [
            product.eq(number.exponent + self.scale),
            lacking.eq((1 + significand_bits - PRECISION + LEAST_NORMAL) - product),
        ]
        self.sync += [
            moved.eq(number),
            moved.exponent.eq(product),
            dropped.eq(
                Mux(lacking > dropped_most, dropped_most, Mux(lacking > dropped_normal, lacking, dropped_normal))
            ),
        ]

        # Cycle 2: rounding.
        value, cleared, total, rounded = Signal(width), Signal(width + 1), Signal(width + 1), Signal(width + 1)
        odd, carry, vanishes, overflows = Signal(), Signal(), Signal(), Signal()
        exponent = Signal((EXPONENT_BITS, True))
        ones = (1 << (width + 1)) - 1
        self.comb += [
            value.eq(Cat(moved.sticky, moved.significand)),
            cleared.eq(Mux(self.narrow, ~(ones << dropped), 0)),
            odd.eq((value & ~cleared & (cleared << 1)) != 0),
            total.eq(value + cleared[1:] + odd),
            rounded.eq(total & ~cleared),
            carry.eq(rounded[width]),
            vanishes.eq(~carry & ~rounded[width - 1]),
            exponent.eq(moved.exponent + carry),
            overflows.eq(self.narrow & (exponent > LARGEST_EXPONENT)),
        ]
        self.sync += [
            scaled.eq(moved),
            scaled.exponent.eq(exponent),
            scaled.significand.eq(Cat(rounded[1 : width - 1], ~vanishes)),
            scaled.sticky.eq(rounded[0]),
            scaled.zero.eq(moved.zero | vanishes),
            scaled.infinity.eq(moved.infinity | (overflows & ~moved.zero)),
        ]
