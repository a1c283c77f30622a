"""From counters to joules: technologies, the circuit library, and the energy of a run with intervals.

`model` has what a run costs, `costs` what an operation does, `comparison` formats side by side.
"""

from pyhost.energy.circuits import Circuits, load_circuits
from pyhost.energy.estimate import Estimate
from pyhost.energy.figures import EnergyDataError, Figure
from pyhost.energy.technology import DEFAULT, Technology, load_technology, technologies

__all__ = [
    "DEFAULT",
    "Circuits",
    "EnergyDataError",
    "Estimate",
    "Figure",
    "Technology",
    "load_circuits",
    "load_technology",
    "technologies",
]
