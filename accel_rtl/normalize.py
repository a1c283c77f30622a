"""What the array's accumulators hold, as sign, exponent and significand: ready to be scaled and rounded."""

from functools import reduce
from operator import or_

from migen import Cat, Constant, If, Module, Mux, Record, Replicate, Signal

from accel_rtl.bits import index_bits
from accel_rtl.config import LIMB_BITS, AcceleratorConfig, InternalForm
from accel_rtl.decode import BinaryDecoder
from accel_rtl.round import Rounder, unrounded_layout
from pyhost import timing

__all__ = ["ChainNormalizer", "ExactNormalizer", "LeadingBits", "normalizer_class"]

NAN, PLUS_INFINITY, MINUS_INFINITY = range(3)
FLAGS = 3
BINARY32_PRECISION = 24


def normalizer_class(config: AcceleratorConfig) -> "type[ExactNormalizer] | type[ChainNormalizer]":
    """The normalizer of what `config`'s accumulators hold."""
    return ExactNormalizer if config.exact else ChainNormalizer


class LeadingBits(Module):
    """The bits from the leading one down, and whether anything lies below them; combinational.

    ======= ========= ===============================================================
    signal  direction meaning
    ======= ========= ===============================================================
    value   in        `width` bits; 0, or with the leading one among the top `span`
    leading out       value << count, its top `kept` bits
    count   out       number of leading zeros (of a value of 0: anything)
    lost    out       something of value << count is not in `leading`
    ======= ========= ===============================================================

    A shift by 1, 2, 4... for each bit of the count, the widest first; each stage drops what no later one brings up.
    """

    def __init__(self, width: int, kept: int, span: int) -> None:
        self.value = Signal(width)
        self.leading = Signal(kept)
        self.count = Signal(index_bits(span))
        self.lost = Signal()

        ###

        def part(value: Signal, low: int, high: int) -> Cat:
            """Bits low to high - 1, where those below 0 are zeros."""
            return Cat(Replicate(0, max(0, -low)), value[max(0, low) : high]) if low < 0 else value[low:high]

        # A signal for each stage: bits of one signal that depend on each other look like a loop to simulators.
        stage, shifts, lost = self.value, [], []
        for bit in reversed(range(len(self.count))):
            distance, size = 1 << bit, len(stage)
            empty, shifted = Signal(), Signal(kept + distance - 1)
            low = size - len(shifted)
            self.comb += [
                empty.eq(stage[max(0, size - distance) :] == 0),
                shifted.eq(Mux(empty, part(stage, low - distance, size - distance), part(stage, low, size))),
            ]
            if low > distance:
                lost.append(stage[: low - distance] != 0)
            if low > 0:
                lost.append((stage[max(0, low - distance) : low] != 0) & ~empty)
            stage = shifted
            shifts.insert(0, empty)
        self.comb += [self.count.eq(Cat(*shifts)), self.leading.eq(stage), self.lost.eq(reduce(or_, lost, 0))]


