"""The chain accumulator: a float, rounded once a step (a fused multiply-add)."""

from migen import Cat, Constant, If, Module, Mux, Record, Replicate, Signal

from accel_rtl.config import AcceleratorConfig
from accel_rtl.multiply import product_layout
from accel_rtl.round import EXPONENT_BITS, RANDOM_BITS
from pyhost import timing

__all__ = ["ChainAccumulator"]


class _Shape:
    """Widths of the numbers in a chain.

    rest: bits that decide a rounding, besides a sticky one. frame: those of a significand: what a sum is rounded to
    and by, one more by which it may have to be shifted left, and the sticky bit. fields: see `addend_layout`.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        chain, form = config.chain_format, config.form
        self.precision = chain.precision
        self.product_bits = 2 * form.precision
        self.rest = RANDOM_BITS if config.stochastic_chain else 1
        self.frame = max(self.precision + self.rest + 1, self.product_bits) + 1
        # Products of the least and the largest operands, and one that overflows whatever is added.
        self.least_field = chain.bias - 2 * form.exponent_bias
        self.largest_field = self.least_field + 2 * form.exponent_max + 1
        self.overflow_field = (1 << chain.exponent_bits) + 2
        self.field_bits = max(chain.exponent_bits + 1, min(self.largest_field, self.overflow_field).bit_length() + 1)


def addend_layout(config: AcceleratorConfig) -> list[tuple[str, int]]:
    """(-1)^sign * 2^(field - bias) * significand / 2^(bits of significand - 1), with field >= 1 and the format's bias.

    The significand's top bit is set unless field is 1, as in the codes of a format with subnormals; its last bit also
    stands for anything below it. Where nan or infinity is set, field and significand mean nothing.
    """
    shape = _Shape(config)
    return [
        ("sign", 1),
        ("field", shape.field_bits),
        ("significand", shape.frame),
        ("infinity", 1),
        ("nan", 1),
    ]


def sum_layout(config: AcceleratorConfig) -> list[tuple[str, int]]:
    """An addend that is not rounded yet, and the carry that rounds it: see `ChainRounder`."""
    return [*addend_layout(config), ("carry", 1)]


def _shift_right(value: Signal, amount: Signal, width: int) -> Signal:
    """value >> amount, what falls off or-ed into the last bit."""
    return (value >> amount) | ((value & ~(((1 << width) - 1) << amount)) != 0)


def _leading_zeros(module: Module, value: Signal) -> tuple[Signal, Signal]:
    """The number of leading zeros (of a value of 0: anything), and whether the value is not 0; as a tree."""
    if len(value) == 1:
        return Constant(0, 1), value
    half = 1 << ((len(value) - 1).bit_length() - 1)
    high_count, high = _leading_zeros(module, value[len(value) - half :])
    low_count, low = _leading_zeros(module, value[: len(value) - half])
    count, any_bit = Signal(half.bit_length()), Signal()
    module.comb += [
        count.eq(Cat(Mux(high, high_count, low_count), ~high) if half > 1 else ~high),
        any_bit.eq(high | low),
    ]
    return count, any_bit


class ChainProduct(Module):
    """A product as an addend, combinational.

    ======= ========= ==========================
    signal  direction meaning
    ======= ========= ==========================
    product in        record of `product_layout`
    addend  out       record of `addend_layout`
    ======= ========= ==========================
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        shape = _Shape(config)
        self.product = product = Record(product_layout(config.form))
        self.addend = addend = Record(addend_layout(config))

        ###

        bits, frame = shape.product_bits, shape.frame
        top, number = Signal(), Signal()
        field = Signal((max(EXPONENT_BITS, shape.field_bits + 1), True))
        significand = Signal(frame)
        self.comb += [
            top.eq(product.significand[bits - 1]),
            number.eq(~(product.zero | product.infinity | product.nan)),
            field.eq(product.exponent + shape.least_field + top),
            significand.eq(Mux(top, product.significand, product.significand << 1) << (frame - bits)),
            addend.sign.eq(product.sign),
            addend.field.eq(Mux(number, field, 1)),
            addend.significand.eq(significand),
            addend.infinity.eq(product.infinity),
            addend.nan.eq(product.nan),
        ]
        if shape.largest_field > shape.overflow_field:
            self.comb += If(number & (field > shape.overflow_field), addend.field.eq(shape.overflow_field))
        if shape.least_field < 1:
            below = Signal((len(field) + 1, True))
            amount = Signal(max=frame)
            self.comb += [
                below.eq(1 - field),
                amount.eq(Mux(below > frame - 1, frame - 1, below)),
                If(
                    number & (field < 1),
                    addend.field.eq(1),
                    addend.significand.eq(_shift_right(significand, amount, frame)),
                ),
            ]


