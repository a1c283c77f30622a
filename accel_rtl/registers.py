"""The registers that firmware sees, and the meaning of the error codes."""

from enum import IntEnum

from litex.soc.interconnect.csr import CSR, CSRStatus, CSRStorage, _CSRBase
from migen import If, Module, Signal

__all__ = ["COUNTERS", "PARAMETERS", "ErrorCode", "RegisterBank"]

WORD_BITS = 32

_OPERAND = (
    *("address", "format", "k_minor", "run", "major_x", "major_y"),
    *("stride_x", "stride_y", "stride_n", "pad_x", "pad_y", "width", "height"),
)
PARAMETERS = (
    *("m", "n", "k", "scale", "overflow"),
    *(f"{operand}_{field}" for operand in "ab" for field in _OPERAND),
    *(f"{matrix}_{field}" for matrix in "cd" for field in ("address", "format", "pitch")),
)
"""Names of the registers that describe a job: `struct gemm` of firmware/plan.h, flattened."""

COUNTERS = ("cycles", "busy", "wait_a", "wait_b", "wait_store", "dma_beats", "bus_wait")
"""Names of the counters: `struct accelerator_counters`."""


class ErrorCode(IntEnum):
    """Why a job was refused (2 to 6: nothing was written) or ended early (7: some rows of D may have been written)."""

    NONE = 0
    DIMENSION = 2
    """m, n or k is 0 or more than 65,535."""
    FORMAT = 3
    """A, B or C has a format that is no operand format, or D one that was not generated."""
    WINDOW = 4
    """run, major_x or major_y of A or B is 0."""
    ALIGNMENT = 5
    """An address, stride, padding or pitch is not a multiple of its element's bytes."""
    RESULT = 6
    """D, or a pitch shorter than its row, does not lie in main memory."""
    OPERAND = 7
    """A read of A, B or C would leave main memory."""


class RegisterBank(Module):
    """CSRs of a job. All are 32 bits wide; `status` has bit 0 busy, bit 1 done.

    ================ ========= ==================================================================
    attribute        direction meaning
    ================ ========= ==================================================================
    <parameter>      CSR       one CSRStorage for each of `PARAMETERS`
    start            CSR       writing 1 starts the job; ignored while busy
    status, error    CSR       busy and done; the `ErrorCode` of the last job
    <counter>        CSR       one CSRStatus for each of `COUNTERS`
    active           out       a job is running: registered, high from start until done
    finished         in        the last cycle of a job
    ================ ========= ==================================================================
    """

    def __init__(self) -> None:
        self._csrs: list[_CSRBase] = []
        for name in PARAMETERS:
            self._add(name, CSRStorage(WORD_BITS, name=name))
        self._add("start", CSR(WORD_BITS, name="start"))
        self._add("status", CSRStatus(WORD_BITS, name="status"))
        for name in ("error", *COUNTERS):
            self._add(name, CSRStatus(WORD_BITS, name=name))

        self.active = Signal()
        self.finished = Signal()

        ###

        done = Signal()
        self.comb += [self.start.w.eq(0), self.status.status.eq(self.active | (done << 1))]
        self.sync += [
            If(self.finished, self.active.eq(0), done.eq(1)),
            If(self.start.re & self.start.r[0] & ~self.active, self.active.eq(1), done.eq(0)),
        ]

    def _add(self, name: str, csr: _CSRBase) -> None:
        setattr(self, name, csr)
        self._csrs.append(csr)

    def parameter(self, name: str) -> Signal:
        """The stored word of one of `PARAMETERS`."""
        return getattr(self, name).storage

    def get_csrs(self) -> list[_CSRBase]:
        """The CSRs in the order of their addresses (as LiteX asks for them)."""
        return list(self._csrs)
