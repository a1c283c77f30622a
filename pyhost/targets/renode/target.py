"""The SoC in Renode: exact bits, instructions instead of cycles."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from pyhost.errors import TargetError
from pyhost.targets.base import Promise, Target
from pyhost.targets.elf import ElfImage
from pyhost.targets.renode.monitor import Monitor, Renode
from pyhost.targets.renode.platform import platform, script

__all__ = ["RenodeTarget"]

_SLICE = "0.01"
"""Seconds of Renode's time in an `advance`: a million instructions, some 10 ms."""
_NOWHERE = re.compile(r"(to|from) non existing peripheral")
_STOPPED = "CPU abort"


class RenodeTarget(Target):
    """A machine in a Renode of its own.

    soc: the directory in which the hardware is described, as `pyhost.cosim.build.generate_soc` makes it. model: the
    accelerator's library (`build_model`), None without an accelerator. memory: address and bytes of main RAM.
    """

    name: ClassVar[str] = "renode"
    promise: ClassVar[Promise] = Promise.FUNCTIONAL

    def __init__(self, renode: Renode, soc: Path, model: Path | None, memory: tuple[int, int]) -> None:
        self.renode = renode
        self._memory = memory
        self._loads = 0
        self._transfers = 0
        self._log_start = 0
        self._instructions = 0
        self._program_counter: int | None = None
        self._seen: dict[tuple[int, int], bytes] = {}
        self._monitor: Monitor | None = None
        self._scratch = TemporaryDirectory(prefix="floatsoc-renode-")
        self._directory = Path(self._scratch.name)
        self._log = self._directory / "log"
        try:
            self._platform = self._directory / "floatsoc.repl"
            self._platform.write_text(platform(soc, model, renode.version, self._directory))
            self._monitor = Monitor(renode, self._directory)
            self._do(f"logFile @{self._log} true")
        except BaseException:
            self.close()
            raise

    def load(self, image: ElfImage) -> None:
        base, size = self._memory
        if image.entry != base:
            raise TargetError(f"{image.path} starts at {image.entry:#010x}, but the CPU at {base:#010x}")
        memory = bytearray(size)
        for segment in image.segments:
            start = self._offset(segment.address, segment.size)
            memory[start : start + len(segment.data)] = segment.data
        if self._loads:
            self._do("Clear")
        self._loads += 1
        self._log_start = len(self._log_text())
        start_script = self._directory / f"floatsoc-{self._loads}.resc"
        start_script.write_text(script(self._platform, self._console_file, image.entry))
        self._do(f"include @{start_script}")
        self._instructions, self._program_counter = 0, image.entry
        self.write(base, bytes(memory))
        self.image = image

    def write(self, address: int, data: bytes) -> None:
        self._offset(address, len(data))
        self._seen.clear()
        if data:
            file = self._transfer()
            file.write_bytes(data)
            self._do(f"sysbus LoadBinary @{file} {address:#x}")
            file.unlink()

    def read(self, address: int, size: int) -> bytes:
        self._offset(address, size)
        if size and (address, size) not in self._seen:
            file = self._transfer()
            self._do(f"dump_file {address} {size} @{file}")
            data = file.read_bytes() if file.exists() else b""
            file.unlink(missing_ok=True)
            if len(data) != size:
                raise TargetError(f"Renode gave {len(data)} of {size} bytes at {address:#010x}{self._last_words()}")
            self._seen[address, size] = data
        return self._seen.get((address, size), b"")

    def advance(self) -> None:
        self._seen.clear()
        self._do(f'emulation RunFor "{_SLICE}"')
        before, self._instructions = self._instructions, self._number("sysbus.cpu0 ExecutedInstructions")
        self._program_counter = self._number("sysbus.cpu0 PC")
        if self._instructions == before:
            raise TargetError(f"the renode target stands still at {self._program_counter:#010x}{self._last_words()}")

    def close(self) -> None:
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None
        self._scratch.cleanup()

    @property
    def cycles(self) -> int:
        _ = self._open
        return self._instructions

    @property
    def program_counter(self) -> int | None:
        return self._program_counter

    @property
    def bus_error(self) -> bool:
        return _NOWHERE.search(self._log_text()[self._log_start :]) is not None

    @property
    def console(self) -> str:
        file = self._console_file
        return file.read_bytes().decode("latin-1") if file.exists() else ""

    @property
    def _console_file(self) -> Path:
        return self._directory / f"console-{self._loads}"

    def _offset(self, address: int, size: int) -> int:
        """Bytes from the beginning of main RAM."""
        base, limit = self._memory
        if size < 0 or not 0 <= address - base <= limit - size:
            raise TargetError(
                f"{size} bytes at {address:#010x} are not within main RAM, {base:#x} to {base + limit:#x}"
            )
        return address - base

    def _transfer(self) -> Path:
        self._transfers += 1
        return self._directory / f"transfer-{self._transfers}"

    @property
    def _open(self) -> Monitor:
        if self._monitor is None:
            raise TargetError("the renode target is closed")
        return self._monitor

    def _do(self, command: str) -> str:
        try:
            return self._open.command(command)
        except TargetError as error:
            raise TargetError(f"{error}{self._last_words()}") from error

    def _number(self, command: str) -> int:
        answer = self._do(command)
        match = re.search(r"0x[0-9A-Fa-f]+", answer)
        if match is None:
            raise TargetError(f"Renode answers {command!r} with {answer.strip()!r}, which is no number")
        return int(match[0], 16)

    def _log_text(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _last_words(self) -> str:
        """The last error in Renode's log, to be appended to a message."""
        lines = [
            line for line in self._log_text()[self._log_start :].splitlines() if "[ERROR]" in line or _STOPPED in line
        ]
        return f"; log: {lines[-1].strip()[:200]}" if lines else ""
