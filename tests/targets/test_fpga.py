"""What can be wrong with a port and a board, and what is said of it: one line each, and nothing left open."""

import os
import random
import re
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyhost.errors import TargetError
from pyhost.targets.base import Limit
from pyhost.targets.fpga import FpgaTarget
from tests.targets.fake_board import BASE, IDENTIFIER, PAGE, SIZE, FakeBoard, Talker


@contextmanager
def open_files_stay_as_they_were():
    before = set(os.listdir("/proc/self/fd"))
    yield
    assert set(os.listdir("/proc/self/fd")) <= before


def refused(port, message, **options):
    with open_files_stay_as_they_were(), pytest.raises(TargetError, match=message) as error:
        FpgaTarget(port, identifier=IDENTIFIER, **options)
    assert "\n" not in str(error.value)


@pytest.fixture
def board():
    with FakeBoard() as board:
        yield board


def open_target(board, **options):
    return FpgaTarget(board.port, identifier=IDENTIFIER, **options)


def test_a_port_that_is_not_there(tmp_path):
    refused("/dev/ttyNONE7", r"^there is no port /dev/ttyNONE7; there (are|is no serial port at all)")


def test_what_is_no_port(tmp_path):
    path = tmp_path / "file"
    path.write_text("text")
    refused(str(path), f"^the port {path} cannot be opened: ")
    assert path.read_text() == "text"


def test_a_rate_that_no_port_has(board):
    refused(board.port, "cannot be set to -1 baud", baud=-1)


def test_a_port_that_another_program_has(board):
    with open_target(board):
        refused(board.port, f"^the port {board.port} is in use by another program$")


def test_a_port_that_answers_nothing():
    with Talker(lambda: b"") as port:
        begin = time.monotonic()
        refused(port, f"^the port {port} does not answer: is a board with a floatsoc bitstream behind it")
        assert time.monotonic() - begin < 5


def test_a_port_that_answers_with_noise():
    source = random.Random(1)
    with Talker(lambda: source.randbytes(50)) as port:
        refused(port, rf"^the port {port} answers nothing but noise \(\d+ bytes\): .* rate 115200 baud\?$")


def test_a_port_that_repeats_what_it_hears():
    echo = FakeBoard()
    echo._answer = lambda content: content
    with echo:
        refused(echo.port, "answers nothing but noise")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"identifier": 0xFEED},
            r"^the SoC at \S+ is not the job's, 0123456789abcdef: it is 000000000000feed, with 64 KiB of main RAM, at "
            r"50 MHz; make the job's with floatsoc build --board BOARD \[JOB.toml\] and load it with floatsoc flash",
        ),
        ({"magic": b"BIOS"}, r"^what answers at \S+ is no SoC of floatsoc: load one with floatsoc flash$"),
        ({"version": 9}, r"speaks version 9 of the protocol, this floatsoc version 1: build and load"),
    ],
)
def test_another_soc_is_told_and_left_alone(options, message):
    with FakeBoard(**options) as board:
        refused(board.port, message)
        assert not board.written


def test_a_port_that_vanishes(board):
    target = open_target(board)
    target.write(BASE, bytes(range(256)))
    timer = threading.Timer(0.2, board.unplug.set)
    timer.start()
    with pytest.raises(TargetError, match=f"^the port {board.port} vanished: check cable and power, then start again$"):
        target.run(lambda: target.read(BASE, 4) == b"done", Limit(seconds=20))
    with open_files_stay_as_they_were():
        target.close()
        target.close()
    with pytest.raises(TargetError, match=r"^the fpga target is closed$"):
        target.read(BASE, 4)


def test_a_board_that_falls_silent(board, monkeypatch):
    monkeypatch.setattr("pyhost.targets.serial._LONGEST", 0.1)
    with open_target(board) as target:
        board.mangle = lambda data: b""
        with pytest.raises(TargetError, match="does not answer"):
            target.read(BASE, 4)


