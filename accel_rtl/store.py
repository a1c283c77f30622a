"""Write-back: the results of a tile become elements of D, several a cycle, and words for the memory."""

from migen import Array, Cat, If, Module, Mux, Record, Signal
from migen.genlib.fifo import SyncFIFO

from accel_rtl.bits import index_bits
from accel_rtl.config import AcceleratorConfig
from accel_rtl.lane import Lane, delayed
from accel_rtl.merge import ADDRESS_BITS, Merger
from accel_rtl.normalize import normalizer_class
from accel_rtl.random import WORD_BITS, WriteBackRandom
from accel_rtl.round import RANDOM_BITS, STOCHASTIC
from accel_rtl.scale import SCALE_LIMIT
from pyhost import timing

__all__ = ["SCALE_LIMIT", "Store", "tile_layout"]

WORDS_QUEUED = 32
INDEX_BITS = 16


def tile_layout(config: AcceleratorConfig) -> list[tuple[str, int]]:
    """A tile of D: its extent; of its first element, the address (bytes from main memory's start), row and column."""
    return [
        ("rows", config.rows.bit_length()),
        ("columns", config.columns.bit_length()),
        ("address", ADDRESS_BITS),
        ("row", INDEX_BITS),
        ("column", INDEX_BITS),
    ]


