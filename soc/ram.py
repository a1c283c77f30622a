"""Main RAM: one true dual-port memory of 64-bit words, one port for the CPU, one for the accelerator."""

from litex.gen import LiteXModule
from litex.soc.interconnect import wishbone
from migen import READ_FIRST, Cat, If, Memory, Mux, Replicate, Signal

__all__ = ["MainRam", "StallGenerator"]


class MainRam(LiteXModule):
    """Static RAM of `size` bytes, little endian.

    | port   | clock       | width | timing                                                         |
    |--------|-------------|-------|----------------------------------------------------------------|
    | `bus`  | sys         | 32    | Wishbone; first word after one cycle, an incrementing burst one a cycle |
    | `port` | accelerator | 64    | `accel_rtl.port.MemoryPort`; a command a cycle, data the cycle after |

    `port` is None where there is no accelerator. `stall` (16 bits) is the probability times 65536 with
    which each handshake of `port` is held up in a cycle; 0 holds up nothing. The two ports see each
    other's writes from the next cycle on.
    """

    autocsr_exclude = ("storage",)  # LiteX would map it a second time, among the registers

    def __init__(self, size, *, port=None, stall=None):
        self.bus = wishbone.Interface(data_width=32, address_width=32, addressing="word", bursting=True)
        self.specials.storage = Memory(64, size // 8, name="main_ram")
        self._serve_bus()
        if port is not None:
            self._serve_port(port, stall)

    def _serve_bus(self):
        bus = self.bus
        memory = self.storage.get_port(write_capable=True, we_granularity=8, mode=READ_FIRST)
        self.specials += memory

        burst = Signal()
        address = Signal(len(memory.adr) + 1)  # of 32-bit words
        upper = Signal()
        self.comb += [
            burst.eq(bus.cti == wishbone.CTI_BURST_INCREMENTING),
            # While one beat of a read burst is acknowledged, the next is fetched.
            address.eq(bus.adr + (bus.ack & ~bus.we)),
            memory.adr.eq(address[1:]),
            memory.dat_w.eq(Replicate(bus.dat_w, 2)),
            bus.dat_r.eq(Mux(upper, memory.dat_r[32:], memory.dat_r[:32])),
            If(
                bus.cyc & bus.stb & bus.we & bus.ack,
                memory.we.eq(Cat(bus.sel & Replicate(~address[0], 4), bus.sel & Replicate(address[0], 4))),
            ),
        ]
        self.sync += [
            bus.ack.eq(bus.cyc & bus.stb & (~bus.ack | burst)),
            upper.eq(address[0]),
        ]

    def _serve_port(self, port, stall):
        memory = self.storage.get_port(
            write_capable=True, we_granularity=8, has_re=True, mode=READ_FIRST, clock_domain="accelerator"
        )
        self.specials += memory
        self.stalls = stalls = StallGenerator(stall, handshakes=3)
        hold_command, hold_write, hold_read = (stalls.hold[i] for i in range(3))

        # A read is outstanding, its word waits in the memory's output register; a write is outstanding, its data
        # may come. Commands are taken when what is outstanding ends in this cycle, but no read while a
        # write has the memory's address.
        reading = Signal()
        writing = Signal()
        write_address = Signal(len(memory.adr))
        read = Signal()
        write = Signal()
        self.comb += [
            port.rdata.valid.eq(reading & ~hold_read),
            port.rdata.data.eq(memory.dat_r),
            port.wdata.ready.eq(writing & ~hold_write),
            write.eq(port.wdata.valid & port.wdata.ready),
            port.cmd.ready.eq(~hold_command & (~reading | port.rdata.valid) & (~writing | (write & port.cmd.we))),
            read.eq(port.cmd.valid & port.cmd.ready & ~port.cmd.we),
            memory.adr.eq(Mux(writing, write_address, port.cmd.address)),
            memory.re.eq(read),
            memory.dat_w.eq(port.wdata.data),
            If(write, memory.we.eq(port.wdata.we)),
        ]
        self.sync.accelerator += [
            If(port.rdata.valid, reading.eq(0)),
            If(write, writing.eq(0)),
            If(
                port.cmd.valid & port.cmd.ready,
                reading.eq(~port.cmd.we),
                writing.eq(port.cmd.we),
                write_address.eq(port.cmd.address),
            ),
        ]


class StallGenerator(LiteXModule):
    """`hold[i]` is 1 in a cycle with probability `stall` / 65536, independently for each i below 4.

    The randomness is Marsaglia's xorshift64 ("Xorshift RNGs", 2003; shifts 13, 7, 17), a linear-feedback
    shift register that moves by a whole word a cycle; each handshake compares 16 bits of it.
    """

    SEED = 0x9E37_79B9_7F4A_7C15

    def __init__(self, stall, *, handshakes):
        self.hold = Signal(handshakes)

        state = Signal(64, reset=self.SEED)
        first = Signal(64)
        second = Signal(64)
        self.comb += [
            first.eq(state ^ (state << 13)),
            second.eq(first ^ (first >> 7)),
            *(self.hold[i].eq(state[16 * i : 16 * (i + 1)] < stall) for i in range(handshakes)),
        ]
        self.sync.accelerator += state.eq(second ^ (second << 17))
