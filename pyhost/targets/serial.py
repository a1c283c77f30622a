"""Packets over a serial port: words of a SoC's bus, read and written through soc/bridge.py, whatever the line does."""

from __future__ import annotations

import struct
import time
import zlib
from contextlib import suppress

import numpy as np
import serial  # type: ignore[import-untyped]
from serial.tools import list_ports  # type: ignore[import-untyped]

from pyhost.errors import TargetError

__all__ = ["SerialLink"]

# soc/bridge.py, where the protocol is written down.
_READ, _WRITE, _FILL = 1, 2, 3
_ALL = 0b1111
_FLAG, _ESCAPE = b"\x7e", b"\x7d"
_ESCAPED = {b"\x7d": b"\x7d\x5d", b"\x7e": b"\x7d\x5e"}

_TRIES = 9
_LATENCY = 0.1
"""Seconds that an answer may take beside those that its bytes take on the line: adapters for USB wait up to 16 ms."""
_LONGEST = 5.0
"""Seconds between two tries at most; they double from try to try."""
_SHORTEST_PACKET = 8
_REPEATED = 64
"""Words: a run of the same one that is so long is filled, not sent."""
_FILL_WORDS = 1 << 14
"""In a packet: below a millisecond's work for the bridge, so that a lost answer is missed soon."""


