"""The accelerator as a SoC instantiates it."""

from migen import ClockDomainsRenamer, Module, Signal

from accel_rtl.config import AcceleratorConfig, AcceleratorConfigError
from accel_rtl.core import Core
from accel_rtl.port import DATA_BYTES, MemoryPort
from accel_rtl.registers import COUNTERS, PARAMETERS, RegisterBank

__all__ = ["MAIN_MEMORY_BASE", "Accelerator"]

MAIN_MEMORY_BASE = 0x4000_0000


class Accelerator(Module):
    """D = round_D(2^scale * (C + A B)), one job at a time, described by registers; see firmware/plan.h.

    ============ ========= ===========================================================================================
    attribute    direction meaning
    ============ ========= ===========================================================================================
    port         out       `MemoryPort` into main memory, in clock domain `accelerator`
    clock_enable out       registered in `sys`: domain `accelerator` shall tick with `sys` while it is 1 (or in reset)
    get_csrs()             the registers, in clock domain `sys`
    ============ ========= ===========================================================================================

    Edges of `accelerator` coincide with edges of `sys`, and both domains are reset together. config: what to generate.
    memory_bytes: size of main memory, a multiple of 8, at most 2 GiB; memory_base: its byte address.
    """

    def __init__(self, config: AcceleratorConfig, memory_bytes: int, memory_base: int = MAIN_MEMORY_BASE) -> None:
        if memory_bytes % DATA_BYTES or not DATA_BYTES < memory_bytes <= 1 << 31 or memory_base % DATA_BYTES:
            raise AcceleratorConfigError(
                f"main memory of {memory_bytes} bytes at {memory_base:#x}; its size and place must be multiples of "
                f"{DATA_BYTES}, its size at most 2 GiB"
            )
        self.port = MemoryPort((memory_bytes // DATA_BYTES - 1).bit_length())
        self.clock_enable = Signal()
        self.submodules.registers = registers = RegisterBank()
        self.submodules.core = core = ClockDomainsRenamer("accelerator")(
            Core(config, self.port, memory_base, memory_bytes)
        )

        ###

        self.comb += [
            self.clock_enable.eq(registers.active),
            registers.finished.eq(core.finished & registers.active),
            registers.error.status.eq(core.error),
            *(core.registers[name].eq(registers.parameter(name)) for name in PARAMETERS),
            *(getattr(registers, name).status.eq(core.counters[name]) for name in COUNTERS),
        ]

    def get_csrs(self):
        """The registers as LiteX collects them."""
        return self.registers.get_csrs()
