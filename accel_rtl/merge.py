"""Neighbouring elements become words of memory."""

from migen import Cat, If, Module, Mux, Replicate, Signal

from accel_rtl.bits import index_bits, select
from accel_rtl.config import AcceleratorConfig, element_bytes

__all__ = ["ADDRESS_BITS", "Merger"]

ADDRESS_BITS = 32


class Merger(Module):
    """Groups of elements, which may straddle words, become words with an enable for each byte.

    =========== ========= ========================================================================
    signal      direction meaning
    =========== ========= ========================================================================
    valid       in        there is a group
    codes       in        `config.rounders` codes; the first `count` of them count
    count       in        1 to `config.rounders`
    address     in        of the first element: bytes, a multiple of the element's
    row_ends    in        what is collected goes out with this group
    size        in        log2 of the bytes of an element
    word_valid  out       there is a word, always taken
    word        out       `config.port_bits` bits
    enables     out       a bit for each byte of it
    word_index  out       address of the word in words
    flushing    out       in the next cycle a word comes out by itself: `valid` must be 0
    =========== ========= ========================================================================

    A row's groups follow each other in memory. A word goes out with the group that completes it; where a row's last
    group straddles two words, the second goes out a cycle later.

    Combinational from a group to its word.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        word_bytes = config.port_bytes
        place_bits = index_bits(word_bytes)
        sizes = sorted({element_bytes(f) for f in config.formats})
        self.valid = Signal()
        self.codes = [Signal(config.element_bits) for _ in range(config.rounders)]
        self.count = Signal(max=config.rounders + 1)
        self.address = Signal(ADDRESS_BITS)
        self.row_ends = Signal()
        self.size = Signal(2)
        self.word_valid = Signal()
        self.word = Signal(config.port_bits)
        self.enables = Signal(word_bytes)
        self.word_index = Signal(ADDRESS_BITS - place_bits)
        self.flushing = Signal()

        ###

        # The elements side by side, then turned to where the address puts them, in a window that fits into words.
        window_bytes = 1 << index_bits(config.rounders * sizes[-1])
        packed, end = Signal(8 * window_bytes), Signal(place_bits + 1)
        place = self.address[:place_bits]
        choices = {}
        for size in sizes:
            elements = [Signal(8 * size) for _ in self.codes]
            self.comb += [element.eq(code) for element, code in zip(elements, self.codes, strict=True)]
            shift = size.bit_length() - 1
            choices[shift] = [packed.eq(Cat(*elements)), end.eq(place + (self.count << shift))]
        self.comb += select(self.size, choices)
        turned = packed
        for bit in range(sizes[0].bit_length() - 1, window_bytes.bit_length() - 1):
            stage, by = Signal(8 * window_bytes), 8 << bit
            self.comb += stage.eq(Mux(place[bit], Cat(turned[-by:], turned[:-by]), turned))
            turned = stage

        # Bytes of the word that the group begins in, and of the next.
        all_ones = (1 << 2 * word_bytes) - 1
        from_place, to_end = Signal(word_bytes), Signal(2 * word_bytes)
        first, second, straddles, complete = Signal(word_bytes), Signal(word_bytes), Signal(), Signal()
        flush, next_index = Signal(), Signal(len(self.word_index), reset_less=True)
        enabled, index = Signal(word_bytes), Signal(len(self.word_index))
        self.comb += [
            from_place.eq(all_ones << place),
            to_end.eq(~(all_ones << end)),
            first.eq(from_place & to_end[:word_bytes] & Replicate(self.valid, word_bytes)),
            second.eq(to_end[word_bytes:] & Replicate(self.valid, word_bytes)),
            complete.eq(end >= word_bytes),
            straddles.eq(end > word_bytes),
            self.word_valid.eq(flush | (self.valid & (complete | self.row_ends))),
            self.enables.eq(enabled | first),
            index.eq(self.address[place_bits:]),
            self.word_index.eq(Mux(flush, next_index, index)),
            self.flushing.eq(self.valid & self.row_ends & straddles),
        ]
        self.sync += [
            flush.eq(self.flushing),
            next_index.eq(index + 1),
            If(self.word_valid, enabled.eq(second)).Elif(self.valid, enabled.eq(self.enables)),
        ]
        for byte in range(word_bytes):
            collected = Signal(8, reset_less=True)
            low = 8 * (byte % window_bytes)
            own = turned[low : low + 8]
            self.sync += If(first[byte] | second[byte], collected.eq(own))
            self.comb += self.word[8 * byte : 8 * byte + 8].eq(Mux(first[byte], own, collected))
