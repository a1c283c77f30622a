"""External tools: the one place that starts a process, limits its time and keeps what it said."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from pyhost.errors import BuildError

__all__ = ["ToolFailed", "run_tool"]

_INSTALL = {
    "g++": "a C++ compiler: apt install g++",
    "c++": "a C++ compiler: apt install g++",
    "make": "make: apt install make",
    "perl": "perl: apt install perl",
    "riscv64-unknown-elf-gcc": "the RISC-V GCC (apt install gcc-riscv64-unknown-elf), or use --toolchain zig",
    "riscv64-unknown-elf-objcopy": "apt install binutils-riscv64-unknown-elf",
}


class ToolFailed(BuildError):
    """A tool ended with an error; `output` is all it printed, the message only the line that matters."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output


def run_tool(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    timeout: float,
    purpose: str,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run `argv` in `cwd` and return what it printed (standard output and error, as they came).

    The tool gets a process group of its own; the whole group is killed when `timeout` seconds
    have passed and on Ctrl-C, so that no child of a child survives. `environment` is added to
    this process's. `purpose` says, for the error message, what was being done ("compiling the firmware").

    Raises BuildError if the tool is missing (saying what to install) or runs out of time, and
    ToolFailed if it ends with a status other than 0.
    """
    # A compiler that is killed leaves its temporary files behind: they get a directory that is deleted.
    with TemporaryDirectory(prefix="floatsoc-", ignore_cleanup_errors=True) as temporary:
        variables = {**os.environ, "TMPDIR": temporary, **(environment or {})}
        return _run([str(argument) for argument in argv], cwd, timeout, purpose, variables)


def _run(command: list[str], cwd: Path, timeout: float, purpose: str, environment: Mapping[str, str]) -> str:
    name = Path(command[0]).name
    try:
        with _signals_held() as held:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
    except (FileNotFoundError, PermissionError) as error:
        raise BuildError(f"{purpose}: {name} is missing; install {_INSTALL.get(name, name)}") from error
    try:
        for number in held:
            signal.raise_signal(number)
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        output = _kill(process)
        raise ToolFailed(f"{purpose}: {name} was stopped after {timeout:g} seconds without an end", output) from None
    except BaseException:
        _kill(process)
        raise
    if process.returncode != 0:
        raise ToolFailed(f"{purpose}: {name} failed ({_status(process.returncode)}): {_essence(output)}", output)
    return output


@contextmanager
def _signals_held() -> Iterator[list[int]]:
    """Note the signals that arrive meanwhile instead of handling them.

    A process that is being started cannot be killed yet by whoever an interrupt makes leave.
    """
    held: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # only the main thread has handlers
        yield held
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number in handlers:
        signal.signal(number, lambda number, frame: held.append(number))
    try:
        yield held
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _kill(process: subprocess.Popen[str]) -> str:
    """Kill the process group and return what was still in the pipe."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    output, _ = process.communicate()
    return output


def _status(returncode: int) -> str:
    return f"status {returncode}" if returncode > 0 else signal.Signals(-returncode).name


def _essence(output: str) -> str:
    """The first line that calls itself an error, otherwise the first warning, otherwise the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for pattern in (r"\berror\b(?!: Exiting due to)", r"\bwarning\b"):  # Verilator's last word is no reason
        for line in lines:
            if re.search(pattern, line, re.IGNORECASE):
                return line
    return lines[-1] if lines else "no output"
