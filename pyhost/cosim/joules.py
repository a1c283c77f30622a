"""Where a result gets its energy: what was counted, or predicted, at the price of a technology."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from pyhost.energy import Circuits, Technology, load_circuits
from pyhost.energy.figures import DATA
from pyhost.energy.model import Counts, energy_of
from pyhost.plan.calls import Plan
from pyhost.profile.result import Result

__all__ = ["shipped_circuits", "with_energy"]


@cache
def shipped_circuits() -> Circuits | None:
    """The circuit library that comes with floatsoc, where it does."""
    return load_circuits() if Path(DATA / "circuits-osu018.json").exists() else None


def with_energy(result: Result, plan: Plan, technology: Technology, predictions: Sequence[Counts | None]) -> Result:
    """`result` with the energy of its kernels, of the step, and what that rests on.

    predictions: what each of the plan's kernels is expected to cost, for targets that count nothing.
    """
    kernels, energy = energy_of(result.kernels, result.job, plan, technology, shipped_circuits(), predictions)
    totals = result.totals
    if energy is not None:
        totals = replace(totals, energy_pj=energy.total_pj, energy_interval_pj=(energy.low_pj, energy.high_pj))
    return replace(result, kernels=kernels, totals=totals, energy=energy)
