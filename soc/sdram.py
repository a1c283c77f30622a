"""Main memory in DDR3: LiteDRAM's controller and crossbar, and a model of the chip behind its PHY."""

from litedram.common import burst_lengths
from litedram.core.controller import ControllerSettings, LiteDRAMController
from litedram.core.crossbar import LiteDRAMCrossbar
from litedram.frontend.wishbone import LiteDRAMWishbone2Native
from litedram.modules import MT41K128M16, MT41K256M8
from litedram.phy import dfi
from litedram.phy.model import get_sdram_phy_settings
from litex.gen import LiteXModule
from litex.soc.interconnect import wishbone
from migen import READ_FIRST, Array, Cat, If, Memory, Mux, Replicate, Signal

from soc.ram import StallGenerator

__all__ = ["BurstWidener", "Ddr3Model", "Sdram"]

_PHASES = 4
"""Cycles of the chip in a cycle of the controller: a word of the controller is a burst of eight."""
_CHIPS = {16: MT41K128M16, 8: MT41K256M8}
_BITS_ALONE = 128
"""Width of the controller's words where there is no accelerator."""


class Sdram(LiteXModule):
    """DDR3 SDRAM of `size` bytes, little endian; the controller runs at `frequency` Hz, the chip four times as fast.

    | port   | clock       | width     | timing                                                                  |
    |--------|-------------|-----------|-------------------------------------------------------------------------|
    | `bus`  | sys         | 32        | Wishbone; a word of the controller serves a whole burst                 |
    | `port` | accelerator | 64 or 128 | `accel_rtl.port.MemoryPort`, as wide as the controller's words; a       |
    |        |             |           | write's data has to be offered from its command on                      |

    The chip is Micron's MT41K128M16 (16 bits wide; that of Digilent's Arty A7), or MT41K256M8 (8 bits) where the port
    is 64 bits wide, with as many rows as `size` takes. Nothing is buffered on the way: a write is acknowledged when
    the controller gives its command to the chip, and a bank obeys commands in order, so each master reads what the
    other has been told is written. `port` is None where there is no accelerator. `stall` (16 bits) is the
    probability times 65536 with which a command of `port` is held up in a cycle. The accelerator's clock may
    stop while no command or data is under way.
    """

    def __init__(self, size, frequency, *, port=None, stall=None):
        word_bits = _BITS_ALONE if port is None else len(port.wdata.data)
        data_bits = word_bits // (2 * _PHASES)
        chip = _CHIPS[data_bits](frequency, f"1:{_PHASES}")
        chip.geom_settings.rowbits = (size // (chip.nbanks * chip.ncols * data_bits // 8) - 1).bit_length()
        phy = get_sdram_phy_settings(chip.memtype, data_bits, frequency)
        self.model = Ddr3Model(phy, chip.geom_settings)
        self.controller = LiteDRAMController(
            phy, chip.geom_settings, chip.timing_settings, frequency, ControllerSettings()
        )
        self.crossbar = LiteDRAMCrossbar(self.controller.interface)
        self.comb += self.controller.dfi.connect(self.model.dfi)

        self.bus = wishbone.Interface(data_width=32, address_width=32, addressing="word", bursting=True)
        wide = wishbone.Interface(data_width=word_bits, address_width=32, addressing="word")
        self.widener = BurstWidener(self.bus, wide)
        self.bridge = LiteDRAMWishbone2Native(wide, self.crossbar.get_port())
        if port is not None:
            self._serve_port(port, stall)

    def _serve_port(self, port, stall):
        native = self.crossbar.get_port()
        self.stalls = StallGenerator(stall, handshakes=1)
        passed = ~self.stalls.hold[0]
        self.comb += [
            native.cmd.valid.eq(port.cmd.valid & passed),
            port.cmd.ready.eq(native.cmd.ready & passed),
            native.cmd.we.eq(port.cmd.we),
            native.cmd.addr.eq(port.cmd.address),
            native.wdata.valid.eq(port.wdata.valid),
            native.wdata.data.eq(port.wdata.data),
            native.wdata.we.eq(port.wdata.we),
            port.wdata.ready.eq(native.wdata.ready),
            port.rdata.valid.eq(native.rdata.valid),
            port.rdata.data.eq(native.rdata.data),
        ]


class BurstWidener(LiteXModule):
    """Wishbone `bus` on `wide`, of more bits: the word read for one beat of an incrementing burst serves the others.

    The word is forgotten when its burst ends: the next sees what other masters have written since.
    """

    def __init__(self, bus, wide):
        parts = wide.data_width // bus.data_width
        part_bits = (parts - 1).bit_length()
        part = bus.adr[:part_bits]
        held = Signal()
        held_address = Signal.like(wide.adr)
        held_word = Signal.like(wide.dat_r)
        word = Signal.like(wide.dat_r)
        hit = Signal()
        self.comb += [
            hit.eq(held & bus.cyc & bus.stb & ~bus.we & (held_address == wide.adr)),
            wide.cyc.eq(bus.cyc & ~hit),
            wide.stb.eq(bus.stb & ~hit),
            wide.adr.eq(bus.adr[part_bits:]),
            wide.we.eq(bus.we),
            wide.sel.eq(Cat(*(Mux(part == i, bus.sel, 0) for i in range(parts)))),
            wide.dat_w.eq(Replicate(bus.dat_w, parts)),
            word.eq(Mux(hit, held_word, wide.dat_r)),
            bus.dat_r.eq(Array(word[bus.data_width * i : bus.data_width * (i + 1)] for i in range(parts))[part]),
            bus.ack.eq(hit | wide.ack),
        ]
        self.sync += [
            If(bus.ack | ~bus.cyc, held.eq(bus.ack & ~bus.we & (bus.cti == wishbone.CTI_BURST_INCREMENTING))),
            If(wide.ack, held_address.eq(wide.adr), held_word.eq(wide.dat_r)),
        ]


class Ddr3Model(LiteXModule):
    """What `dfi` has behind it: a PHY, and a chip that believes its controller.

    An activation opens a row of a bank; a read's data comes `phy.read_latency` cycles after its command, a write's is
    taken `phy.write_latency` cycles after it, as in LiteDRAM's own model (`litedram.phy.model.SDRAMPHYModel`). That one
    keeps each bank in a memory of its own; here all are one, in the order row, bank, column, so that a byte lies
    where its address says and the simulation is a third faster. Like on the chip, reads and writes share the
    data bus: a word is read at the end of its latency, in which the controller writes nothing.
    """

    autocsr_exclude = ("storage",)  # LiteX would map it among the registers

    def __init__(self, phy, geometry):
        self.dfi = dfi.Interface(geometry.addressbits, geometry.bankbits, phy.nranks, phy.dfi_databits, phy.nphases)
        phases = self.dfi.phases
        burst_bits = (burst_lengths[phy.memtype] - 1).bit_length()
        words = 1 << (geometry.rowbits + geometry.bankbits + geometry.colbits - burst_bits)
        self.specials.storage = Memory(phy.nphases * phy.dfi_databits, words, name="main_ram")
        memory = self.storage.get_port(write_capable=True, we_granularity=8, has_re=True, mode=READ_FIRST)
        self.specials += memory

        rows = Array(Signal(geometry.rowbits) for _ in range(1 << geometry.bankbits))
        for phase in phases:
            activate = ~phase.cs_n & ~phase.ras_n & phase.cas_n & phase.we_n
            self.sync += If(activate, rows[phase.bank].eq(phase.address))

        def command(phase, *, write, delay):
            """Whether `phase` reads or writes, and which word, so many cycles ago."""
            given = Signal()
            word = Signal.like(memory.adr)
            self.comb += [
                given.eq(~phase.cs_n & phase.ras_n & ~phase.cas_n & (phase.we_n != write)),
                word.eq(Cat(phase.address[burst_bits : geometry.colbits], phase.bank, rows[phase.bank])),
            ]
            for _ in range(delay):
                given_before, word_before = given, word
                given, word = Signal(), Signal.like(memory.adr)
                self.sync += [given.eq(given_before), word.eq(word_before)]
            return given, word

        read, read_word = command(phases[phy.rdphase], write=0, delay=phy.read_latency - 1)
        write, write_word = command(phases[phy.wrphase], write=1, delay=phy.write_latency)
        valid = Signal()
        self.sync += valid.eq(read)
        self.comb += [
            memory.adr.eq(Mux(write, write_word, read_word)),
            memory.re.eq(read),
            memory.dat_w.eq(Cat(*(phase.wrdata for phase in phases))),
            If(write, memory.we.eq(~Cat(*(phase.wrdata_mask for phase in phases)))),
            Cat(*(phase.rddata for phase in phases)).eq(memory.dat_r),
            *(phase.rddata_valid.eq(valid) for phase in phases),
        ]
