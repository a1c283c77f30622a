"""Dynamic loss scaling: the loss is multiplied by a power of two so that small gradients do not round to zero."""

from dataclasses import dataclass, replace
from math import frexp

from pyhost.golden.gemm import GoldenError

__all__ = ["LossScaler"]

SMALLEST, LARGEST = 1.0, 2.0**24


@dataclass(frozen=True, kw_only=True)
class LossScaler:
    """The scale of the next step, as in Micikevicius et al., Mixed Precision Training (ICLR 2018), section 3.2.

    After `interval` steps in a row whose gradients were finite the scale doubles; after a step with an infinity or a
    NaN among its gradients it halves, and that step's update is left out. It stays within 1 and 2^24.
    """

    scale: float = 2.0**15
    interval: int = 2000
    good_steps: int = 0

    def __post_init__(self) -> None:
        if not SMALLEST <= self.scale <= LARGEST or frexp(self.scale)[0] != 0.5:
            raise GoldenError(f"a loss scale is a power of two from 1 to 2^24, not {self.scale}")
        if self.interval < 1:
            raise GoldenError(f"a loss scale grows after at least 1 step, not {self.interval}")

    def after(self, finite: bool) -> "LossScaler":
        """The scaler after one more step, given whether all its gradients were finite."""
        if not finite:
            return replace(self, scale=max(self.scale / 2, SMALLEST), good_steps=0)
        if self.good_steps + 1 < self.interval:
            return replace(self, good_steps=self.good_steps + 1)
        return replace(self, scale=min(self.scale * 2, LARGEST), good_steps=0)
