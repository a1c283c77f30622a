"""What was measured: results of runs, their tables and their files."""

from pyhost.profile.result import (
    AcceleratorCounters,
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
