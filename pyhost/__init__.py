"""floatsoc: float formats, judged by a training step that is co-simulated bit for bit.

`pyhost.run` and `pyhost.train` are loaded on first use, so that `pyhost.formats` alone stays light.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyhost.cosim.gemm import run_gemm
    from pyhost.cosim.run import run
    from pyhost.cosim.train import train

__all__ = ["run", "run_gemm", "train"]

_HOMES = {"run": "pyhost.cosim.run", "run_gemm": "pyhost.cosim.gemm", "train": "pyhost.cosim.train"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
