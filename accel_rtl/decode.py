"""Codes of any of several formats become one internal form, just wide enough for the list."""

from collections.abc import Sequence

from migen import Cat, If, Module, Mux, Record, Replicate, Signal

from accel_rtl.bits import Normalize, index_bits, select
from accel_rtl.form import HardwareFormat, InternalForm
from pyhost.formats import BinaryFormat, P3109Format, PositFormat

__all__ = ["BinaryDecoder", "Decoder", "P3109Decoder", "PositDecoder", "operand_layout"]


def operand_layout(form: InternalForm) -> list[tuple[str, int]]:
    """Fields of an operand; zeros, infinities and NaNs have their flags, and significand and exponent 0."""
    return [
        ("sign", 1),
        ("exponent", form.exponent_bits),
        ("significand", form.precision),
        ("zero", 1),
        ("infinity", 1),
        ("nan", 1),
    ]


class _LineDecoder(Module):
    """What the families with an exponent field above a fraction field share: the ports, and finite magnitudes."""

    def __init__(self, number_format: BinaryFormat | P3109Format, form: InternalForm, subnormals: bool) -> None:
        self.code = Signal(number_format.bits)
        self.value = value = Record(operand_layout(form))
        self.fraction_bits = fraction_bits = number_format.fraction_bits
        self.fraction = Signal(max(1, fraction_bits))
        self.exponent = Signal(number_format.exponent_bits)

        ###

        # What the exponent field lacks to the internal bias.
        offset = form.exponent_bias - number_format.bias
        zero, special = Signal(), Signal()
        significand, number = Signal(fraction_bits + 1), Signal(form.exponent_bits)
        self.comb += [
            significand.eq(Cat(self.fraction, 1) if fraction_bits else 1),
            number.eq(self.exponent + offset if offset >= 0 else self.exponent - -offset),
            special.eq(value.infinity | value.nan),
        ]
        if subnormals and fraction_bits:
            self.submodules.normalize = normalize = Normalize(fraction_bits)
            self.comb += [
                normalize.value.eq(self.fraction),
                zero.eq((self.exponent == 0) & (self.fraction == 0) & ~special),
                If(self.exponent == 0, significand.eq(normalize.normalised << 1), number.eq(offset - normalize.count)),
            ]
        else:
            self.comb += zero.eq((self.exponent == 0) & ~special)
        self.comb += [
            value.zero.eq(zero),
            If(
                ~(zero | special),
                value.exponent.eq(number),
                value.significand.eq(significand << (form.precision - number_format.precision)),
            ),
        ]


class BinaryDecoder(_LineDecoder):
    """Decoder of one format of the binary families (IEEE-style, fn, fnuz, finite), subnormals normalised.

    ====== ========= =====================================================
    signal direction meaning
    ====== ========= =====================================================
    code   in        `number_format.bits` bits
    value  out       record of `operand_layout`
    ====== ========= =====================================================

    form: must hold the format's values.
    """

    def __init__(self, number_format: BinaryFormat, form: InternalForm) -> None:
        super().__init__(number_format, form, number_format.subnormals)

        ###

        fraction, exponent, value = self.fraction, self.exponent, self.value
        self.comb += Cat(fraction, exponent, value.sign).eq(self.code)
        ones = (1 << number_format.exponent_bits) - 1
        if number_format.style == "ieee":
            self.comb += If(exponent == ones, value.infinity.eq(fraction == 0), value.nan.eq(fraction != 0))
        elif number_format.style == "fn":
            self.comb += value.nan.eq(Cat(fraction, exponent) == (1 << (number_format.bits - 1)) - 1)
        elif number_format.style == "fnuz":
            self.comb += value.nan.eq(self.code == number_format.nan_code)


