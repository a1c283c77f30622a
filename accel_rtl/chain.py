"""The chain accumulator: a float, rounded once a step (a fused multiply-add)."""

from migen import If, Module, Mux, Record, Signal

from accel_rtl.bits import Normalize
from accel_rtl.config import AcceleratorConfig, InternalForm
from accel_rtl.decode import BinaryDecoder
from accel_rtl.multiply import product_layout
from accel_rtl.round import EXPONENT_BITS, Rounder, unrounded_layout

__all__ = ["ChainAccumulator", "ChainNormalizer"]

GUARD_BITS = 4
"""Bits below both addends: with a product whose top bit may be 0, one for it, a guard, a round and a sticky bit."""


class ChainAccumulator(Module):
    """acc = round(acc + product) in `config.chain_format`, to nearest even, once a step, from +0.

    ======= ========= ==========================================
    signal  direction meaning
    ======= ========= ==========================================
    product in        record of `product_layout`
    step    in        a cycle that counts
    first   in        take +0 for the old value
    enable  in        add the product; otherwise keep the value
    words   out       one word: the code of acc
    ======= ========= ==========================================

    The addend with the smaller exponent is shifted right, what falls off being or-ed into its last bit. That last bit
    lies below any position where the sum can be rounded: if the exponents differ by two or more the sum keeps its
    leading bit or the next, and if they differ by less nothing falls off. Where acc is zero, its exponent is that of
    the least subnormal, below which nothing is kept.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.product = product = Record(product_layout(config.form))
        self.step = Signal()
        self.first = Signal()
        self.enable = Signal()
        self.words = [Signal(config.chain_format.bits, reset_less=True)]

        ###

        chain = config.chain_format
        precision, product_bits = chain.precision, 2 * config.form.precision
        frame = max(precision, product_bits) + GUARD_BITS

        base = Signal(chain.bits)
        self.comb += base.eq(Mux(self.first, 0, self.words[0]))
        form = InternalForm.of((chain,))
        self.submodules.decoder = decoder = BinaryDecoder(chain, form)
        acc = decoder.value
        acc_exponent = Signal((EXPONENT_BITS, True))
        self.comb += [decoder.code.eq(base), acc_exponent.eq(acc.exponent - form.exponent_bias)]

        # Both addends in frames whose top bit has the weight 2^exponent.
        acc_frame, product_frame = Signal(frame), Signal(frame)
        product_exponent = Signal((EXPONENT_BITS, True))
        distance, distance_back = Signal((EXPONENT_BITS + 1, True)), Signal((EXPONENT_BITS + 1, True))
        product_leads = Signal()
        leading, trailing = Signal(frame), Signal(frame)
        exponent = Signal((EXPONENT_BITS, True))
        shift = Signal(max=frame + 1)
        self.comb += [
            acc_frame.eq(acc.significand << (frame - precision)),
            product_frame.eq(product.significand << (frame - product_bits)),
            product_exponent.eq(product.exponent + (1 - 2 * config.form.exponent_bias)),
            distance.eq(product_exponent - acc_exponent),
            distance_back.eq(acc_exponent - product_exponent),
            product_leads.eq(distance >= 0),
            If(
                product_leads,
                leading.eq(product_frame),
                trailing.eq(acc_frame),
                exponent.eq(product_exponent),
                shift.eq(Mux(distance > frame, frame, distance)),
            ).Else(
                leading.eq(acc_frame),
                trailing.eq(product_frame),
                exponent.eq(acc_exponent),
                shift.eq(Mux(distance_back > frame, frame, distance_back)),
            ),
        ]

        # The sum of signed magnitudes, with the sign of the leading addend unless the difference is negative.
        kept, mask, aligned = Signal(frame), Signal(frame), Signal(frame)
        opposed, sign = Signal(), Signal()
        total = Signal((frame + 2, True))
        magnitude = Signal(frame + 1)
        self.comb += [
            kept.eq(trailing >> shift),
            mask.eq(((1 << frame) - 1) << shift),
            aligned.eq(kept | ((trailing & ~mask) != 0)),
            opposed.eq(acc.sign ^ product.sign),
            If(opposed, total.eq(leading - aligned)).Else(total.eq(leading + aligned)),
            magnitude.eq(Mux(total < 0, -total, total)),
            sign.eq(Mux(product_leads, product.sign, acc.sign) ^ (total < 0)),
        ]

        self.submodules.normalize = normalize = Normalize(frame + 1)
        self.submodules.rounder = rounder = Rounder((chain,), frame + 1)
        number = rounder.number
        zero = Signal()
        self.comb += [
            zero.eq(magnitude == 0),
            normalize.value.eq(magnitude),
            number.significand.eq(normalize.normalised),
            number.exponent.eq(exponent + 1 - normalize.count),
            number.zero.eq(zero),
            number.nan.eq(acc.nan | product.nan | (acc.infinity & product.infinity & opposed)),
            number.infinity.eq(acc.infinity | product.infinity),
            # A sum of zero is positive unless both addends are negative, and so both zero.
            number.sign.eq(
                Mux(
                    number.infinity,
                    Mux(acc.infinity, acc.sign, product.sign),
                    Mux(zero, acc.sign & product.sign, sign),
                )
            ),
        ]

        keep = Signal()
        self.comb += keep.eq(~self.enable | (product.zero & ~acc.zero & ~product.nan & ~acc.nan))
        self.sync += If(self.step, self.words[0].eq(Mux(keep, base, rounder.code)))


class ChainNormalizer(Module):
    """The chain's value as sign, exponent and significand for the rounder; LATENCY cycles, one value a cycle.

    ====== ========= =================================================
    signal direction meaning
    ====== ========= =================================================
    words  in        of a `ChainAccumulator`
    number out       record of `unrounded_layout(significand_bits(config))`
    ====== ========= =================================================
    """

    LATENCY = 1

    @staticmethod
    def word_bits(config: AcceleratorConfig) -> list[int]:
        """Widths of `words`."""
        return [config.chain_format.bits]

    @staticmethod
    def significand_bits(config: AcceleratorConfig) -> int:
        """Width of `number.significand`."""
        return config.chain_format.precision

    def __init__(self, config: AcceleratorConfig) -> None:
        self.words = [Signal(bits) for bits in self.word_bits(config)]
        self.number = number = Record(unrounded_layout(self.significand_bits(config)))

        ###

        form = InternalForm.of((config.chain_format,))
        self.submodules.decoder = decoder = BinaryDecoder(config.chain_format, form)
        value = decoder.value
        self.comb += decoder.code.eq(self.words[0])
        self.sync += [
            number.sign.eq(value.sign),
            number.exponent.eq(value.exponent - form.exponent_bias),
            number.significand.eq(value.significand),
            number.zero.eq(value.zero),
            number.infinity.eq(value.infinity),
            number.nan.eq(value.nan),
        ]
