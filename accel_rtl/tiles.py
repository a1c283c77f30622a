"""How a product is cut up: blocks and panels that fit the scratchpads, tiles that fit the array, chunks of k."""

from migen import If, Module, Mux, Signal

from accel_rtl.bits import index_bits
from accel_rtl.config import AcceleratorConfig

__all__ = ["DIMENSION_BITS", "Shape", "TileWalk", "shape_layout"]

DIMENSION_BITS = 16


def shape_layout(config: AcceleratorConfig) -> list[tuple[str, int]]:
    """What decides how a product is cut up.

    whole: all of k fits half of a scratchpad, so panels are `panel_tiles` wide and as long as k. a_stays, b_stays: all
    panels of the operand fit its scratchpad together, so each is loaded once. block: row panels that stay while the
    panels of B pass, less one, where A does not stay.
    """
    return [
        ("m", DIMENSION_BITS),
        ("n", DIMENSION_BITS),
        ("k", DIMENSION_BITS),
        ("whole", 1),
        ("a_stays", 1),
        ("b_stays", 1),
        ("block", index_bits(config.depth)),
    ]


class Shape(Module):
    """`shape_layout` from m, n and k, combinational.

    With L the number of bits of k - 1, `fit` = depth / 2^L panels of k steps fit a scratchpad for certain. If fit >= 2
    k is `whole`; an operand stays if it has no more than `fit` panels; otherwise fit - 1 panels of A make a block, so
    that the first panel of the next block can be loaded meanwhile.

    ========= ========= =========================
    signal    direction meaning
    ========= ========= =========================
    m, n, k   in        dimensions, 1 to 65,535
    whole,
    a_stays,
    b_stays,
    block     out       see `shape_layout`
    ========= ========= =========================
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.m, self.n, self.k = (Signal(DIMENSION_BITS) for _ in range(3))
        self.whole = Signal()
        self.a_stays = Signal()
        self.b_stays = Signal()
        self.block = Signal(index_bits(config.depth))

        ###

        below = Signal(DIMENSION_BITS)
        self.comb += [below.eq(self.k - 1), self.whole.eq(below < config.depth // 2)]
        rows, columns = (side * config.panel_tiles(side) for side in (config.rows, config.columns))
        choice = None
        for length in range(config.depth.bit_length() - 1):
            fit = config.depth >> length
            values = [
                self.a_stays.eq(self.m <= fit * rows),
                self.b_stays.eq(self.n <= fit * columns),
                self.block.eq(fit - 2),
            ]
            fits = below < 1 << length
            choice = If(fits, *values) if choice is None else choice.Elif(fits, *values)
        self.comb += choice


class TileWalk(Module):
    """The chunks of the tiles of D in the order in which they are computed.

    From the outermost loop: blocks of row panels; panels of columns; row panels of the block; in a pair of panels
    columns of tiles, and in those tiles downwards. In each tile, chunks of k ascending.

    ================= ========= =====================================================================
    signal            direction meaning
    ================= ========= =====================================================================
    shape             in        record of `shape_layout`
    start             in        go to the first tile
    advance           in        go to the next chunk, or the next tile
    row, column       out       D's first row and column of the tile
    rows, columns     out       of the tile: those of the array, fewer at the edge
    sub_row, sub_column out     the tile's place in its panels
    length            out       steps of the chunk
    first_chunk,
    last_chunk        out       the chunk is the tile's first, its last
    a_begins          out       the chunk is the first to use its panel of A
    b_begins          out       the same for B
    a_ends            out       it is the last to use its panel of A (which may stay for the next job)
    b_ends            out       the same for B
    next_a, next_b    out       the next chunk uses the next panel of A, of B
    rewind_a          out       the next chunk uses the first panel of A's block again
    rewind_b          out       the next chunk uses the first panel of B again
    a_lanes, b_lanes  out       rows of the panel of A, columns of that of B
    block_ends        out       the panel of A is the last of its block
    rows_end          out       the panel of A is the last one
    columns_end       out       the panel of B is the last one
    last              out       the chunk is the product's last
    ================= ========= =====================================================================
    """

    def __init__(self, config: AcceleratorConfig, shape) -> None:
        rows, columns = config.rows, config.columns
        row_tiles, column_tiles = config.panel_tiles(rows), config.panel_tiles(columns)
        half = config.depth // 2
        self.start = Signal()
        self.advance = Signal()
        self.row, self.column = Signal(DIMENSION_BITS), Signal(DIMENSION_BITS)
        self.rows, self.columns = Signal(max=rows + 1), Signal(max=columns + 1)
        self.sub_row, self.sub_column = Signal(max=max(2, row_tiles)), Signal(max=max(2, column_tiles))
        self.length = Signal(max=half + 1)
        self.first_chunk, self.last_chunk = Signal(), Signal()
        self.a_begins, self.b_begins, self.a_ends, self.b_ends = (Signal() for _ in range(4))
        self.next_a, self.next_b, self.rewind_a, self.rewind_b = (Signal() for _ in range(4))
        self.a_lanes = Signal(max=rows * row_tiles + 1)
        self.b_lanes = Signal(max=columns * column_tiles + 1)
        self.block_ends, self.rows_end, self.columns_end = Signal(), Signal(), Signal()
        self.last = Signal()

        ###

        step, panel_row, panel_column, block_row = places = [Signal(DIMENSION_BITS) for _ in range(4)]
        # What is left from there on, in registers: at the end of many sums and far from the shape, it comes late.
        panel = Signal(len(shape.block))  # of the block
        high, wide = Signal(max=rows * row_tiles + 1), Signal(max=columns * column_tiles + 1)  # of a full panel
        rows_left, columns_left, panel_rows_left, panel_columns_left = (Signal(DIMENSION_BITS) for _ in range(4))
        row_ends, column_ends, pair_ends = (Signal() for _ in range(3))
        first_tile = Signal()
        self.comb += [
            high.eq(Mux(shape.whole, rows * row_tiles, rows)),
            wide.eq(Mux(shape.whole, columns * column_tiles, columns)),
            self.rows.eq(Mux(rows_left < rows, rows_left, rows)),
            self.columns.eq(Mux(columns_left < columns, columns_left, columns)),
            self.a_lanes.eq(Mux(panel_rows_left < high, panel_rows_left, high)),
            self.b_lanes.eq(Mux(panel_columns_left < wide, panel_columns_left, wide)),
            self.first_chunk.eq(step == 0),
            # The tile is the last of its column of tiles in the panel of A; the last column of the panel of B.
            row_ends.eq((self.sub_row == row_tiles - 1) | ~shape.whole | (rows_left <= rows)),
            column_ends.eq((self.sub_column == column_tiles - 1) | ~shape.whole | (columns_left <= columns)),
            self.rows_end.eq(panel_rows_left <= high),
            self.columns_end.eq(panel_columns_left <= wide),
            self.block_ends.eq(self.rows_end | ~shape.whole | (~shape.a_stays & (panel == shape.block))),
            pair_ends.eq(row_ends & column_ends),
            self.last.eq(pair_ends & self.block_ends & self.columns_end & self.rows_end & self.last_chunk),
            first_tile.eq((self.sub_row == 0) & (self.sub_column == 0)),
            # Apart from what depends on it: within one statement, Verilator would see its value before this assignment.
            self.rewind_b.eq(
                shape.whole & pair_ends & self.block_ends & self.columns_end & shape.b_stays & ~self.rows_end
            ),
            If(
                shape.whole,
                self.a_begins.eq(first_tile & (panel_column == 0)),
                self.b_begins.eq(first_tile & (panel == 0) & (~shape.b_stays | (block_row == 0))),
                self.a_ends.eq(pair_ends & self.columns_end),
                self.b_ends.eq(pair_ends & self.block_ends),
                self.next_a.eq(pair_ends & (~self.block_ends | self.columns_end)),
                self.rewind_a.eq(pair_ends & self.block_ends & ~self.columns_end),
                self.next_b.eq(pair_ends & self.block_ends & ~self.rewind_b),
            ).Else(
                self.a_begins.eq(1),
                self.b_begins.eq(1),
                self.a_ends.eq(1),
                self.b_ends.eq(1),
                self.next_a.eq(1),
                self.next_b.eq(1),
            ),
        ]
        # Where the next chunk is, and of how many steps.
        steps_left = Signal(DIMENSION_BITS)
        ahead = {place: Signal(DIMENSION_BITS) for place in (self.row, self.column, *places)}
        next_panel_row, next_panel_column = Signal(DIMENSION_BITS), Signal(DIMENSION_BITS)
        self.comb += [
            next_panel_row.eq(panel_row + high),
            next_panel_column.eq(panel_column + wide),
            *(signal.eq(place) for place, signal in ahead.items()),
            ahead[step].eq(step + half),
            If(
                self.last_chunk,
                ahead[step].eq(0),
                If(
                    ~row_ends,
                    ahead[self.row].eq(self.row + rows),
                )
                .Elif(
                    ~column_ends,
                    ahead[self.row].eq(panel_row),
                    ahead[self.column].eq(self.column + columns),
                )
                .Elif(
                    ~self.block_ends,
                    ahead[panel_row].eq(next_panel_row),
                    ahead[self.row].eq(next_panel_row),
                    ahead[self.column].eq(panel_column),
                )
                .Elif(
                    ~self.columns_end,
                    ahead[panel_row].eq(block_row),
                    ahead[self.row].eq(block_row),
                    ahead[panel_column].eq(next_panel_column),
                    ahead[self.column].eq(next_panel_column),
                )
                .Else(
                    ahead[block_row].eq(next_panel_row),
                    ahead[panel_row].eq(next_panel_row),
                    ahead[self.row].eq(next_panel_row),
                    ahead[panel_column].eq(0),
                    ahead[self.column].eq(0),
                ),
            ),
            steps_left.eq(Mux(self.start, shape.k, shape.k - ahead[step])),
        ]
        left = (
            (rows_left, shape.m, self.row),
            (columns_left, shape.n, self.column),
            (panel_rows_left, shape.m, panel_row),
            (panel_columns_left, shape.n, panel_column),
        )
        self.sync += [
            If(
                self.start | self.advance,
                self.length.eq(Mux(steps_left < half, steps_left, half)),
                self.last_chunk.eq(steps_left <= half),
            ),
            If(
                self.advance,
                *(place.eq(signal) for place, signal in ahead.items()),
                *(rest.eq(whole - ahead[place]) for rest, whole, place in left),
                If(
                    self.last_chunk,
                    If(~row_ends, self.sub_row.eq(self.sub_row + 1))
                    .Elif(~column_ends, self.sub_row.eq(0), self.sub_column.eq(self.sub_column + 1))
                    .Else(
                        self.sub_row.eq(0),
                        self.sub_column.eq(0),
                        If(~self.block_ends, panel.eq(panel + 1)).Else(panel.eq(0)),
                    ),
                ),
            ),
            If(
                self.start,
                *(signal.eq(0) for signal in (*ahead, self.sub_row, self.sub_column, panel)),
                *(rest.eq(whole) for rest, whole, _ in left),
            ),
        ]
