"""Energies with an interval that remember which figures they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import hypot

__all__ = ["Estimate", "interval_of_sum"]


@dataclass(frozen=True)
class Estimate:
    """An amount in pJ (or a power in nW) from low to high.

    figures: what each figure of the technology contributes; their sum is the value, because the model is linear.
    """

    value: float = 0.0
    low: float = 0.0
    high: float = 0.0
    figures: Mapping[str, float] = field(default_factory=dict)

    def __add__(self, other: Estimate) -> Estimate:
        """The sum of two estimates that rest on the same figures: both are high, or both low."""
        names = self.figures.keys() | other.figures.keys()
        figures = {name: self.figures.get(name, 0.0) + other.figures.get(name, 0.0) for name in sorted(names)}
        return Estimate(self.value + other.value, self.low + other.low, self.high + other.high, figures)

    def __mul__(self, count: float) -> Estimate:
        """So many times."""
        figures = {name: count * part for name, part in self.figures.items()}
        return Estimate(count * self.value, count * self.low, count * self.high, figures)

    __rmul__ = __mul__

    def spread(self, low: float, high: float) -> Estimate:
        """The same, in an interval that is wider by these factors."""
        return Estimate(self.value, low * self.low, high * self.high, self.figures)

    def around(self, low: Estimate, high: Estimate) -> Estimate:
        """The same, in an interval that reaches from the low end of one to the high end of another."""
        return Estimate(self.value, min(self.low, low.low), max(self.high, high.high), self.figures)


def interval_of_sum(parts: Iterable[Estimate]) -> tuple[float, float, float]:
    """(value, low, high) of a sum of parts with independent errors: half widths add as the root of their squares."""
    parts = tuple(parts)
    total = sum(part.value for part in parts)
    below = hypot(*(part.value - part.low for part in parts))
    above = hypot(*(part.high - part.value for part in parts))
    return total, max(0.0, total - below), total + above
