"""The loader: fills scratchpads and pads, in the order in which they are needed, as far ahead as there is room."""

from migen import Case, Cat, If, Module, Mux, Record, Signal
from migen.genlib.fifo import SyncFIFO

from accel_rtl.bits import index_bits
from accel_rtl.config import AcceleratorConfig, element_bytes
from accel_rtl.scratchpad import Rotator
from accel_rtl.tiles import TileWalk, shape_layout
from accel_rtl.window import OPERANDS, CursorAction, WindowWalker, beat_layout, plain_matrix
from pyhost import timing

__all__ = ["FillPort", "Loader"]

A, B, C, ADDEND, MASK = range(len(OPERANDS))


class Loader(Module):
    """For each tile the fills of which it is the first user: C, panels of A and B, the addend, the mask.

    ============== ========= ==================================================================
    signal         direction meaning
    ============== ========= ==================================================================
    start          in        begin with the job of `shape`, `windows`, `used`
    active         out       not all fills of the job are complete
    shape          in        record of `shape_layout`
    windows        in        records of `window_layout`, of A and B
    matrices       in        C, addend and mask: address, size (log2 of an element's bytes) and pitch
    used           in        operands that must be loaded: not C, addend, mask that there are not, not what is resident
    length         out       steps of the next panel of A and B
    room           in        for each operand: what it needs next is free
    claim          out       and is taken
    head           in        for A, B: the ring position where it begins; for the others: the half
    fill           out       a claimed panel or tile is complete
    filled         out       for A and B: the ring position behind it
    write          out       for each operand: the slots of `beat` are written
    beat           out       record of `beat_layout`
    slots          out       their codes, +0 outside the tensor
    read_*         in, out   a word is asked for, see `MemoryMaster`
    data_valid     in        the oldest word asked for is in `data`
    fault          out       a word outside main memory was needed; the loader stands still
    ============== ========= ==================================================================

    memory_base, memory_bytes: where main memory lies; multiples of the port's word.
    """

    def __init__(self, config: AcceleratorConfig, memory_base: int, memory_bytes: int) -> None:
        self.start = Signal()
        self.active = Signal()
        self.shape = Record(shape_layout(config))
        self.submodules.walker = walker = WindowWalker(config)
        self.submodules.walk = walk = TileWalk(config, self.shape)
        self.windows = walker.windows[:C]
        self.matrices = [Record([("address", 32), ("size", 2), ("pitch", 32)]) for _ in OPERANDS[C:]]
        self.used = Signal(len(OPERANDS))
        self.length = walk.length
        self.room = Signal(len(OPERANDS))
        self.claim = Signal(len(OPERANDS))
        position_bits = index_bits(config.depth) + 1
        self.head = [Signal(position_bits) for _ in OPERANDS]
        self.fill = Signal(len(OPERANDS))
        self.filled = Signal(position_bits)
        self.write = Signal(len(OPERANDS))
        self.beat = Record(beat_layout(config))
        self.slots = [Signal(config.element_bits) for _ in range(config.slots)]
        self.read_valid = Signal()
        self.read_ready = Signal()
        self.read_address = Signal(index_bits(memory_bytes // config.port_bytes))
        self.data_valid = Signal()
        self.data = Signal(config.port_bits)
        self.fault = Signal()

        ###

        self._place_tiles(walker, walk)
        self._sequence_fills(walker, walk)
        self._request(config, walker, memory_base, memory_bytes)
        self._store(config)

    def _place_tiles(self, walker: WindowWalker, walk: TileWalk) -> None:
        """C, addend and mask begin at the tile's first element: where that is, is known a cycle after the tile."""
        for matrix, window in zip(self.matrices, walker.windows[C:], strict=True):
            address = Signal(32, reset_less=True)
            self.comb += plain_matrix(window, address, matrix.size, matrix.pitch)
            self.sync += [
                address.eq(matrix.address + walk.row * matrix.pitch + (walk.column << matrix.size)),
                If(self.start, address.eq(matrix.address)),
            ]

    def _sequence_fills(self, walker: WindowWalker, walk: TileWalk) -> None:
        """Start a fill whenever the walker is idle and there is room for what the next tile needs."""
        need, done, left, pick = (Signal(len(OPERANDS)) for _ in range(4))
        going, go, placed = Signal(), Signal(), Signal()
        lanes, steps = Signal(len(walker.lines)), Signal(len(walker.lines))
        lane_action, step_action = Signal(2), Signal(2)
        k_minor = Signal()
        stay, ahead, reset = CursorAction.STAY, CursorAction.ADVANCE, CursorAction.RESET
        begins = {A: walk.a_begins, B: walk.b_begins, C: walk.first_chunk, ADDEND: walk.last_chunk}
        begins[MASK] = begins[ADDEND]
        self.comb += [
            *(need[index].eq(begun & self.used[index]) for index, begun in begins.items()),
            left.eq(need & ~done),
        ]
        # Of what is left, the first in this order.
        tile = [lanes.eq(walk.columns), steps.eq(walk.rows)]
        order = None
        for index in (C, A, B, ADDEND, MASK):
            describe = [
                pick[index].eq(1),
                walker.operand.eq(index),
                k_minor.eq(walker.windows[index].k_minor),
                walker.tag.eq(Cat(self.head[index], self.head[index] + walk.length)),
            ]
            if index == A:
                # The next chunk of these rows, the same rows again for the next columns, or the next rows.
                describe += [lanes.eq(walk.a_lanes), steps.eq(walk.length)]
                again = ~self.shape.whole & ~walk.columns_end
                lane_action_of = Mux(walk.last_chunk & ~again, Mux(walk.rows_end, reset, ahead), stay)
                step_action_of = Mux(walk.last_chunk, reset, ahead)
            elif index == B:
                describe += [lanes.eq(walk.b_lanes), steps.eq(walk.length)]
                lane_action_of = Mux(walk.last_chunk, Mux(walk.columns_end, reset, ahead), stay)
                step_action_of = Mux(walk.last_chunk, reset, ahead)
            else:
                describe += tile
                lane_action_of, step_action_of = 0, 0
            describe += [lane_action.eq(lane_action_of), step_action.eq(step_action_of)]
            condition = left[index]
            order = If(condition, *describe) if order is None else order.Elif(condition, *describe)
        self.comb += [
            order,
            go.eq(going & walker.idle & (placed | pick[A] | pick[B]) & ((pick & self.room) != 0)),
            walker.start.eq(go),
            If(go, self.claim.eq(pick)),
            walk.start.eq(self.start),
            walk.advance.eq(going & ((left == 0) | (go & (left == pick)))),
            walker.lines.eq(Mux(k_minor, lanes, steps)),
            walker.count.eq(Mux(k_minor, steps, lanes)),
            walker.major_action.eq(Mux(k_minor, lane_action, step_action)),
            walker.minor_action.eq(Mux(k_minor, step_action, lane_action)),
        ]
        self.going = going
        self.sync += [
            # A tile that comes with a fill has its address before the walker is idle again.
            placed.eq(~(walk.advance & walk.last_chunk & ~go)),
            If(go, done.eq(done | pick)),
            If(walk.advance, done.eq(0), If(walk.last, going.eq(0))),
            If(self.start, going.eq(1)),
        ]

    def _request(self, config: AcceleratorConfig, walker: WindowWalker, memory_base: int, memory_bytes: int) -> None:
        """Ask for the word of a beat and remember, in order, where its slots go; the words wait in a queue too."""
        beat = walker.beat
        self.submodules.words = words = SyncFIFO(config.port_bits, timing.BEATS_IN_FLIGHT)
        self.submodules.beats = beats = SyncFIFO(len(beat), timing.BEATS_IN_FLIGHT)
        word = Signal(len(beat.word))
        legal = Signal()
        self.comb += [
            # A word below the base wraps to one far above the end.
            word.eq(beat.word - memory_base // config.port_bytes),
            legal.eq(word < memory_bytes // config.port_bytes),
            self.fault.eq(walker.beat_valid & beat.read & ~legal),
            self.read_valid.eq(walker.beat_valid & beat.read & legal & beats.writable),
            self.read_address.eq(word),
            walker.beat_ready.eq(beats.writable & ~self.fault & (~beat.read | self.read_ready)),
            beats.we.eq(walker.beat_valid & walker.beat_ready),
            beats.din.eq(beat.raw_bits()),
            # There is room: every word under way has its beat in the other queue.
            words.we.eq(self.data_valid),
            words.din.eq(self.data),
            self.active.eq(self.going | walker.busy | beats.readable),
        ]

    def _store(self, config: AcceleratorConfig) -> None:
        """The slots of the oldest beat, once its word is there."""
        beat, words, beats = self.beat, self.words, self.beats
        done = Signal()
        self.comb += [
            beat.raw_bits().eq(beats.dout),
            done.eq(beats.readable & (~beat.read | words.readable)),
            beats.re.eq(done),
            words.re.eq(done & beat.read),
            self.filled.eq(beat.tag[len(self.filled) :]),
        ]
        for index in range(len(OPERANDS)):
            self.comb += [
                self.write[index].eq(done & (beat.operand == index)),
                self.fill[index].eq(self.write[index] & beat.last),
            ]
        sizes = sorted({element_bytes(f) for f in config.formats})
        for index, slot in enumerate(self.slots):
            choices = {}
            for size in sizes:
                low, high = 8 * size * index, min(8 * size * (index + 1), 8 * size * index + len(slot))
                if high <= config.port_bits:
                    choices[size.bit_length() - 1] = slot.eq(words.dout[low:high])
            self.comb += If(beat.inside[index], Case(beat.size, choices))


class FillPort(Module):
    """What a beat writes to the banks of a scratchpad, or to the columns of a pad.

    ======= ========= ==================================================================
    signal  direction meaning
    ======= ========= ==================================================================
    mask    in        slots that count
    slots   in        their codes
    rotate  in        place of slot 0
    enables out       places that have a slot that counts
    codes   out       with what
    ======= ========= ==================================================================
    """

    def __init__(self, config: AcceleratorConfig, places: int, bits: int) -> None:
        count = 1 << (max(places, config.slots) - 1).bit_length()
        self.submodules.rotator = rotator = Rotator(count, bits + 1)
        self.mask = Signal(config.slots)
        self.slots = [Signal(bits) for _ in range(config.slots)]
        self.rotate = rotator.amount
        self.enables = Signal(count)
        self.codes = []

        ###

        for value, slot, counts in zip(rotator.inputs, self.slots, self.mask, strict=False):
            self.comb += value.eq(Cat(slot, counts))
        for index, value in enumerate(rotator.outputs):
            code = Signal(bits)
            self.comb += [code.eq(value[:bits]), self.enables[index].eq(value[bits])]
            self.codes.append(code)
