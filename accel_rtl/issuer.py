"""The step issuer: which steps of which panels go into the array, cycle by cycle."""

from migen import FSM, If, Module, Mux, NextState, NextValue, Record, Signal

from accel_rtl.bits import index_bits
from accel_rtl.config import AcceleratorConfig
from accel_rtl.store import tile_layout
from accel_rtl.tiles import TileWalk, shape_layout
from pyhost import timing

__all__ = ["StepIssuer"]


class StepIssuer(Module):
    """For each tile: the rows of C if there is a C, then all k ascending, then the capture of the sums.

    ================= ========= ====================================================================================
    signal            direction meaning
    ================= ========= ====================================================================================
    start             in        begin with the job of `shape` to `b_resident`, which hold until `active` falls
    shape             in        record of `shape_layout`
    has_c             in        C is the first addend
    d_address, d_pitch,
    d_size            in        D: bytes from main memory's start; bytes from row to row; log2 of an element's bytes
    a_resident,
    b_resident        in        the panels of the job before are used again
    active            out       not all steps of the job have been issued
    a_end, b_end      out       ring positions behind the panels that the next step reads
    a_ready, b_ready,
    c_ready           in        they are complete; so is the tile of C
    a_release, b_release out    everything before `a_released`, `b_released` is free again
    c_release         out       C's tile is no longer needed
    read_a, read_b    out       steps to be read in the scratchpads
    a_tile, b_tile    out       tiles of the panels to be read
    c_row             out       row of C to be read
    step, product     out       a step is issued; it adds products, not a row of C
    first             out       it is the first of a tile
    rows              out       rows of the array that take part, one bit each
    tile_ends         out       it is the last of a tile
    capture           out       all steps of the tile have been issued in earlier cycles: its sums are the results
    taken             in        the results captured last are no longer needed
    may_switch        in        nothing of an earlier job was in the store in the cycle before
    switch            out       the first tile of a job ends
    pending           out       results have been or are about to be captured and have not been taken
    tile              out       record of `store.tile_layout`: the tile captured last
    macs              out       products that a step of the tile adds to D's sums
    wait_a, wait_b    out       no step because A or C, or only B, is not there
    ================= ========= ====================================================================================

    `step` to `rows` belong to the codes that scratchpads deliver in the next cycle. A step is issued each cycle as long
    as its panels are complete, without a pause between chunks and tiles; only the step that ends a tile comes HANDOVER
    cycles after the results before it have been taken, or, in a job's first tile, after earlier jobs have ended.
    """

    HANDOVER = timing.HANDOVER

    def __init__(self, config: AcceleratorConfig) -> None:
        self.shape = Record(shape_layout(config))
        self.submodules.walk = walk = TileWalk(config, self.shape)
        position_bits = index_bits(config.depth) + 1
        self.start = Signal()
        self.has_c = Signal()
        self.d_address, self.d_pitch, self.d_size = Signal(32), Signal(32), Signal(2)
        self.a_resident, self.b_resident = Signal(), Signal()
        self.active = Signal()
        self.a_end, self.b_end = Signal(position_bits), Signal(position_bits)
        self.a_ready, self.b_ready, self.c_ready = Signal(), Signal(), Signal()
        self.a_release, self.b_release, self.c_release = Signal(), Signal(), Signal()
        self.a_released, self.b_released = Signal(position_bits), Signal(position_bits)
        self.read_a, self.read_b = Signal(index_bits(config.depth)), Signal(index_bits(config.depth))
        self.a_tile, self.b_tile = walk.sub_row, walk.sub_column
        self.c_row = Signal(max=max(2, config.rows))
        self.step, self.product, self.first = Signal(), Signal(), Signal()
        self.rows = Signal(config.rows)
        self.tile_ends, self.capture, self.taken = Signal(), Signal(), Signal()
        self.may_switch, self.switch = Signal(), Signal()
        self.pending = Signal()
        self.tile = Record(tile_layout(config))
        self.macs = Signal(max=config.rows * config.columns + 1)
        self.wait_a, self.wait_b = Signal(), Signal()

        ###

        # Ring positions: of the panels in use, of the first of A's block, and of the job's first panels.
        a_base, b_base, a_block, a_origin, b_origin = (Signal(position_bits) for _ in range(5))
        index, chunk_ends, advance = Signal(index_bits(config.depth)), Signal(), Signal()
        fresh, may_end = Signal(), Signal()
        self.comb += [
            walk.start.eq(self.start),
            walk.advance.eq(advance),
            self.a_end.eq(a_base + walk.length),
            self.b_end.eq(b_base + walk.length),
            self.read_a.eq(a_base + index),
            self.read_b.eq(b_base + index),
            self.c_row.eq(index),
            chunk_ends.eq(index == walk.length - 1),
            may_end.eq(Mux(fresh, self.may_switch, ~self.pending)),
        ]
        self.submodules.state = state = FSM(reset_state="IDLE")
        state.act(
            "IDLE", NextValue(index, 0), If(self.start, NextState("ADDEND"), If(~self.has_c, NextState("PRODUCTS")))
        )
        state.act(
            "ADDEND",
            self.active.eq(1),
            self.rows.eq(1 << index),
            If(
                self.c_ready,
                self.step.eq(1),
                NextValue(index, index + 1),
                If(index == walk.rows - 1, self.c_release.eq(1), NextValue(index, 0), NextState("PRODUCTS")),
            ).Else(self.wait_a.eq(1)),
        )
        state.act(
            "PRODUCTS",
            self.active.eq(1),
            self.product.eq(1),
            self.rows.eq((1 << config.rows) - 1),
            If(
                ~self.a_ready,
                self.wait_a.eq(1),
            )
            .Elif(
                ~self.b_ready,
                self.wait_b.eq(1),
            )
            .Elif(
                ~(chunk_ends & walk.last_chunk) | may_end,
                self.step.eq(1),
                NextValue(index, index + 1),
                If(
                    chunk_ends,
                    advance.eq(1),
                    NextValue(index, 0),
                    self.tile_ends.eq(walk.last_chunk),
                    If(walk.last_chunk & self.has_c, NextState("ADDEND")),
                    If(walk.last, NextState("IDLE")),
                ),
            ),
        )

        begun = Signal()
        self.comb += [
            self.first.eq(~begun),
            self.macs.eq(walk.rows * walk.columns),
            self.switch.eq(self.tile_ends & fresh),
            # What stays is free when a job begins that does not use it again; the rest as soon as it has been used.
            self.a_release.eq((self.start & ~self.a_resident) | (advance & walk.a_ends & ~self.shape.a_stays)),
            self.b_release.eq((self.start & ~self.b_resident) | (advance & walk.b_ends & ~self.shape.b_stays)),
            self.a_released.eq(Mux(self.active, self.a_end, a_base)),
            self.b_released.eq(Mux(self.active, self.b_end, b_base)),
        ]
        self.sync += [
            self.capture.eq(self.tile_ends),
            If(self.taken, self.pending.eq(0)),
            If(self.step, begun.eq(1)),
            If(self.tile_ends, begun.eq(0), self.pending.eq(1), fresh.eq(0)),
            If(
                self.tile_ends,
                self.tile.rows.eq(walk.rows),
                self.tile.columns.eq(walk.columns),
                self.tile.row.eq(walk.row),
                self.tile.column.eq(walk.column),
            ),
            # A cycle later: the tile's results come later still, and the job is the same.
            If(
                self.capture,
                self.tile.address.eq(self.d_address + self.tile.row * self.d_pitch + (self.tile.column << self.d_size)),
            ),
            If(
                advance,
                If(walk.rewind_a, a_base.eq(a_block)),
                If(walk.next_a, a_base.eq(self.a_end), If(walk.columns_end & walk.block_ends, a_block.eq(self.a_end))),
                If(walk.rewind_b, b_base.eq(b_origin)),
                If(walk.next_b, b_base.eq(self.b_end)),
            ),
            If(
                self.start,
                fresh.eq(1),
                If(self.a_resident, a_base.eq(a_origin), a_block.eq(a_origin)).Else(
                    a_origin.eq(a_base), a_block.eq(a_base)
                ),
                If(self.b_resident, b_base.eq(b_origin)).Else(b_origin.eq(b_base)),
            ),
        ]
