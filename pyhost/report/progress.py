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
        self._last = self._start
        self._status: Status | None = None
        if console.is_terminal and not quiet:
            self._status = Status("", console=console)

    @property
    def due(self) -> bool:
        """Whether the last line is old enough for another that only counts: for loops, lest they flood a log."""
        return time.monotonic() - self._last > (0.1 if self._status else 5.0)

    def __call__(self, what: str) -> None:
        self._last = time.monotonic()
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
