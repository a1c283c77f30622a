"""A matrix-product accelerator in Migen, generated for a list of float formats; docs/hardware.md has the figures.

Blocks are written in clock domain `sys`; `Accelerator` renames the core's to `accelerator`, which ticks only
while a job runs.
"""

from accel_rtl.accelerator import Accelerator
from accel_rtl.config import AcceleratorConfig, AcceleratorConfigError
from accel_rtl.port import MemoryPort

__all__ = ["Accelerator", "AcceleratorConfig", "AcceleratorConfigError", "MemoryPort"]
