"""From one technology to another: how the energy of the same circuit changes with node and voltage.

Stillmaker and Baas (2017) fitted the energy of a switching gate in Spice models of eleven nodes by a polynomial of the
supply voltage; the energy of a circuit changes as that of the gate does::

    E(node, V) = E(node0, V0) * e(node, V) / e(node0, V0),    e(node, V) = v2 * V^2 + v1 * V + v0

Between tabulated nodes log(e) is linear in log(node). The true factor lies within (larger node / smaller node)^x of
that, either way, where x is `error_exponent`: docs/energy.md says what that was found from.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import exp, log
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from pyhost.energy.figures import DATA, EnergyDataError, Table, parse

__all__ = ["Factor", "Scaling", "scaling"]


class Factor(NamedTuple):
    """What to multiply an energy by, with the ends of its interval."""

    value: float
    low: float
    high: float


class _Node(Table):
    node_nm: Annotated[float, Field(gt=0)]
    v2: float
    v1: float
    v0: float

    def gate(self, voltage: float) -> float:
        """e(node, V), without unit."""
        return (self.v2 * voltage + self.v1) * voltage + self.v0


class Scaling(Table):
    """The polynomials, by node in descending order."""

    version: Literal[1] = Field(alias="schema")
    source: str
    error_exponent: Annotated[float, Field(ge=0)]
    energy: Annotated[tuple[_Node, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(a.node_nm <= b.node_nm for a, b in pairwise(self.energy)):
            raise ValueError("nodes must descend")
        return self

    def factor(self, source: tuple[float, float], target: tuple[float, float]) -> Factor:
        """From (node in nm, V) to another. EnergyDataError outside of the polynomials' nodes and voltages."""
        if source == target:
            return Factor(1.0, 1.0, 1.0)
        value = self._gate(*target) / self._gate(*source)
        nodes = source[0], target[0]
        error = (max(nodes) / min(nodes)) ** self.error_exponent
        return Factor(value, value / error, value * error)

    def _gate(self, node_nm: float, voltage: float) -> float:
        nodes = self.energy
        if not nodes[-1].node_nm <= node_nm <= nodes[0].node_nm:
            raise EnergyDataError(
                f"node {node_nm:g} nm: energies can be scaled from {nodes[-1].node_nm:g} to {nodes[0].node_nm:g} nm"
            )
        above, below = next(pair for pair in pairwise(nodes) if pair[0].node_nm >= node_nm >= pair[1].node_nm)
        ends = above.gate(voltage), below.gate(voltage)
        if min(ends) <= 0:
            raise EnergyDataError(f"{voltage:g} V at {node_nm:g} nm: outside of the voltages that energies scale over")
        place = log(above.node_nm / node_nm) / log(above.node_nm / below.node_nm)
        return exp((1 - place) * log(ends[0]) + place * log(ends[1]))


@cache
def scaling() -> Scaling:
    """The polynomials that come with floatsoc."""
    return parse(Scaling, (DATA / "scaling.json").read_bytes(), "scaling.json")
