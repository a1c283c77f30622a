"""A 64-bit counter of clock cycles that software reads without tearing."""

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSR, CSRStatus
from migen import If, Signal

__all__ = ["CycleCounter"]


class CycleCounter(LiteXModule):
    """Counts cycles from reset. A write to `latch` copies the count, all 64 bits at once, to `value`.

    The CPU's own counter will not do: `rdcycle` reads 0 on VexRiscv's smaller variants.
    While `clear` is 1, `count` is 0.
    """

    def __init__(self):
        self.latch = CSR()
        self.value = CSRStatus(64)
        self.clear = Signal()
        self.count = count = Signal(64)
        self.sync += [
            count.eq(count + 1),
            If(self.clear, count.eq(0)),
            If(self.latch.re, self.value.status.eq(count)),
        ]
