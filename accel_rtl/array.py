"""The outer-product array: operands decoded once at its edge, P x Q elements, and the results of the tile before."""

from itertools import pairwise

from migen import Cat, Constant, If, Module, Mux, Record, Signal

from accel_rtl.bits import index_bits
from accel_rtl.chain import ChainAccumulator
from accel_rtl.chain_random import ElementRandom
from accel_rtl.config import AcceleratorConfig
from accel_rtl.decode import Decoder, operand_layout
from accel_rtl.exact import ExactAccumulator, SpecialFlags
from accel_rtl.multiply import Multiplier, product_layout
from accel_rtl.random import WORD_BITS
from accel_rtl.round import RANDOM_BITS
from pyhost import timing

__all__ = ["OuterProductArray", "ProcessingRow", "accumulator_class"]


def accumulator_class(config: AcceleratorConfig) -> type[ExactAccumulator] | type[ChainAccumulator]:
    """The accumulator of `config`'s processing elements."""
    return ExactAccumulator if config.exact else ChainAccumulator


class ProcessingElement(Module):
    """acc += a * b: a multiplier and an accumulator, with a register between them if that is a chain.

    ============ ========= ==========================================================
    signal       direction meaning
    ============ ========= ==========================================================
    a, b         in        records of `operand_layout`
    step         in        a cycle that counts, when the accumulator has the product
    first        in        forget the old sum, the same cycle
    enable       in        add the product, the same cycle
    words        out       the accumulator's
    ============ ========= ==========================================================
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.submodules.multiplier = multiplier = Multiplier(config.form)
        self.submodules.accumulator = accumulator = accumulator_class(config)(config)
        self.a, self.b = multiplier.a, multiplier.b
        self.step, self.first, self.enable = accumulator.step, accumulator.first, accumulator.enable
        self.words = accumulator.words

        ###

        if config.exact:
            self.comb += accumulator.product.eq(multiplier.product)
        else:
            product = Record(product_layout(config.form), reset_less=True)
            self.sync += product.eq(multiplier.product)
            self.comb += accumulator.product.eq(product)


class ProcessingRow(Module):
    """acc[j] += a * b[j]: the elements that share an operand of A and, for exact sums, their `SpecialFlags`.

    ============ ========= ===============================================================
    signal       direction meaning
    ============ ========= ===============================================================
    a            in        record of `operand_layout`
    b            in        `config.columns` of them
    step, first  in        see `ProcessingElement`
    enable       in        add the products
    row_word,
    column_words in        random words of the row and of each column, while a sum is first
    depth_word   in        that of the step, a cycle after its operands
    random_mask  in        RANDOM_BITS bits, the same cycle: those that count, from the top
    words        out       for each column the words that the normalizer takes
    ============ ========= ===============================================================

    Random words and mask exist where `config.stochastic_chain`. `latency(config)` cycles lie between operands and sums.
    """

    @staticmethod
    def latency(config: AcceleratorConfig) -> int:
        """Cycles from operands to sums."""
        return accumulator_class(config).LATENCY + (0 if config.exact else timing.CHAIN_PRODUCT)

    def __init__(self, config: AcceleratorConfig) -> None:
        self.a = Record(operand_layout(config.form))
        self.b = [Record(operand_layout(config.form)) for _ in range(config.columns)]
        self.step = Signal()
        self.first = Signal()
        self.enable = Signal()
        if config.stochastic_chain:
            self.row_word, self.depth_word = Signal(WORD_BITS), Signal(WORD_BITS)
            self.column_words = [Signal(WORD_BITS) for _ in range(config.columns)]
            self.random_mask = Signal(RANDOM_BITS)
        self.words = []

        ###

        if config.exact:
            self.submodules.flags = flags = SpecialFlags(config)
            self.comb += [
                flags.a.eq(self.a),
                *(target.eq(b) for target, b in zip(flags.b, self.b, strict=True)),
                flags.step.eq(self.step),
                flags.first.eq(self.first),
                flags.enable.eq(self.enable),
            ]
            step, first, enable = self.step, self.first, self.enable
        else:
            step, first, enable = Signal(), Signal(), Signal()
            self.sync += [step.eq(self.step), first.eq(self.first), enable.eq(self.enable)]
        for column, b in enumerate(self.b):
            element = ProcessingElement(config)
            self.submodules += element
            self.comb += [
                element.a.eq(self.a),
                element.b.eq(b),
                element.step.eq(step),
                element.first.eq(first),
                element.enable.eq(enable),
            ]
            if config.stochastic_chain:
                random = ElementRandom()
                self.submodules += random
                self.comb += [
                    random.row_word.eq(self.row_word),
                    random.column_word.eq(self.column_words[column]),
                    random.depth_word.eq(self.depth_word),
                    random.first.eq(self.first),
                ]
                self.sync += [
                    element.accumulator.random.eq(random.word[-RANDOM_BITS:] & self.random_mask),
                    element.accumulator.stochastic.eq(self.random_mask[-1]),
                ]
            own_flags = [Cat(flags.nan[column], flags.plus[column], flags.minus[column])] if config.exact else []
            self.words.append([*element.words, *own_flags])


class OuterProductArray(Module):
    """acc[i][j] += a[i] * b[j], or acc[i][j] += c[j] for the one row i of a C step.

    ============== ========= =================================================================
    signal         direction meaning
    ============== ========= =================================================================
    a, b, c        in        codes: `rows`, `columns`, `columns` of them; c is a row of C
    a_format,
    b_format,
    c_format       in        indices of operand formats
    step, first    in        see `StepIssuer`
    load_c         in        the step adds one times c
    rows           in        rows that add their products: all of them, or that of c
    chain_random_bits in     random bits of the step's rounding; 0: to nearest even
    row_words,
    column_words   in        random words of the tile's rows and columns, two cycles after a step
    depth_word     in        random word of a step, three cycles after it
    capture        in        copy the sums to the results, as they are after all earlier steps
    captured       out       the results are new in this cycle
    shift          in        results[i] takes over results[i + 1]
    words          out       words of the accumulators of results[0], one list a column
    ============== ========= =================================================================

    `latency(config)` cycles lie between codes and sums: those of the edge, and the others for the elements. What is
    random (see `ChainRandom`) exists where `config.stochastic_chain`.
    """

    @staticmethod
    def latency(config: AcceleratorConfig) -> int:
        """Cycles from codes to sums."""
        return timing.DECODER + ProcessingRow.latency(config)

    def __init__(self, config: AcceleratorConfig) -> None:
        self.a = [Signal(config.operand_bits) for _ in range(config.rows)]
        self.b = [Signal(config.operand_bits) for _ in range(config.columns)]
        self.c = [Signal(config.operand_bits) for _ in range(config.columns)]
        self.a_format, self.b_format, self.c_format = (Signal(config.operand_index_bits) for _ in range(3))
        self.step = Signal()
        self.first = Signal()
        self.load_c = Signal()
        self.rows = Signal(config.rows)
        if config.stochastic_chain:
            self.chain_random_bits = Signal(index_bits(RANDOM_BITS + 1))
            self.row_words = [Signal(WORD_BITS) for _ in range(config.rows)]
            self.column_words = [Signal(WORD_BITS) for _ in range(config.columns)]
            self.depth_word = Signal(WORD_BITS)
        self.capture = Signal()
        self.captured = Signal()
        self.shift = Signal()

        ###

        def registered(signal: Signal) -> Signal:
            register = Signal(len(signal), reset_less=True)
            self.sync += register.eq(signal)
            return register

        # The edge: what enters, since block RAM is slow, in a register; decoders, and the constant one.
        one = {"exponent": config.form.exponent_bias, "significand": 1 << (config.form.precision - 1)}
        layout = operand_layout(config.form)
        rows, columns = ([Record(layout, reset_less=True) for _ in codes] for codes in (self.a, self.b))
        column_format = Signal(config.operand_index_bits)
        self.comb += column_format.eq(Mux(self.load_c, self.c_format, self.b_format))
        a_format, column_format, load_c = map(registered, (self.a_format, column_format, self.load_c))
        for row, a in zip(rows, self.a, strict=True):
            value = self._decoded(config, registered(a), a_format)
            self.sync += (
                row.eq(value),
                If(load_c, *(getattr(row, name).eq(one.get(name, 0)) for name, _ in layout)),
            )
        for column, b, c in zip(columns, self.b, self.c, strict=True):
            self.sync += column.eq(self._decoded(config, registered(Mux(self.load_c, c, b)), column_format))
        step, first = Signal(), Signal()
        enabled = Signal(config.rows)
        self.sync += [
            step.eq(registered(self.step)),
            first.eq(registered(self.first)),
            enabled.eq(registered(self.rows)),
        ]
        capture = self.capture
        for _ in range(self.latency(config) - 1):
            delayed = Signal()
            self.sync += delayed.eq(capture)
            capture = delayed
        self.sync += self.captured.eq(capture)

        if config.stochastic_chain:
            random_bits, random_mask = Signal.like(self.chain_random_bits), Signal(RANDOM_BITS)
            ones = (1 << RANDOM_BITS) - 1
            self.sync += [
                random_bits.eq(registered(self.chain_random_bits)),
                random_mask.eq(~(Constant(ones) >> random_bits)),
            ]

        # The rows of elements, and under each element a place for its result.
        results = []
        for index, row in enumerate(rows):
            elements = ProcessingRow(config)
            self.submodules += elements
            self.comb += [
                elements.a.eq(row),
                *(target.eq(column) for target, column in zip(elements.b, columns, strict=True)),
                elements.step.eq(step),
                elements.first.eq(first),
                elements.enable.eq(enabled[index]),
            ]
            if config.stochastic_chain:
                self.comb += [
                    elements.row_word.eq(self.row_words[index]),
                    *(target.eq(word) for target, word in zip(elements.column_words, self.column_words, strict=True)),
                    elements.depth_word.eq(self.depth_word),
                    elements.random_mask.eq(random_mask),
                ]
            results.append([[Signal(len(word), reset_less=True) for word in words] for words in elements.words])
            for result, words in zip(results[-1], elements.words, strict=True):
                self.sync += If(capture, *(r.eq(w) for r, w in zip(result, words, strict=True)))
        for upper, lower in pairwise(results):
            for result, source in zip(upper, lower, strict=True):
                self.sync += If(self.shift, *(r.eq(s) for r, s in zip(result, source, strict=True)))
        self.words = results[0]

    def _decoded(self, config: AcceleratorConfig, code: Signal, number_format: Signal) -> Record:
        decoder = Decoder(config.operands, config.form)
        self.submodules += decoder
        self.comb += [decoder.code.eq(code), decoder.format.eq(number_format)]
        return decoder.value
