"""The exact sum of two floats, as far as it decides a rounding."""

from migen import Cat, If, Module, Mux, Record, Signal

from accel_rtl.bits import index_bits
from accel_rtl.config import InternalForm
from accel_rtl.decode import operand_layout
from accel_rtl.normalize import LeadingBits
from accel_rtl.round import EXPONENT_BITS, unrounded_layout
from pyhost import timing

__all__ = ["Adder"]

_SPECIALS = [("sign", 1), ("infinity", 1), ("nan", 1)]


class Adder(Module):
    """total = number + addend, exact but for bits that `sticky` stands for; LATENCY cycles, one sum a cycle.

    ====== ========= ==================================================================================
    signal direction meaning
    ====== ========= ==================================================================================
    number in        record of `unrounded_layout(significand_bits)`, its significand 0 where it is zero
    addend in        record of `operand_layout(form)`
    total  out       record of `unrounded_layout(total_bits)`
    ====== ========= ==================================================================================

    A sticky number may only meet -0, the addend that changes nothing. A sum of zero is +0, unless both are -0.

    The lesser magnitude is shifted right; what falls off is or-ed into its last bit. That last bit lies below all of
    the greater magnitude and below `total_bits` of the sum: if the exponents differ by two or more the sum keeps its
    leading bit or the next, and if they differ by less nothing falls off.
    """

    LATENCY = timing.ADDER

    def __init__(self, significand_bits: int, form: InternalForm, total_bits: int) -> None:
        self.number = number = Record(unrounded_layout(significand_bits))
        self.addend = addend = Record(operand_layout(form))
        self.total = total = Record(unrounded_layout(total_bits), reset_less=True)

        ###

        # Cycle 1: the greater magnitude leads.
        width = max(significand_bits, form.precision)
        left, right = Signal(width), Signal(width)
        distance, back = Signal((EXPONENT_BITS + 1, True)), Signal((EXPONENT_BITS + 1, True))
        right_exponent = Signal((EXPONENT_BITS, True))
        right_leads, opposed, both_infinite = Signal(), Signal(), Signal()
        frame = max(width + 1, total_bits + 2)
        leading, trailing = Signal(width, reset_less=True), Signal(width, reset_less=True)
        shift = Signal(index_bits(frame + 1), reset_less=True)
        exponent, subtract = Signal((EXPONENT_BITS, True), reset_less=True), Signal(reset_less=True)
        special = Record([*_SPECIALS, ("sticky", 1), ("negative_zero", 1)], reset_less=True)
        self.comb += [
            left.eq(number.significand << (width - significand_bits)),
            right.eq(addend.significand << (width - form.precision)),
            right_exponent.eq(addend.exponent - form.exponent_bias),
            distance.eq(number.exponent - right_exponent),
            back.eq(right_exponent - number.exponent),
            right_leads.eq(~addend.zero & (number.zero | (back > 0) | ((back == 0) & (right > left)))),
            opposed.eq(number.sign ^ addend.sign),
            both_infinite.eq(number.infinity & addend.infinity),
        ]
        self.sync += [
            If(
                right_leads,
                leading.eq(right),
                trailing.eq(left),
                exponent.eq(right_exponent),
                shift.eq(Mux(back > frame, frame, back)),
            ).Else(
                leading.eq(left),
                trailing.eq(right),
                exponent.eq(number.exponent),
                shift.eq(Mux(distance > frame, frame, distance)),
            ),
            subtract.eq(opposed),
            special.sign.eq(Mux(addend.infinity | (right_leads & ~number.infinity), addend.sign, number.sign)),
            special.infinity.eq(number.infinity | addend.infinity),
            special.nan.eq(number.nan | addend.nan | (both_infinite & opposed)),
            special.sticky.eq(number.sticky),
            special.negative_zero.eq(number.sign & addend.sign),
        ]

        # Cycle 2: the lesser, in its place.
        greater, lesser = Signal(frame, reset_less=True), Signal(frame, reset_less=True)
        aligned = Signal(frame)
        self.comb += aligned.eq(trailing << (frame - width))
        for bit, far in enumerate(shift):
            nearer, distance = aligned, 1 << bit
            aligned = Signal(frame)
            moved = Cat(nearer[: distance + 1] != 0, nearer[distance + 1 :])
            self.comb += aligned.eq(Mux(far, moved, nearer))
        self.sync += [greater.eq(leading << (frame - width)), lesser.eq(aligned)]

        # Cycle 3: the sum.
        magnitude = Signal(frame + 1, reset_less=True)
        subtracting = self._delayed(subtract)
        self.sync += If(subtracting, magnitude.eq(greater - lesser)).Else(magnitude.eq(greater + lesser))

        # Cycle 4: its leading bits.
        self.submodules.leading = leading_bits = LeadingBits(frame + 1, total_bits, frame + 1)
        exponent, special = self._delayed(self._delayed(exponent)), self._delayed(self._delayed(special))
        zero = Signal()
        self.comb += [leading_bits.value.eq(magnitude), zero.eq(~leading_bits.leading[-1])]
        self.sync += [
            total.exponent.eq(exponent + 1 - leading_bits.count),
            total.significand.eq(leading_bits.leading),
            total.sticky.eq(special.sticky | leading_bits.lost),
            total.zero.eq(zero),
            total.sign.eq(Mux(zero & ~special.infinity, special.negative_zero, special.sign)),
            total.infinity.eq(special.infinity),
            total.nan.eq(special.nan),
        ]

    def _delayed(self, signal: Signal | Record) -> Signal | Record:
        if isinstance(signal, Record):
            register = Record(signal.layout, reset_less=True)
        else:
            register = Signal.like(signal, reset_less=True)
        self.sync += register.eq(signal)
        return register
