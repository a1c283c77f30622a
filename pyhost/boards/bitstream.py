"""Bitstreams that say what board they are for, what SoC they hold, and whether they are whole.

ECP5's .bit and iCE40's .bin both begin with FF 00, comments that each end in a zero, and FF, which is the first byte of
what is configured. Three comments are added there; the hardware skips all of them.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from pyhost.boards.catalogue import Board, BoardError

__all__ = ["Bitstream", "read_bitstream", "sealed"]

_BEGIN, _END = b"\xff\x00", b"\xff"
_SEAL = re.compile(
    rb"floatsoc board: (?P<board>[a-z0-9]+)\0"
    rb"floatsoc SoC: (?P<identifier>[0-9a-f]{16})\0"
    rb"floatsoc payload: (?P<size>[0-9]+) bytes, CRC-32 (?P<crc>[0-9a-f]{8})\0"
)


@dataclass(frozen=True)
class Bitstream:
    """A whole bitstream. board: its name; identifier: of the SoC; payload: all bytes behind the comments."""

    path: Path
    board: str
    identifier: int
    payload: bytes


def sealed(bitstream: bytes, board: Board, identifier: int) -> bytes:
    """What a packer wrote, with comments that name the board, the SoC, and length and CRC-32 of the payload."""
    end = bitstream.find(_END, len(_BEGIN))
    if not bitstream.startswith(_BEGIN) or end < 0:
        raise BoardError("the packer's bitstream does not begin with FF 00 and comments")
    comments, payload = bitstream[len(_BEGIN) : end].rstrip(b"\0"), bitstream[end:]
    seal = (
        f"floatsoc board: {board.name}\0floatsoc SoC: {identifier:016x}\0"
        f"floatsoc payload: {len(payload)} bytes, CRC-32 {zlib.crc32(payload):08x}\0"
    )
    return _BEGIN + (comments + b"\0" if comments else b"") + seal.encode() + payload


def read_bitstream(path: Path) -> Bitstream:
    """The bitstream in a file. Raises BoardError for a file that is none, was cut short or has changed bits."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BoardError(f"{path}: no such bitstream; floatsoc build makes one") from None
    except OSError as error:
        raise BoardError(f"{path}: cannot be read: {error.strerror}") from None
    end = content.find(_END, len(_BEGIN))
    header = content if end < 0 else content[:end]
    match = _SEAL.search(header)
    if not content.startswith(_BEGIN) or not match:
        raise BoardError(f"{path}: not a bitstream of floatsoc build, or cut short within its first bytes")
    payload, size = content[len(header) :], int(match["size"])
    if len(payload) < size:
        raise BoardError(f"{path}: cut short: {len(payload):,} of {size:,} bytes of configuration; build it again")
    if len(payload) > size or zlib.crc32(payload) != int(match["crc"], 16):
        raise BoardError(f"{path}: damaged: its CRC-32 is not the one that it names; build it again")
    return Bitstream(path, match["board"].decode(), int(match["identifier"], 16), payload)
