"""Walks over the tiles of D and the chunks of k, kept by everyone who follows them at their own time."""

from migen import If, Module, Mux, Signal

from accel_rtl.config import AcceleratorConfig

__all__ = ["DIMENSION_BITS", "ChunkWalk", "TileWalk"]

DIMENSION_BITS = 16


class TileWalk(Module):
    """The tiles of D in order, column tiles innermost.

    ============ ========= =======================================================
    signal       direction meaning
    ============ ========= =======================================================
    m, n         in        D's dimensions
    advance      in        go to the next tile
    rows         out       rows of this tile: `config.rows`, fewer at the edge
    columns      out       columns of this tile
    first_column out       this is the first column tile
    last_column  out       this is the last column tile
    last         out       this is the last tile
    ============ ========= =======================================================
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.m = Signal(DIMENSION_BITS)
        self.n = Signal(DIMENSION_BITS)
        self.advance = Signal()
        self.rows = Signal(max=config.rows + 1)
        self.columns = Signal(max=config.columns + 1)
        self.first_column = Signal()
        self.last_column = Signal()
        self.last = Signal()

        ###

        row, column = Signal(DIMENSION_BITS), Signal(DIMENSION_BITS)
        rows_left, columns_left = Signal(DIMENSION_BITS), Signal(DIMENSION_BITS)
        self.comb += [
            rows_left.eq(self.m - row),
            columns_left.eq(self.n - column),
            self.rows.eq(Mux(rows_left < config.rows, rows_left, config.rows)),
            self.columns.eq(Mux(columns_left < config.columns, columns_left, config.columns)),
            self.first_column.eq(column == 0),
            self.last_column.eq(columns_left <= config.columns),
            self.last.eq(self.last_column & (rows_left <= config.rows)),
        ]
        self.sync += If(
            self.advance,
            If(self.last_column, column.eq(0), row.eq(row + config.rows)).Else(column.eq(column + config.columns)),
        )


class ChunkWalk(Module):
    """The chunks of k, over and over.

    ======= ========= ===================================================
    signal  direction meaning
    ======= ========= ===================================================
    k       in        the product's inner dimension
    advance in        go to the next chunk; after the last to the first
    length  out       steps of this chunk: `config.chunk`, fewer at the end
    first   out       this is the first chunk
    last    out       this is the last chunk
    only    out       all of k fits one chunk
    ======= ========= ===================================================
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.k = Signal(DIMENSION_BITS)
        self.advance = Signal()
        self.length = Signal(max=config.chunk + 1)
        self.first = Signal()
        self.last = Signal()
        self.only = Signal()

        ###

        step, left = Signal(DIMENSION_BITS), Signal(DIMENSION_BITS)
        self.comb += [
            left.eq(self.k - step),
            self.length.eq(Mux(left < config.chunk, left, config.chunk)),
            self.first.eq(step == 0),
            self.last.eq(left <= config.chunk),
            self.only.eq(self.k <= config.chunk),
        ]
        self.sync += If(self.advance, If(self.last, step.eq(0)).Else(step.eq(step + config.chunk)))