class P3109Decoder(_LineDecoder):
    """Decoder of one P3109 format, signed or not, with infinities or without; subnormals normalised.

    ====== ========= =====================================================
    signal direction meaning
    ====== ========= =====================================================
    code   in        `number_format.bits` bits
    value  out       record of `operand_layout`
    ====== ========= =====================================================

    form: must hold the format's values.
    """

    def __init__(self, number_format: P3109Format, form: InternalForm) -> None:
        super().__init__(number_format, form, subnormals=True)

        ###

        value = self.value
        fields = [self.fraction, self.exponent] if self.fraction_bits else [self.exponent]
        magnitude = Signal(sum(map(len, fields)))
        self.comb += [
            magnitude.eq(self.code),
            Cat(*fields).eq(magnitude),
            value.nan.eq(self.code == number_format.nan_code),
        ]
        if number_format.signed:
            self.comb += value.sign.eq(self.code[-1])
        if number_format.extended:
            self.comb += value.infinity.eq(magnitude == number_format.largest_code + 1)


class PositDecoder(Module):
    """Decoder of one posit format; NaR is NaN.

    ====== ========= =====================================================
    signal direction meaning
    ====== ========= =====================================================
    code   in        `number_format.bits` bits
    value  out       record of `operand_layout`
    ====== ========= =====================================================

    Behind the sign, negative codes negated: a run of equal bits, the bit that ends it, es bits of the exponent and
    the fraction, as far as there is room. A run of l ones is a regime of l - 1, of l zeros -l.

    form: must hold the format's values.
    """

    def __init__(self, number_format: PositFormat, form: InternalForm) -> None:
        self.code = Signal(number_format.bits)
        self.value = value = Record(operand_layout(form))

        ###

        es, body_bits, fraction_bits = number_format.es, number_format.bits - 1, number_format.precision - 1
        sign, first, body = Signal(), Signal(), Signal(body_bits)
        # A one ends the longest run.
        self.submodules.run = run = Normalize(body_bits)
        # What is behind the end of the run, left-aligned.
        tail_bits = max(body_bits - 2, es, 1)
        tail = Signal(tail_bits)
        exponent = tail[tail_bits - es :]
        fraction = tail[tail_bits - es - fraction_bits : tail_bits - es]
        # In two's complement, as wide as the internal exponent.
        regime = Cat(
            run.count ^ Replicate(~first, len(run.count)), Replicate(~first, form.exponent_bits - es - len(run.count))
        )
        self.comb += [
            sign.eq(self.code[-1]),
            body.eq(Mux(sign, -self.code, self.code)),
            first.eq(body[-1]),
            run.value.eq(Cat(1, body[:-1] ^ Replicate(first, body_bits - 1))),
            tail.eq((body << (tail_bits - (body_bits - 2))) << run.count),
            value.sign.eq(sign),
            value.zero.eq((body == 0) & ~sign),
            value.nan.eq((body == 0) & sign),
            If(
                body != 0,
                value.exponent.eq((Cat(exponent, regime) if es else regime) + form.exponent_bias),
                value.significand.eq(
                    (Cat(fraction, 1) if fraction_bits else 1) << (form.precision - number_format.precision)
                ),
            ),
        ]


class Decoder(Module):
    """Decoder of a format selected at run time: an index into `formats`.

    ====== ========= =====================================================
    signal direction meaning
    ====== ========= =====================================================
    code   in        as wide as the widest format, right-aligned
    format in        index into `formats`
    value  out       record of `operand_layout`
    ====== ========= =====================================================

    form: must hold the values of all formats. There is a decoder for each format, side by side.
    """

    def __init__(self, formats: Sequence[HardwareFormat], form: InternalForm) -> None:
        self.code = Signal(max(f.bits for f in formats))
        self.format = Signal(index_bits(len(formats)))
        self.value = Record(operand_layout(form))

        ###

        choices = {}
        for index, number_format in enumerate(formats):
            decoder = _decoder_class(number_format)(number_format, form)
            self.submodules += decoder
            self.comb += decoder.code.eq(self.code)
            choices[index] = [self.value.eq(decoder.value)]
        self.comb += select(self.format, choices)


def _decoder_class(number_format: HardwareFormat) -> type[BinaryDecoder] | type[P3109Decoder] | type[PositDecoder]:
    """The decoder of the format's family."""
    match number_format:
        case PositFormat():
            return PositDecoder
        case P3109Format():
            return P3109Decoder
        case _:
            return BinaryDecoder
