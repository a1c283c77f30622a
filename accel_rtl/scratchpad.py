"""Scratchpads: rings of panels for A and B, in skewed banks; and pads for the rows of a tile of C, addend and mask."""

from migen import READ_FIRST, If, Memory, Module, Mux, Signal

from accel_rtl.bits import index_bits
from accel_rtl.config import AcceleratorConfig
from pyhost import timing

__all__ = ["Halves", "Ring", "Rotator", "Scratchpad", "TilePad"]


class Ring(Module):
    """Who owns which steps of a scratchpad; positions count steps modulo twice the depth.

    ======== ========= ============================================================================
    signal   direction meaning
    ======== ========= ============================================================================
    length   in        steps of a panel that the loader wants, at most half the depth
    room     out       they are free
    claim    in        the loader takes them
    head     out       the first of them
    fill     in        a panel is complete, and so is everything before
    filled   in        the position behind it
    end      in        the position behind the panel that is needed next
    ready    out       it is complete
    release  in        everything before position `released` is free again
    released in        see `release`
    ======== ========= ============================================================================
    """

    def __init__(self, depth: int) -> None:
        bits = index_bits(depth) + 1
        self.length = Signal(bits)
        self.room = Signal()
        self.claim = Signal()
        self.head = Signal(bits)
        self.fill = Signal()
        self.filled = Signal(bits)
        self.end = Signal(bits)
        self.ready = Signal()
        self.release = Signal()
        self.released = Signal(bits)

        ###

        tail, complete = Signal(bits), Signal(bits)
        used, ahead = Signal(bits), Signal(bits)
        self.comb += [
            used.eq(self.head - tail),
            self.room.eq(used + self.length <= depth),
            # Nothing complete lies as much as `depth` behind something that is needed, so the top bit tells the sign.
            ahead.eq(complete - self.end),
            self.ready.eq(~ahead[-1]),
        ]
        self.sync += [
            If(self.claim, self.head.eq(self.head + self.length)),
            If(self.fill, complete.eq(self.filled)),
            If(self.release, tail.eq(self.released)),
        ]


class Rotator(Module):
    """outputs[(i + amount) mod n] = inputs[i], in log2 n stages; n a power of two.

    ======= ========= ======================
    signal  direction meaning
    ======= ========= ======================
    inputs  in        n values of `width` bits
    amount  in        0 to n - 1
    outputs out       the same, rotated
    ======= ========= ======================
    """

    def __init__(self, count: int, width: int) -> None:
        self.inputs = [Signal(width) for _ in range(count)]
        self.amount = Signal(index_bits(count))

        ###

        values = self.inputs
        for bit in range(len(self.amount)):
            distance = 1 << bit
            stage = [Signal(width) for _ in values]
            self.comb += [
                stage[i].eq(Mux(self.amount[bit], values[(i - distance) % count], values[i])) for i in range(count)
            ]
            values = stage
        self.outputs = values


