"""Main RAM: one true dual-port memory as wide as the accelerator's port, of which the CPU sees 32 bits at a time."""

from litex.gen import LiteXModule
from litex.soc.interconnect import wishbone
from migen import READ_FIRST, Array, Cat, If, Memory, Mux, Replicate, Signal

__all__ = ["MainRam", "StallGenerator"]

_CPU_BITS = 32
_BITS_ALONE = 64
"""Width of the memory where there is no accelerator."""


class MainRam(LiteXModule):
    """Static RAM of `size` bytes, little endian.

    | port   | clock       | width     | timing                                                                  |
    |--------|-------------|-----------|-------------------------------------------------------------------------|
    | `bus`  | sys         | 32        | Wishbone; first word after one cycle, an incrementing burst one a cycle |
    | `port` | accelerator | 64 or 128 | `accel_rtl.port.MemoryPort`; a command a cycle, in any order of reads   |
    |        |             |           | and writes: a read's data comes the cycle after, a write's is taken     |
    |        |             |           | together with its command, or as much later as it is offered            |

    `port` is None where there is no accelerator. `stall` (16 bits) is the probability times 65536 with
    which each handshake of `port` is held up in a cycle; 0 holds up nothing. The two ports see each
    other's writes from the next cycle on.
    """

    autocsr_exclude = ("storage",)  # LiteX would map it a second time, among the registers

    def __init__(self, size, *, port=None, stall=None):
        self.bus = wishbone.Interface(data_width=_CPU_BITS, address_width=32, addressing="word", bursting=True)
        width = _BITS_ALONE if port is None else len(port.wdata.data)
        self.specials.storage = Memory(width, size // (width // 8), name="main_ram")
        self._serve_bus()
        if port is not None:
            self._serve_port(port, stall)

    def _serve_bus(self):
        bus = self.bus
        memory = self.storage.get_port(write_capable=True, we_granularity=8, has_re=True, mode=READ_FIRST)
        self.specials += memory

        parts = len(memory.dat_r) // _CPU_BITS
        part_bits = (parts - 1).bit_length()
        burst = Signal()
        address = Signal(len(memory.adr) + part_bits)  # of 32-bit parts of words
        part = Signal(part_bits)  # of the word that was read
        self.comb += [
            burst.eq(bus.cti == wishbone.CTI_BURST_INCREMENTING),
            # While one beat of a read burst is acknowledged, the next is fetched.
            address.eq(bus.adr + (bus.ack & ~bus.we)),
            memory.adr.eq(address[part_bits:]),
            memory.re.eq(bus.cyc & bus.stb),  # a wide word read in vain costs a tenth of the simulation's speed
            memory.dat_w.eq(Replicate(bus.dat_w, parts)),
            bus.dat_r.eq(Array(memory.dat_r[_CPU_BITS * i : _CPU_BITS * (i + 1)] for i in range(parts))[part]),
            If(
                bus.cyc & bus.stb & bus.we & bus.ack,
                memory.we.eq(Cat(*(bus.sel & Replicate(address[:part_bits] == i, len(bus.sel)) for i in range(parts)))),
            ),
        ]
        self.sync += [
            bus.ack.eq(bus.cyc & bus.stb & (~bus.ack | burst)),
            part.eq(address[:part_bits]),
        ]

    def _serve_port(self, port, stall):
        memory = self.storage.get_port(
            write_capable=True, we_granularity=8, has_re=True, mode=READ_FIRST, clock_domain="accelerator"
        )
        self.specials += memory
        self.stalls = stalls = StallGenerator(stall, handshakes=3)
        hold_command, hold_write, hold_read = (stalls.hold[i] for i in range(3))

        # Outstanding, one at a time: a read, whose word waits in the memory's output register, or a write
        # (`late`) whose data did not come with its command. A command is taken when what is outstanding ends in
        # this cycle, but no read while a late write has the memory's address.
        reading = Signal()
        late = Signal()
        late_address = Signal(len(memory.adr))
        ready = Signal()  # as far as reads go
        read = Signal()
        write = Signal()
        self.comb += [
            port.rdata.valid.eq(reading & ~hold_read),
            port.rdata.data.eq(memory.dat_r),
            ready.eq(~hold_command & (~reading | port.rdata.valid)),
            port.wdata.ready.eq(~hold_write & (late | (ready & port.cmd.valid & port.cmd.we))),
            write.eq(port.wdata.valid & port.wdata.ready),
            port.cmd.ready.eq(ready & (~late | (write & port.cmd.we))),
            read.eq(port.cmd.valid & port.cmd.ready & ~port.cmd.we),
            memory.adr.eq(Mux(late, late_address, port.cmd.address)),
            memory.re.eq(read),
            memory.dat_w.eq(port.wdata.data),
            If(write, memory.we.eq(port.wdata.we)),
        ]
        self.sync.accelerator += [
            If(port.rdata.valid, reading.eq(0)),
            If(read, reading.eq(1)),
            If(write, late.eq(0)),
            If(
                port.cmd.valid & port.cmd.ready & port.cmd.we,
                late.eq(late | ~write),
                late_address.eq(port.cmd.address),
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
