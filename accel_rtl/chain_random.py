"""Random words for the stochastic steps of chains, as pyhost.formats.stochastic defines them."""

from migen import If, Module, Mux, Signal

from accel_rtl.config import AcceleratorConfig
from accel_rtl.random import WORD_BITS, Mix, Scramble
from accel_rtl.tiles import DIMENSION_BITS

__all__ = ["ChainRandom", "ElementRandom"]

FIRST_ADDEND = (1 << WORD_BITS) - 2
"""The step k whose word belongs to C, where a chain starts with it."""
STREAMS = 3
"""Of rows, columns and steps."""


class ChainRandom(Module):
    """The words of the steps that the issuer issues, for `OuterProductArray`.

    ============= ========= ===================================================================================
    signal        direction meaning
    ============= ========= ===================================================================================
    key           in        32 bits: chain_random_key of the next job, unchanged for KEY_CYCLES before `take`
    take          in        the steps from the next cycle on belong to that job
    step, product,
    tile_ends     in        see `StepIssuer`
    row, column   in        D's first row and column of the tile
    row_words,
    column_words  out       the words of the tile's rows and columns, LATENCY cycles later
    depth_word    out       the word of the step, LATENCY + 1 cycles later
    ============= ========= ===================================================================================

        row_i    = mix(mix(key + 1) + row + i)
        column_j = mix(mix(key + 2) + column + j)
        depth    = mix(mix(key + 3) + k)              with k = FIRST_ADDEND where C is added
    """

    LATENCY = Mix.LATENCY
    KEY_CYCLES = STREAMS + Mix.LATENCY + 1

    def __init__(self, config: AcceleratorConfig) -> None:
        self.key = Signal(WORD_BITS)
        self.take = Signal()
        self.step, self.product, self.tile_ends = Signal(), Signal(), Signal()
        self.row, self.column = Signal(DIMENSION_BITS), Signal(DIMENSION_BITS)

        ###

        # One mixer for the keys of the streams, in turn.
        self.submodules.key_mix = key_mix = Mix()
        stream = Signal(max=STREAMS)
        self.comb += key_mix.word.eq(self.key + 1 + stream)
        self.sync += stream.eq(Mux(stream == STREAMS - 1, 0, stream + 1))
        keys = []
        for index in range(STREAMS):
            mixed, key = Signal(WORD_BITS, reset_less=True), Signal(WORD_BITS, reset_less=True)
            self.sync += [
                If(stream == (index + Mix.LATENCY) % STREAMS, mixed.eq(key_mix.mixed)),
                If(self.take, key.eq(mixed)),
            ]
            keys.append(key)
        row_key, column_key, depth_key = keys

        self.row_words = self._mixed(row_key + self.row, config.rows)
        self.column_words = self._mixed(column_key + self.column, config.columns)

        k, depth = Signal(DIMENSION_BITS), Signal(WORD_BITS, reset_less=True)
        self.sync += [
            If(self.step & self.product, k.eq(Mux(self.tile_ends, 0, k + 1))),
            depth.eq(depth_key + Mux(self.product, k, FIRST_ADDEND)),
        ]
        self.depth_word = self._mixed(depth, 1)[0]

    def _mixed(self, first: Signal, count: int) -> list[Signal]:
        """mix(first + i) for each i below count."""
        words = []
        for index in range(count):
            mix = Mix()
            self.submodules += mix
            self.comb += mix.word.eq(first + index)
            words.append(mix.mixed)
        return words


class ElementRandom(Module):
    """word = scramble(scramble(row_word + column_word) + depth_word) of an element.

    ======================= ========= =====================================================
    signal                  direction meaning
    ======================= ========= =====================================================
    row_word, column_word   in        32 bits each, of the tile
    first                   in        they are those of a new tile
    depth_word              in        32 bits, of a step, from the cycle after `first` on
    word                    out       32 bits, combinational
    ======================= ========= =====================================================
    """

    def __init__(self) -> None:
        self.row_word, self.column_word, self.depth_word = (Signal(WORD_BITS) for _ in range(3))
        self.first = Signal()

        ###

        element = Signal(WORD_BITS, reset_less=True)
        self.submodules.of_element = of_element = Scramble()
        self.submodules.of_step = of_step = Scramble()
        self.word = of_step.scrambled
        self.comb += [
            of_element.word.eq(self.row_word + self.column_word),
            of_step.word.eq(element + self.depth_word),
        ]
        self.sync += If(self.first, element.eq(of_element.scrambled))
