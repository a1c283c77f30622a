"""What the host finds behind the serial bridge: who the SoC is, the CPU's reset, and the console."""

from litex.gen import LiteXModule
from litex.soc.interconnect import wishbone
from litex.soc.interconnect.csr import CSR, CSRStatus
from migen import READ_FIRST, Case, Cat, If, Memory, Mux, Signal

from soc.bridge import BUFFER_WORDS
from soc.config import MAIN_RAM_ORIGIN

__all__ = ["HOST_PAGE", "Console", "HostPage"]

HOST_PAGE = 0xE000_0000
"""Its address, where a host that knows nothing of a SoC may look."""

_MAGIC = int.from_bytes(b"fSoC", "little")
_VERSION = 1
_CONSOLE_WORDS = 64
_HOLD, _TAKEN = 8, 14


class HostPage(LiteXModule):
    """32-bit words at HOST_PAGE, for the bridge; firmware has no use for them.

    | word      | what                                                                                    |
    |-----------|-----------------------------------------------------------------------------------------|
    | 0         | "fSoC"                                                                                  |
    | 1         | version of this table and of the packets, times 65536, plus words that a WRITE carries  |
    | 2, 3      | identifier, low word first                                                              |
    | 4, 5      | main RAM: address and bytes                                                             |
    | 6         | clock frequency in Hz                                                                   |
    | 7         | characters that the console holds                                                       |
    | 8         | 1 (as after power-up) holds the CPU in reset, the cycle counter and the console at 0    |
    | 9         | bit 0: the accelerator has a job; bit 1: a load or store went where nothing is          |
    | 10 to 12  | cycles since the CPU's reset: high word, low word, and the high word again              |
    | 13        | characters that the program has printed, modulo 65536                                   |
    | 14        | characters that the host has read: it writes this when it has                           |
    | 64 to 127 | character n of the program in byte n modulo 256                                         |

    Reading changes nothing, and all can be read twice.
    """

    def __init__(self, config, *, console, busy, bus_error, cycles):
        self.bus = bus = wishbone.Interface(data_width=32, address_width=32, addressing="word")
        self.hold = hold = Signal(reset=1)

        identifier = config.serial.identifier
        values = {
            0: _MAGIC,
            1: _VERSION << 16 | BUFFER_WORDS,
            2: identifier & 0xFFFF_FFFF,
            3: identifier >> 32,
            4: MAIN_RAM_ORIGIN,
            5: config.main_ram,
            6: config.clock_frequency,
            7: 4 * _CONSOLE_WORDS,
            _HOLD: hold,
            9: Cat(busy, bus_error),
            10: cycles[32:],
            11: cycles[:32],
            12: cycles[32:],
            13: console.printed,
            _TAKEN: console.taken,
        }
        value = Signal(32)
        self.comb += [
            Case(bus.adr[:4], {word: value.eq(signal) for word, signal in values.items()}),
            console.address.eq(bus.adr[:6]),
            bus.dat_r.eq(Mux(bus.adr[6], console.text, value)),
            console.hold.eq(hold),
        ]
        write = bus.cyc & bus.stb & bus.we & bus.ack & ~bus.adr[6]
        self.sync += [
            bus.ack.eq(bus.cyc & bus.stb & ~bus.ack),
            If(write & (bus.adr[:4] == _HOLD), hold.eq(bus.dat_w[0])),
            If(write & (bus.adr[:4] == _TAKEN), console.taken.eq(bus.dat_w)),
            If(hold, console.taken.eq(0)),
        ]


class Console(LiteXModule):
    """Registers of LiteX's UART as far as firmware prints with them, before a ring that the host reads.

    A character that is printed while the ring is full is lost; `txfull` says so before.
    """

    def __init__(self):
        self._rxtx = CSR(8)
        self._txfull = CSRStatus()
        self.hold = Signal()
        self.printed = Signal(16)
        self.taken = Signal(16)
        self.address = Signal(max=_CONSOLE_WORDS)
        self.text = Signal(32)  # at `address`, a cycle later

        ring = Memory(32, _CONSOLE_WORDS)
        store = ring.get_port(write_capable=True, we_granularity=8, mode=READ_FIRST)
        fetch = ring.get_port(mode=READ_FIRST)
        self.specials += ring, store, fetch
        waiting = Signal(16)
        full = self._txfull.status
        self.comb += [
            waiting.eq(self.printed - self.taken),
            full.eq(waiting >= 4 * _CONSOLE_WORDS),
            store.adr.eq(self.printed[2:]),
            store.dat_w.eq(Cat(*[self._rxtx.r] * 4)),
            If(self._rxtx.re & ~full, store.we.eq(1 << self.printed[:2])),
            fetch.adr.eq(self.address),
            self.text.eq(fetch.dat_r),
        ]
        self.sync += [
            If(self._rxtx.re & ~full, self.printed.eq(self.printed + 1)),
            If(self.hold, self.printed.eq(0)),
        ]
