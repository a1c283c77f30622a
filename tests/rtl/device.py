"""The whole accelerator, verilated alone: descriptors and a memory image in, the image and the records out."""

import ctypes
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from litex.soc.interconnect import csr_bus
from migen import ClockDomain, Module
from numpy.typing import NDArray

from accel_rtl import Accelerator, AcceleratorConfig
from accel_rtl.registers import COUNTERS, DESCRIPTOR, RECORD_WORDS
from tests.rtl.dut import build, verilog

__all__ = ["MEMORY_BASE", "RESERVED", "Device", "JobRecord", "Outcome"]

MEMORY_BASE = 0x4000_0000
RESERVED = 1 << 15
"""Bytes at the end of memory that hold descriptors and records."""

_HARNESS = Path(__file__).with_name("accelerator.cpp")
_DESCRIPTOR_BYTES, _RECORD_BYTES = 4 * len(DESCRIPTOR), 4 * RECORD_WORDS


class _Outcome(ctypes.Structure):
    _fields_ = (
        ("cycles", ctypes.c_uint64),
        ("timed_out", ctypes.c_uint32),
        ("broken", ctypes.c_uint32),
        ("completed", ctypes.c_uint32),
        ("status", ctypes.c_uint32),
        ("error", ctypes.c_uint32),
    )


@dataclass(frozen=True)
class JobRecord:
    """`struct job_record`: the error and the counters by name."""

    error: int
    counters: dict[str, int]


@dataclass(frozen=True)
class Outcome:
    """What jobs left: their records, the registers, cycles with the clock enabled, CPU time."""

    records: tuple[JobRecord, ...]
    completed: int
    error: int
    cycles: int
    seconds: float

    @property
    def record(self) -> JobRecord:
        """That of the only job."""
        (record,) = self.records
        return record


class Device:
    """An accelerator of `config` with `memory_bytes` of main memory, of which the last RESERVED are taken."""

    def __init__(self, config: AcceleratorConfig, memory_bytes: int = 1 << 17, optimisation: str = "-O1") -> None:
        self.config = config
        self.bytes: NDArray[np.uint8] = np.zeros(memory_bytes, np.uint8)
        top = Module()
        top.clock_domains.cd_accelerator = ClockDomain("accelerator")
        top.submodules.accelerator = accelerator = Accelerator(config, memory_bytes)
        bus = csr_bus.Interface(data_width=32, address_width=14)
        top.submodules.bank = csr_bus.CSRBank(accelerator.get_csrs(), bus=bus)
        port, registers = accelerator.port, accelerator.registers
        ports = {
            "clock_enable": accelerator.clock_enable,
            "status": registers.status.status,
            "completed": registers.completed.status,
            "error": registers.error.w,
            "accelerator_clk": top.cd_accelerator.clk,
            "accelerator_rst": top.cd_accelerator.rst,
            **{f"csr_{name}": getattr(bus, name) for name in ("adr", "we", "re", "dat_w", "dat_r")},
            **{f"cmd_{name}": getattr(port.cmd, name) for name in ("valid", "ready", "we", "address")},
            **{f"wdata_{name}": getattr(port.wdata, name) for name in ("valid", "ready", "data", "we")},
            **{f"rdata_{name}": getattr(port.rdata, name) for name in ("valid", "data")},
        }
        self._library = build(verilog(top, ports, "accelerator"), _HARNESS.read_text(), "accelerator", optimisation)
        self.reset()

    def reset(self) -> None:
        """The accelerator knows nothing of earlier jobs."""
        self._library.reset()

    @property
    def data(self) -> NDArray[np.uint8]:
        """Memory but for what is RESERVED; address MEMORY_BASE is index 0."""
        return self.bytes[:-RESERVED]

    def run(self, *descriptors: dict[str, int], limit: int = 5_000_000, **how) -> Outcome:
        """Run jobs through the queue; words that are missing are 0, records are placed. See `submit`."""
        outcome = self.submit(*descriptors, limit=limit, **how)
        assert outcome.completed == len(descriptors)
        return outcome

    def submit(
        self,
        *descriptors: dict[str, int],
        seed: int = 1,
        stall: float = 0,
        limit: int = 5_000_000,
        ends: int | None = None,
        overrun: bool = False,
    ) -> Outcome:
        """Submit jobs and wait until `ends` of them (all) have ended. Fails if not, or if the port's rules are broken.

        seed, stall: each handshake of the memory port is held up with probability `stall` in a cycle. overrun: submit
        whether there is room in the queue or not. A descriptor may say where it lies: "descriptor".
        """
        place = len(self.bytes) - RESERVED
        assert len(descriptors) * (_DESCRIPTOR_BYTES + _RECORD_BYTES) <= RESERVED
        records_at = place + len(descriptors) * _DESCRIPTOR_BYTES
        addresses = []
        for index, given in enumerate(descriptors):
            words = {"record": MEMORY_BASE + records_at + index * _RECORD_BYTES} | given
            addresses.append(words.pop("descriptor", MEMORY_BASE + place + index * _DESCRIPTOR_BYTES))
            assert set(words) <= set(DESCRIPTOR), set(words) - set(DESCRIPTOR)
            codes = np.array([words.get(name, 0) & 0xFFFF_FFFF for name in DESCRIPTOR], np.uint32)
            start = place + index * _DESCRIPTOR_BYTES
            self.bytes[start : start + _DESCRIPTOR_BYTES] = codes.view(np.uint8)
        self.bytes[records_at : records_at + len(descriptors) * _RECORD_BYTES] = 0xA5
        begin = time.process_time()
        outcome = self._run(addresses, len(descriptors) if ends is None else ends, seed, stall, limit, overrun)
        seconds = time.process_time() - begin
        assert not outcome.timed_out, "the jobs do not end"
        assert not outcome.broken, f"the memory port's rules were broken: {outcome.broken}"
        words = self.bytes[records_at : records_at + len(descriptors) * _RECORD_BYTES].view(np.uint32)
        records = tuple(
            JobRecord(int(record[0]), dict(zip(COUNTERS, map(int, record[1:]), strict=False)))
            for record in words.reshape(-1, RECORD_WORDS)
        )
        return Outcome(records, outcome.completed, outcome.error, outcome.cycles, seconds)

    def interrupt(self, descriptor: dict[str, int], cycles: int) -> None:
        """Start a job and reset the accelerator after `cycles`."""
        try:
            self.submit(descriptor, limit=cycles)
        except AssertionError:
            self.reset()
        else:
            raise AssertionError("the job ended before its reset")

    def clear_error(self) -> None:
        """Write the error register."""
        self._library.clear_error()

    def _run(self, addresses: list[int], ends: int, seed: int, stall: float, limit: int, overrun: bool) -> _Outcome:
        outcome = _Outcome()
        submitted = np.array(addresses, np.uint32)
        self._library.run_jobs(
            submitted.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_uint32(len(submitted)),
            ctypes.c_uint32(ends),
            self.bytes.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_uint64(len(self.bytes) // self.config.port_bytes),
            ctypes.c_uint64(seed),
            ctypes.c_uint32(int(stall * 65536)),
            ctypes.c_uint64(limit),
            ctypes.c_uint32(overrun),
            ctypes.byref(outcome),
        )
        return outcome