def bad_line(seed):
    """Loses or changes one byte in two hundred."""
    print(f"seed {seed}")
    source = random.Random(seed)

    def mangle(data):
        kept = (byte for byte in data if source.random() >= 0.0025)
        return bytes(byte ^ source.randrange(1, 256) if source.random() < 0.0025 else byte for byte in kept)

    return mangle


def test_a_bad_line_changes_nothing_but_the_time(board, monkeypatch):
    monkeypatch.setattr("pyhost.targets.serial._LATENCY", 0.02)
    data = random.Random(2).randbytes(4000)
    with open_target(board, baud=4_000_000) as target:
        board.mangle = bad_line(3)
        target.write(BASE + 5, data)
        assert target.read(BASE + 5, len(data)) == data
        assert board.memory[5 : 5 + len(data)] == data
        assert board.memory[:5] == bytes(5)
        assert board.memory[5 + len(data) :] == bytes(SIZE - 5 - len(data))
        assert target.repeated > 5


def test_runs_of_a_word_take_a_packet(board):
    with open_target(board) as target:
        target.write(BASE, bytes(range(100)) + b"\xa5" * 20_000 + bytes(range(100)))
        assert board.memory[:20_200] == bytes(range(100)) + b"\xa5" * 20_000 + bytes(range(100))
        assert len(board.written) <= 6


def test_the_cpu_is_held_until_it_runs_and_after(board, tmp_path):
    def hold():
        return board.page[32] & 1

    class Image:
        path, entry, segments = tmp_path, BASE, ()

    with open_target(board) as target:
        board.page[32] = 0  # what a program before has left
        target.load(Image)
        assert hold() == 1
        target.advance()
        assert hold() == 0
    assert hold() == 1


def test_load_waits_for_the_accelerator_to_come_to_rest(board, monkeypatch, tmp_path):
    class Image:
        path, entry, segments = tmp_path, BASE, ()

    board.memory[:] = b"\xff" * SIZE
    with open_target(board) as target:
        board.page[36] = 1
        monkeypatch.setattr("pyhost.targets.fpga._REST", 0.2)
        with pytest.raises(TargetError, match=r"still at work after 0\.2 seconds: load the bitstream again"):
            target.load(Image)
        assert all(address >= PAGE for address, _ in board.written)
        threading.Timer(0.1, board.page.__setitem__, (36, 0)).start()
        monkeypatch.setattr("pyhost.targets.fpga._REST", 20)
        target.load(Image)
        assert board.memory == bytes(SIZE)


def test_cycles_are_read_without_tearing(board):
    with open_target(board) as target:
        for high, low, high_after, cycles in ((1, 2**32 - 1, 2, 2**33 - 1), (1, 3, 2, 2**33 + 3), (2, 7, 2, 2**33 + 7)):
            for word, value in ((10, high), (11, low), (12, high_after)):
                board.page[4 * word : 4 * word + 4] = value.to_bytes(4, "little")
            assert target.cycles == cycles


def test_the_console_is_read_around_the_end_of_its_ring(board):
    def printed(text):
        at = int.from_bytes(board.page[52:54], "little")
        for i, character in enumerate(text):
            board.page[256 + (at + i) % 256] = character
        board.page[52:54] = ((at + len(text)) % 65536).to_bytes(2, "little")

    with open_target(board) as target:
        text = ""
        for i in range(280):
            words = f"line {i} " + "x" * (i % 240)
            text += words
            printed(words.encode())
            assert target.console == text
            assert board.page[56:58] == board.page[52:54]


def test_progress_is_told_of_what_takes_long(board, monkeypatch):
    told = []
    slow = lambda data: time.sleep(0.05) or data  # noqa: E731
    with open_target(board, progress=told.append) as target:
        board.mangle = slow
        target.write(BASE, random.Random(5).randbytes(40_000))
    assert told
    assert all(re.fullmatch(r"sending, \d+ of 39 KiB", line) for line in told)


def test_a_target_without_a_program_has_no_console(board):
    with open_target(board) as target:
        assert (target.console, target.cycles, target.bus_error, target.program_counter) == ("", 0, False, None)
    assert Path(board.port).exists()
