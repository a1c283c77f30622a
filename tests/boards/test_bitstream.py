"""A bitstream says what it is for, and whether it is whole."""

import zlib

import pytest

from pyhost.boards import BOARDS
from pyhost.boards.bitstream import read_bitstream, sealed
from pyhost.boards.catalogue import BoardError
from tests.boards.streams import ecp5_stream, ice40_stream, write_bitstream


@pytest.mark.parametrize("name", BOARDS)
def test_what_was_sealed_is_read(name, rng, tmp_path):
    identifier = rng.getrandbits(64)
    bitstream = read_bitstream(write_bitstream(tmp_path / "b", name, rng, identifier))
    assert bitstream.board == name
    assert bitstream.identifier == identifier


def test_the_payload_and_the_packers_comments_stay_as_they_are(rng):
    stream = ecp5_stream(rng, 0x41113043)
    content = sealed(stream, BOARDS["ulx3s"], 1)
    start = stream.index(b"\xff\xff\xff\xbd\xb3")
    assert content.endswith(stream[start:])
    assert content.startswith(stream[:start])
    assert b"\xff" not in content[1 : -len(stream[start:])]  # the hardware would take it for the beginning
    assert f"CRC-32 {zlib.crc32(stream[start:]):08x}".encode() in content


def test_an_ice40s_preamble_follows_its_comments(rng):
    stream = ice40_stream(rng)
    content = sealed(stream, BOARDS["icebreaker"], 1)
    assert content.endswith(stream[stream.index(b"\xff\x7e\xaa\x99\x7e") :])


@pytest.mark.parametrize("name", ["ulx3s", "icebreaker"])
def test_a_file_that_was_cut_short_is_refused_wherever_the_cut_is(name, rng, tmp_path):
    path = write_bitstream(tmp_path / "whole", name, rng)
    content = path.read_bytes()
    short = tmp_path / "short"
    for length in [*range(0, 300, 7), *(rng.randrange(300, len(content)) for _ in range(20)), len(content) - 1]:
        short.write_bytes(content[:length])
        with pytest.raises(BoardError, match="cut short"):
            read_bitstream(short)


def test_a_changed_bit_is_found(rng, tmp_path):
    path = write_bitstream(tmp_path / "b", "ulx3s", rng)
    content = bytearray(path.read_bytes())
    start = content.index(b"\xbd\xb3")
    for _ in range(50):
        position, bit = rng.randrange(start, len(content)), 1 << rng.randrange(8)
        content[position] ^= bit
        path.write_bytes(content)
        with pytest.raises(BoardError, match="damaged"):
            read_bitstream(path)
        content[position] ^= bit


@pytest.mark.parametrize("content", [b"", b"\xff", b"hello", b"\x7fELF" + bytes(1000), b"\xff\x00Part: x\0\xff" * 9])
def test_other_files_are_refused(content, tmp_path):
    (tmp_path / "b").write_bytes(content)
    with pytest.raises(BoardError, match=r"not a bitstream of floatsoc build"):
        read_bitstream(tmp_path / "b")


def test_a_file_that_is_missing_or_a_directory(tmp_path):
    with pytest.raises(BoardError, match="no such bitstream; floatsoc build makes one"):
        read_bitstream(tmp_path / "none")
    with pytest.raises(BoardError, match="cannot be read: Is a directory"):
        read_bitstream(tmp_path)
