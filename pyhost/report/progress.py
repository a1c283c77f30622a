"""Progress on standard error: what is being done, and for how long."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status

__all__ = ["Progress"]


class Progress:
    """Call it with what begins now: `progress("verilating the SoC")`.

    On a terminal one line with a spinner, replaced by the next; elsewhere a line each, so that a log shows where
    the time went. Quiet, nothing. A context manager: leaving it takes the spinner away.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._start = time.monotonic()
        self._status: Status | None = None
        if console.is_terminal and not quiet:
            self._status = Status("", console=console)

    def __call__(self, what: str) -> None:
        if self._status:
            self._status.update(what)
            self._status.start()
        elif not self._quiet:
            print(f"[{time.monotonic() - self._start:6.1f} s] {what}", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()
