"""The master of the memory port: one stream of reads and one of writes share it, writes first."""

from migen import Cat, If, Module, Signal
from migen.genlib.fifo import SyncFIFO

from accel_rtl.port import DATA_BITS, DATA_BYTES, MemoryPort

__all__ = ["MemoryMaster"]

READS_LIMIT = 64
"""Reads under way at a time, at most."""

WRITES_QUEUED = 4
"""Writes whose command was accepted before their data, at most."""


class MemoryMaster(Module):
    """Turns requests into commands, keeps them until they are accepted, and knows when nothing is under way.

    =============== ========= ======================================================================
    signal          direction meaning
    =============== ========= ======================================================================
    port            out       the `MemoryPort`
    read_valid      in        a read of word `read_address` is asked for
    read_ready      out       it will be done
    read_address    in        word address
    write_valid     in        a write is asked for: `write_address`, `write_data`, `write_enables` (one a byte)
    write_ready     out       it will be done
    idle            out       no command, read or write is under way
    beat            out       a command is accepted
    waiting         out       the bus holds up a command
    =============== ========= ======================================================================

    Words read appear at `port.rdata`, in the order of the requests.
    """

    def __init__(self, port: MemoryPort) -> None:
        self.port = port
        self.read_valid = Signal()
        self.read_ready = Signal()
        self.read_address = Signal(len(port.cmd.address))
        self.write_valid = Signal()
        self.write_ready = Signal()
        self.write_address = Signal(len(port.cmd.address))
        self.write_data = Signal(DATA_BITS)
        self.write_enables = Signal(DATA_BYTES)
        self.idle = Signal()
        self.beat = Signal()
        self.waiting = Signal()

        ###

        # `data` and `enables` belong to the write command in `cmd`; once it is accepted they queue for `wdata`.
        data, enables = Signal(DATA_BITS), Signal(DATA_BYTES)
        self.submodules.queue = queue = SyncFIFO(DATA_BITS + DATA_BYTES, WRITES_QUEUED)
        reads = Signal(max=READS_LIMIT + 1)
        free, room = Signal(), Signal()
        self.comb += [
            self.beat.eq(port.cmd.valid & port.cmd.ready),
            self.waiting.eq(port.cmd.valid & ~port.cmd.ready),
            free.eq(~port.cmd.valid | port.cmd.ready),
            room.eq(queue.level + (port.cmd.valid & port.cmd.we) < WRITES_QUEUED),
            self.write_ready.eq(free & room),
            self.read_ready.eq(free & ~(self.write_valid & room) & (reads < READS_LIMIT - 1)),
            self.idle.eq(~port.cmd.valid & ~queue.readable & (reads == 0)),
            queue.we.eq(self.beat & port.cmd.we),
            queue.din.eq(Cat(data, enables)),
            queue.re.eq(port.wdata.ready),
            port.wdata.valid.eq(queue.readable),
            Cat(port.wdata.data, port.wdata.we).eq(queue.dout),
        ]
        self.sync += [
            If(port.cmd.ready, port.cmd.valid.eq(0)),
            If(
                self.write_valid & self.write_ready,
                port.cmd.valid.eq(1),
                port.cmd.we.eq(1),
                port.cmd.address.eq(self.write_address),
                data.eq(self.write_data),
                enables.eq(self.write_enables),
            ).Elif(
                self.read_valid & self.read_ready,
                port.cmd.valid.eq(1),
                port.cmd.we.eq(0),
                port.cmd.address.eq(self.read_address),
            ),
            reads.eq(reads + (self.beat & ~port.cmd.we) - port.rdata.valid),
        ]
