"""Codes of any operand format become one internal form, just wide enough for the list."""

from migen import Case, Cat, If, Module, Record, Signal

from accel_rtl.bits import Normalize
from accel_rtl.config import AcceleratorConfig, InternalForm
from pyhost.formats import BinaryFormat

__all__ = ["BinaryDecoder", "Decoder", "operand_layout"]


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


class BinaryDecoder(Module):
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
        self.code = Signal(number_format.bits)
        self.value = Record(operand_layout(form))

        ###

        exponent_bits, fraction_bits = number_format.exponent_bits, number_format.fraction_bits
        fraction, exponent, sign = Signal(fraction_bits), Signal(exponent_bits), Signal()
        self.comb += Cat(fraction, exponent, sign).eq(self.code)

        zero, infinity, nan = Signal(), Signal(), Signal()
        ones = (1 << exponent_bits) - 1
        if number_format.style == "ieee":
            self.comb += If(exponent == ones, infinity.eq(fraction == 0), nan.eq(fraction != 0))
        elif number_format.style == "fn":
            self.comb += nan.eq(Cat(fraction, exponent) == (1 << (number_format.bits - 1)) - 1)
        elif number_format.style == "fnuz":
            self.comb += nan.eq(self.code == number_format.nan_code)

        # The least exponent of a normal number, in the internal bias.
        least = 1 - number_format.bias + form.exponent_bias
        significand = Signal(fraction_bits + 1)
        number = Signal(form.exponent_bits)
        self.comb += [significand.eq(Cat(fraction, 1)), number.eq(exponent + (least - 1))]
        if number_format.subnormals:
            self.submodules.normalize = normalize = Normalize(fraction_bits)
            self.comb += [
                normalize.value.eq(fraction),
                zero.eq((exponent == 0) & (fraction == 0) & ~nan),
                If(exponent == 0, significand.eq(normalize.normalised << 1), number.eq((least - 1) - normalize.count)),
            ]
        else:
            self.comb += zero.eq((exponent == 0) & ~nan)

        self.comb += [
            self.value.sign.eq(sign),
            self.value.zero.eq(zero),
            self.value.infinity.eq(infinity),
            self.value.nan.eq(nan),
            If(
                ~(zero | infinity | nan),
                self.value.exponent.eq(number),
                self.value.significand.eq(significand << (form.precision - number_format.precision)),
            ),
        ]


class Decoder(Module):
    """Decoder of a format selected at run time: an index into `config.operands`.

    ====== ========= =====================================================
    signal direction meaning
    ====== ========= =====================================================
    code   in        `config.operand_bits` bits, right-aligned
    format in        index of an operand format
    value  out       record of `operand_layout`
    ====== ========= =====================================================
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.code = Signal(config.operand_bits)
        self.format = Signal(config.operand_index_bits)
        self.value = Record(operand_layout(config.form))

        ###

        choices = {}
        for index, number_format in enumerate(config.operands):
            decoder = BinaryDecoder(number_format, config.form)
            self.submodules += decoder
            self.comb += decoder.code.eq(self.code)
            choices[index] = self.value.eq(decoder.value)
        choices["default"] = choices.pop(len(config.operands) - 1)
        self.comb += Case(self.format, choices)