class Store(Module):
    """D's elements of a tile from its sums, `config.rounders` a cycle, row by row; see `Lane` for what they are.

    ============== ========= =============================================================================
    signal         direction meaning
    ============== ========= =============================================================================
    tile           in        record of `tile_layout`, in the cycle of `captured`
    captured       in        the results of a tile are in `words`; not before those of the last are `taken`
    words          in        for each column, the accumulator's words of the topmost row
    shift          out       in the next cycle, the next row is the topmost
    taken          out       the results, and the tile's addend and mask, are no longer needed
    pitch, size    in        of D: bytes from row to row; log2 of the bytes of an element
    random_key     in        `pyhost.formats.Stochastic.key`
    format, ...    in        see `Lane`: saturate, scale, mode, random_bits, relu, has_addend, addend_format,
                             has_mask, mask_format
    side_row,
    side_group     out       row of the tile, and the group of `config.rounders` columns, whose codes are wanted
    addend, mask   in        these codes, a cycle later
    side_ready     in        this tile's addend and mask, if it has them, may be asked for; then until `taken`
    write_*        out, in   see `MemoryMaster`
    pressing       out       more than half of the queue of words is full
    idle           out       nothing of any tile is in here
    ============== ========= =============================================================================

    What belongs to a job may change while the store is idle, up to the cycle before `captured`.

    A tile takes a cycle for each group of columns in each of its rows, from `captured` to `taken`; one more for a row
    whose last group straddles two words; and waits for `side_ready`, for room in the queue and, with the first tile
    that is rounded with another random key, for `WriteBackRandom.START_CYCLES`.
    """

    @staticmethod
    def latency(config: AcceleratorConfig) -> int:
        """Cycles from those in which the results of a group are taken to that in which their word is offered."""
        return timing.PICK + Lane.latency(config) + timing.WORD

    def __init__(self, config: AcceleratorConfig, memory_bytes: int) -> None:
        lanes, format_bits = config.rounders, index_bits(len(config.formats))
        groups = config.columns // lanes
        self.tile = Record(tile_layout(config))
        self.captured = Signal()
        self.words = [
            [Signal(bits) for bits in normalizer_class(config).word_bits(config)] for _ in range(config.columns)
        ]
        self.shift = Signal()
        self.taken = Signal()
        self.pitch = Signal(ADDRESS_BITS)
        self.size = Signal(2)
        self.format, self.addend_format, self.mask_format = (Signal(format_bits) for _ in range(3))
        self.saturate, self.relu, self.has_addend, self.has_mask = (Signal() for _ in range(4))
        self.scale = Signal((index_bits(SCALE_LIMIT + 1) + 1, True))
        self.mode = Signal(2)
        self.random_bits = Signal(index_bits(RANDOM_BITS + 1))
        self.random_key = Signal(WORD_BITS)
        self.side_row = Signal(index_bits(config.rows))
        self.side_group = Signal(index_bits(groups))
        self.addend, self.mask = ([Signal(config.element_bits) for _ in range(lanes)] for _ in range(2))
        self.side_ready = Signal()
        self.write_valid = Signal()
        self.write_ready = Signal()
        self.write_address = Signal(index_bits(memory_bytes // config.port_bytes))
        self.write_data = Signal(config.port_bits)
        self.write_enables = Signal(config.port_bytes)
        self.pressing = Signal()
        self.idle = Signal()

        ###

        self.submodules.merger = merger = Merger(config)
        self.submodules.queue = queue = SyncFIFO(
            len(self.write_address) + config.port_bits + config.port_bytes, WORDS_QUEUED
        )
        self._group_layout = [
            ("valid", 1),
            ("address", ADDRESS_BITS),
            ("count", lanes.bit_length()),
            ("row_ends", 1),
        ]
        # Each cycle that a group is under way may bring a word, and one more is flushed.
        room = Signal()
        self.comb += room.eq(queue.level < WORDS_QUEUED - self.latency(config) - 1)
        picked, words, busy = self._pick(config, room)
        codes = self._convert(config, words)

        # What belongs to a group travels beside it.
        under_way = busy | picked.valid
        for _ in range(Lane.latency(config)):
            follower = Record(self._group_layout)
            self.sync += follower.eq(picked)
            picked = follower
            under_way = under_way | picked.valid
        flush = Signal()
        self.sync += flush.eq(merger.flushing)
        self.comb += [
            *(getattr(merger, name).eq(getattr(picked, name)) for name, _ in self._group_layout),
            *(target.eq(code) for target, code in zip(merger.codes, codes, strict=True)),
            merger.size.eq(self.size),
            queue.we.eq(merger.word_valid),
            queue.din.eq(Cat(merger.word_index[: len(self.write_address)], merger.word, merger.enables)),
            Cat(self.write_address, self.write_data, self.write_enables).eq(queue.dout),
            self.write_valid.eq(queue.readable),
            queue.re.eq(self.write_ready),
            self.pressing.eq(queue.level > WORDS_QUEUED // 2),
            self.idle.eq(~(self.captured | under_way | flush | queue.readable)),
        ]

    def _pick(self, config: AcceleratorConfig, room: Signal) -> tuple[Record, list[list[Signal]], Signal]:
        """Each group's place in memory and its words, a cycle after they were looked at; and whether more wait."""
        lanes = config.rounders
        tile, held = Record(tile_layout(config)), Record(tile_layout(config), reset_less=True)
        draining, begun, gap, go = (Signal() for _ in range(4))
        keyed = self._keyed((self.captured | draining) & ~begun) if config.stochastic else 1
        row, group = self.side_row, self.side_group
        line, next_line = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS, reset_less=True)
        offset, address = Signal(max=4 * config.columns), Signal(ADDRESS_BITS)
        rest, left, count = (Signal(config.columns.bit_length()) for _ in range(3))
        last_group, row_ends, tile_ends, straddles = (Signal() for _ in range(4))
        place_bits = index_bits(config.port_bytes)
        end = Signal(place_bits + 1)
        self.comb += [
            tile.raw_bits().eq(Mux(self.captured, self.tile.raw_bits(), held.raw_bits())),
            go.eq((self.captured | draining) & (begun | (self.side_ready & keyed)) & room & ~gap),
            line.eq(Mux(row == 0, tile.address, next_line)),
            address.eq(line + offset),
            left.eq(Mux(group == 0, tile.columns, rest)),
            last_group.eq(left <= lanes),
            count.eq(Mux(last_group, left, lanes)),
            row_ends.eq(go & last_group),
            tile_ends.eq(row_ends & (row == tile.rows - 1)),
            end.eq(address[:place_bits] + (count << self.size)),
            straddles.eq(end > config.port_bytes),
            self.shift.eq(row_ends),
            self.taken.eq(tile_ends),
        ]
        self.sync += [
            If(self.captured, held.eq(self.tile), draining.eq(1)),
            gap.eq(row_ends & straddles),
            If(go, begun.eq(1), group.eq(group + 1), offset.eq(offset + (lanes << self.size)), rest.eq(left - lanes)),
            If(row_ends, group.eq(0), offset.eq(0), row.eq(row + 1), next_line.eq(line + self.pitch)),
            If(tile_ends, row.eq(0), draining.eq(0), begun.eq(0)),
        ]

        picked = Record(self._group_layout)
        self.sync += [
            picked.valid.eq(go),
            picked.address.eq(address),
            picked.count.eq(count),
            picked.row_ends.eq(row_ends),
        ]
        words = []
        for lane in range(lanes):
            choices = self.words[lane::lanes]
            words.append([Signal.like(word, reset_less=True) for word in choices[0]])
            self.sync += [
                word.eq(Array(candidates)[group]) for word, *candidates in zip(words[-1], *choices, strict=True)
            ]
        if config.stochastic:
            # The hash takes less time than a sum takes to its rounding.
            place = Record([("row", INDEX_BITS), ("column", INDEX_BITS)])
            self.comb += [place.row.eq(tile.row + row), place.column.eq(tile.column + group * lanes)]
            ahead = timing.PICK + Lane.rounding_latency(config) - WriteBackRandom.LATENCY
            self.comb += Cat(self.random.row, self.random.column).eq(delayed(self, place.raw_bits(), ahead))
        return picked, words, draining | gap

    def _keyed(self, first: Signal) -> Signal:
        """Whether the hash, if it is needed, has the job's key; it gets it when a job's first tile comes."""
        self.submodules.random = random = WriteBackRandom(len(self.addend))
        key, known, held = Signal(WORD_BITS, reset_less=True), Signal(), Signal()
        self.comb += [
            held.eq(known & (key == self.random_key)),
            random.key.eq(self.random_key),
            random.start.eq(first & (self.mode == STOCHASTIC) & ~held),
        ]
        self.sync += If(random.start, key.eq(self.random_key), known.eq(1))
        return (self.mode != STOCHASTIC) | (held & random.ready)

    def _convert(self, config: AcceleratorConfig, words: list[list[Signal]]) -> list[Signal]:
        """A lane for each element of a group."""
        lanes = [Lane(config) for _ in words]
        self.submodules += lanes
        if config.stochastic:
            self.comb += [lane.random.eq(w[-RANDOM_BITS:]) for lane, w in zip(lanes, self.random.words, strict=True)]
        for lane, own_words, addend, mask in zip(lanes, words, self.addend, self.mask, strict=True):
            self.comb += [
                *(target.eq(word) for target, word in zip(lane.words, own_words, strict=True)),
                lane.addend.eq(addend),
                lane.mask.eq(mask),
                lane.scale.eq(self.scale),
                lane.format.eq(self.format),
                lane.saturate.eq(self.saturate),
                lane.mode.eq(self.mode),
                lane.random_bits.eq(self.random_bits),
                lane.relu.eq(self.relu),
                lane.has_addend.eq(self.has_addend),
                lane.addend_format.eq(self.addend_format),
                lane.has_mask.eq(self.has_mask),
                lane.mask_format.eq(self.mask_format),
            ]
        return [lane.code for lane in lanes]
