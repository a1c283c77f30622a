"""A board without a board: the FPGA's SoC, simulated, with its serial line on a pseudo-terminal.

`python -m pyhost.targets.serial_simulation [JOB.toml]` builds the SoC of a job, prints the port's name and serves it
until it is interrupted; `floatsoc run --target fpga --port sim` does both ends.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import pty
import random
import select
import signal
import sys
import threading
import tty
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pyhost.errors import FloatsocError, TargetError
from pyhost.targets.fpga import FpgaTarget

__all__ = ["Noise", "SerialSimulation", "SimulatedBoardTarget"]

_STEP = 20_000
"""Cycles between two looks at the line: some 10 ms."""
_BUFFER = 4096
_LOOK = 0.2
"""Seconds between two looks at whether to end, while the board sleeps."""

# The C ABI of soc/serial_simulation.cpp: result, arguments after the instance.
_FUNCTIONS: dict[str, tuple[type | None, list[type]]] = {
    "board_destroy": (None, []),
    "board_send": (None, [ctypes.c_char_p, ctypes.c_uint64]),
    "board_step": (None, [ctypes.c_uint64]),
    "board_asleep": (ctypes.c_bool, []),
    "board_receive": (ctypes.c_uint64, [ctypes.c_char_p, ctypes.c_uint64]),
}


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What a bad line does to each byte, in both directions: lose it, or change some of its bits; probabilities."""

    lose: float = 0.0
    corrupt: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("lose", "corrupt"):
            if not 0 <= getattr(self, name) <= 1:
                raise TargetError(f"{name} {getattr(self, name)} is not a probability from 0 to 1")


class SerialSimulation:
    """A simulated board just powered up, behind `port`, the name of a pseudo-terminal. A context manager.

    library: libboard.so, as `pyhost.cosim.build.build_board_simulation` makes it. cycles_per_bit: of its line,
    whatever baud rate the host sets. The board runs in a thread, outside Python's lock, as fast as it can; it sleeps
    while its CPU is held in reset and nothing is asked.
    """

    def __init__(self, library: Path, *, cycles_per_bit: int = 4, noise: Noise | None = None) -> None:
        self._library = _open(library)
        self._noise = noise or Noise()
        self._random = random.Random(self._noise.seed)
        self._ended = threading.Event()
        self._board = self._library.board_create(cycles_per_bit)
        self._master, self._slave = pty.openpty()  # with one end open here, the host may come and go
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        self._thread = threading.Thread(target=self._serve, name="board", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Pull the plug. Harmless a second time."""
        if not self._ended.is_set():
            self._ended.set()
            self._thread.join()
            self._library.board_destroy(self._board)
            os.close(self._master)
            os.close(self._slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        buffer = ctypes.create_string_buffer(_BUFFER)
        asleep = True
        while not self._ended.is_set():
            ready, _, _ = select.select([self._master], [], [], _LOOK if asleep else 0)
            if ready:
                sent = self._spoilt(os.read(self._master, _BUFFER))
                self._library.board_send(self._board, sent, len(sent))
            self._library.board_step(self._board, _STEP)
            asleep = self._library.board_asleep(self._board)
            if count := self._library.board_receive(self._board, buffer, _BUFFER):
                with suppress(BlockingIOError):  # of what nobody reads, a line keeps nothing
                    os.write(self._master, self._spoilt(buffer.raw[:count]))

    def _spoilt(self, data: bytes) -> bytes:
        """What of `data` gets to the other end."""
        noise = self._noise
        if not noise.lose and not noise.corrupt:
            return data
        kept = (byte for byte in data if self._random.random() >= noise.lose)
        return bytes(b ^ self._random.randrange(1, 256) if self._random.random() < noise.corrupt else b for b in kept)


class SimulatedBoardTarget(FpgaTarget):
    """A `SerialSimulation` and the target at its port, which end together."""

    def __init__(
        self,
        library: Path,
        *,
        identifier: int,
        noise: Noise | None = None,
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.board = SerialSimulation(library, noise=noise)
        try:
            super().__init__(self.board.port, identifier=identifier, progress=progress)
        except BaseException:
            self.board.close()
            raise

    def close(self) -> None:
        super().close()
        self.board.close()


def _open(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise TargetError(f"the simulation {path} cannot be loaded: {error}") from error
    library.board_create.restype, library.board_create.argtypes = ctypes.c_void_p, [ctypes.c_uint32]
    for name, (result, arguments) in _FUNCTIONS.items():
        function = library[name]
        function.restype, function.argtypes = result, [ctypes.c_void_p, *arguments]
        setattr(library, name, function)
    return library


def main() -> None:
    """Serve the simulated board of a job until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m pyhost.targets.serial_simulation",
        description="Simulate a board with a job's SoC, its serial line on a pseudo-terminal.",
    )
    parser.add_argument("job", nargs="?", metavar="JOB.toml", help="whose SoC it has; without it the default job's")
    parser.add_argument("--lose", type=float, default=0.0, metavar="P", help="probability that a byte gets lost")
    parser.add_argument("--corrupt", type=float, default=0.0, metavar="P", help="probability that a byte is changed")
    parser.add_argument("--seed", type=int, default=1, help="of what happens to bytes")
    arguments = parser.parse_args()

    from pyhost.cosim.build import build_board_simulation, identifier, with_line
    from pyhost.cosim.hardware import hardware_of
    from pyhost.job import load_job

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    try:
        noise = Noise(lose=arguments.lose, corrupt=arguments.corrupt, seed=arguments.seed)
        hardware = hardware_of(load_job(arguments.job))
        board = with_line(hardware, identifier(hardware))
        artefacts = build_board_simulation(board, lambda message: print(message, file=sys.stderr))
        with SerialSimulation(artefacts.library, noise=noise) as simulation:
            print(simulation.port, flush=True)
            signal.pause()
    except FloatsocError as error:
        parser.exit(error.exit_status, f"error: {error}\n")
    except KeyboardInterrupt:
        parser.exit(130)


if __name__ == "__main__":
    main()
