"""Renode's monitor on its standard input and output.

No port is opened, on which others could give orders, and the end of its input ends Renode.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pyhost.cosim.tools import run_tool
from pyhost.errors import BuildError, TargetError

__all__ = ["OLDEST", "Monitor", "Renode", "find_renode"]

OLDEST = (1, 15)
_INSTALL = "install Renode {}.{} or newer from https://renode.io, on PATH or named by FLOATSOC_RENODE".format(*OLDEST)

_OPTIONS = ("--console", "--plain", "--hide-log", "--hide-analyzers", "--disable-xwt")
_START_SECONDS = 120.0
_COMMAND_SECONDS = 120.0
_LONGEST_MESSAGE = 300
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\r")


@dataclass(frozen=True)
class Renode:
    """An installed Renode."""

    command: Path
    version: tuple[int, ...]

    def __str__(self) -> str:
        return ".".join(map(str, self.version))


def find_renode() -> Renode:
    """$FLOATSOC_RENODE, or `renode` on PATH. TargetError where there is none, or one of an unsupported version."""
    wanted = os.environ.get("FLOATSOC_RENODE") or "renode"
    command = shutil.which(wanted)
    if command is None:
        raise TargetError(f"{wanted} is missing: {_INSTALL}")
    try:
        output = run_tool([command, "--version"], cwd=Path.cwd(), timeout=60, purpose="asking Renode for its version")
    except BuildError as error:
        raise TargetError(f"{error}; {_INSTALL}") from error
    match = re.search(r"\bv?(\d+)\.(\d+)(?:\.(\d+))?", output)
    if "renode" not in output.lower() or match is None:
        raise TargetError(f"{command} is no Renode; {_INSTALL}")
    version = tuple(int(part) for part in match.groups() if part)
    if version < OLDEST:
        raise TargetError(f"{command} is Renode {'.'.join(map(str, version))}, too old: {_INSTALL}")
    return Renode(Path(command), version)


class Monitor:
    """A running Renode that obeys commands. What it writes for itself, settings included, goes to `directory`.

    Whatever ends it is a TargetError with what it said last, and so is every later command. The process group is gone
    then, and after `close`.
    """

    def __init__(self, renode: Renode, directory: Path) -> None:
        self._numbered = 0
        self._output = b""
        self._failure = "Renode is closed"
        private = {name: str(directory) for name in ("TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
        try:
            self._process = subprocess.Popen(
                [str(renode.command), *_OPTIONS],
                cwd=directory,
                env={**os.environ, "TERM": "dumb", **private},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise TargetError(f"{renode.command} does not start: {error}; {_INSTALL}") from error
        try:
            self.command('echo "floatsoc"', seconds=_START_SECONDS)
        except BaseException:
            self.close()
            raise

    def command(self, line: str, *, seconds: float | None = None) -> str:
        """Do what `line` says and return what that printed."""
        if self._process.returncode is not None:
            raise TargetError(self._failure)
        self._numbered += 1
        begin, done, end = (f"{word}-{self._numbered}" for word in ("begin", "done", "end"))
        # What fails ends its line: then "done" is not said, but "end" is.
        try:
            self._send(f'echo "{begin}"; {line}; echo "{done}"\necho "{end}"\n'.encode())
            output = self._until(end, time.monotonic() + (seconds or _COMMAND_SECONDS), line)
        except TargetError as error:  # an interrupt is none: what it cuts off, the next command waits for
            self._failure = str(error)
            self.close()
            raise
        said = _after(output, begin)
        reply = _before(said, done)
        if reply is None:
            reply = re.sub(rf'(?m)^.*echo "{end}".*$', "", said)
            raise TargetError(f"Renode cannot do {line!r}: {_one_line(reply)}")
        return reply

    def close(self) -> None:
        """Kill Renode and what it started. Harmless a second time."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            self._drain()
            raise TargetError(self._ended()) from None

    def _until(self, word: str, deadline: float, line: str) -> str:
        """All output up to a line that is `word`."""
        last = re.compile(rf"^{word}[ \t]*$".encode(), re.MULTILINE)
        while not last.search(text := _CONTROL.sub(b"", self._output)):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TargetError(
                    f"Renode does not answer {line!r}; it said: {_one_line(text.decode(errors='replace'))}"
                )
            if not self._receive(left):
                raise TargetError(self._ended())
        self._output = b""
        return text.decode(errors="replace")

    def _receive(self, seconds: float) -> bool:
        """Wait for output; False once there will be none."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        if not ready:
            return True
        data = os.read(self._process.stdout.fileno(), 1 << 16)
        self._output += data
        return bool(data)

    def _drain(self) -> None:
        with suppress(ValueError):
            while self._receive(1.0) and self._process.poll() is None:
                pass

    def _ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        status = self._process.returncode
        text = _CONTROL.sub(b"", self._output).decode(errors="replace")
        how = "" if not status else f" with {signal.Signals(-status).name if status < 0 else f'status {status}'}"
        return f"Renode ended{how}; it said: {_one_line(text)}"


def _after(text: str, word: str) -> str:
    parts = re.split(rf"(?m)^{word}[ \t]*\n", text, maxsplit=1)
    return parts[-1]


def _before(text: str, word: str) -> str | None:
    match = re.search(rf"(?m)^{word}[ \t]*$", text)
    return None if match is None else text[: match.start()]


def _one_line(text: str) -> str:
    """What matters of it: from where an error begins, else its end."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    error = next((i for i, line in enumerate(lines) if re.search(r"error|exception|fatal", line, re.IGNORECASE)), None)
    if error is not None:
        return "; ".join(lines[error : error + 4])[:_LONGEST_MESSAGE]
    return "; ".join(lines)[-_LONGEST_MESSAGE:] or "nothing"