class ChainRounder(Module):
    """A sum is rounded to the chain's format, combinational.

    ============ ========= ==============================================================
    signal       direction meaning
    ============ ========= ==============================================================
    sum          in        record of `sum_layout`
    random       in        RANDOM_BITS bits, added to the first bits of the rest
    sign, field,
    infinity,
    nan          out       as in `addend_layout`
    significand  out       `precision` + 1 bits, the top one of weight 2
    code         out       the code
    ============ ========= ==============================================================

    A sum has its leading bit in place, so a bit is added and nothing is shifted: 2.0 is as good an addend as 1.0 in
    the binade above. random exists where the configuration is stochastic; nearest even is a little less than one half,
    and the sum's `carry` the little where that is no tie or not even.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        shape, chain = _Shape(config), config.chain_format
        self.sum = number = Record(sum_layout(config))
        self.sign, self.infinity, self.nan = Signal(), Signal(), Signal()
        self.field = Signal(shape.field_bits)
        self.significand = Signal(shape.precision + 1)
        self.code = Signal(chain.bits)

        ###

        rounded = Signal(shape.precision + 1)
        kept = number.significand[-shape.precision :]
        if config.stochastic_chain:
            self.random = Signal(RANDOM_BITS)
            total = Signal(1 + RANDOM_BITS + shape.precision + 1)
            rest = number.significand[-shape.precision - RANDOM_BITS : -shape.precision]
            # One adder: the first bit carries the carry.
            self.comb += [
                total.eq(Cat(1, rest, kept) + Cat(number.carry, self.random)),
                rounded.eq(total[1 + RANDOM_BITS :]),
            ]
        else:
            self.comb += rounded.eq(kept + number.carry)

        # Magnitudes and their codes have the same order, and a leading bit adds itself to the field.
        fraction_bits, largest = chain.fraction_bits, chain.largest_code
        largest_field = max(1, largest >> fraction_bits)
        largest_significand = largest - ((largest_field - 1) << fraction_bits)
        overflow, zero = Signal(), Signal()
        magnitude = Signal(chain.bits - 1)
        infinite = number.infinity | overflow
        self.comb += [
            overflow.eq(
                (number.field > largest_field) | ((number.field == largest_field) & (rounded > largest_significand))
            ),
            zero.eq(rounded == 0 if chain.subnormals else (number.field == 1) & (rounded[fraction_bits:] == 0)),
            self.field.eq(number.field),
            self.significand.eq(rounded if chain.subnormals else Mux(zero, 0, rounded)),
            self.sign.eq(number.sign & ~zero if chain.style == "fnuz" else number.sign),
            magnitude.eq(((self.field - 1) << fraction_bits) + self.significand),
            self.code.eq(Cat(magnitude, self.sign)),
        ]
        match chain.style:
            case "ieee":
                self.comb += [
                    self.infinity.eq(infinite),
                    self.nan.eq(number.nan),
                    If(infinite, magnitude.eq(chain.inf_code)),
                ]
            case "finite":
                self.comb += [
                    If(infinite, self.field.eq(largest_field), self.significand.eq(largest_significand)),
                    If(number.nan, self.field.eq(1), self.significand.eq(0), self.sign.eq(0)),
                ]
            case _:
                self.comb += self.nan.eq(number.nan | infinite)
        if chain.has_nan:
            self.comb += If(self.nan, self.code.eq(chain.nan_code))


class ChainAdder(Module):
    """sum = a + b, neither normalised before nor rounded after, combinational.

    ============= ========= =====================================================================
    signal        direction meaning
    ============= ========= =====================================================================
    a             in        record of `addend_layout`, its significand one bit longer, of weight 2
    b             in        record of `addend_layout`
    distance      in        b.field - a.field
    first         in        take +0 for a
    stochastic    in        the sum will be rounded stochastically, not to nearest even
    next_field    in        field of the next b
    sum           out       record of `sum_layout`
    next_distance out       next_field - sum.field
    ============= ========= =====================================================================

    Two ways side by side, each with one long shift. Far: the addend with the smaller exponent is shifted right, and
    the sum by one place at most. Near, where the addends have opposite signs and their exponents differ by one
    at most: the difference, shifted left as far as its leading zeros, or the least exponent, allow.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        shape = _Shape(config)
        frame, width = shape.frame, shape.frame + 1
        self.a = a = Record([(n, bits + 1 if n == "significand" else bits) for n, bits in addend_layout(config)])
        self.b = b = Record(addend_layout(config))
        self.distance, self.next_distance = (Signal((shape.field_bits + 1, True)) for _ in range(2))
        self.first, self.stochastic = Signal(), Signal()
        self.next_field = Signal(shape.field_bits)
        self.sum = Record(sum_layout(config))

        ###

        # Which addend leads, by how much.
        distance, b_leads, opposed, is_near = self.distance, Signal(), Signal(), Signal()
        one_above, one_below = Signal(), Signal()
        field = Signal(shape.field_bits)
        self.comb += [
            b_leads.eq(self.first | ~distance[-1]),
            opposed.eq(~self.first & (a.sign ^ b.sign)),
            is_near.eq(opposed & ((distance[1:] == 0) | (~distance == 0))),
            # As far as the near way is concerned, which looks at nothing else.
            one_above.eq(distance[:2] == 1),
            one_below.eq(distance[:2] == 3),
            field.eq(Mux(b_leads, b.field, a.field)),
        ]

        # Far.
        shift_bits, ones = (width - 1).bit_length(), Constant((1 << width) - 1, width)
        leading, trailing, aligned = (Signal(width) for _ in range(3))
        amount = Signal(shape.field_bits)
        beyond, sticky = Signal(), Signal()
        total = Signal(width + 1)
        self.comb += [
            If(b_leads, leading.eq(b.significand), trailing.eq(a.significand), amount.eq(distance)).Else(
                leading.eq(a.significand), trailing.eq(b.significand), amount.eq(-distance)
            ),
            beyond.eq((amount >> shift_bits) != 0),
            sticky.eq((trailing & (Replicate(beyond, width) | ~(ones << amount[:shift_bits]))) != 0),
            If(~self.first, aligned.eq(Mux(beyond, 0, trailing >> amount[:shift_bits]) | sticky)),
            # One adder: the first bit carries the one that negation needs.
            total.eq(Cat(1, leading) + Cat(opposed, aligned ^ Replicate(opposed, width))),
        ]

        # Near. Of a subtraction without borrows, whose digits are 1, 0 and -1, a few digits tell the leading bit of
        # the difference, or the place above it (Schmookler and Nowka, 2001). The least exponent stops the shift too.
        a_near, b_near, a_less_b, b_less_a, difference, shifted = (Signal(width) for _ in range(6))
        plus, minus, below_plus, below_minus, empty_above, leads = (Signal(width) for _ in range(6))
        negative, equal = Signal(), Signal()
        count, _ = _leading_zeros(self, leads)
        self.comb += [
            a_near.eq(Mux(one_above, a.significand >> 1, a.significand)),
            b_near.eq(Mux(one_below, (b.significand >> 1) | b.significand[0], b.significand)),
            Cat(a_less_b, negative).eq(a_near - b_near),
            b_less_a.eq(b_near - a_near),
            difference.eq(Mux(negative, b_less_a, a_less_b)),
            equal.eq(a_near == b_near),
            plus.eq(a_near & ~b_near),
            minus.eq(b_near & ~a_near),
            below_plus.eq(plus << 1),
            below_minus.eq(minus << 1),
            empty_above.eq(~Cat((plus | minus)[1:], 0)),
            leads.eq(
                (empty_above & (plus & ~below_minus | minus & ~below_plus))
                | (~empty_above & (plus & ~below_plus | minus & ~below_minus))
                | (Constant(1 << (width - 1), width) >> field)
            ),
            shifted.eq(difference << count),
        ]

        # The significand is chosen last, so whatever depends on it is made for each choice.
        ahead = Signal((shape.field_bits + 1, True))
        self.comb += ahead.eq(self.next_field - field)
        as_is = self._choice(config, total[1 : frame + 1], field, ahead)
        carried = self._choice(config, Cat(total[1] | total[2], total[3:]), field + 1, ahead - 1)
        lacking = self._choice(config, Cat(0, total[1:frame]), field - 1, ahead + 1)
        exact = self._choice(config, shifted[1:], field + 1 - count, ahead - 1 + count)
        one_less = self._choice(config, shifted[:frame], field - count, ahead + count)
        nothing = self._choice(config, 0, 1, self.next_field - 1)
        far, near, chosen = (self._choice(config) for _ in range(3))
        self.comb += [
            If(total[width], far.eq(carried)).Elif(opposed & ~total[frame], far.eq(lacking)).Else(far.eq(as_is)),
            If(equal, near.eq(nothing))
            .Elif(~shifted[frame] & (count != field), near.eq(one_less))
            .Else(near.eq(exact)),
            If(is_near, chosen.eq(near)).Else(chosen.eq(far)),
            *(getattr(self.sum, name).eq(getattr(chosen, name)) for name in ("field", "significand", "carry")),
            self.next_distance.eq(chosen.distance),
            self.sum.nan.eq(b.nan | (~self.first & (a.nan | (a.infinity & b.infinity & opposed)))),
            self.sum.infinity.eq(b.infinity | (~self.first & a.infinity)),
            If(b.infinity, self.sum.sign.eq(b.sign))
            .Elif(a.infinity & ~self.first, self.sum.sign.eq(a.sign))
            .Elif(is_near, self.sum.sign.eq(~equal & Mux(negative, b.sign, a.sign)))
            .Else(self.sum.sign.eq(Mux(b_leads, b.sign, a.sign))),
        ]

    def _choice(self, config: AcceleratorConfig, *values: Signal) -> Record:
        """A significand, its field and the distance from it to the next field, with the carry that goes with it."""
        shape = _Shape(config)
        layout = [
            ("significand", shape.frame),
            ("field", shape.field_bits),
            ("distance", (shape.field_bits + 1, True)),
            ("carry", 1),
        ]
        choice = Record(layout)
        for name, _ in layout:
            # Otherwise Yosys moves adders behind the last multiplexers, which halves the clock.
            getattr(choice, name).attr.add(("keep", 1))
        if values:
            self.comb += [getattr(choice, name).eq(value) for (name, _), value in zip(layout, values, strict=False)]
            rest = shape.frame - shape.precision
            below = rest - shape.rest
            uneven = choice.significand[rest] | ((choice.significand[:below] != 0) if below else 0)
            self.comb += choice.carry.eq(
                uneven & (~self.stochastic if config.stochastic_chain else choice.significand[below])
            )
        return choice


