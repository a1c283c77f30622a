"""Counters of the CPU's traffic with main memory, latched together with the cycle counter."""

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRStatus
from migen import If, Signal

__all__ = ["BusCounters"]

_BITS = 32


class BusCounters(LiteXModule):
    """Counts from reset, modulo 2^32, what passes `bus`, a Wishbone port of main memory.

    | register | counts                                                                 |
    |----------|------------------------------------------------------------------------|
    | `reads`  | words read: each acknowledged beat, those that fill a cache's line too |
    | `writes` | words written, whole or in part                                        |
    | `busy`   | cycles in which a request is there: the beats, and the waits for them  |

    In a cycle in which `latch` is 1 all counts are copied to the registers, without what happens in that cycle.
    """

    def __init__(self, bus, latch):
        self.reads = CSRStatus(_BITS)
        self.writes = CSRStatus(_BITS)
        self.busy = CSRStatus(_BITS)
        self.read, self.write, self.request = Signal(), Signal(), Signal()

        self.comb += [
            self.request.eq(bus.cyc & bus.stb),
            self.read.eq(self.request & bus.ack & ~bus.we),
            self.write.eq(self.request & bus.ack & bus.we),
        ]
        for register, event in ((self.reads, self.read), (self.writes, self.write), (self.busy, self.request)):
            count = Signal(_BITS)
            self.sync += [
                If(event, count.eq(count + 1)),
                If(latch, register.status.eq(count)),
            ]
