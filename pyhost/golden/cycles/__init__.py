"""The golden cycle model: what products cost on the accelerator, from their descriptors and its configuration alone.

Not the bits (`pyhost.golden.gemm` has them), but when: cycles, waits and traffic, as the accelerator's counters say.
"""

from pyhost.golden.cycles.jobs import Prediction, predict
from pyhost.golden.cycles.sizes import Accelerator, Sizes

__all__ = ["Accelerator", "Prediction", "Sizes", "predict"]