class ChainAccumulator(Module):
    """acc = round(acc + product) in `config.chain_format`, once a step, from +0.

    =========== ========= =======================================================================
    signal      direction meaning
    =========== ========= =======================================================================
    product     in        record of `product_layout`
    step        in        a cycle that counts
    first       in        take +0 for the old value
    enable      in        add the product; otherwise keep the value
    random      in        RANDOM_BITS bits, a cycle after the product: the step's random integer, then zeros
    stochastic  in        the same cycle: round stochastically, not to nearest even
    words       out       one word: the code of acc
    =========== ========= =======================================================================

    LATENCY cycles lie between the product and acc. The first brings the product into place. In the second the sum of
    the step before, kept as it came from the adder, is rounded, and the product is added: so a sum is rounded while
    exponents are compared. random and stochastic exist where the configuration is stochastic.
    """

    LATENCY = timing.CHAIN_ACCUMULATOR

    def __init__(self, config: AcceleratorConfig) -> None:
        self.product = product = Record(product_layout(config.form))
        self.step = Signal()
        self.first = Signal()
        self.enable = Signal()

        ###

        following, addend = Record(addend_layout(config)), Record(addend_layout(config), reset_less=True)
        step, first = Signal(), Signal()
        self.submodules.placed = placed = ChainProduct(config)
        self.comb += [
            placed.product.eq(product),
            following.eq(placed.addend),
            # +0 makes +0 of -0.
            If(self.first & product.zero, following.sign.eq(0)),
            If(~self.enable, following.raw_bits().eq(0), following.field.eq(1)),
        ]
        self.sync += [
            addend.eq(following),
            step.eq(self.step & (self.enable | self.first)),
            first.eq(self.first),
        ]

        total = Record(sum_layout(config), reset_less=True)
        self.submodules.rounder = rounder = ChainRounder(config)
        self.submodules.adder = adder = ChainAdder(config)
        self.words = [rounder.code]
        self.comb += [
            rounder.sum.eq(total),
            adder.a.sign.eq(rounder.sign),
            adder.a.field.eq(rounder.field),
            adder.a.significand.eq(rounder.significand << (len(adder.a.significand) - len(rounder.significand))),
            adder.a.infinity.eq(rounder.infinity),
            adder.a.nan.eq(rounder.nan),
            adder.b.eq(addend),
            adder.first.eq(first),
            adder.next_field.eq(following.field),
        ]
        self.sync += If(step, total.eq(adder.sum))
        if config.chain_format.style == "finite":
            self.comb += adder.distance.eq(addend.field - rounder.field)  # what saturates has another field
        else:
            # A signal of its own: within a choice LiteX would print the difference as an unsigned number.
            distance, waited = Signal.like(adder.distance), Signal.like(adder.distance)
            self.comb += [adder.distance.eq(distance), waited.eq(following.field - total.field)]
            self.sync += distance.eq(Mux(step, adder.next_distance, waited))
        if config.stochastic_chain:
            self.random, self.stochastic = Signal(RANDOM_BITS), Signal()
            below_half = (1 << (RANDOM_BITS - 1)) - 1
            self.comb += adder.stochastic.eq(self.stochastic)
            self.sync += If(step, rounder.random.eq(Mux(self.stochastic, self.random, below_half)))
