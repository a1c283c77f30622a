"""A board: the SoC in an FPGA, behind a serial line."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from pyhost.errors import TargetError
from pyhost.targets.base import Promise, Target
from pyhost.targets.elf import ElfImage
from pyhost.targets.serial import SerialLink

__all__ = ["BAUD", "FpgaTarget", "SocIdentity"]

BAUD = 115_200

# soc/host.py, where the words of the host's page are written down.
_PAGE = 0xE000_0000
_HELLO = struct.Struct("<4sHHQIIII")
"""Magic, words that a packet carries, version, identifier, main RAM's address and size, clock, size of the console."""
_MAGIC, _VERSION = b"fSoC", 1
_HOLD, _STATE, _TAKEN, _TEXT = _PAGE + 4 * 8, _PAGE + 4 * 9, _PAGE + 4 * 14, _PAGE + 4 * 64
_STATE_WORDS = struct.Struct("<5I")  # flags, cycles: high, low, high; characters printed
_BUSY, _BUS_ERROR = 1, 2

_HELLO_TRIES = 4
_REST = 60.0
"""Seconds that the accelerator may take for the jobs of a program that was stopped."""
_PAUSE = 0.005
"""Seconds between two looks at a program that runs."""
_TRANSFER = 1 << 14
"""Bytes between two words of progress."""
_RING = 256
"""Characters that the console holds."""


@dataclass(frozen=True)
class SocIdentity:
    """What a SoC says of itself. memory: address and bytes of main RAM; clock_frequency: Hz."""

    identifier: int
    memory: tuple[int, int]
    clock_frequency: int

    def __str__(self) -> str:
        kib, mhz = self.memory[1] >> 10, self.clock_frequency / 1e6
        return f"{self.identifier:016x}, with {kib} KiB of main RAM, at {mhz:g} MHz"


