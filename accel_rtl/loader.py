"""The loader: fills the scratchpads, in the order in which the array reads them, as far ahead as halves are free."""

from migen import FSM, Case, If, Module, Mux, NextState, Record, Signal
from migen.genlib.fifo import SyncFIFO

from accel_rtl.config import AcceleratorConfig
from accel_rtl.port import DATA_BITS, DATA_BYTES
from accel_rtl.scratchpad import write_layout
from accel_rtl.tiles import ChunkWalk, TileWalk
from accel_rtl.window import OPERANDS, CursorAction, WindowWalker, beat_layout

__all__ = ["Loader"]

BEATS_IN_FLIGHT = 16
A, B, C = range(len(OPERANDS))


class Loader(Module):
    """For each tile: C if there is one; for each chunk: A, unless it is still there, and B.

    ============= ========= ==================================================================
    signal        direction meaning
    ============= ========= ==================================================================
    m, n, k       in        dimensions
    has_c         in        C is the first addend
    windows       in        records of `window_layout` for A, B and C
    free          in        for A, B and C: a half can be claimed
    claim         out       it is claimed
    fill_half     in        its number
    filled        out       the oldest claimed half is complete
    write         out       for A, B and C: store `slots` of `where` in its scratchpad
    where, slots  out       see `Scratchpad`
    read_*        in, out   a word is asked for, see `MemoryMaster`
    data_valid    in        the oldest word asked for is in `data`
    fault         out       a word outside main memory was needed; the loader stops there
    ============= ========= ==================================================================

    A stays in its half for all column tiles where all of k fits one chunk.
    memory_base, memory_bytes: where main memory lies; multiples of 8.
    """

    def __init__(self, config: AcceleratorConfig, memory_base: int, memory_bytes: int) -> None:
        self.submodules.walker = walker = WindowWalker(config)
        self.submodules.tiles = tiles = TileWalk(config)
        self.submodules.chunks = chunks = ChunkWalk(config)
        self.m, self.n, self.k = tiles.m, tiles.n, chunks.k
        self.windows = walker.windows
        self.has_c = Signal()
        self.free = Signal(len(OPERANDS))
        self.claim = Signal(len(OPERANDS))
        self.fill_half = Signal(len(OPERANDS))
        self.filled = Signal(len(OPERANDS))
        self.write = Signal(len(OPERANDS))
        extents = ((config.rows, config.chunk), (config.columns, config.chunk), (config.rows, config.columns))
        self.where = [Record(write_layout(config, lanes, steps)) for lanes, steps in extents]
        slots = DATA_BYTES // config.element_sizes[0]
        self.slots = [Signal(config.operand_bits) for _ in range(slots)]
        self.read_valid = Signal()
        self.read_ready = Signal()
        self.read_address = Signal(max(1, (memory_bytes // DATA_BYTES - 1).bit_length()))
        self.data_valid = Signal()
        self.data = Signal(DATA_BITS)
        self.fault = Signal()

        ###

        self._sequence_fills(walker, tiles, chunks)
        self._request(walker, memory_base, memory_bytes)
        self._store(config)

    def _sequence_fills(self, walker: WindowWalker, tiles: TileWalk, chunks: ChunkWalk) -> None:
        """Start a fill whenever the walker is idle and the operand whose turn it is has a free half."""
        self.submodules.turn = turn = FSM(reset_state="C")
        lanes, steps = Signal(len(walker.lines)), Signal(len(walker.lines))
        lane_action, step_action = Signal(2), Signal(2)
        k_minor, last_step = Signal(), Signal()
        onwards = Mux(tiles.last_column, CursorAction.ADVANCE, CursorAction.STAY)

        def fill(index: int, *statements) -> If:
            """Claim a half of operand `index` and start."""
            return If(
                walker.idle & self.free[index],
                self.claim[index].eq(1),
                walker.start.eq(1),
                *statements,
            )

        def describe(index: int) -> list:
            return [
                walker.operand.eq(index),
                walker.half.eq(self.fill_half[index]),
                k_minor.eq(walker.windows[index].k_minor),
            ]

        turn.act(
            "C",
            *describe(C),
            lanes.eq(tiles.rows),
            steps.eq(tiles.columns),
            last_step.eq(tiles.last_column),
            lane_action.eq(onwards),
            If(self.has_c & chunks.first, fill(C, NextState("A"))).Else(NextState("A")),
        )
        turn.act(
            "A",
            *describe(A),
            lanes.eq(tiles.rows),
            steps.eq(chunks.length),
            last_step.eq(chunks.last),
            lane_action.eq(Mux(chunks.only, CursorAction.ADVANCE, Mux(chunks.last, onwards, CursorAction.STAY))),
            If(chunks.only & ~tiles.first_column, NextState("B")).Else(fill(A, NextState("B"))),
        )
        turn.act(
            "B",
            *describe(B),
            lanes.eq(tiles.columns),
            steps.eq(chunks.length),
            last_step.eq(chunks.last),
            lane_action.eq(
                Mux(chunks.last, Mux(tiles.last_column, CursorAction.RESET, CursorAction.ADVANCE), CursorAction.STAY)
            ),
            fill(
                B,
                chunks.advance.eq(1),
                tiles.advance.eq(chunks.last),
                NextState("C"),
                If(chunks.last & tiles.last, NextState("DONE")),
            ),
        )
        turn.act("DONE", NextState("DONE"))  # a state without a statement would be taken for the reset state
        self.comb += [
            step_action.eq(Mux(last_step, CursorAction.RESET, CursorAction.ADVANCE)),
            walker.lines.eq(Mux(k_minor, lanes, steps)),
            walker.count.eq(Mux(k_minor, steps, lanes)),
            walker.major_action.eq(Mux(k_minor, lane_action, step_action)),
            walker.minor_action.eq(Mux(k_minor, step_action, lane_action)),
        ]

    def _request(self, walker: WindowWalker, memory_base: int, memory_bytes: int) -> None:
        """Ask for the word of a beat and remember, in order, where its slots go; the words wait in a queue too."""
        beat = walker.beat
        self.submodules.words = words = SyncFIFO(DATA_BITS, BEATS_IN_FLIGHT)
        self.submodules.beats = beats = SyncFIFO(len(beat), BEATS_IN_FLIGHT)
        word = Signal(len(beat.word))
        legal = Signal()
        self.comb += [
            # A word below the base wraps to one far above the end.
            word.eq(beat.word - memory_base // DATA_BYTES),
            legal.eq(word < memory_bytes // DATA_BYTES),
            self.fault.eq(walker.beat_valid & beat.read & ~legal),
            self.read_valid.eq(walker.beat_valid & beat.read & legal & beats.writable),
            self.read_address.eq(word),
            walker.beat_ready.eq(beats.writable & ~self.fault & (~beat.read | self.read_ready)),
            beats.we.eq(walker.beat_valid & walker.beat_ready),
            beats.din.eq(beat.raw_bits()),
            # There is room: every word under way has its beat in the other queue.
            words.we.eq(self.data_valid),
            words.din.eq(self.data),
        ]

    def _store(self, config: AcceleratorConfig) -> None:
        """Write the slots of the oldest beat once its word is there."""
        beat = Record(beat_layout(config))
        done = Signal()
        self.comb += [
            beat.raw_bits().eq(self.beats.dout),
            done.eq(self.beats.readable & (~beat.read | self.words.readable)),
            self.beats.re.eq(done),
            self.words.re.eq(done & beat.read),
        ]
        for index, where in enumerate(self.where):
            self.comb += [
                self.write[index].eq(done & (beat.operand == index)),
                self.filled[index].eq(self.write[index] & beat.last),
                where.half.eq(beat.half),
                where.rotate.eq(beat.line + beat.position),
                where.step.eq(Mux(beat.k_minor, beat.position, beat.line)),
                where.along_k.eq(beat.k_minor),
                where.mask.eq(beat.mask),
            ]
        for index, slot in enumerate(self.slots):
            choices = {}
            for size in config.element_sizes:
                bits = 8 * size
                if bits * (index + 1) <= DATA_BITS:
                    choices[size.bit_length() - 1] = slot.eq(self.words.dout[bits * index : bits * (index + 1)])
            self.comb += If(beat.inside[index], Case(beat.size, choices))
