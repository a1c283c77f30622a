"""From an accumulator's words to an element of D: normalise, scale, add, round, ReLU, mask."""

from migen import If, Module, Mux, Record, Signal

from accel_rtl.add import Adder
from accel_rtl.bits import constants, index_bits
from accel_rtl.config import AcceleratorConfig
from accel_rtl.decode import Decoder, operand_layout
from accel_rtl.form import HardwareFormat, InternalForm
from accel_rtl.normalize import normalizer_class
from accel_rtl.round import Rounder
from accel_rtl.scale import Scaler
from pyhost import timing
from pyhost.formats import P3109Format

__all__ = ["Lane", "delayed"]


def delayed(module: Module, signal: Signal, cycles: int) -> Signal:
    """`signal` as it was `cycles` cycles ago; the registers are `module`'s."""
    for _ in range(cycles):
        register = Signal(len(signal), reset_less=True)
        module.sync += register.eq(signal)
        signal = register
    return signal


def _sign_mask(number_format: HardwareFormat) -> int:
    unsigned = isinstance(number_format, P3109Format) and not number_format.signed
    return 0 if unsigned else 1 << (number_format.bits - 1)


class Lane(Module):
    """code = round(2^scale * sum), or what firmware/plan.h says of an addend, ReLU and mask; an element a cycle.

    ============= ========= ====================================================================
    signal        direction meaning
    ============= ========= ====================================================================
    words         in        an accumulator's words
    addend, mask  in        codes, of the same element in the same cycle
    random        in        the upper bits of its random word, `rounding_latency(config)` cycles later
    code          out       right-aligned, `latency(config)` cycles later
    scale         in        see `Scaler`
    format        in        of D: index into `config.formats`
    saturate      in        see `Rounder`; so are mode and random_bits
    relu          in        what is negative becomes +0
    has_addend,
    addend_format in        whether there is an addend, and its format: index into `config.formats`
    has_mask,
    mask_format   in        the same of a mask: the element is +0 unless its mask is above zero or NaN
    ============= ========= ====================================================================

    What belongs to a job stays while one of its elements is in here.
    """

    @classmethod
    def rounding_latency(cls, config: AcceleratorConfig) -> int:
        """Cycles from the words to the entrance of the rounder."""
        return normalizer_class(config).LATENCY + Scaler.LATENCY + Adder.LATENCY

    @classmethod
    def latency(cls, config: AcceleratorConfig) -> int:
        """Cycles from the words to the code."""
        return cls.rounding_latency(config) + Rounder.LATENCY + timing.EPILOGUE

    def __init__(self, config: AcceleratorConfig) -> None:
        format_bits = index_bits(len(config.formats))
        normalizer_type = normalizer_class(config)
        significand_bits = normalizer_type.significand_bits(config)
        total_bits = Rounder.significand_bits_needed(config.formats, config.stochastic)
        form = InternalForm.of(config.formats)
        self.submodules.normalizer = normalizer = normalizer_type(config)
        self.submodules.scaler = scaler = Scaler(significand_bits)
        self.submodules.adder = adder = Adder(significand_bits, form, total_bits)
        self.submodules.rounder = rounder = Rounder(
            config.formats, total_bits, stochastic=config.stochastic, pipelined=True
        )
        self.words = normalizer.words
        self.addend, self.mask = Signal(config.element_bits), Signal(config.element_bits)
        self.random = rounder.random
        self.code = Signal(config.element_bits, reset_less=True)
        self.scale = scaler.scale
        self.format, self.saturate = rounder.format, rounder.saturate
        self.mode, self.random_bits = rounder.mode, rounder.random_bits
        self.relu = Signal()
        self.has_addend, self.addend_format = Signal(), Signal(format_bits)
        self.has_mask, self.mask_format = Signal(), Signal(format_bits)

        ###

        # Without an addend -0 is added, which changes nothing, and the sum is not rounded before.
        code = delayed(self, self.addend, normalizer_type.LATENCY + Scaler.LATENCY - 1)
        decoded = self._decoded(config, form, code, self.addend_format)
        addend = Record(operand_layout(form), reset_less=True)
        self.sync += [
            addend.eq(decoded),
            If(~self.has_addend, addend.raw_bits().eq(0), addend.sign.eq(1), addend.zero.eq(1)),
        ]
        self.comb += [
            scaler.number.eq(normalizer.number),
            scaler.narrow.eq(self.has_addend),
            adder.number.eq(scaler.scaled),
            adder.addend.eq(addend),
            rounder.number.eq(adder.total),
        ]

        mask = self._decoded(config, form, self.mask, self.mask_format)
        masked = Signal(reset_less=True)
        self.sync += masked.eq(self.has_mask & ~mask.nan & (mask.sign | mask.zero))
        masked = delayed(self, masked, self.latency(config) - 2)

        table = {i: (_sign_mask(f), f.nan_code) for i, f in enumerate(config.formats)}
        (sign_mask, nan_code), choice = constants(self.format, table)
        negative = Signal()
        self.comb += [choice, negative.eq(((rounder.code & sign_mask) != 0) & (rounder.code != nan_code))]
        self.sync += self.code.eq(Mux(masked | (self.relu & negative), 0, rounder.code))

    def _decoded(self, config: AcceleratorConfig, form: InternalForm, code: Signal, number_format: Signal) -> Record:
        """The value of a code of any of `config.formats`."""
        decoder = Decoder(config.formats, form)
        self.submodules += decoder
        self.comb += [decoder.code.eq(code), decoder.format.eq(number_format)]
        return decoder.value