class FpgaTarget(Target):
    """The SoC of a board at the serial port `port`, or of a `SerialSimulation`.

    identifier: `pyhost.cosim.build.identifier` of the hardware that is wanted; another one is a TargetError, and
    nothing has been touched then. progress: told about transfers that take more than a second.

    It runs in real time: cycles go by while the host is busy. The CPU is held in reset from `load` to the first
    `advance` or `run`, and after `close`.
    """

    name: ClassVar[str] = "fpga"
    promise: ClassVar[Promise] = Promise.REAL_TIME

    def __init__(
        self,
        port: str,
        *,
        baud: int = BAUD,
        identifier: int,
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._progress = progress
        self._link: SerialLink | None = None
        link = SerialLink(port, baud)
        try:
            self.identity = _hello(link)
            if self.identity.identifier != identifier:
                raise TargetError(
                    f"the SoC at {port} is not the job's, {identifier:016x}: it is {self.identity}; make the job's "
                    "with floatsoc build --board BOARD [JOB.toml] and load it with floatsoc flash --board BOARD"
                )
        except BaseException:
            link.close()
            raise
        self._link = link
        self._held = False
        self._repeated = 0
        self._text: list[str] = []
        self._taken = 0
        self._bus_error = False

    def load(self, image: ElfImage) -> None:
        base, size = self.identity.memory
        if image.entry != base:
            raise TargetError(f"{image.path} starts at {image.entry:#010x}, but the CPU at {base:#010x}")
        for segment in image.segments:
            self._check(segment.address, segment.size)
        self._hold()
        self._rest()
        self._open.fill(base, size // 4, bytes(4))
        for segment in image.segments:
            self.write(segment.address, segment.data)
        self._text.clear()
        self._taken = 0
        self._bus_error = False
        self.image = image

    def write(self, address: int, data: bytes) -> None:
        self._check(address, len(data))
        head = min(-address % 4, len(data))
        tail = (len(data) - head) % 4
        body = data[head : len(data) - tail]
        self._write_part(address, data[:head])
        tell = _Teller(self._progress, "sending", len(body))
        for start in range(0, len(body), _TRANSFER):
            tell(start)
            self._open.write(address + head + start, body[start : start + _TRANSFER])
        self._write_part(address + head + len(body), data[len(data) - tail :])

    def read(self, address: int, size: int) -> bytes:
        self._check(address, size)
        first, last = address // 4 * 4, -(-(address + size) // 4) * 4
        tell = _Teller(self._progress, "fetching", size)
        words = bytearray()
        while first + len(words) < last:
            tell(len(words))
            words += self._open.read(first + len(words), min(_TRANSFER, last - first - len(words)))
        return bytes(words[address - first : address - first + size])

    def advance(self) -> None:
        if self._held:
            self._open.write(_HOLD, bytes(4))
            self._held = False
        time.sleep(_PAUSE)

    def close(self) -> None:
        if self._link is not None:
            with suppress(TargetError):
                self._hold()
            self._repeated = self._link.repeated
            self._link.close()
            self._link = None

    @property
    def repeated(self) -> int:
        """Packets that had to be sent again, since the port was opened."""
        return self._link.repeated if self._link else self._repeated

    @property
    def cycles(self) -> int:
        flags, high, low, high_after, printed = self._look()
        self._bus_error = bool(flags & _BUS_ERROR)
        self._fetch_text(printed)
        return (high_after if low < 1 << 31 else high) << 32 | low

    @property
    def program_counter(self) -> None:
        return None

    @property
    def bus_error(self) -> bool:
        return self._bus_error

    @property
    def console(self) -> str:
        self._fetch_text(self._look()[4])
        return "".join(self._text)

    @property
    def _open(self) -> SerialLink:
        if self._link is None:
            raise TargetError("the fpga target is closed")
        return self._link

    def _look(self) -> tuple[int, int, int, int, int]:
        """Flags, cycles (high, low and again high word), characters printed."""
        flags, high, low, high_after, printed = _STATE_WORDS.unpack(self._open.read(_STATE, _STATE_WORDS.size))
        return flags, high, low, high_after, printed

    def _hold(self) -> None:
        self._open.write(_HOLD, (1).to_bytes(4, "little"))
        self._held = True

    def _rest(self) -> None:
        """Wait until the accelerator has done what a program before has left."""
        deadline = time.monotonic() + _REST
        while self._look()[0] & _BUSY:
            if time.monotonic() >= deadline:
                raise TargetError(
                    f"the accelerator at {self._open.port} is still at work after {_REST:g} seconds: "
                    "load the bitstream again with floatsoc flash"
                )
            time.sleep(_PAUSE)

    def _fetch_text(self, printed: int) -> None:
        """Take what has been printed out of the ring: characters `self._taken` to `printed`, modulo 65536."""
        count = (printed - self._taken) % (1 << 16)
        if count:
            ring = self._open.read(_TEXT, _RING)
            self._text.append(bytes(ring[(self._taken + i) % _RING] for i in range(count)).decode("latin-1"))
            self._taken = printed
            self._open.write(_TAKEN, printed.to_bytes(4, "little"))

    def _write_part(self, address: int, part: bytes) -> None:
        """Bytes of one word."""
        if part:
            offset = address % 4
            word = (bytes(offset) + part).ljust(4, b"\0")
            self._open.write(address - offset, word, enables=((1 << len(part)) - 1) << offset)

    def _check(self, address: int, size: int) -> None:
        base, memory = self.identity.memory
        if address < base or size < 0 or address + size > base + memory:
            end = base + memory
            raise TargetError(f"{size} bytes at {address:#010x} are not within main RAM, {base:#x} to {end:#x}")


class _Teller:
    """Tells `progress` how far a transfer of `total` bytes is, once a second."""

    def __init__(self, progress: Callable[[str], None], what: str, total: int) -> None:
        self._progress = progress
        self._what = what
        self._total = total
        self._last = time.monotonic()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._last > 1:
            self._last = now
            self._progress(f"{self._what}, {done >> 10} of {self._total >> 10} KiB")


def _hello(link: SerialLink) -> SocIdentity:
    """What is at the other end; afterwards packets are as long as it can take."""
    magic, words, version, identifier, base, size, clock, ring = _HELLO.unpack(
        link.read(_PAGE, _HELLO.size, tries=_HELLO_TRIES)
    )
    if magic != _MAGIC:
        raise TargetError(f"what answers at {link.port} is no SoC of floatsoc: load one with floatsoc flash")
    if version != _VERSION or ring != _RING:
        raise TargetError(
            f"the SoC at {link.port} speaks version {version} of the protocol, this floatsoc version {_VERSION}: "
            "build and load its bitstream again"
        )
    link.open_up(words)
    return SocIdentity(identifier, (base, size), clock)