class Scratchpad(Module):
    """The panels of an operand: element (lane i, step k) is in bank (i + k) mod banks, at address k mod depth.

    So neither the elements of a memory word, be they neighbours along k or along lanes, nor the lanes of a tile at
    a step share a bank: a whole word is written and a whole step is read each cycle.

    =========== ========= ==================================================================
    signal      direction meaning
    =========== ========= ==================================================================
    enables     in        write bank i
    codes       in        what is written to bank i
    step        in        of slot 0
    along_k     in        slots are neighbours along k, not along lanes
    rotate      in        bank of slot 0
    read_step   in        step to be read
    read_tile   in        tile of the panel to be read
    lanes       out       codes of the tile's lanes, the cycle after
    =========== ========= ==================================================================
    """

    LATENCY = timing.SCRATCHPAD

    def __init__(self, config: AcceleratorConfig, side: int) -> None:
        banks, tiles = config.banks(side), config.panel_tiles(side)
        self.enables = Signal(banks)
        self.codes = [Signal(config.operand_bits) for _ in range(banks)]
        self.step = Signal(index_bits(config.depth))
        self.along_k = Signal()
        self.rotate = Signal(index_bits(banks))
        self.read_step = Signal(index_bits(config.depth))
        self.read_tile = Signal(max=max(2, tiles))
        self.lanes = [Signal(config.operand_bits) for _ in range(side)]

        ###

        self.submodules.rotator = rotator = Rotator(banks, config.operand_bits)
        first_lane = Signal(index_bits(banks))
        self.comb += first_lane.eq(self.read_tile * side)
        self.sync += rotator.amount.eq(-(self.read_step + first_lane))
        for bank, code in enumerate(self.codes):
            memory = Memory(config.operand_bits, config.depth)
            write_port = memory.get_port(write_capable=True, mode=READ_FIRST)
            read_port = memory.get_port(mode=READ_FIRST)
            self.specials += memory, write_port, read_port
            slot = Signal(index_bits(banks))
            self.comb += [
                slot.eq(bank - self.rotate),
                write_port.adr.eq(self.step + Mux(self.along_k, slot, 0)),
                write_port.dat_w.eq(code),
                write_port.we.eq(self.enables[bank]),
                read_port.adr.eq(self.read_step),
                rotator.inputs[bank].eq(read_port.dat_r),
            ]
        self.comb += [lane.eq(code) for lane, code in zip(self.lanes, rotator.outputs, strict=False)]


class Halves(Module):
    """Who owns which half of a pad: the loader claims and fills, the array or the store reads and releases.

    ========== ========= ===========================================================
    signal     direction meaning
    ========== ========= ===========================================================
    room       out       a half can be claimed
    claim      in        the loader takes half `fill_half`
    fill_half  out       the half that the next claim takes
    fill       in        the oldest claimed half is complete
    ready      out       half `read_half` is complete
    read_half  out       the half that is read next, until its release
    release    in        what reads is through with `read_half`
    ========== ========= ===========================================================
    """

    def __init__(self) -> None:
        self.room = Signal()
        self.claim = Signal()
        self.fill_half = Signal()
        self.fill = Signal()
        self.ready = Signal()
        self.read_half = Signal()
        self.release = Signal()

        ###

        claimed, complete = Signal(max=3), Signal(max=3)
        self.comb += [self.room.eq(claimed < 2), self.ready.eq(complete > 0)]
        self.sync += [
            claimed.eq(claimed + self.claim - self.release),
            complete.eq(complete + self.fill - self.release),
            If(self.claim, self.fill_half.eq(~self.fill_half)),
            If(self.release, self.read_half.eq(~self.read_half)),
        ]


class TilePad(Module):
    """A tile of C, addend or mask, twice: `rows` rows of `columns` codes in two halves.

    ========= ========= ==================================================================
    signal    direction meaning
    ========= ========= ==================================================================
    enables   in        write column i
    codes     in        what is written to column i
    row, half in        where
    read_row,
    read_half in        row to be read
    columns   out       its codes, the cycle after
    ========= ========= ==================================================================
    """

    LATENCY = timing.SCRATCHPAD

    def __init__(self, config: AcceleratorConfig, bits: int) -> None:
        self.enables = Signal(config.columns)
        self.codes = [Signal(bits) for _ in range(config.columns)]
        self.row = Signal(index_bits(config.rows))
        self.half = Signal()
        self.read_row = Signal(index_bits(config.rows))
        self.read_half = Signal()
        self.columns = []

        ###

        row_bits = len(self.row)
        for column, code in enumerate(self.codes):
            memory = Memory(bits, 2 << row_bits)
            write_port = memory.get_port(write_capable=True, mode=READ_FIRST)
            read_port = memory.get_port(mode=READ_FIRST)
            self.specials += memory, write_port, read_port
            self.comb += [
                write_port.adr[:row_bits].eq(self.row),
                write_port.adr[row_bits].eq(self.half),
                write_port.dat_w.eq(code),
                write_port.we.eq(self.enables[column]),
                read_port.adr[:row_bits].eq(self.read_row),
                read_port.adr[row_bits].eq(self.read_half),
            ]
            self.columns.append(read_port.dat_r)
