"""Write-back: the results of a tile, element by element, are normalised, scaled, rounded, and merged into words."""

from migen import Array, Case, Cat, If, Module, Mux, Record, Replicate, Signal
from migen.genlib.fifo import SyncFIFO

from accel_rtl.array import normalizer_class
from accel_rtl.bits import index_bits
from accel_rtl.config import AcceleratorConfig, element_bytes
from accel_rtl.port import DATA_BITS, DATA_BYTES
from accel_rtl.round import EXPONENT_BITS, Rounder, unrounded_layout
from accel_rtl.tiles import TileWalk

__all__ = ["SCALE_LIMIT", "Store"]

SCALE_LIMIT = 1023
"""A scale beyond this makes infinity or zero of everything, just as this one does."""

WORDS_QUEUED = 16
WORDS_IN_BURST = 8
"""Words are written many at a time where they can be: a memory loses time whenever it turns from reading to writing."""

ADDRESS_BITS = 32


class Store(Module):
    """D's rows of a tile from its sums; one element a cycle, one write for each word that an element belongs to.

    =========== ========= ===============================================================
    signal      direction meaning
    =========== ========= ===============================================================
    m, n        in        dimensions
    address     in        of D, in bytes from the start of main memory
    pitch, size in        of D: bytes from row to row; log2 of the bytes of an element
    format      in        of D: index into `config.formats`
    saturate    in        see `Rounder`
    scale       in        D = round(2^scale * sum); within +-SCALE_LIMIT
    captured    in        the results of the next tile are in `words`
    words       in        for each column, the accumulator's words of the topmost row
    shift       out       the next row becomes the topmost
    taken       out       the results are no longer needed
    write_*     out, in   see `MemoryMaster`
    finished    out       every element of D has been handed to the master
    =========== ========= ===============================================================

    Only elements of D leave this block, whatever the array holds beyond a ragged edge.
    """

    def __init__(self, config: AcceleratorConfig, memory_bytes: int) -> None:
        self.submodules.tiles = tiles = TileWalk(config)
        self.m, self.n = tiles.m, tiles.n
        self.address = Signal(ADDRESS_BITS)
        self.pitch = Signal(ADDRESS_BITS)
        self.size = Signal(2)
        self.format = Signal(index_bits(len(config.formats)))
        self.saturate = Signal()
        self.scale = Signal((index_bits(SCALE_LIMIT + 1) + 1, True))
        self.captured = Signal()
        self.words = [
            [Signal(bits) for bits in normalizer_class(config).word_bits(config)] for _ in range(config.columns)
        ]
        self.shift = Signal()
        self.taken = Signal()
        self.write_valid = Signal()
        self.write_ready = Signal()
        self.write_address = Signal(index_bits(memory_bytes // DATA_BYTES))
        self.write_data = Signal(DATA_BITS)
        self.write_enables = Signal(DATA_BYTES)
        self.finished = Signal()

        ###

        element = self._select(config, tiles)
        coded, code = self._round(config, *element)
        self._merge(config, coded, code)

    def _select(self, config: AcceleratorConfig, tiles: TileWalk) -> tuple[Record, list[Signal]]:
        """Pick one element a cycle: its words, its address, and whether its row ends."""
        row, column = Signal(index_bits(config.rows)), Signal(index_bits(config.columns))
        draining, self.room, go = Signal(), Signal(), Signal()
        # Byte offsets from D's start: of the tile band's first row, of this row, and within the row.
        band, line, next_line, start, offset = (Signal(ADDRESS_BITS) for _ in range(5))
        row_ends, tile_ends = Signal(), Signal()
        self.all_drained = Signal()
        picked = Record(_PICKED)
        words = [Signal(bits) for bits in normalizer_class(config).word_bits(config)]
        self.comb += [
            go.eq((draining | self.captured) & self.room),
            row_ends.eq(go & (column == tiles.columns - 1)),
            tile_ends.eq(row_ends & (row == tiles.rows - 1)),
            next_line.eq(line + self.pitch),
            self.shift.eq(row_ends),
            self.taken.eq(tile_ends),
            tiles.advance.eq(tile_ends),
        ]
        self.sync += [
            If(self.captured, draining.eq(1)),
            If(go, column.eq(column + 1), offset.eq(offset + (1 << self.size))),
            If(row_ends, column.eq(0), offset.eq(0), row.eq(row + 1), line.eq(next_line)),
            If(
                tile_ends,
                row.eq(0),
                draining.eq(0),
                self.all_drained.eq(tiles.last),
                If(
                    tiles.last_column,
                    band.eq(next_line),
                    start.eq(0),
                ).Else(line.eq(band), start.eq(start + (config.columns << self.size))),
            ),
            picked.valid.eq(go),
            picked.address.eq(self.address + line + start + offset),
            picked.row_ends.eq(row_ends),
            *(word.eq(Array(choices)[column]) for word, *choices in zip(words, *self.words, strict=True)),
        ]
        return picked, words

    def _round(self, config: AcceleratorConfig, picked: Record, words: list[Signal]) -> tuple[Record, Signal]:
        """Normalise, scale and round; what belongs to the element travels beside it."""
        normalizer_type = normalizer_class(config)
        significand_bits = normalizer_type.significand_bits(config)
        self.submodules.normalizer = normalizer = normalizer_type(config)
        self.submodules.rounder = rounder = Rounder(config.formats, significand_bits)
        self.comb += [target.eq(word) for target, word in zip(normalizer.words, words, strict=True)]
        scaled = Record(unrounded_layout(significand_bits))
        exponent = Signal((EXPONENT_BITS, True))
        code = Signal(len(rounder.code))
        self.comb += [
            exponent.eq(normalizer.number.exponent + self.scale),
            scaled.eq(normalizer.number),
            scaled.exponent.eq(exponent),
            rounder.number.eq(scaled),
            rounder.format.eq(self.format),
            rounder.saturate.eq(self.saturate),
        ]
        self.sync += code.eq(rounder.code)
        self.under_way = picked.valid
        for _ in range(normalizer_type.LATENCY + 1):
            delayed = Record(_PICKED)
            self.sync += delayed.eq(picked)
            self.under_way = self.under_way | delayed.valid
            picked = delayed
        self.pipeline_depth = normalizer_type.LATENCY + 2
        return picked, code

    def _merge(self, config: AcceleratorConfig, coded: Record, code: Signal) -> None:
        """Collect the bytes of a word, and queue it at its end or the row's."""
        address_bits = len(self.write_address)
        self.submodules.queue = queue = SyncFIFO(address_bits + DATA_BITS + DATA_BYTES, WORDS_QUEUED)
        collected, enabled = Signal(DATA_BITS), Signal(DATA_BYTES)
        spread, data, enables = Signal(DATA_BITS), Signal(DATA_BITS), Signal(DATA_BYTES)
        own, word_ends, bursting = Signal(DATA_BYTES), Signal(), Signal()
        offset = coded.address[:3]
        choices = {}
        for size in sorted({element_bytes(f) for f in config.formats}):
            element = Signal(8 * size)
            self.comb += element.eq(code)
            choices[size.bit_length() - 1] = [
                spread.eq(Replicate(element, DATA_BYTES // size)),
                own.eq(((1 << size) - 1) << offset),
                word_ends.eq(offset == DATA_BYTES - size),
            ]
        self.comb += Case(self.size, choices)
        for byte in range(DATA_BYTES):
            bits = slice(8 * byte, 8 * byte + 8)
            self.comb += data[bits].eq(Mux(own[byte], spread[bits], collected[bits]))
        self.comb += [
            enables.eq(enabled | own),
            queue.we.eq(coded.valid & (word_ends | coded.row_ends)),
            queue.din.eq(Cat(coded.address[3 : 3 + address_bits], data, enables)),
            Cat(self.write_address, self.write_data, self.write_enables).eq(queue.dout),
            self.write_valid.eq(queue.readable & (bursting | ~self.under_way)),
            queue.re.eq(self.write_valid & self.write_ready),
            self.room.eq(queue.level < WORDS_QUEUED - self.pipeline_depth),
            self.finished.eq(self.all_drained & ~self.under_way & ~queue.readable),
        ]
        self.sync += [
            If(coded.valid, collected.eq(data), enabled.eq(enables)),
            If(queue.we, enabled.eq(0)),
            If(queue.level >= WORDS_IN_BURST, bursting.eq(1)).Elif(~queue.readable, bursting.eq(0)),
        ]


_PICKED = [("valid", 1), ("address", ADDRESS_BITS), ("row_ends", 1)]
