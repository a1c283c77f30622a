"""The step issuer: which steps of which halves go into the array, cycle by cycle."""

from migen import FSM, If, Module, NextState, NextValue, Signal

from accel_rtl.config import AcceleratorConfig
from accel_rtl.tiles import ChunkWalk, TileWalk
from accel_rtl.window import OPERANDS

__all__ = ["StepIssuer"]

A, B, C = range(len(OPERANDS))


class StepIssuer(Module):
    """For each tile: the columns of C if there is one, all k ascending, the accumulators' flush steps, the capture.

    ============== ========= ====================================================================================
    signal         direction meaning
    ============== ========= ====================================================================================
    m, n, k        in        dimensions
    has_c          in        C is the first addend
    ready          in        for A, B and C: the half that is read next is complete
    release        out       the array is through with it
    read_step      out       for A and B: step along k; for C: the column
    step           out       a step is issued
    first          out       it is the first of a tile
    load_c         out       it adds C's column, times one
    columns        out       columns that add their product, one bit each; none in a flush step
    capture        out       all steps of the tile have been issued in earlier cycles: its sums are the results
    taken          in        the results captured last have been taken over
    busy           out       the array multiplies
    wait_a, wait_b out       it idles because A or C, or only B, is not there
    ============== ========= ====================================================================================

    `step` to `columns` belong to the scratchpads' words of the next cycle. `capture` may come with the first step of
    the next tile, so that nothing is lost between tiles but the flush steps.
    """

    def __init__(self, config: AcceleratorConfig, flush_steps: int) -> None:
        self.submodules.tiles = tiles = TileWalk(config)
        self.submodules.chunks = chunks = ChunkWalk(config)
        self.m, self.n, self.k = tiles.m, tiles.n, chunks.k
        self.has_c = Signal()
        self.ready = Signal(len(OPERANDS))
        self.release = Signal(len(OPERANDS))
        self.read_step = Signal(max=config.chunk)
        self.step = Signal()
        self.first = Signal()
        self.load_c = Signal()
        self.columns = Signal(config.columns)
        self.capture = Signal()
        self.taken = Signal()
        self.busy = Signal()
        self.wait_a = Signal()
        self.wait_b = Signal()

        ###

        index = self.read_step
        started, pending = Signal(), Signal()
        may_end, tile_ends = Signal(), Signal()
        last_of_chunk = Signal()
        self.comb += [
            self.first.eq(~started),
            # The step that completes a tile waits until the results before it have been taken over.
            may_end.eq(~pending | self.taken),
            last_of_chunk.eq(index == chunks.length - 1),
        ]
        self.sync += [
            self.capture.eq(tile_ends),
            If(self.taken, pending.eq(0)),
            If(self.step, started.eq(1)),
            If(tile_ends, started.eq(0), pending.eq(1)),
        ]

        end_tile = [
            tile_ends.eq(1),
            tiles.advance.eq(1),
            NextState("ADDEND"),
            If(~self.has_c, NextState("PRODUCTS")),
            If(tiles.last, NextState("DONE")),
        ]
        self.submodules.state = state = FSM(reset_state="ADDEND")
        state.act(
            "ADDEND",
            self.load_c.eq(1),
            If(~self.has_c, self.wait_a.eq(1), NextState("PRODUCTS"))
            .Elif(~self.ready[C], self.wait_a.eq(1))
            .Else(
                self.step.eq(1),
                self.busy.eq(1),
                self.columns.eq(1 << index),
                NextValue(index, index + 1),
                If(index == tiles.columns - 1, self.release[C].eq(1), NextValue(index, 0), NextState("PRODUCTS")),
            ),
        )
        # Without flush steps the tile ends with its last product.
        last_product = end_tile if flush_steps == 0 else [NextState("FLUSH")]
        may_step = 1 if flush_steps else may_end | ~(chunks.last & last_of_chunk)
        state.act(
            "PRODUCTS",
            If(~self.ready[A], self.wait_a.eq(1))
            .Elif(~self.ready[B], self.wait_b.eq(1))
            .Elif(
                may_step,
                self.step.eq(1),
                self.busy.eq(1),
                self.columns.eq((1 << config.columns) - 1),
                NextValue(index, index + 1),
                If(
                    last_of_chunk,
                    NextValue(index, 0),
                    chunks.advance.eq(1),
                    self.release[B].eq(1),
                    self.release[A].eq(~chunks.only | tiles.last_column),
                    If(chunks.last, *last_product),
                ),
            ),
        )
        if flush_steps:
            flushed = Signal(max=flush_steps + 1)
            state.act(
                "FLUSH",
                If(
                    may_end | (flushed != flush_steps - 1),
                    self.step.eq(1),
                    NextValue(flushed, flushed + 1),
                    If(flushed == flush_steps - 1, NextValue(flushed, 0), *end_tile),
                ),
            )
        state.act("DONE", NextState("DONE"))  # a state without a statement would be taken for the reset state
