"""The firmware's C files compiled for this machine: the same kernels, run in process on memory that Python fills."""

import ctypes
import mmap
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from numpy.typing import NDArray

from firmware.build import SOURCES
from pyhost.cosim.tools import run_tool
from pyhost.formats import BinaryFormat
from pyhost.golden.gemm import Accumulator, Chain
from pyhost.plan.calls import Plan
from pyhost.plan.pack import FormatTable, pack_formats, pack_kernels
from pyhost.plan.tensors import place
from pyhost.targets.dwarf import read_enums, read_layouts
from pyhost.targets.layout import Layout

Codes = NDArray[np.unsignedinteger]
Records = NDArray[np.void]

_HERE = Path(__file__).parent
_ONLY_ON_THE_CPU = ("crt0.S", "main.c", "console.c", "memory.c")
_MEMORY_BYTES = 16 << 20
_LOWEST_ADDRESS, _ADDRESS_STEP = 0x4000_0000, 0x0800_0000
_MAP_FIXED_NOREPLACE = 0x10_0000
_POISON = 0xA5


class Native:
    """The library, and memory below 4 GiB, since addresses in a plan have 32 bits."""

    def __init__(self, path: Path) -> None:
        self.library = ctypes.CDLL(str(path))
        with path.open("rb") as file:
            elf = ELFFile(file)
            self.layouts = read_layouts(elf)
            self.enums = read_enums(elf)
        mapped = _map_low(_MEMORY_BYTES)
        self.base = ctypes.addressof(mapped)
        self.memory = np.frombuffer(mapped, dtype=np.uint8)
        mailbox = self.layout("mailbox")
        raw = (ctypes.c_uint8 * mailbox.size).in_dll(self.library, "mailbox")
        self.mailbox = np.frombuffer(raw, dtype=mailbox.dtype)[0:1]

    def layout(self, name: str) -> Layout:
        return self.layouts[name]

    def enum(self, name: str) -> dict[str, int]:
        return self.enums[name]

    def format(self, format_: BinaryFormat) -> NDArray[np.void]:
        """`format_` as a struct format."""
        return pack_formats(FormatTable((format_,)), self)[0:1]

    def execute(
        self,
        plan: Plan,
        before: Mapping[str, Codes],
        *,
        accumulator: Accumulator,
        edit: Callable[[Records, Records], None] = lambda kernels, mailbox: None,
    ) -> dict[str, Codes]:
        """All tensors after the plan ran; what it does not write keeps its value, or a poison.

        `edit(kernels, mailbox)` may spoil both before the run. The mailbox tells how it ended.
        """
        chain = accumulator.format if isinstance(accumulator, Chain) else None
        table = FormatTable.of(plan, () if chain is None else (chain,))
        count, kernel, record = len(plan.kernels), self.layout("kernel"), self.layout("record")
        tensors_at = self.base + count * (kernel.size + record.size)
        placement = place(plan.tensors, tensors_at, self.base + _MEMORY_BYTES)

        self.memory[: placement.end - self.base] = _POISON
        for tensor in plan.tensors:
            if tensor.name in before:
                self._tensor(placement[tensor], tensor)[...] = before[tensor.name]
        self.mailbox["plan_magic"] = self.enum("plan_magic")["PLAN_MAGIC"]
        self.mailbox["kernels"] = self.base
        self.mailbox["records"] = self.base + count * kernel.size
        self.mailbox["kernel_count"] = count
        self.mailbox["accumulator"] = self.enum("accumulator_kind")[
            "ACCUMULATOR_CHAIN" if chain else "ACCUMULATOR_EXACT"
        ]
        self.mailbox["accumulator_format"] = 0
        self.mailbox["formats"][0] = pack_formats(table, self)
        kernels = self.memory[: count * kernel.size].view(kernel.dtype)
        records = self.base + count * kernel.size
        kernels[...] = pack_kernels(plan, placement, table, self, accumulator=accumulator, records=records)
        edit(kernels, self.mailbox)
        self.library.plan_execute()
        self.records = self.memory[count * kernel.size :][: count * record.size].view(record.dtype)
        return {tensor.name: self._tensor(placement[tensor], tensor).copy() for tensor in plan.tensors}

    def _tensor(self, address, tensor):
        start = address - self.base
        return self.memory[start : start + tensor.nbytes].view(tensor.dtype).reshape(tensor.shape)

    @property
    def state(self) -> str:
        """Name of the mailbox's state."""
        return _name(self.enum("state"), int(self.mailbox["state"][0]))

    @property
    def error(self) -> str:
        """Name of the mailbox's error."""
        return _name(self.enum("plan_error"), int(self.mailbox["error"][0]))


def _name(enumerators: Mapping[str, int], value: int) -> str:
    return next(name for name, number in enumerators.items() if number == value)


def _map_low(size: int) -> ctypes.Array:
    """Memory at the first address below 4 GiB that is free: a large heap may have grown over the usual ones."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED_NOREPLACE
    for wanted in range(_LOWEST_ADDRESS, 1 << 32, _ADDRESS_STEP):
        if libc.mmap(wanted, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0) == wanted:
            return (ctypes.c_uint8 * size).from_address(wanted)
    raise OSError(ctypes.get_errno(), f"no memory below 4 GiB is free: {os.strerror(ctypes.get_errno())}")


def _compile(directory: Path, csr: str, left_out: tuple[str, ...], *added: Path) -> Native:
    """The firmware's portable sources and `added` ones, warnings as errors."""
    (directory / "csr.h").write_text(csr)
    library = directory / "libfirmware.so"
    sources = [source for source in SOURCES if source.name not in (*_ONLY_ON_THE_CPU, *left_out)]
    flags = ["-std=gnu11", "-O1", "-g", "-gdwarf-4", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off"]
    flags += ["-fno-strict-aliasing", "-fsanitize=undefined", "-fno-sanitize-recover=undefined", "-shared", "-fPIC"]
    includes = [f"-I{SOURCES[0].parent}", f"-I{directory}"]
    run_tool(
        ["cc", *flags, *includes, *sources, *added, "-o", library],
        cwd=directory,
        timeout=120,
        purpose="compiling the firmware for this machine",
    )
    return Native(library)


@pytest.fixture(scope="session")
def native(tmp_path_factory: pytest.TempPathFactory) -> Native:
    """Compiled once, for a machine without any peripheral."""
    return _compile(tmp_path_factory.mktemp("native"), "", (), _HERE / "loops.c")


@pytest.fixture(scope="session")
def native_accelerator(tmp_path_factory: pytest.TempPathFactory) -> Native:
    """The same for a machine with an accelerator, whose driver is a model of it."""
    csr = "#define CSR_ACCELERATOR_SUBMIT_ADDR 0\n"
    directory = tmp_path_factory.mktemp("native_accelerator")
    return _compile(directory, csr, ("accelerator.c",), _HERE / "accelerator_model.c")
