"""Names of kernels, counters and memory for people, with the page's colours for them."""

from __future__ import annotations

from typing import Final

__all__ = ["COUNTERS", "ENERGY", "REGIONS", "kind"]

_KINDS: Final = {
    "gemm": "matrix products",
    "convert": "weight conversion",
    "bias_gradient": "bias gradients",
    "relu": "ReLU",
    "relu_gradient": "ReLU, backward",
    "max_pool": "max pooling",
    "max_pool_gradient": "max pooling, backward",
    "softmax_cross_entropy": "softmax and loss",
    "sgd": "weight updates",
}

COUNTERS: Final = {
    "busy": "var(--c1)",
    "waits for A": "var(--c2)",
    "waits for B": "var(--c3)",
    "waits for the store": "var(--c5)",
    "around the job": "var(--c0)",
}
"""What a product's cycles are, in the order of the counters busy, wait_a, wait_b, wait_store; and what is left."""

ENERGY: Final = {
    "array": ("array", "var(--c1)"),
    "write_back": ("write-back", "var(--c4)"),
    "scratchpad": ("scratchpad", "var(--c3)"),
    "main_memory": ("main memory", "var(--c2)"),
    "cpu": ("processor", "var(--c6)"),
    "idle": ("idle clock", "var(--c0)"),
    "leakage": ("leakage", "var(--c5)"),
}
"""Names and colours of `Energy.parts`."""

REGIONS: Final = {
    "firmware": ("firmware and its stack", "var(--c0)"),
    "plan": ("plan", "var(--c5)"),
    "records": ("records", "var(--c3)"),
    "input": ("inputs", "var(--c4)"),
    "state": ("weights and optimiser", "var(--c1)"),
    "tensor": ("activations and weights in use", "var(--c2)"),
    "gradient": ("gradients", "var(--c6)"),
}
"""Names and colours of what lies in main memory."""


def kind(name: str) -> str:
    """What kernels of a kind do."""
    return _KINDS.get(name, name.replace("_", " "))
