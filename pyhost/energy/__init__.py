"""From counters to joules: technologies, the circuit library, and the energy of a run with intervals."""

from pyhost.energy.circuits import Circuits, load_circuits
from pyhost.energy.estimate import Estimate
from pyhost.energy.figures import EnergyDataError, Figure
from pyhost.energy.model import PARTS, Counts, energy_of, parts_of
from pyhost.energy.technology import DEFAULT, Technology, load_technology, technologies

__all__ = [
    "DEFAULT",
    "PARTS",
    "Circuits",
    "Counts",
    "EnergyDataError",
    "Estimate",
    "Figure",
    "Technology",
    "energy_of",
    "load_circuits",
    "load_technology",
    "parts_of",
    "technologies",
]
