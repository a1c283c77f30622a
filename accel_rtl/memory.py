"""The master of the memory port: reads and writes share it."""

from migen import Cat, If, Module, Signal
from migen.genlib.fifo import SyncFIFO

from accel_rtl.port import MemoryPort

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
    reads_idle,
    writes_idle     out       no read is, no write is
    read            out       a command to read is accepted
    waiting         out       the bus holds up a command
    =============== ========= ======================================================================

    Words read appear at `port.rdata`, in the order of the requests. Writes go first: they are the fewer, and what they
    wait in is small.
    """

    def __init__(self, port: MemoryPort) -> None:
        data_bits, data_bytes = len(port.wdata.data), len(port.wdata.we)
        self.port = port
        self.read_valid = Signal()
        self.read_ready = Signal()
        self.read_address = Signal(len(port.cmd.address))
        self.write_valid = Signal()
        self.write_ready = Signal()
        self.write_address = Signal(len(port.cmd.address))
        self.write_data = Signal(data_bits)
        self.write_enables = Signal(data_bytes)
        self.idle = Signal()
        self.reads_idle = Signal()
        self.writes_idle = Signal()
        self.read = Signal()
        self.waiting = Signal()

        ###

        # `data` and `enables` belong to the write command in `cmd`. They are offered with it, unless earlier ones are
        # still in the queue, whose commands were accepted first; what is not taken with its command joins them.
        data, enables = Signal(data_bits), Signal(data_bytes)
        self.submodules.queue = queue = SyncFIFO(data_bits + data_bytes, WRITES_QUEUED)
        reads = Signal(max=READS_LIMIT + 1)
        free, room, direct, accepted = (Signal() for _ in range(4))
        self.comb += [
            accepted.eq(port.cmd.valid & port.cmd.ready),
            self.read.eq(accepted & ~port.cmd.we),
            self.waiting.eq(port.cmd.valid & ~port.cmd.ready),
            free.eq(~port.cmd.valid | port.cmd.ready),
            room.eq(queue.level + (port.cmd.valid & port.cmd.we) < WRITES_QUEUED),
            self.write_ready.eq(free & room),
            self.read_ready.eq(free & ~(self.write_valid & room) & (reads < READS_LIMIT - 1)),
            self.reads_idle.eq(~(port.cmd.valid & ~port.cmd.we) & (reads == 0)),
            self.writes_idle.eq(~(port.cmd.valid & port.cmd.we) & ~queue.readable),
            self.idle.eq(self.reads_idle & self.writes_idle),
            direct.eq(~queue.readable & port.cmd.valid & port.cmd.we),
            port.wdata.valid.eq(queue.readable | direct),
            If(
                queue.readable,
                Cat(port.wdata.data, port.wdata.we).eq(queue.dout),
            ).Else(
                port.wdata.data.eq(data),
                port.wdata.we.eq(enables),
            ),
            queue.we.eq(accepted & port.cmd.we & ~(direct & port.wdata.ready)),
            queue.din.eq(Cat(data, enables)),
            queue.re.eq(port.wdata.ready),
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
            reads.eq(reads + self.read - port.rdata.valid),
        ]
