"""The golden model: what every kernel computes, bit for bit."""

from pyhost.golden.gemm import Accumulator, Chain, Exact, GoldenError, gemm

__all__ = ["Accumulator", "Chain", "Exact", "GoldenError", "gemm"]
