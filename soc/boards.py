"""Platforms of FPGA boards: what each lends FloatSoc, on the pins of litex-boards."""

from litex.gen import LiteXModule
from litex.soc.cores.clock import ECP5PLL, iCE40PLL
from litex_boards.platforms import gsd_orangecrab, icebreaker, radiona_ulx3s
from migen import ClockDomain, Constant, If, Signal
from migen.genlib.resetsync import AsyncResetSynchronizer

from soc.ram import MainRam
from soc.shared_ram import SharedRam

__all__ = ["PLATFORMS"]

_POWER_ON_CYCLES = 2**16 - 1
"""Of the board's oscillator, before the SoC leaves reset: 1 to 5 ms, in which supplies and block RAM settle."""


class _Lending:
    """What FloatSoc asks of a platform, beside litex-boards' pins."""

    static_ram = MainRam
    uart = "serial"

    def clocking(self):
        return _Clocking(self)

    def connect(self, soc):
        """An LED is lit while the accelerator has a job."""
        if hasattr(soc, "accelerator"):
            name, lit = self.led
            soc.comb += self.request(name, 0).eq(soc.accelerator.clock_enable ^ (not lit))


class Ulx3s(_Lending, radiona_ulx3s.Platform):
    """ULX3S with an LFE5U-85F; its serial line is the FT231X behind the connector US1."""

    pll = ECP5PLL
    led = ("user_led", 1)

    def __init__(self, frequency):
        super().__init__(device="LFE5U-85F")
        self.frequency = frequency


class OrangeCrab(_Lending, gsd_orangecrab.Platform):
    """OrangeCrab r0.2 with an LFE5U-25F; its serial line is on the pins 0 (rx) and 1 (tx) of the Feather header."""

    pll = ECP5PLL
    led = ("user_led", 0)

    def __init__(self, frequency):
        super().__init__(revision="0.2", device="25F")
        self.add_extension(gsd_orangecrab.feather_serial)
        self.frequency = frequency


class IceBreaker(_Lending, icebreaker.Platform):
    """iCEBreaker with an iCE40UP5K; its serial line is the second channel of the FT2232H behind the USB connector."""

    static_ram = SharedRam  # single-port RAM: the block RAM has no more than 15 KiB
    pll = iCE40PLL
    led = ("user_led_n", 0)

    def __init__(self, frequency):
        super().__init__()
        self.frequency = frequency


PLATFORMS = {"ulx3s": Ulx3s, "orangecrab": OrangeCrab, "icebreaker": IceBreaker}


class _Clocking(LiteXModule):
    """One clock for both domains, from the oscillator by a PLL, or bare where the frequencies are the same.

    The accelerator's is not gated: timing analysis does not look at paths between a clock and its gated copy, so a
    bitstream could not be promised to work. `stall` holds up nothing and costs nothing.
    """

    def __init__(self, platform):
        self.cd_sys = ClockDomain()
        self.cd_accelerator = ClockDomain()
        self.cd_power_on = ClockDomain(reset_less=True)
        self.accelerator_enable = Signal()
        self.stall = Constant(0, 16)

        oscillator = platform.request(platform.default_clk_name)
        oscillator_frequency = round(1e9 / platform.default_clk_period)
        waiting = Signal(max=_POWER_ON_CYCLES + 1, reset=_POWER_ON_CYCLES)
        self.comb += [
            self.cd_power_on.clk.eq(oscillator),
            self.cd_accelerator.clk.eq(self.cd_sys.clk),
            self.cd_accelerator.rst.eq(self.cd_sys.rst),
        ]
        self.sync.power_on += If(waiting != 0, waiting.eq(waiting - 1))
        if platform.frequency == oscillator_frequency:
            self.comb += self.cd_sys.clk.eq(oscillator)
            self.specials += AsyncResetSynchronizer(self.cd_sys, waiting != 0)
        else:
            self.pll = platform.pll()
            self.pll.register_clkin(oscillator, oscillator_frequency)
            self.pll.create_clkout(self.cd_sys, platform.frequency, with_reset=False)
            self.specials += AsyncResetSynchronizer(self.cd_sys, (waiting != 0) | ~self.pll.locked)
