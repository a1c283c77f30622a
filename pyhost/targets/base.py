"""What a target is: something that loads a program, runs it, and lets the host at its memory."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import ClassVar, Self

from pyhost.errors import TargetError
from pyhost.targets.diagnosis import console_tail, fault, position
from pyhost.targets.elf import ElfImage
from pyhost.targets.recording import Recorder

__all__ = ["Limit", "Promise", "Target"]


class Promise(Enum):
    """What a target's results and counts mean; its results are bit-exact in every case."""

    CYCLE_ACCURATE = "cycle-accurate"
    FUNCTIONAL = "functional"  # counts are instructions, not cycles
    REAL_TIME = "real time"


@dataclass(frozen=True)
class Limit:
    """When a run counts as hung: after so many cycles of the SoC, or seconds of the host's clock."""

    cycles: float = math.inf
    seconds: float = math.inf


class Target(ABC):
    """A SoC that can be loaded and run, however it exists. A context manager: leaving it closes it.

    The order is `load`, then any number of `write`, `read` and `run`; `load` again starts afresh, with
    main RAM zero. Addresses are the SoC's; an access outside main RAM is a TargetError. What the host
    writes while the program is under way reaches the CPU once the firmware flushes its data cache.
    """

    name: ClassVar[str]
    promise: ClassVar[Promise]
    image: ElfImage | None = None

    @abstractmethod
    def load(self, image: ElfImage) -> None:
        """Zero main RAM, place the program, reset the SoC and remember `image`; not a cycle has passed."""

    @abstractmethod
    def write(self, address: int, data: bytes) -> None:
        """Store bytes in main RAM."""

    @abstractmethod
    def read(self, address: int, size: int) -> bytes:
        """Bytes of main RAM."""

    @abstractmethod
    def advance(self) -> None:
        """Run for a short while (milliseconds), so that whoever waits can look at memory or be interrupted."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; nothing but `close` works afterwards. Harmless a second time."""

    @property
    @abstractmethod
    def cycles(self) -> int:
        """Cycles since `load` (instructions, where the promise is only functional)."""

    @property
    @abstractmethod
    def program_counter(self) -> int | None:
        """Of an instruction just executed; None where it cannot be seen."""

    @property
    def bus_error(self) -> bool:
        """Whether a load or store has gone where nothing is, as far as the target can tell."""
        return False

    @property
    @abstractmethod
    def console(self) -> str:
        """All that the program has printed since `load`."""

    @property
    def recorder(self) -> Recorder | None:
        """What records a run cycle by cycle; None where cycles cannot be seen."""
        return None

    def run(self, until: Callable[[], bool], limit: Limit) -> None:
        """Run until `until()` is true; it is asked before the first cycle and then every few milliseconds.

        Raises TargetError if the firmware reports a trap or a kernel that it cannot run, if it uses an address
        where nothing is, or if `limit` is reached first; the message says where the program was, in which
        kernel, and what it printed last.
        """
        last_cycle = self.cycles + limit.cycles
        deadline = time.monotonic() + limit.seconds
        while not until():
            if (what := fault(self)) is not None:
                raise TargetError(f"the {self.name} target stopped: {what}{console_tail(self)}")
            if self.cycles >= last_cycle or time.monotonic() >= deadline:
                spent = f"{limit.cycles:,.0f} cycles" if self.cycles >= last_cycle else f"{limit.seconds:g} seconds"
                raise TargetError(
                    f"the {self.name} target did not finish within {spent}: at {position(self)}{console_tail(self)}"
                )
            self.advance()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
