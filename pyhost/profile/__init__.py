"""What was measured: results of runs, their tables and their files."""

from pyhost.profile.result import (
    AcceleratorCounters,
    CpuBusCounters,
    KernelResult,
    Mismatch,
    Number,
    Result,
    Seconds,
    Speedup,
    Step,
    Totals,
    TrainResult,
    read_result,
    speedups,
)

__all__ = [
    "AcceleratorCounters",
    "CpuBusCounters",
    "KernelResult",
    "Mismatch",
    "Number",
    "Result",
    "Seconds",
    "Speedup",
    "Step",
    "Totals",
    "TrainResult",
    "read_result",
    "speedups",
]
