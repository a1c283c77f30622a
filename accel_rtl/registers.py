"""The registers that firmware sees, the descriptor's words, the record's words, and the meaning of the error codes."""

from enum import IntEnum

from litex.soc.interconnect.csr import CSR, CSRStatus, _CSRBase
from migen import If, Module, Signal
from migen.genlib.fifo import SyncFIFO

__all__ = ["COUNTERS", "DESCRIPTOR", "QUEUE_LIMIT", "RECORD_WORDS", "ErrorCode", "Flag", "RegisterBank"]

WORD_BITS = 32
QUEUE_LIMIT = 4
"""Jobs that wait, besides those that the core has begun."""

_MATRIX = ("address", "format", "pitch")
_AXIS = ("start", "start_phase", "step", "step_phase", "tap", "tap_phase", "dilation", "unit", "extent")
_OPERAND = (
    *("address", "format", "k_minor", "run", "taps", "major_x", "major_y", "stride_n"),
    *(f"{axis}_{field}" for axis in "xy" for field in _AXIS),
)
DESCRIPTOR = (
    *("m", "n", "k", "record", "scale", "overflow", "rounding", "flags"),
    *("random_bits", "random_key", "chain_random_bits", "chain_random_key"),
    *(f"{matrix}_{field}" for matrix in ("c", "d", "addend", "mask") for field in _MATRIX),
    *(f"{operand}_{field}" for operand in "ab" for field in _OPERAND),
)
"""Names of the words of `struct gemm` of firmware/plan.h, flattened."""

COUNTERS = (*("macs_low", "macs_high", "cycles", "busy", "wait_a", "wait_b", "wait_store", "dma_beats", "bus_wait"),)
"""Names of the words of `struct accelerator_counters`, which follow the error in `struct job_record`."""

RECORD_WORDS = 12
"""Words of `struct job_record`."""


class Flag(IntEnum):
    """Bits of the descriptor's flags: enum gemm_flags."""

    RELU = 0
    AFTER = 1
    A_RESIDENT = 2
    B_RESIDENT = 3


class ErrorCode(IntEnum):
    """Why a job was refused (nothing of D was written), or ended early (OPERAND: some of D may have been written)."""

    NONE = 0
    OVERRUN = 1
    """A job was submitted while the queue was full; it is forgotten."""
    DIMENSION = 2
    """m, n or k is 0 or more than 65,535."""
    FORMAT = 3
    """A, B or C has a format that is no operand format, or D, addend or mask one that was not generated."""
    WINDOW = 4
    """run, taps, major_x or major_y of A or B is 0 or more than 65,535, a dilation is 0 or more than 63, or a phase
    not below its dilation."""
    ALIGNMENT = 5
    """An address, stride, step or pitch is not a multiple of its element's bytes."""
    RESULT = 6
    """D does not lie in main memory, or its pitch is shorter than its row."""
    OPERAND = 7
    """A read of an operand would leave main memory: found when it is due."""
    RESIDENT = 8
    """An operand is declared resident that the job before did not leave there."""
    RECORD = 9
    """The record does not lie in main memory, or at no multiple of 16 bytes."""
    DESCRIPTOR = 10
    """The same for the descriptor."""
    ROUNDING = 11
    """No such mode, random bits outside 1 to 24, or stochastic rounding that was not generated."""


class RegisterBank(Module):
    """Registers of 32 bits.

    ================ ========= ==================================================================
    attribute        direction meaning
    ================ ========= ==================================================================
    submit           CSR       writing the address of a descriptor puts the job in the queue
    status           CSR       bit 0: jobs are queued or under way; bit 1: the queue is full
    completed        CSR       jobs that have ended, modulo 2^32; a job's record is written before it counts
    error            CSR       `ErrorCode` of the last job that failed; writing clears it
    queued           out       the queue holds a job, its descriptor at `descriptor`
    take             in        the core takes it; counts only while `clock_enable`
    ended            in        a job ends, with code `code`; counts only while `clock_enable`
    busy             in        the core has jobs
    clock_enable     out       the core's clock shall tick
    ================ ========= ==================================================================
    """

    def __init__(self) -> None:
        self._csrs: list[_CSRBase] = []
        self._add("submit", CSR(WORD_BITS, name="submit"))
        for name in ("status", "completed"):
            self._add(name, CSRStatus(WORD_BITS, name=name))
        self._add("error", CSR(WORD_BITS, name="error"))
        self.queued = Signal()
        self.descriptor = Signal(WORD_BITS)
        self.take = Signal()
        self.ended = Signal()
        self.code = Signal(max=max(ErrorCode) + 1)
        self.busy = Signal()
        self.clock_enable = Signal()

        ###

        self.submodules.queue = queue = SyncFIFO(WORD_BITS, QUEUE_LIMIT)
        failed = Signal(WORD_BITS)
        active = Signal()
        self.comb += [
            active.eq(queue.readable | self.busy),
            self.submit.w.eq(0),
            self.status.status.eq((active | self.clock_enable) | (~queue.writable << 1)),
            self.error.w.eq(failed),
            queue.din.eq(self.submit.r),
            queue.we.eq(self.submit.re),
            self.queued.eq(queue.readable),
            self.descriptor.eq(queue.dout),
            queue.re.eq(self.take & self.clock_enable),
        ]
        self.sync += [
            self.clock_enable.eq(active),
            If(self.error.re, failed.eq(ErrorCode.NONE)),
            If(
                self.ended & self.clock_enable,
                self.completed.status.eq(self.completed.status + 1),
                If(self.code != ErrorCode.NONE, failed.eq(self.code)),
            ),
            If(self.submit.re & ~queue.writable, failed.eq(ErrorCode.OVERRUN)),
        ]

    def _add(self, name: str, csr: _CSRBase) -> None:
        setattr(self, name, csr)
        self._csrs.append(csr)

    def get_csrs(self) -> list[_CSRBase]:
        """The CSRs in the order of their addresses (as LiteX asks for them)."""
        return list(self._csrs)
