"""The serial bridge's packets and its line, written from its documentation alone: zlib and struct, no shared code."""

import struct
import zlib

import numpy as np

READ, WRITE, FILL = 1, 2, 3
CYCLES_PER_BIT = 4


def frame(content):
    """The bytes on the line for a frame: CRC appended, flags and escapes put in."""
    content += struct.pack("<I", zlib.crc32(content))
    return b"\x7e" + content.replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e") + b"\x7e"


def request(operation, number, address, count, data=b"", enables=15):
    return frame(struct.pack("<BBHI", operation | enables << 4, number, count, address) + data)


def unframe(line):
    """The contents of the frames on a line, without their CRCs, which have to be right."""
    contents = []
    for part in filter(None, line.split(b"\x7e")):
        content = part.replace(b"\x7d\x5e", b"\x7e").replace(b"\x7d\x5d", b"\x7d")
        assert struct.unpack("<I", content[-4:])[0] == zlib.crc32(content[:-4])
        contents.append(content[:-4])
    return contents


def waveform(line, idle):
    """Levels of an asynchronous line, 8 bits without parity, cycle by cycle; afterwards idle for so many cycles."""
    if not line:
        return np.ones(idle, np.uint8)
    bits = np.unpackbits(np.frombuffer(line, np.uint8), bitorder="little").reshape(-1, 8)
    framed = np.column_stack([np.zeros(len(bits), np.uint8), bits, np.ones(len(bits), np.uint8)])
    return np.concatenate([np.repeat(framed.reshape(-1), CYCLES_PER_BIT), np.ones(idle, np.uint8)])


def heard(levels):
    """Bytes on an asynchronous line, sampled in the middle of their bits."""
    line, i, levels = bytearray(), 0, np.asarray(levels)
    while (starts := np.flatnonzero(levels[i:] == 0)).size:
        i += int(starts[0])
        bits = levels[i + CYCLES_PER_BIT // 2 :: CYCLES_PER_BIT][:10]
        assert len(bits) == 10 and bits[0] == 0 and bits[9] == 1, "no start or stop bit"
        line.append(int(np.packbits(bits[1:9].astype(np.uint8), bitorder="little")[0]))
        i += 10 * CYCLES_PER_BIT - 1
    return bytes(line)
