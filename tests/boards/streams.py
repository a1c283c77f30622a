"""Bitstreams as packers write them, of random configuration bits."""

from pyhost.boards import BOARDS
from pyhost.boards.bitstream import sealed

__all__ = ["ecp5_stream", "ice40_stream", "write_bitstream"]


def ecp5_stream(rng, idcode, size=5000):
    """Header of ecppack, preamble, VERIFY_ID, something, ISC_PROGRAM_DONE: FPGA-TN-02039, table of commands."""
    header = b"\xff\x00Part: LFE5U-XXF-6CABGA381\0"
    begin = b"\xff\xff\xff\xbd\xb3\xff\xff\xff\xff\x3b\0\0\0\xe2\0\0\0" + idcode.to_bytes(4, "big")
    return header + begin + b"\xb8\x91" + rng.randbytes(size) + b"\x5e\0\0\0\xff\xff\xff\xff"


def ice40_stream(rng, size=5000):
    """Header of icepack, preamble, something."""
    return b"\xff\x00from next-pnr\0\0\xff" + b"\x7e\xaa\x99\x7e" + rng.randbytes(size)


def write_bitstream(path, name, rng, identifier=0x0123_4567_89AB_CDEF, idcode=None):
    """A sealed one for a board, and the path of its file."""
    board = BOARDS[name]
    ecp5 = board.device.family == "ecp5"
    stream = ecp5_stream(rng, idcode or board.device.idcode) if ecp5 else ice40_stream(rng)
    path.write_bytes(sealed(stream, board, identifier))
    return path
