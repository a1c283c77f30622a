"""Progress on standard error: what is being done, and for how long."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress as Display
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["Progress"]

_OFTEN, _SELDOM = 0.1, 5.0
"""Seconds between lines of a loop, on a terminal and in a log."""


class Progress:
    """Call it with what begins now: `progress("verilating the SoC")`.

    On a terminal it is one line with the time that this has taken, replaced by the next; elsewhere a line each, after
    the time since the start, so that a log shows where it went. Quiet, nothing. A context manager: leaving it
    takes the line away.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        live = console.is_terminal and not quiet
        self._display = Display(*columns, console=console, transient=True) if live else None
        self._quiet = quiet
        self._reached = ""
        self._start = self._last = time.monotonic()

    def __call__(self, what: str) -> None:
        self._last = time.monotonic()
        what = f"{self._reached}: {what}" if self._reached else what
        if self._display:
            for task in self._display.task_ids:
                self._display.remove_task(task)
            self._display.add_task(what, total=None)
        elif not self._quiet:
            print(f"[{self._last - self._start:6.1f} s] {what}", file=sys.stderr, flush=True)

    def reach(self, where: str) -> None:
        """Say how far a loop is: in front of every line from now on, and by itself if there was none for some time."""
        self._reached = ""
        if time.monotonic() - self._last > (_OFTEN if self._display else _SELDOM):
            self(where)
        self._reached = where

    def __enter__(self) -> Self:
        if self._display:
            self._display.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._display:
            self._display.stop()
