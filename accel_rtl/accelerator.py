"""The accelerator as a SoC instantiates it."""

from migen import ClockDomainsRenamer, Module, Record, Signal

from accel_rtl.config import AcceleratorConfig, AcceleratorConfigError
from accel_rtl.core import Core, activity_layout
from accel_rtl.port import MemoryPort
from accel_rtl.registers import RegisterBank

__all__ = ["MAIN_MEMORY_BASE", "Accelerator"]

MAIN_MEMORY_BASE = 0x4000_0000


class Accelerator(Module):
    """Runs matrix products that descriptors in main memory describe: see struct gemm of firmware/plan.h.

    ============ ========= ===========================================================================================
    attribute    direction meaning
    ============ ========= ===========================================================================================
    port         out       `MemoryPort` into main memory, in clock domain `accelerator`
    clock_enable out       registered in `sys`: domain `accelerator` shall tick with `sys` while it is 1 (or in reset)
    activity     out       what the core does in a cycle, a record of `core.activity_layout`, in `accelerator`
    get_csrs()             the registers, in clock domain `sys`
    ============ ========= ===========================================================================================

    Edges of `accelerator` coincide with edges of `sys`, and both domains are reset together. config: what to generate.
    memory_bytes: size of main memory, a multiple of the port's word, at most 2 GiB; memory_base: its byte address.
    """

    def __init__(self, config: AcceleratorConfig, memory_bytes: int, memory_base: int = MAIN_MEMORY_BASE) -> None:
        word = config.port_bytes
        if memory_bytes % word or not word < memory_bytes <= 1 << 31 or memory_base % word:
            raise AcceleratorConfigError(
                f"main memory of {memory_bytes} bytes at {memory_base:#x}; its size and place must be multiples of "
                f"{word}, its size at most 2 GiB"
            )
        self.port = MemoryPort((memory_bytes // word - 1).bit_length(), config.port_bits)
        self.clock_enable = Signal()
        self.activity = Record(activity_layout())
        self.submodules.registers = registers = RegisterBank()
        self.submodules.core = core = ClockDomainsRenamer("accelerator")(
            Core(config, self.port, memory_base, memory_bytes)
        )

        ###

        self.comb += [
            self.clock_enable.eq(registers.clock_enable),
            core.queued.eq(registers.queued),
            core.descriptor.eq(registers.descriptor),
            registers.take.eq(core.take),
            registers.ended.eq(core.ended),
            registers.code.eq(core.code),
            registers.busy.eq(core.busy),
            self.activity.eq(core.activity),
        ]

    def get_csrs(self):
        """The registers as LiteX collects them."""
        return self.registers.get_csrs()
