"""From a design to circuits of the library: synthesis, timing, simulation, and means with their standard errors."""

import zlib
from pathlib import Path

import numpy as np

from pyhost.energy.circuits import ACTIVITIES, Activity, ActivityName, Circuit
from scripts.characterize.catalogue import Item
from scripts.characterize.cells import Library
from scripts.characterize.netlist import synthesise
from scripts.characterize.simulate import Circuitry, Trace
from scripts.characterize.timing import Timing, WireModel

__all__ = ["measure"]

WARM_UP = 16
"""Cycles before anything counts: pipelines fill, and registers take values that somebody wrote."""

BATCHES = 25
"""Of consecutive cycles, whose means are taken as independent."""


def measure(
    item: Item,
    *,
    liberty: Path,
    library: Library,
    yosys: Path,
    directory: Path,
    vectors: int,
    seed: int,
    wire: float | None,
) -> tuple[list[Circuit], str]:
    """A circuit for each block of the item, and its wire model in words. wire: pF a sink; see `WireModel.of`."""
    netlist = synthesise(item.design(), liberty, library, yosys, directory)
    wires = WireModel.of(library, netlist, wire)
    timing = Timing(library, netlist, wires)
    circuitry = Circuitry(timing)
    activities: list[dict[ActivityName, Activity]] = [{} for _ in item.circuits]
    for activity in ACTIVITIES:
        random = np.random.default_rng((seed, zlib.crc32(f"{item.name} {activity}".encode())))
        stimulus = item.stimulus(activity, vectors + WARM_UP, random)
        if stimulus is not None:
            trace = circuitry.run(stimulus)
            for block, found in enumerate(activities):
                found[activity] = _activity(trace, block, float(circuitry.clock_energy[block]))
    circuits = []
    for block, (unit, formats, accumulator) in enumerate(item.circuits):
        inside = [instance.cell for instance in netlist.instances if instance.block == block]
        circuits.append(
            Circuit(
                unit=unit,
                formats=formats,
                accumulator=accumulator,
                area_um2=_rounded(sum(cell.area for cell in inside)),
                delay_ns=_rounded(timing.slowest(block)),
                leakage_nw=_rounded(sum(cell.leakage for cell in inside)),
                cells=len(inside),
                flip_flops=sum(cell.flip_flop is not None for cell in inside),
                activities=activities[block],
            )
        )
    return circuits, wires.description


def _activity(trace: Trace, block: int, clock: float) -> Activity:
    energy = trace.energy[WARM_UP:, block]
    means = np.array([part.mean() for part in np.array_split(energy, min(BATCHES, len(energy)))])
    error = means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else 0.0
    return Activity(
        vectors=len(energy),
        energy_pj=_rounded(energy.mean() + clock),
        standard_error_pj=_rounded(error),
        glitch_free_pj=_rounded(trace.glitch_free[WARM_UP:, block].mean() + clock),
        clock_pj=_rounded(clock),
        toggles=_rounded(trace.toggles[WARM_UP:, block].mean()),
        glitch_free_toggles=_rounded(trace.glitch_free_toggles[WARM_UP:, block].mean()),
    )


def _rounded(value: float) -> float:
    """To four digits: more would be noise."""
    return float(f"{value:.4g}")
