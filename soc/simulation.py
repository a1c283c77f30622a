"""The platform of the simulation: bare clocks, a console without a line, and random stalls on request."""

from litex.build.generic_platform import GenericPlatform, Pins, Subsignal
from litex.gen import LiteXModule
from migen import ClockDomain, Signal

__all__ = ["SimulationPlatform"]

_IO = [
    ("sys_clk", 0, Pins(1)),
    ("sys_rst", 0, Pins(1)),
    # The harness raises accelerator_clk together with sys_clk, in cycles in which accelerator_clock_enable is 1.
    ("accelerator_clk", 0, Pins(1)),
    ("accelerator_clock_enable", 0, Pins(1)),
    ("stall", 0, Pins(16)),
    (
        "serial",
        0,
        Subsignal("source_valid", Pins(1)),
        Subsignal("source_ready", Pins(1)),
        Subsignal("source_data", Pins(8)),
        Subsignal("sink_valid", Pins(1)),
        Subsignal("sink_ready", Pins(1)),
        Subsignal("sink_data", Pins(8)),
    ),
]


class SimulationPlatform(GenericPlatform):
    """Pins that `simulation.cpp` drives."""

    console = "sim"

    def __init__(self):
        super().__init__("simulation", _IO, name="soc")

    def clocking(self):
        return _Clocking(self)


class _Clocking(LiteXModule):
    """Clock domains from the harness; a clock that stands still costs the simulation nothing."""

    def __init__(self, platform):
        self.cd_sys = ClockDomain()
        self.cd_accelerator = ClockDomain()
        self.accelerator_enable = Signal()
        self.stall = platform.request("stall")
        reset = platform.request("sys_rst")
        self.comb += [
            self.cd_sys.clk.eq(platform.request("sys_clk")),
            self.cd_sys.rst.eq(reset),
            self.cd_accelerator.clk.eq(platform.request("accelerator_clk")),
            self.cd_accelerator.rst.eq(reset),
            platform.request("accelerator_clock_enable").eq(self.accelerator_enable | reset),
        ]
