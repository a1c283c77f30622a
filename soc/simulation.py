"""The platform of the simulation: bare clocks, a console without a line, and random stalls on request."""

from litex.build.generic_platform import GenericPlatform, Pins, Subsignal
from litex.gen import LiteXModule
from migen import ClockDomain, Signal

from accel_rtl.core import activity_layout
from soc.ram import MainRam

__all__ = ["SimulationPlatform"]

_IO = [
    ("sys_clk", 0, Pins(1)),
    ("sys_rst", 0, Pins(1)),
    # The harness raises accelerator_clk together with sys_clk, in reset and in cycles in which the enable is 1.
    ("accelerator_clk", 0, Pins(1)),
    ("accelerator_clock_enable", 0, Pins(1)),
    ("stall", 0, Pins(16)),
    # A load or store went where nothing is, some time since reset.
    ("bus_error", 0, Pins(1)),
    # A character that the program prints: valid for one cycle, nothing can hold it up.
    ("console", 0, Subsignal("valid", Pins(1)), Subsignal("data", Pins(8))),
    # What recording.hpp makes a record of. The cycle counter is latched:
    ("moment", 0, Pins(1)),
    # Words that the CPU reads and writes, and its requests: see BusCounters.
    ("cpu_bus", 0, Subsignal("read", Pins(1)), Subsignal("write", Pins(1)), Subsignal("request", Pins(1))),
    # The accelerator's: see `activity_layout`.
    ("activity", 0, *(Subsignal(name, Pins(1)) for name, _ in activity_layout())),
]


class SimulationPlatform(GenericPlatform):
    """Pins that `simulation.cpp` drives.

    No combinational logic depends on an input: Verilator would evaluate it twice a cycle.
    """

    static_ram = MainRam
    uart = "stub"  # LiteX's UART without a line; it has the registers

    def __init__(self):
        super().__init__("simulation", _IO, name="soc")

    def clocking(self):
        return _Clocking(self)

    def connect(self, soc):
        console = self.request("console")
        soc.comb += [
            console.valid.eq(soc.uart.source.valid),
            console.data.eq(soc.uart.source.data),
            self.request("bus_error").eq(soc.ctrl.seen),
            self.request("moment").eq(soc.cycle_counter.latch.re),
        ]
        cpu_bus, activity = self.request("cpu_bus"), self.request("activity")
        soc.comb += [getattr(cpu_bus, name).eq(getattr(soc.cpu_bus, name)) for name in ("read", "write", "request")]
        if hasattr(soc, "accelerator"):
            soc.comb += [
                getattr(activity, name).eq(getattr(soc.accelerator.activity, name)) for name, _ in activity_layout()
            ]


class _Clocking(LiteXModule):
    """Clock domains from the harness; a clock that stands still costs the simulation nothing."""

    def __init__(self, platform):
        self.cd_sys = ClockDomain()
        self.cd_accelerator = ClockDomain()
        self.accelerator_enable = Signal()
        self.stall = Signal(16)
        reset = platform.request("sys_rst")
        self.comb += [
            self.cd_sys.clk.eq(platform.request("sys_clk")),
            self.cd_sys.rst.eq(reset),
            self.cd_accelerator.clk.eq(platform.request("accelerator_clk")),
            self.cd_accelerator.rst.eq(reset),
            platform.request("accelerator_clock_enable").eq(self.accelerator_enable),
        ]
        self.sync.accelerator += self.stall.eq(platform.request("stall"))
