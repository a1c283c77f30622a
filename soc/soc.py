"""The SoC, assembled with LiteX, whatever it runs on: a platform lends it clocks and a console."""

from litex.gen import LiteXModule
from litex.soc.cores.uart import UARTPHY
from litex.soc.integration.soc import SoCRegion
from litex.soc.integration.soc_core import SoCCore
from migen import If, Signal

from accel_rtl import Accelerator
from soc.bridge import SerialBridge
from soc.bus_counters import BusCounters
from soc.config import MAIN_RAM_ORIGIN, SocConfig
from soc.cycle_counter import CycleCounter
from soc.host import HOST_PAGE, Console, HostPage
from soc.sdram import Sdram

__all__ = ["FloatSoc"]

_BUS_TIMEOUT = 1024
"""Cycles after which an access counts as one that nothing answers: static RAM needs 2, a register 3; SDRAM
may be refreshed and serve the accelerator first, below 100."""


class FloatSoc(SoCCore):
    """VexRiscv, main RAM, console, counters and, if the configuration has one, the accelerator.

    | what            | where                                                              |
    |-----------------|--------------------------------------------------------------------|
    | main RAM        | 0x40000000; the CPU starts at its first word                       |
    | registers       | 0xf0000000: `uart`, `cycle_counter`, `cpu_bus`, `accelerator`      |
    | clock domains   | `sys`, and `accelerator`: the same clock, gated while it has no job |

    platform: `clocking()` makes the clock domains, `static_ram` is what "sram" is made of (`MainRam` or `SharedRam`),
    `uart` names LiteX's UART, `connect(soc)` does the rest.
    """

    def __init__(self, config: SocConfig, platform):
        super().__init__(
            platform,
            config.clock_frequency,
            bus_bursting=True,
            bus_timeout=_BUS_TIMEOUT,
            cpu_type="vexriscv",
            cpu_variant=config.cpu,
            cpu_reset_address=MAIN_RAM_ORIGIN,
            integrated_sram_size=0,
            with_uart=config.serial is None,
            uart_name="serial" if config.serial else platform.uart,
            with_timer=False,
            with_ctrl=False,
        )
        self.crg = platform.clocking()
        self.ctrl = _BusWatch(self.cpu.dbus)
        self.cycle_counter = CycleCounter()
        port = None
        if config.accelerator is not None:
            self.accelerator = Accelerator(
                config.accelerator, memory_bytes=config.main_ram, memory_base=MAIN_RAM_ORIGIN
            )
            self.comb += self.crg.accelerator_enable.eq(self.accelerator.clock_enable)
            port = self.accelerator.port
        if config.memory == "sdram":
            self.ram = Sdram(config.main_ram, config.clock_frequency, port=port, stall=self.crg.stall)
        else:
            self.ram = platform.static_ram(config.main_ram, port=port, stall=self.crg.stall)
        self.bus.add_slave("main_ram", self.ram.bus, SoCRegion(origin=MAIN_RAM_ORIGIN, size=config.main_ram))
        self.cpu_bus = BusCounters(self.ram.bus, latch=self.cycle_counter.latch.re)
        if config.serial is not None:
            self._serve_host(config, platform)
        platform.connect(self)

    def _serve_host(self, config, platform):
        self.line = UARTPHY(platform.request("serial"), config.clock_frequency, config.serial.baud)
        self.bridge = SerialBridge(self.line)
        self.bus.add_master("bridge", self.bridge.bus)
        self.uart = Console()
        self.irq.add("unused")  # LiteX cannot do without any
        self.host = HostPage(
            config,
            console=self.uart,
            busy=self.accelerator.clock_enable if config.accelerator else 0,
            bus_error=self.ctrl.seen,
            cycles=self.cycle_counter.count,
        )
        self.bus.add_slave("host", self.host.bus, SoCRegion(origin=HOST_PAGE, size=0x1000, cached=False))
        held = (self.cpu.reset, self.cycle_counter.clear, self.ctrl.clear)
        self.comb += [signal.eq(self.host.hold) for signal in held]


class _BusWatch(LiteXModule):
    """Remembers that a load or store went where nothing is.

    LiteX answers it with all ones, and the packaged VexRiscv does not trap on a bus error. Instruction fetches
    are speculative and do not count. LiteX drives `bus_error` of what the SoC calls `ctrl`.
    """

    def __init__(self, bus):
        self.bus_error = Signal()
        self.clear = Signal()
        self.seen = Signal()
        self.sync += [
            If(self.bus_error & bus.ack, self.seen.eq(1)),
            If(self.clear, self.seen.eq(0)),
        ]
