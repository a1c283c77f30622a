"""The line of codes: where a magnitude stands between two neighbouring codes of its format."""

from collections.abc import Mapping, Sequence

from migen import Cat, If, Module, Mux, Record, Replicate, Signal

from accel_rtl.bits import constants, index_bits, select
from accel_rtl.form import HardwareFormat
from pyhost.formats import BinaryFormat, P3109Format, PositFormat

__all__ = ["Position"]


class Position(Module):
    """position = the code at or below a magnitude, and the rest of the way to the next code; combinational.

    ======== ========= ==============================================================================
    signal   direction meaning
    ======== ========= ==============================================================================
    number   in        the given record, of `unrounded_layout`
    format   in        index into `formats`
    position out       fixed-point: the code, and `rest_bits` bits below it, the last of them sticky
    huge     out       the exponent is beyond the exponent fields of all formats; never for posits
    ======== ========= ==============================================================================

    rest_bits: how many are needed; the attribute says how many there are.
    """

    def __init__(self, number: Record, formats: Sequence[HardwareFormat], rest_bits: int) -> None:
        self.number = number
        self.format = Signal(index_bits(len(formats)))
        self.huge = Signal()

        ###

        posits = {i: f for i, f in enumerate(formats) if isinstance(f, PositFormat)}
        fields = {i: f for i, f in enumerate(formats) if not isinstance(f, PositFormat)}
        # A word holds a significand, or a posit's string; its upper `whole` bits are of the code.
        whole = max(f.bits - 1 if i in posits else f.fraction_bits + 1 for i, f in enumerate(formats))
        length = len(number.significand) + max(f.es + 1 if i in posits else 0 for i, f in enumerate(formats))
        width = max(length, whole + rest_bits)
        self.rest_bits = width - whole
        word, shifted, mask = (Signal(width) for _ in range(3))
        amount, placed = Signal(width.bit_length()), Signal(whole)
        # For ones to follow from above, a word is shifted as its complement.
        complement, back = Signal(width), Signal(width)
        if fields:
            self.submodules.fields = aligned = _Fields(number, fields, whole, width)
            placed = Signal(max(whole, len(aligned.placed)))
            self.comb += [
                aligned.format.eq(self.format),
                word.eq(aligned.word),
                amount.eq(aligned.amount),
                placed.eq(aligned.placed),
                self.huge.eq(aligned.huge),
            ]
        if posits:
            self.submodules.posits = aligned = _Posits(number, posits, whole, width)
            (posit,), choice = constants(self.format, {i: [i in posits] for i in range(len(formats))})
            self.comb += [
                aligned.format.eq(self.format),
                choice,
                If(
                    posit,
                    word.eq(aligned.word),
                    amount.eq(aligned.amount),
                    placed.eq(0),
                    self.huge.eq(0),
                    complement.eq(Replicate(aligned.word[-1], width)),
                    back.eq(aligned.ones),
                ),
            ]
        self.position = Signal(len(placed) + self.rest_bits)
        self.comb += [
            shifted.eq(((word ^ complement) >> amount) ^ back),
            mask.eq(((1 << width) - 1) << amount),
            self.position.eq((placed << self.rest_bits) | shifted | ((word & ~mask) != 0) | number.sticky),
        ]


class _Fields(Module):
    """Of formats with an exponent field above a fraction field: subnormals below, and what is beyond above.

    ====== ========= =======================================================================
    signal direction meaning
    ====== ========= =======================================================================
    format in        a key of `formats`; for others the outputs mean nothing
    word   out       the significand, without its leading one if that is in the exponent field
    amount out       how far it is shifted down
    placed out       the exponent field, in its place in the code even where it is too large for the format
    huge   out       it is beyond the exponent fields of all formats
    ====== ========= =======================================================================
    """

    def __init__(
        self, number: Record, formats: Mapping[int, BinaryFormat | P3109Format], whole: int, width: int
    ) -> None:
        exponent_bits = max(f.exponent_bits for f in formats.values())
        self.format = Signal(max=max(2, max(formats) + 1))
        self.word = Signal(width)
        self.amount = Signal(width.bit_length())
        self.placed = Signal(exponent_bits + max(f.fraction_bits for f in formats.values()))
        self.huge = Signal()

        ###

        # `deep` is the shift of what is below the normal numbers; the largest shift leaves nothing.
        field, deep = (Signal((len(number.exponent) + 1, True)) for _ in range(2))
        normal, exponent = Signal(), Signal(exponent_bits)
        deepest = (1 << len(self.amount)) - 1
        table = {i: (f.bias, whole - 1 - f.fraction_bits, whole - f.fraction_bits - f.bias) for i, f in formats.items()}
        (bias, shift, deep_at_zero), choice = constants(self.format, table, signed=True)
        self.comb += [
            choice,
            field.eq(number.exponent + bias),
            deep.eq(deep_at_zero - number.exponent),
            normal.eq(field > 0),
            self.huge.eq(field >= (1 << exponent_bits)),
            self.word.eq(Cat(number.significand[:-1], ~normal) << (width - len(number.significand))),
            self.amount.eq(Mux(normal, shift, Mux(deep > deepest, deepest, deep))),
            If(normal, exponent.eq(field)),
            select(self.format, {i: self.placed.eq(exponent << f.fraction_bits) for i, f in formats.items()}),
        ]


class _Posits(Module):
    """Of posits: an endless string, cut. The regime's last bit and its end, `es` bits of the exponent, the fraction.

    ====== ========= ==========================================================
    signal direction meaning
    ====== ========= ==========================================================
    format in        a key of `formats`; for others the outputs mean nothing
    word   out       the string
    amount out       how far it is shifted down
    ones   out       where its first bit is one, and so all before it: ones for all bits of the code and the rest
    ====== ========= ==========================================================

    No regime is longer than the code: beyond lie the largest code and 0.
    """

    def __init__(self, number: Record, formats: Mapping[int, PositFormat], whole: int, width: int) -> None:
        self.format = Signal(max=max(2, max(formats) + 1))
        self.word = Signal(width)
        self.amount = Signal(width.bit_length())
        self.ones = Signal(width)

        ###

        exponent, significand = Signal(len(number.exponent)), number.significand
        below = Signal()
        regime, run = Signal(len(exponent)), Signal(len(exponent) - 1)
        table = {}
        for i, f in formats.items():
            shift = whole - (f.bits - 1)
            table[i] = (f.bits - 2, shift, (1 << (width - shift)) - 1)
        (longest, shift, ones), choice = constants(self.format, table)
        self.comb += [
            exponent.eq(number.exponent),
            below.eq(exponent[-1]),
            choice,
            If(~below, self.ones.eq(ones)),
            select(
                self.format,
                {
                    i: [
                        regime.eq(number.exponent >> f.es),
                        self.word.eq(
                            Cat(significand[:-1], *([exponent[: f.es]] if f.es else []), below, ~below)
                            << (width - len(significand) - f.es - 1)
                        ),
                    ]
                    for i, f in formats.items()
                },
            ),
            run.eq(regime[:-1] ^ Replicate(below, len(run))),
            self.amount.eq(Mux(run > longest, whole - 1, shift + run)),
        ]