class SerialLink:
    """Memory accesses over the serial port `port`, at `baud` bits a second.

    Packets that are lost or garbled are repeated, up to nine times within some 20 s, and get shorter where that happens
    often. Raises TargetError: there is no such port, it cannot be opened, it vanishes, or nothing answers any more.
    """

    def __init__(self, port: str, baud: int) -> None:
        self.port = port
        self._baud = baud
        self._number = 0
        self._longest = self._packet = _SHORTEST_PACKET
        self._noise = 0  # bytes that are no answer, since the last answer
        self.repeated = 0  # packets, since the port was opened
        try:
            self._serial = serial.Serial(port, baud, timeout=0, write_timeout=_LONGEST, exclusive=True)
            self._serial.reset_input_buffer()
        except ValueError as error:
            raise TargetError(f"the port {port} cannot be set to {baud} baud: {error}") from None
        except (OSError, serial.SerialException) as error:
            raise TargetError(_why_not(port, error)) from None

    def open_up(self, words: int) -> None:
        """Allow packets of so many words, which the other end can take."""
        self._longest = self._packet = words

    def read(self, address: int, size: int, tries: int = _TRIES) -> bytes:
        """`size` bytes from `address` on, both multiples of 4."""
        return self._transfer(_READ, address, size // 4, tries=tries)

    def write(self, address: int, data: bytes, enables: int = _ALL) -> None:
        """Words to `address` and what follows, a multiple of 4; of each the bytes that are enabled."""
        words = np.frombuffer(data, "<u4")
        changes = np.flatnonzero(np.diff(words)) + 1
        begin = 0  # of what has not been sent
        for first, end in zip([0, *changes], [*changes, len(words)], strict=True):
            if end - first >= _REPEATED:
                self._transfer(_WRITE, address + 4 * begin, first - begin, data[4 * begin : 4 * first], enables)
                self.fill(address + 4 * first, end - first, data[4 * first : 4 * first + 4])
                begin = int(end)
        self._transfer(_WRITE, address + 4 * begin, len(words) - begin, data[4 * begin :], enables)

    def fill(self, address: int, count: int, word: bytes) -> None:
        """`count` times the same word from `address` on."""
        for first in range(0, count, _FILL_WORDS):
            self._transfer(_FILL, address + 4 * first, min(_FILL_WORDS, count - first), word)

    def close(self) -> None:
        """Let go of the port. Harmless a second time."""
        with suppress(OSError, serial.SerialException):
            self._serial.close()

    def _transfer(
        self,
        operation: int,
        address: int,
        words: int,
        data: bytes = b"",
        enables: int = _ALL,
        tries: int = _TRIES,
    ) -> bytes:
        """Packets until all `words` are done, and the data of their answers; a FILL is one packet."""
        answers = bytearray()
        done = failures = 0
        while done < words:
            count = words if operation == _FILL else min(self._packet, words - done)
            part = data if operation == _FILL else data[4 * done : 4 * (done + count)]
            try:
                answer = self._ask(operation, address + 4 * done, count, part, enables, 1 << failures)
            except serial.SerialTimeoutException:
                raise TargetError(f"the port {self.port} takes no data: is something at its other end?") from None
            except (OSError, serial.SerialException):
                raise TargetError(f"the port {self.port} vanished: check cable and power, then start again") from None
            if answer is not None:
                answers += answer
                done += count
                failures = 0
                self._packet = min(self._longest, self._packet + 4)
                continue
            failures += 1
            self.repeated += 1
            self._packet = max(_SHORTEST_PACKET, self._packet // 2)
            if failures == tries:
                raise TargetError(self._silence())
        return bytes(answers)

    def _ask(self, operation: int, address: int, count: int, data: bytes, enables: int, patience: int) -> bytes | None:
        """The data of the answer to one request, or None. patience: how many times the usual time to wait for it."""
        self._number = (self._number + 1) % 256
        head = struct.pack("<BBH", operation | enables << 4, self._number, count)
        frame = _frame(head + struct.pack("<I", address) + data)
        size = 4 * count if operation == _READ else 0
        usual = _LATENCY + 3 * (len(frame) + size + len(head)) * 10 / self._baud
        self._serial.write(frame)
        return self._answer(head, size, min(patience * usual, _LONGEST))

    def _silence(self) -> str:
        what = f"answers nothing but noise ({self._noise} bytes)" if self._noise else "does not answer"
        return (
            f"the port {self.port} {what}: is a board with a floatsoc bitstream behind it, and is its line's rate "
            f"{self._baud} baud?"
        )

    def _answer(self, head: bytes, size: int, patience: float) -> bytes | None:
        """The data that comes back after `head`; None if `patience` seconds pass without."""
        deadline = time.monotonic() + patience
        received = b""
        while (left := deadline - time.monotonic()) > 0:
            self._serial.timeout = left
            received += self._serial.read(max(1, self._serial.in_waiting))
            *frames, received = received.split(_FLAG)
            for content in map(_content, filter(None, frames)):
                if content is not None and content[:4] == head and len(content) == 4 + size:
                    self._noise = 0
                    return content[4:]
            self._noise += sum(map(len, frames))
        self._noise += len(received)
        return None


def _frame(content: bytes) -> bytes:
    """RFC 1662: `content` and its CRC between flags, with flags and escapes in it escaped."""
    content += zlib.crc32(content).to_bytes(4, "little")
    for byte in (_ESCAPE, _FLAG):
        content = content.replace(byte, _ESCAPED[byte])
    return _FLAG + content + _FLAG


def _content(frame: bytes) -> bytes | None:
    """What is in a frame between two flags; None if its CRC is wrong."""
    for byte in (_FLAG, _ESCAPE):
        frame = frame.replace(_ESCAPED[byte], byte)
    content, crc = frame[:-4], frame[-4:]
    return content if crc == zlib.crc32(content).to_bytes(4, "little") else None


def _why_not(port: str, error: Exception) -> str:
    """Why a port cannot be opened, in a line."""
    reason = str(error)
    if isinstance(error, FileNotFoundError) or getattr(error, "errno", None) == 2:
        ports = ", ".join(sorted(info.device for info in list_ports.comports()))
        return f"there is no port {port}; " + (f"there are {ports}" if ports else "there is no serial port at all")
    if getattr(error, "errno", None) == 13:
        return f"the port {port} may not be opened: join the group that owns it, most often dialout"
    if "lock" in reason:
        return f"the port {port} is in use by another program"
    return f"the port {port} cannot be opened: {reason}"
