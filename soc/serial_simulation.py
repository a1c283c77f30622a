"""The platform of the simulated board: what an FPGA lends the SoC, its serial line included."""

from litex.build.generic_platform import GenericPlatform, Pins, Subsignal
from litex.gen import LiteXModule
from migen import ClockDomain, Constant, Signal

from soc.ram import MainRam

__all__ = ["SerialSimulationPlatform"]

_IO = [
    ("sys_clk", 0, Pins(1)),
    ("sys_rst", 0, Pins(1)),
    # The harness raises accelerator_clk together with sys_clk, in reset and in cycles in which the enable is 1.
    ("accelerator_clk", 0, Pins(1)),
    ("accelerator_clock_enable", 0, Pins(1)),
    ("serial", 0, Subsignal("tx", Pins(1)), Subsignal("rx", Pins(1))),
    # Nothing will happen until the host asks for something.
    ("idle", 0, Pins(1)),
]


class SerialSimulationPlatform(GenericPlatform):
    """Pins that `serial_simulation.cpp` drives; the accelerator's clock is gated there for speed alone."""

    static_ram = MainRam

    def __init__(self):
        super().__init__("serial_simulation", _IO, name="soc")

    def clocking(self):
        return _Clocking(self)

    def connect(self, soc):
        soc.comb += self.request("idle").eq(soc.host.hold & soc.bridge.idle & ~soc.crg.accelerator_enable)


class _Clocking(LiteXModule):
    def __init__(self, platform):
        self.cd_sys = ClockDomain()
        self.cd_accelerator = ClockDomain()
        self.accelerator_enable = Signal()
        self.stall = Constant(0, 16)
        reset = platform.request("sys_rst")
        self.comb += [
            self.cd_sys.clk.eq(platform.request("sys_clk")),
            self.cd_sys.rst.eq(reset),
            self.cd_accelerator.clk.eq(platform.request("accelerator_clk")),
            self.cd_accelerator.rst.eq(reset),
            platform.request("accelerator_clock_enable").eq(self.accelerator_enable),
        ]
