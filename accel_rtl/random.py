"""Random words for stochastic rounding: hashes of where a number stands, as pyhost.formats.stochastic defines them."""

from migen import Case, If, Module, Signal

from accel_rtl.bits import index_bits

__all__ = ["WORD_BITS", "Mix", "Scramble", "WriteBackRandom"]

WORD_BITS = 32
INDEX_BITS = 16
WRITE_BACK = (1 << WORD_BITS) - 1
"""The step k whose word belongs to the rounding at write-back."""

FACTORS = ((16, 0x7FEB352D), (15, 0x846CA68B))
LAST_SHIFT = 16


class Mix(Module):
    """mixed = mix(word), LATENCY cycles later, a word a cycle.

    ====== ========= =======
    signal direction meaning
    ====== ========= =======
    word   in        32 bits
    mixed  out       32 bits
    ====== ========= =======

    Each multiplication is a stage of its own, of three multipliers of 18 bits where there are such.
    """

    LATENCY = len(FACTORS)

    def __init__(self) -> None:
        self.word = Signal(WORD_BITS)
        self.mixed = Signal(WORD_BITS)

        ###

        word = self.word
        for shift, factor in FACTORS:
            product = Signal(WORD_BITS, reset_less=True)
            self.sync += product.eq((word ^ (word >> shift)) * factor)
            word = product
        self.comb += self.mixed.eq(word ^ (word >> LAST_SHIFT))


class Scramble(Module):
    """scrambled = scramble(word), combinational: three adders.

    ========= ========= =======
    signal    direction meaning
    ========= ========= =======
    word      in        32 bits
    scrambled out       32 bits
    ========= ========= =======
    """

    def __init__(self) -> None:
        self.word = Signal(WORD_BITS)
        self.scrambled = Signal(WORD_BITS)

        ###

        word = self.word
        for right, left in ((16, 9), (14, 6), (11, 13)):
            folded, added = Signal(WORD_BITS), Signal(WORD_BITS)
            self.comb += [folded.eq(word ^ (word >> right)), added.eq(folded + (folded << left))]
            word = added
        self.comb += self.scrambled.eq(word ^ (word >> 15))


class WriteBackRandom(Module):
    """The words that round D: words[i] = scramble(scramble(row_m + column_(n + i)) + depth), a group of lanes a cycle.

    =========== ========= ==========================================================================
    signal      direction meaning
    =========== ========= ==========================================================================
    key         in        32 bits: the job's random_key; stays as it is from `start` until `ready`
    start       in        a job begins: its words row_key, column_key and depth are computed
    ready       out       they are there
    row, column in        16 bits: m, and n of lane 0; of a group of elements only while `ready`
    words       out       for each lane the 32-bit word, LATENCY cycles later
    =========== ========= ==========================================================================

    ready falls with the cycle after `start` and comes back START_CYCLES after it. No group may be under way then.

        row_key = mix(key + 1)                row_m    = mix(row_key + m)
        column_key = mix(key + 2)             column_n = mix(column_key + n)
        depth = mix(mix(key + 3) + 2^32 - 1)
    """

    LATENCY = Mix.LATENCY + 4
    START_CYCLES = 2 * Mix.LATENCY + 6

    def __init__(self, lanes: int) -> None:
        self.key = Signal(WORD_BITS)
        self.start = Signal()
        self.ready = Signal()
        self.row = Signal(INDEX_BITS)
        self.column = Signal(INDEX_BITS)
        self.words = [Signal(WORD_BITS, reset_less=True) for _ in range(lanes)]

        ###

        # The mix of rows also computes the job's words: two passes, counted from `start`.
        row_key, column_key, depth = (Signal(WORD_BITS, reset_less=True) for _ in range(3))
        row_sum = Signal(WORD_BITS, reset_less=True)
        self.submodules.row_mix = row_mix = Mix()
        count = Signal(index_bits(self.START_CYCLES + 1))
        first, second = 2 + Mix.LATENCY, 5 + 2 * Mix.LATENCY
        self.comb += row_mix.word.eq(row_sum)
        self.sync += [
            If(
                self.start,
                count.eq(1),
                self.ready.eq(0),
            ).Elif(
                count != 0,
                count.eq(count + 1),
            ),
            row_sum.eq(row_key + self.row),
            Case(
                count,
                {
                    1: row_sum.eq(self.key + 1),
                    2: row_sum.eq(self.key + 2),
                    3: row_sum.eq(self.key + 3),
                    first: row_key.eq(row_mix.mixed),
                    first + 1: column_key.eq(row_mix.mixed),
                    first + 2: row_sum.eq(row_mix.mixed + WRITE_BACK),
                    second: [depth.eq(row_mix.mixed), count.eq(0), self.ready.eq(1)],
                },
            ),
        ]

        for lane, word in enumerate(self.words):
            mix, element, last = Mix(), Scramble(), Scramble()
            self.submodules += mix, element, last
            self.sync += [
                mix.word.eq(column_key + (self.column + lane)),
                element.word.eq(row_mix.mixed + mix.mixed),
                last.word.eq(element.scrambled + depth),
                word.eq(last.scrambled),
            ]