class ExactNormalizer(Module):
    """The value of an exact accumulator's words; LATENCY cycles, one value a cycle.

    ====== ========= =======================================================================
    signal direction meaning
    ====== ========= =======================================================================
    words  in        `config.limbs` words of 33 bits: a limb and, on top, the carry out of it that is not yet in the
                     next (the last one's has no meaning); then the bits nan, plus infinity, minus infinity
    number out       record of `unrounded_layout(significand_bits(config))`
    ====== ========= =======================================================================

    With digit[j] = limb[j] + carry[j - 1], at most 2^32, and ripple[j] the carry into it once all are resolved, the
    limbs of the magnitude, modulo 2^32, are

        digit[j] + ripple[j]                   of a sum that is not negative
        ~digit[j] - ripple[j] + borrow[j]      of a negative one: borrow[j] where all resolved limbs below are zero

    and ripple and borrow follow from whether each digit is 2^32, one less, or zero. So one addition a limb does all.
    """

    LATENCY = timing.EXACT_NORMALIZER

    @staticmethod
    def word_bits(config: AcceleratorConfig) -> list[int]:
        """Widths of `words`."""
        return [LIMB_BITS + 1] * config.limbs + [FLAGS]

    @staticmethod
    def significand_bits(config: AcceleratorConfig) -> int:
        """Width of `number.significand`: as much as decides a rounding to any format of D, or to binary32."""
        needed = Rounder.significand_bits_needed(config.formats, config.stochastic)
        return max(needed, BINARY32_PRECISION + 1)

    def __init__(self, config: AcceleratorConfig) -> None:
        self.words = [Signal(bits) for bits in self.word_bits(config)]
        self.number = Record(unrounded_layout(self.significand_bits(config)))

        ###

        magnitude, sign, flags = self._magnitude(config, *self._classify(config))
        self._normalize(config, magnitude, sign, flags)

    def _classify(self, config: AcceleratorConfig) -> tuple[list[Record], Signal]:
        """Cycle 1: what each digit does to a carry."""
        digits = []
        carry = 0
        for word in self.words[: config.limbs]:
            digit = Record([("limb", LIMB_BITS), ("carry", 1), ("over", 1), ("ones", 1), ("zero", 1)], reset_less=True)
            ones, zeros = Signal(), Signal()
            self.comb += [ones.eq(word[1:LIMB_BITS] == (1 << (LIMB_BITS - 1)) - 1), zeros.eq(word[1:LIMB_BITS] == 0)]
            self.sync += [
                digit.limb.eq(word[:LIMB_BITS]),
                digit.carry.eq(carry),
                digit.over.eq(ones & word[0] & carry),
                digit.ones.eq(ones & (word[0] ^ carry)),
                digit.zero.eq(zeros & ~(word[0] | carry)),
            ]
            digits.append(digit)
            carry = word[LIMB_BITS]
        flags = Signal(FLAGS, reset_less=True)
        self.sync += flags.eq(self.words[-1])
        return digits, flags

    def _magnitude(
        self, config: AcceleratorConfig, digits: list[Record], flags: Signal
    ) -> tuple[list[Signal], Signal, Signal]:
        """Cycle 2: the sign and the limbs of the magnitude."""
        magnitude = []
        negative = Signal()
        ripple, borrow = Constant(0, 1), Constant(1, 1)
        for digit in digits:
            limb = Signal(LIMB_BITS, reset_less=True)
            step = Signal((3, True))
            carries, next_ripple, next_borrow = Signal(2), Signal(), Signal()
            self.comb += [
                carries.eq(digit.carry + ripple),
                step.eq(Mux(negative, borrow - carries, carries)),
                next_ripple.eq(digit.over | (digit.ones & ripple)),
                next_borrow.eq(borrow & Mux(ripple, digit.ones, digit.zero | digit.over)),
            ]
            self.sync += limb.eq(
                (digit.limb ^ Replicate(negative, LIMB_BITS)) + Cat(step, Replicate(step[2], LIMB_BITS - len(step)))
            )
            magnitude.append(limb)
            ripple, borrow = next_ripple, next_borrow
        sign, delayed = Signal(reset_less=True), Signal(FLAGS, reset_less=True)
        # A last digit that overflows was negative and became zero or one.
        self.comb += negative.eq(digits[-1].limb[LIMB_BITS - 1] & ~ripple)
        self.sync += [sign.eq(negative), delayed.eq(flags)]
        return magnitude, sign, delayed

    def _normalize(self, config: AcceleratorConfig, magnitude: list[Signal], sign: Signal, flags: Signal) -> None:
        """Cycle 3: the leading limb and what follows it. Cycle 4: the leading bits."""
        number = self.number
        kept = len(number.significand)
        width = kept + LIMB_BITS - 1
        window, place = Signal(width, reset_less=True), Signal(index_bits(config.limbs), reset_less=True)
        special = Record([("sign", 1), ("zero", 1), ("infinity", 1), ("nan", 1)], reset_less=True)
        sticky = Signal(reset_less=True)
        choose: list = [special.zero.eq(1), window.eq(0)]
        for index, limb in enumerate(magnitude):
            size = LIMB_BITS * (index + 1)
            low = max(0, size - width)
            whole = Cat(*magnitude[: index + 1])
            choose.append(
                If(
                    limb != 0,
                    special.zero.eq(0),
                    window.eq(whole[low:] << max(0, width - size)),
                    sticky.eq(whole[:low] != 0 if low else 0),
                    place.eq(index),
                )
            )
        infinity = Signal()
        self.comb += infinity.eq(flags[PLUS_INFINITY] ^ flags[MINUS_INFINITY])
        self.sync += [
            *choose,
            special.sign.eq(Mux(infinity, flags[MINUS_INFINITY], sign)),
            special.infinity.eq(infinity),
            special.nan.eq(flags[NAN] | (flags[PLUS_INFINITY] & flags[MINUS_INFINITY])),
        ]

        self.submodules.leading = leading = LeadingBits(width, kept, LIMB_BITS)
        self.comb += leading.value.eq(window)
        self.sync += [
            # Of 32 place + 31 - count, the lower five bits are ~count.
            number.exponent.eq(Cat(~leading.count, place) + config.accumulator_unit),
            number.significand.eq(leading.leading),
            number.sticky.eq(sticky | leading.lost),
            *(getattr(number, name).eq(getattr(special, name)) for name, _ in special.layout),
        ]


class ChainNormalizer(Module):
    """The chain's value as sign, exponent and significand for the rounder; LATENCY cycles, one value a cycle.

    ====== ========= =================================================
    signal direction meaning
    ====== ========= =================================================
    words  in        of a `ChainAccumulator`
    number out       record of `unrounded_layout(significand_bits(config))`
    ====== ========= =================================================
    """

    LATENCY = timing.CHAIN_NORMALIZER

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
