"""The exact accumulator: a fixed-point register wide enough that nothing is ever lost (Kulisch)."""

from migen import Case, Cat, If, Module, Mux, Record, Replicate, Signal

from accel_rtl.bits import index_bits
from accel_rtl.config import LIMB_BITS, AcceleratorConfig
from accel_rtl.decode import operand_layout
from accel_rtl.multiply import product_layout
from pyhost import timing

__all__ = ["ExactAccumulator", "SpecialFlags"]


class ExactAccumulator(Module):
    """sum += product, in 32-bit limbs of two's complement, least first, with a registered carry between neighbours.

    ======= ========= =========================================================================
    signal  direction meaning
    ======= ========= =========================================================================
    product in        record of `product_layout`; its flags are the business of `SpecialFlags`
    step    in        a cycle that counts
    first   in        forget the old sum
    enable  in        add the product; otherwise the step only moves carries
    words   out       `config.limbs` times 33 bits: a limb and, on top, the carry out of it
    ======= ========= =========================================================================

    The product, shifted by the low five bits of its exponent, lands on the limb that the other bits name, and is
    extended by its sign above. A carry reaches the next limb a step later; those still on their way when a sum leaves
    are added by the normalizer. The invariant, modulo 2^(32 limbs), which makes the last carry meaningless:

        sum = sum over j of limb[j] * 2^(32 j) + carry[j] * 2^(32 (j + 1))

    LATENCY cycles lie between the product and the sum.
    """

    LATENCY = timing.EXACT_ACCUMULATOR

    def __init__(self, config: AcceleratorConfig) -> None:
        self.product = product = Record(product_layout(config.form))
        self.step = Signal()
        self.first = Signal()
        self.enable = Signal()

        ###

        shift_bits = index_bits(LIMB_BITS)
        number = Signal((2 * config.form.precision + 1, True))
        term = Signal((len(number) + LIMB_BITS - 1, True))
        place = Signal(max(1, len(product.exponent) - shift_bits))
        self.comb += [
            # Negated while it is short.
            If(self.enable, number.eq(Mux(product.sign, -product.significand, product.significand))),
            term.eq(number << product.exponent[:shift_bits]),
            place.eq(product.exponent[shift_bits:]),
        ]

        # The term in parts of a limb: as many as it can touch, the last one sign-extended, and the sign above.
        sign = term[len(term) - 1]
        parts = []
        for low in range(0, len(term), LIMB_BITS):
            part = Signal(LIMB_BITS)
            bits = term[low : low + LIMB_BITS]
            self.comb += part.eq(Cat(bits, Replicate(sign, LIMB_BITS - len(bits))))
            parts.append(part)
        above = Signal(LIMB_BITS)
        self.comb += above.eq(Replicate(sign, LIMB_BITS))

        self.words = [Signal(LIMB_BITS + 1, reset_less=True) for _ in range(config.limbs)]
        carry = 0
        for index, word in enumerate(self.words):
            addend = Signal(LIMB_BITS)
            choices = {
                start: addend.eq(parts[index - start] if index - start < len(parts) else above)
                for start in range(min(index + 1, 1 << len(place)))
            }
            if len(choices) < 1 << len(place):
                choices["default"] = addend.eq(0)
            self.comb += Case(place, choices)
            self.sync += If(self.step, word.eq(addend + Mux(self.first, 0, word[:LIMB_BITS] + carry)))
            carry = word[LIMB_BITS]


class SpecialFlags(Module):
    """What infinities and NaNs make of the sums of a row of elements, one bit a column: nan, plus and minus infinity.

    ================= ========= =======================================================================
    signal            direction meaning
    ================= ========= =======================================================================
    a                 in        record of `operand_layout`, shared by the row
    b                 in        a record of `operand_layout` for each column
    step, first       in        see `ExactAccumulator`
    enable            in        add the products
    nan, plus, minus  out       sticky: a product was NaN (also infinity times zero), or an infinity
    ================= ========= =======================================================================

    Kept for a row at once: a few wide operations cost a simulator less than many narrow ones.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.a = a = Record(operand_layout(config.form))
        self.b = [Record(operand_layout(config.form)) for _ in range(config.columns)]
        self.step = Signal()
        self.first = Signal()
        self.enable = Signal()
        self.nan, self.plus, self.minus = (Signal(config.columns, reset_less=True) for _ in range(3))

        ###

        def row(bit: Signal) -> Signal:
            return Replicate(bit, config.columns)

        def columns(field: str) -> Signal:
            return Cat(*(getattr(b, field) for b in self.b))

        nan, infinity, negative = (Signal(config.columns) for _ in range(3))
        self.comb += [
            nan.eq(
                row(self.enable)
                & (row(a.nan) | columns("nan") | row(a.infinity) & columns("zero") | row(a.zero) & columns("infinity"))
            ),
            infinity.eq(row(self.enable) & ~nan & (row(a.infinity) | columns("infinity"))),
            negative.eq(row(a.sign) ^ columns("sign")),
        ]
        for sticky, new in ((self.nan, nan), (self.plus, infinity & ~negative), (self.minus, infinity & negative)):
            self.sync += If(self.step, sticky.eq(Mux(self.first, 0, sticky) | new))
