"""The boards that bitstreams are built for, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from types import MappingProxyType
from typing import Literal

from pyhost.errors import FloatsocError
from pyhost.job import Job, load_job
from pyhost.job.fields import nearest

__all__ = ["BOARDS", "Board", "BoardError", "Device", "find_board"]


class BoardError(FloatsocError):
    """A board that there is not, a job that does not fit one, or a bitstream that is not for it."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """An FPGA. Resources are named as by nextpnr.

    family: "ecp5" or "ice40", which are nextpnr's names too. options: nextpnr's, of this device. idcode: what its JTAG
    port answers, None where it has none. resources: how many of each there are. memory: which of them main RAM is made
    of, and the bytes of one. pll_mhz: least and largest frequency that its PLL makes.
    """

    name: str
    family: str
    options: tuple[str, ...]
    idcode: int | None
    resources: Mapping[str, int]
    memory: tuple[str, int]
    pll_mhz: tuple[float, float]

    @property
    def memory_bytes(self) -> int:
        """Bytes of the largest main RAM that can be, if nothing else needs memory."""
        name, size = self.memory
        return self.resources[name] * size


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board, and the SoC that it carries unless a job says otherwise.

    clock_frequency: of the SoC, in Hz. changes: the board's own job, as changes to the default job. baud: bits a second
    of its serial line, which is where `serial` says. loader: openFPGALoader's name of the board, which it reaches by
    `cable` and programs by `way`: "jtag" into the FPGA or its flash memory, "spi" and "dfu" into flash memory alone.
    fits: what was found to fit, for people.
    """

    name: str
    title: str
    device: Device
    clock_frequency: int
    baud: int
    serial: str
    changes: Mapping[str, object]
    loader: str
    way: Literal["jtag", "spi", "dfu"]
    cable: str
    fits: str
    url: str

    def clocked(self, mhz: float) -> Board:
        """The board with a SoC of another frequency; raises BoardError where no PLL makes it."""
        low, high = self.device.pll_mhz
        frequency = round(mhz * 1e6) if isfinite(mhz) else 0
        if frequency != self.clock_frequency and not low <= mhz <= high:
            raise BoardError(
                f"--clock {mhz:g}: the {self.device.name}'s PLL makes {low:g} to {high:g} MHz; {self.name}'s own clock "
                f"has {self.clock_frequency / 1e6:g}"
            )
        return replace(self, clock_frequency=frequency)

    @property
    def job(self) -> Job:
        """The job whose hardware is built where none is given."""
        return load_job(None, self.changes)


# Resources: FPGA-DS-02012 (ECP5 and ECP5-5G Family), table 1.1; FPGA-DS-02008 (iCE40 UltraPlus Family), table 1.1. Of
# an ECP5's block RAM, 16 of 18 Kbit are used. IDCODEs: FPGA-TN-02039 (ECP5 sysCONFIG), table on device IDs.
_LFE5U_25F = Device(
    name="LFE5U-25F",
    family="ecp5",
    options=("--25k", "--package", "CSFBGA285", "--speed", "8"),
    idcode=0x4111_1043,
    resources=MappingProxyType({"TRELLIS_COMB": 24288, "TRELLIS_FF": 24288, "DP16KD": 56, "MULT18X18D": 28}),
    memory=("DP16KD", 2048),
    pll_mhz=(3.125, 400.0),
)
_LFE5U_85F = Device(
    name="LFE5U-85F",
    family="ecp5",
    options=("--85k", "--package", "CABGA381", "--speed", "6"),
    idcode=0x4111_3043,
    resources=MappingProxyType({"TRELLIS_COMB": 83640, "TRELLIS_FF": 83640, "DP16KD": 208, "MULT18X18D": 156}),
    memory=("DP16KD", 2048),
    pll_mhz=(3.125, 400.0),
)
_ICE40UP5K = Device(
    name="iCE40UP5K",
    family="ice40",
    options=("--up5k", "--package", "sg48"),
    idcode=None,
    resources=MappingProxyType({"ICESTORM_LC": 5280, "ICESTORM_RAM": 30, "ICESTORM_SPRAM": 4, "ICESTORM_DSP": 8}),
    memory=("ICESTORM_SPRAM", 32768),
    pll_mhz=(16.0, 275.0),
)

_BOARDS = (
    Board(
        name="ulx3s",
        title="Radiona ULX3S",
        device=_LFE5U_85F,
        clock_frequency=50_000_000,
        baud=115_200,
        serial="FT231X behind connector US1",
        changes=MappingProxyType({"soc.main_ram": 1 << 18, "accelerator.rows": 4, "accelerator.columns": 4}),
        loader="ulx3s",
        way="jtag",
        cable="the board's USB connector US1",
        fits="172 of 208 block RAMs; 42.0 MHz reached: 50 are not met yet, ask for less with --clock",
        url="https://radiona.org/ulx3s",
    ),
    Board(
        name="orangecrab",
        title="OrangeCrab r0.2",
        device=_LFE5U_25F,
        clock_frequency=50_000_000,
        baud=115_200,
        serial="Feather pins 0 (rx) and 1 (tx), 3.3 V",
        changes=MappingProxyType(
            {
                "soc.cpu": "minimal",
                "soc.main_ram": 1 << 16,
                "accelerator.rows": 2,
                "accelerator.columns": 2,
                "accelerator.depth": 128,
                "accelerator.port_bits": 64,
                "network.model": "linear-digits",
            }
        ),
        loader="orangeCrab",
        way="dfu",
        cable="the board's USB connector, with its button held while it is plugged in (the DFU boot loader)",
        fits="not synthesised yet; 64 KiB do not hold the firmware",
        url="https://github.com/orangecrab-fpga/orangecrab-hardware",
    ),
    Board(
        name="icebreaker",
        title="1BitSquared iCEBreaker",
        device=_ICE40UP5K,
        clock_frequency=12_000_000,
        baud=115_200,
        serial="second channel of the FT2232H behind the USB connector",
        changes=MappingProxyType(
            {
                "soc.cpu": "minimal",
                "soc.main_ram": 1 << 17,
                "accelerator.enabled": False,
                "network.model": "linear-digits",
            }
        ),
        loader="ice40_generic",
        way="spi",
        cable="the board's USB connector",
        fits="3,775 of 5,280 logic cells, all SPRAM; 23.7 MHz reached",
        url="https://1bitsquared.com/products/icebreaker",
    ),
)

BOARDS: Mapping[str, Board] = MappingProxyType({board.name: board for board in _BOARDS})
"""Every board, by name."""


def find_board(name: str) -> Board:
    """The board of that name; raises BoardError with the nearest one."""
    if name not in BOARDS:
        raise BoardError(f'no board "{name}"; {nearest(name, list(BOARDS))}')
    return BOARDS[name]
