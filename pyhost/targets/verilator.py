"""The verilated SoC, in this process: a shared library behind ctypes, main RAM through the back door."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pyhost.errors import TargetError
from pyhost.targets.base import Promise, Target
from pyhost.targets.elf import ElfImage
from pyhost.targets.recording import CALL, RUN, SAMPLE, TRAFFIC, Recorder, Recording

__all__ = ["MAIN_RAM", "VerilatorTarget"]

MAIN_RAM = 0x4000_0000
_CHUNK = 10_000
"""Cycles between two looks at memory: about 5 ms, of which the call costs a thousandth."""
_CONSOLE_BUFFER = 4096

# The C ABI of soc/simulation.cpp: result, arguments after the instance.
_FUNCTIONS: dict[str, tuple[type | None, list[type]]] = {
    "soc_destroy": (None, []),
    "soc_reset": (None, []),
    "soc_step": (None, [ctypes.c_uint64]),
    "soc_cycles": (ctypes.c_uint64, []),
    "soc_program_counter": (ctypes.c_uint32, []),
    "soc_bus_error": (ctypes.c_bool, []),
    "soc_record": (None, []),
    "soc_stop_recording": (None, []),
    "soc_recorded": (ctypes.c_void_p, [ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint64)]),
    "soc_ram": (ctypes.c_void_p, []),
    "soc_ram_bytes": (ctypes.c_uint64, []),
    "soc_set_stall": (None, [ctypes.c_uint16]),
    "soc_set_clock_gate": (None, [ctypes.c_bool]),
    "soc_console": (ctypes.c_uint64, [ctypes.c_char_p, ctypes.c_uint64]),
}


class VerilatorTarget(Target):
    """A simulation of the RTL, exact to the cycle. Several may live in one process.

    library: libsoc.so, as `pyhost.cosim.build.build_soc` makes it.
    stall: probability, from 0 to below 1, with which main RAM holds up each handshake of the accelerator's
    port in a cycle. It changes cycles and must not change a bit of any result.

    The accelerator's clock stands still while it has nothing to do, so that an idle one is not simulated at all. With
    $FLOATSOC_CLOCK_GATE set to 0 it never stops.
    """

    name: ClassVar[str] = "verilator"
    promise: ClassVar[Promise] = Promise.CYCLE_ACCURATE

    def __init__(self, library: Path, *, stall: float = 0.0) -> None:
        if not 0 <= stall < 1:
            raise TargetError(f"stall {stall} is not a probability from 0 to below 1")
        self._library = _open(library)
        self._soc: int | None = self._library.soc_create()
        self._library.soc_set_stall(self._soc, int(stall * 65536))
        self._library.soc_set_clock_gate(self._soc, os.environ.get("FLOATSOC_CLOCK_GATE") != "0")
        size = self._library.soc_ram_bytes(self._soc)
        self._ram = memoryview((ctypes.c_ubyte * size).from_address(self._library.soc_ram(self._soc))).cast("B")
        self._console: list[str] = []
        self._recorder = _Recorder(self._library, lambda: self._instance)

    def load(self, image: ElfImage) -> None:
        if image.entry != MAIN_RAM:
            raise TargetError(f"{image.path} starts at {image.entry:#010x}, but the CPU at {MAIN_RAM:#010x}")
        ctypes.memset(self._library.soc_ram(self._instance), 0, len(self._ram))
        for segment in image.segments:
            self._bytes(segment.address, segment.size)[: len(segment.data)] = segment.data
        self._library.soc_reset(self._instance)
        self._recorder.forget()
        self._console.clear()
        self.image = image

    def write(self, address: int, data: bytes) -> None:
        self._bytes(address, len(data))[:] = data

    def read(self, address: int, size: int) -> bytes:
        return bytes(self._bytes(address, size))

    def advance(self) -> None:
        self._library.soc_step(self._instance, _CHUNK)
        buffer = ctypes.create_string_buffer(_CONSOLE_BUFFER)
        while count := self._library.soc_console(self._instance, buffer, _CONSOLE_BUFFER):
            self._console.append(buffer.raw[:count].decode("latin-1"))

    def close(self) -> None:
        if self._soc is not None:
            self._ram.release()
            self._library.soc_destroy(self._soc)
            self._soc = None

    @property
    def cycles(self) -> int:
        return int(self._library.soc_cycles(self._instance))

    @property
    def program_counter(self) -> int:
        return int(self._library.soc_program_counter(self._instance))

    @property
    def bus_error(self) -> bool:
        return bool(self._library.soc_bus_error(self._instance))

    @property
    def recorder(self) -> Recorder:
        return self._recorder

    @property
    def console(self) -> str:
        return "".join(self._console)

    @property
    def _instance(self) -> int:
        if self._soc is None:
            raise TargetError("the verilator target is closed")
        return self._soc

    def _bytes(self, address: int, size: int) -> memoryview:
        """A window on main RAM."""
        _ = self._instance
        start = address - MAIN_RAM
        if start < 0 or size < 0 or start + size > len(self._ram):
            end = MAIN_RAM + len(self._ram)
            raise TargetError(f"{size} bytes at {address:#010x} are not within main RAM, {MAIN_RAM:#x} to {end:#x}")
        return self._ram[start : start + size]


class _Recorder(Recorder):
    def __init__(self, library: ctypes.CDLL, soc: Callable[[], int]) -> None:
        self._library = library
        self._soc = soc
        self._started = False

    def start(self) -> None:
        self._library.soc_record(self._soc())
        self._started = True

    def forget(self) -> None:
        """A reset ends a recording, and nothing of it is left."""
        self._started = False

    def stop(self) -> Recording:
        if not self._started:
            raise TargetError("nothing has been recorded since the program was loaded")
        self._library.soc_stop_recording(self._soc())
        types = (np.dtype("<u8"), CALL, SAMPLE, RUN, np.dtype((np.uint8, len(TRAFFIC))))
        return Recording(*(self._array(number, dtype) for number, dtype in enumerate(types)))

    def _array(self, number: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        count = ctypes.c_uint64()
        address = self._library.soc_recorded(self._soc(), number, ctypes.byref(count))
        return np.frombuffer(ctypes.string_at(address, count.value * dtype.itemsize), dtype)


def _open(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise TargetError(f"the simulation {path} cannot be loaded: {error}") from error
    library.soc_create.restype = ctypes.c_void_p
    for name, (result, arguments) in _FUNCTIONS.items():
        function = library[name]
        function.restype, function.argtypes = result, [ctypes.c_void_p, *arguments]
        setattr(library, name, function)
    return library
