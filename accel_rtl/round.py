"""The one place that rounds: a number of any precision becomes a code, to nearest even."""

from migen import Case, If, Module, Mux, Record, Signal

from accel_rtl.bits import index_bits
from accel_rtl.config import AcceleratorConfigError
from pyhost.formats import BinaryFormat

__all__ = ["EXPONENT_BITS", "Rounder", "unrounded_layout"]

EXPONENT_BITS = 13
"""Exponents before rounding are signed: formats reach 2^+-300, products twice that, and scale adds +-1023."""


def unrounded_layout(significand_bits: int) -> list[tuple]:
    """(-1)^sign * 2^exponent * significand / 2^(significand_bits - 1), plus less than a last bit where sticky is set.

    The significand's top bit is set unless one of zero, infinity and nan is; then only sign counts.
    """
    return [
        ("sign", 1),
        ("exponent", (EXPONENT_BITS, True)),
        ("significand", significand_bits),
        ("sticky", 1),
        ("zero", 1),
        ("infinity", 1),
        ("nan", 1),
    ]


class Rounder(Module):
    """code = round(number) in the selected format, combinational.

    ======== ========= ================================================================
    signal   direction meaning
    ======== ========= ================================================================
    number   in        record of `unrounded_layout(significand_bits)`
    format   in        index into `formats`
    saturate in        1: overflow and infinities become the largest finite value
    code     out       right-aligned, as wide as the widest format
    ======== ========= ================================================================

    A magnitude's code grows with its value through subnormals, binades and beyond, so with e the exponent above the
    least normal one (0 for subnormals) and f fraction bits

        code = (e << f) + (significand >> shift) + round_up

    is right whether or not rounding carries into the exponent, and one comparison tells overflow.

    Raises AcceleratorConfigError where `formats` is empty or `significand_bits` below 2.
    """

    def __init__(self, formats: tuple[BinaryFormat, ...], significand_bits: int) -> None:
        if not formats or significand_bits < 2:
            raise AcceleratorConfigError("a rounder needs at least one format and a significand of two bits")
        self.number = number = Record(unrounded_layout(significand_bits))
        self.format = Signal(index_bits(len(formats)))
        self.saturate = Signal()
        self.code = Signal(max(f.bits for f in formats))

        ###

        fraction_max = max(f.fraction_bits for f in formats)
        exponent_max = max(f.exponent_bits for f in formats)
        width = max(significand_bits, fraction_max + 3)
        code_bits = max(f.bits for f in formats)
        line_bits = exponent_max + fraction_max + 2

        # What depends on the format alone.
        normal_shift = Signal(index_bits(width))
        least_normal = Signal((EXPONENT_BITS, True))
        largest, overflow_code, nan_code, sign_mask = (Signal(code_bits) for _ in range(4))
        flush_below = Signal(code_bits)
        signed_zero = Signal()
        # `above`, the exponent field less one, and its place in the code.
        below, above = (Signal((EXPONENT_BITS + 1, True)) for _ in range(2))
        binades, placed = Signal(exponent_max), Signal(line_bits)
        choices: dict = {}
        for index, f in enumerate(formats):
            magnitude = int(f.encode(f.max))
            finite = f.style == "finite"
            choices[index] = [
                normal_shift.eq(width - 1 - f.fraction_bits),
                least_normal.eq(1 - f.bias),
                largest.eq(magnitude),
                overflow_code.eq(magnitude if finite else f.inf_code if f.has_inf else f.nan_code),
                nan_code.eq(f.nan_code),
                sign_mask.eq(1 << (f.bits - 1)),
                flush_below.eq(0 if f.subnormals else 1 << f.fraction_bits),
                signed_zero.eq(f.style != "fnuz"),
                placed.eq(binades << f.fraction_bits),
            ]
        choices["default"] = choices.pop(len(formats) - 1)
        self.comb += Case(self.format, choices)

        # Positions: how far below or above the least normal exponent, and so how many bits are dropped.
        shift_bits = index_bits(width + 2)
        limit = width - 1  # a shift by `width` leaves no more than a guard bit of 0
        dropped = Signal(shift_bits)
        denormal = Signal(shift_bits)
        huge = Signal()
        total = Signal(shift_bits + 1)
        self.comb += [
            below.eq(least_normal - number.exponent),
            above.eq(number.exponent - least_normal),
            denormal.eq(Mux(below > limit, limit, Mux(below > 0, below, 0))),
            total.eq(normal_shift + denormal - 1),
            dropped.eq(Mux(total > width, width, total)),
            huge.eq(above >= (1 << exponent_max)),
            binades.eq(Mux((above > 0) & ~huge, above, 0)),
        ]

        # Round to nearest even: `kept` has the guard bit at its end.
        significand, kept, lost = Signal(width), Signal(width), Signal(width)
        up, line = Signal(), Signal(line_bits)
        mask = Signal(width)
        self.comb += [
            significand.eq(number.significand << (width - significand_bits)),
            kept.eq(significand >> dropped),
            mask.eq(((1 << width) - 1) << dropped),
            lost.eq(significand & ~mask),
            up.eq(kept[0] & (kept[1] | (lost != 0) | number.sticky)),
            line.eq(placed + kept[1:] + up),
        ]

        overflow, magnitude, nan = Signal(), Signal(code_bits), Signal()
        self.comb += [
            overflow.eq(number.infinity | (~number.zero & (huge | (line > largest)))),
            nan.eq(number.nan | (overflow & ~self.saturate & (overflow_code == nan_code))),
            If(
                overflow,
                magnitude.eq(Mux(self.saturate, largest, overflow_code)),
            ).Elif(
                ~number.zero & (line >= flush_below),
                magnitude.eq(line),
            ),
            If(
                nan,
                self.code.eq(nan_code),
            ).Else(
                self.code.eq(magnitude | Mux(number.sign & ((magnitude != 0) | signed_zero), sign_mask, 0)),
            ),
        ]
