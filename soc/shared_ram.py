"""Main RAM for FPGAs whose large memories have one port: the CPU and the accelerator take turns."""

from litex.gen import LiteXModule
from litex.soc.interconnect import wishbone
from migen import NO_CHANGE, Array, Cat, If, Memory, Replicate, Signal

__all__ = ["SharedRam"]

_CPU_BITS = 32
_BITS_ALONE = 32
"""Width of the memory where there is no accelerator."""


class SharedRam(LiteXModule):
    """Static RAM of `size` bytes with one port, little endian; `accelerator` and `sys` are one clock.

    The ports are those of `MainRam`. The CPU's turn is first: each of its words takes two cycles, also in a burst,
    whatever the accelerator does, and holds that up for one. The accelerator has a command a cycle otherwise; a write's
    data is taken together with its command, a read's comes the cycle after. `stall` is ignored.
    """

    autocsr_exclude = ("storage",)

    def __init__(self, size, *, port=None, stall=None):
        self.bus = bus = wishbone.Interface(data_width=_CPU_BITS, address_width=32, addressing="word", bursting=True)
        width = _BITS_ALONE if port is None else len(port.wdata.data)
        self.specials.storage = storage = Memory(width, size // (width // 8), name="main_ram")
        self.memory = memory = storage.get_port(write_capable=True, we_granularity=8, has_re=True, mode=NO_CHANGE)
        self.specials += memory

        parts = width // _CPU_BITS
        part_bits = (parts - 1).bit_length()
        words = Array(memory.dat_r[_CPU_BITS * i : _CPU_BITS * (i + 1)] for i in range(parts))
        part = bus.adr[:part_bits] if part_bits else 0
        asked = Signal()
        self.comb += [
            asked.eq(bus.cyc & bus.stb & ~bus.ack),
            bus.dat_r.eq(words[part]),
            memory.adr.eq(bus.adr[part_bits:]),
            memory.dat_w.eq(Replicate(bus.dat_w, parts)),
            memory.re.eq(asked & ~bus.we),
            If(
                asked & bus.we,
                memory.we.eq(Cat(*(bus.sel & Replicate(part == i, len(bus.sel)) for i in range(parts)))),
            ),
        ]
        self.sync += bus.ack.eq(asked)
        if port is not None:
            self._serve_port(port, ~asked)

    def _serve_port(self, port, turn):
        memory = self.memory
        self.comb += [
            If(
                turn,
                memory.adr.eq(port.cmd.address),
                memory.dat_w.eq(port.wdata.data),
                memory.re.eq(port.cmd.valid & ~port.cmd.we),
                memory.we.eq(port.wdata.we & Replicate(port.wdata.ready, len(port.wdata.we))),
                port.wdata.ready.eq(port.cmd.valid & port.cmd.we & port.wdata.valid),
                port.cmd.ready.eq(port.cmd.valid & (~port.cmd.we | port.wdata.valid)),
            ),
            port.rdata.data.eq(memory.dat_r),
        ]
        self.sync += port.rdata.valid.eq(turn & port.cmd.valid & ~port.cmd.we)
