"""The whole accelerator, verilated alone: a job's registers and a memory image in, the image and the counters out."""

import ctypes
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from litex.soc.interconnect import csr_bus
from migen import ClockDomain, Module
from numpy.typing import NDArray

from accel_rtl import Accelerator, AcceleratorConfig
from accel_rtl.registers import COUNTERS, PARAMETERS
from tests.rtl.dut import build, verilog

__all__ = ["MEMORY_BASE", "Device", "Outcome"]

MEMORY_BASE = 0x4000_0000
_HARNESS = Path(__file__).with_name("accelerator.cpp")


class _Outcome(ctypes.Structure):
    _fields_ = (
        ("cycles", ctypes.c_uint64),
        ("timed_out", ctypes.c_uint32),
        ("beyond_memory", ctypes.c_uint32),
        ("registers", ctypes.c_uint32 * 16),
    )


@dataclass(frozen=True)
class Outcome:
    """What a job left: status and error registers, counters by name, cycles with the clock enabled, CPU time."""

    status: int
    error: int
    counters: dict[str, int]
    cycles: int
    seconds: float


class Device:
    """An accelerator of `config` with `memory_bytes` of main memory."""

    def __init__(self, config: AcceleratorConfig, memory_bytes: int = 1 << 16, optimisation: str = "-O1") -> None:
        self.config = config
        self.memory = np.zeros(memory_bytes // 8, np.uint64)
        top = Module()
        top.clock_domains.cd_accelerator = ClockDomain("accelerator")
        top.submodules.accelerator = accelerator = Accelerator(config, memory_bytes)
        bus = csr_bus.Interface(data_width=32, address_width=14)
        top.submodules.bank = csr_bus.CSRBank(accelerator.get_csrs(), bus=bus)
        port = accelerator.port
        ports = {
            "clock_enable": accelerator.clock_enable,
            "accelerator_clk": top.cd_accelerator.clk,
            "accelerator_rst": top.cd_accelerator.rst,
            **{f"csr_{name}": getattr(bus, name) for name in ("adr", "we", "re", "dat_w", "dat_r")},
            **{f"cmd_{name}": getattr(port.cmd, name) for name in ("valid", "ready", "we", "address")},
            **{f"wdata_{name}": getattr(port.wdata, name) for name in ("valid", "ready", "data", "we")},
            **{f"rdata_{name}": getattr(port.rdata, name) for name in ("valid", "data")},
        }
        self._library = build(verilog(top, ports, "accelerator"), _HARNESS.read_text(), "accelerator", optimisation)
        self._library.reset()

    @property
    def bytes(self) -> NDArray[np.uint8]:
        """The memory image; address MEMORY_BASE is index 0."""
        return self.memory.view(np.uint8)

    def run(
        self,
        registers: dict[str, int],
        *,
        seed: int = 1,
        stall: float = 0,
        limit: int = 5_000_000,
        scribble: bool = False,
    ) -> Outcome:
        """Run a job; `registers` that are missing are 0. Fails if it does not end or breaks the port's rules.

        seed, stall: each handshake of the memory port is held up with probability `stall` in a cycle. scribble: write
        over all registers, and `start`, while the job runs.
        """
        begin = time.process_time()
        outcome = self._run(registers, seed, stall, limit, scribble)
        seconds = time.process_time() - begin
        assert not outcome.timed_out, "the job does not end"
        assert not outcome.beyond_memory, f"the memory port's rules were broken: {outcome.beyond_memory}"
        status, error, *counters = outcome.registers
        return Outcome(status, error, dict(zip(COUNTERS, counters, strict=False)), outcome.cycles, seconds)

    def interrupt(self, registers: dict[str, int], cycles: int) -> None:
        """Start a job and reset the accelerator after `cycles`."""
        assert self._run(registers, 1, 0, cycles, False).timed_out, "the job ended before its reset"
        self._library.reset()

    def _run(self, registers: dict[str, int], seed: int, stall: float, limit: int, scribble: bool) -> _Outcome:
        assert set(registers) <= set(PARAMETERS), set(registers) - set(PARAMETERS)
        words = np.array([registers.get(name, 0) & 0xFFFF_FFFF for name in PARAMETERS], np.uint32)
        outcome = _Outcome()
        self._library.run_job(
            words.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_uint32(len(words)),
            self.memory.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_uint64(len(self.memory)),
            ctypes.c_uint64(seed),
            ctypes.c_uint32(int(stall * 65536)),
            ctypes.c_uint64(limit),
            ctypes.c_uint32(scribble),
            ctypes.byref(outcome),
        )
        return outcome
