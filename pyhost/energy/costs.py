"""What one operation costs in a technology: units of the array, write-back, memories, each as an estimate in pJ.

Arithmetic that has been synthesised comes from the circuit library; the rest is interpolated from the technology's
table, always linearly in its figures, over a power of the width::

    multiply(p) ~ p^1.55 for p bits of significand      between and below binary16 (11) and binary32 (24)
    add(p)      ~ p                                     the same
    exact(w)    = add.int32 * w / 32                    w bits of a fixed-point register
    sram(s)     = a + b * sqrt(s)                       least squares through the table's three sizes, for 64 bits

The exponent 1.55 is that of the table's two multipliers, log(3.7 / 1.1) / log(24 / 11); see docs/energy.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt

import numpy as np

from pyhost.energy.circuits import ActivityName, Circuits, Unit
from pyhost.energy.estimate import Estimate
from pyhost.energy.technology import Technology
from pyhost.formats import parse_format
from pyhost.job.models import exact_accumulator_bits

__all__ = ["SRAM_SIZES", "Costs", "precision_of"]

MULTIPLY_EXPONENT = 1.55
"""Of a multiplier's energy over its significand's bits."""

SRAM_SIZES = {"sram.8KiB": 8, "sram.32KiB": 32, "sram.1MiB": 1024}
"""Figure of a technology: KiB."""

_BINARY32: tuple[tuple[Unit, tuple[str, ...], str | None], ...] = (
    ("multiply", ("e8m23",), None),
    ("accumulate", ("e8m23",), "e8m23"),
)
_BINARY16: tuple[tuple[Unit, tuple[str, ...], str | None], ...] = (("fma", ("e5m10",), "e5m10"),)
_INTEGER: tuple[tuple[Unit, tuple[str, ...], str | None], ...] = (("int8_mac", (), None),)
"""Units of the circuit library that do what entries of a table do."""

_EXPONENTS = {"multiply": (1.0, MULTIPLY_EXPONENT, 2.0), "add": (0.5, 1.0, 1.5)}
"""(lowest, likely, highest) exponent of an operation's energy over its precision."""


def precision_of(format_: str) -> int:
    """Bits of a format's significand with the hidden one; of a posit, of its longest."""
    parsed = parse_format(format_)
    precision = getattr(parsed, "precision", None)
    assert isinstance(precision, int), f"{format_} has no significand"
    return precision


@dataclass(frozen=True)
class Costs:
    """The costs in `technology`; circuits: the synthesised units, where there are."""

    technology: Technology
    circuits: Circuits | None = None

    def float_operation(self, operation: str, precision: int) -> Estimate:
        """ "multiply" or "add" of binary floats with so many bits of significand, by the table."""
        names = {f"{operation}.{name}": precision_of(name) for name in ("e8m7", "e5m10", "e8m23")}
        points = [(name, p) for name, p in names.items() if name in self.technology.figures]
        if exact := [name for name, p in points if p == precision]:
            return self.technology.figure(exact[0])
        low, likely, high = (_through(points, precision, exponent) for exponent in _EXPONENTS[operation])

        def mix(weights: Sequence[tuple[str, float]]) -> Estimate:
            parts = (weight * self.technology.figure(name) for name, weight in weights)
            return sum(parts, Estimate())

        return mix(likely).around(mix(high), mix(low)).around(mix(low), mix(high))

    def integer_add(self, bits: int) -> Estimate:
        """A sum of integers of so many bits."""
        return bits / 32 * self.technology.figure("add.int32")

    @cached_property
    def circuit_scale(self) -> Estimate | None:
        """pJ in this technology for a pJ of the circuit library; None without a library, or one that lacks binary32.

        What makes a multiply-add of binary32 on random operands cost as much as the table says. The interval holds what
        binary16 and 8-bit integers ask for, and operands of a training step in the place of random ones.
        """
        if self.circuits is None:
            return None
        figure = self.technology.figure
        anchors = (
            (figure("multiply.e8m23") + figure("add.e8m23"), self._measured(_BINARY32)),
            (figure("multiply.e5m10") + figure("add.e5m10"), self._measured(_BINARY16)),
            (figure("multiply.int8") + figure("add.int32"), self._measured(_INTEGER)),
        )
        table, measured = anchors[0]
        if "uniform" not in measured:
            return None
        scales = [
            published.value / energies[activity]
            for published, energies in anchors
            for activity in ("forward", "uniform")
            if activity in energies
        ]
        value = (1 / measured["uniform"]) * table
        return Estimate(value.value, min(value.low, *scales), max(value.high, *scales), value.figures)

    def _measured(self, units: Sequence[tuple[Unit, tuple[str, ...], str | None]]) -> dict[str, float]:
        """pJ in the circuit library of some units together, by activity; empty where one is not there."""
        assert self.circuits is not None
        found = [self.circuits.find(*unit) for unit in units]
        energies = [circuit.energy_pj for circuit in found if circuit is not None]
        if len(energies) < len(found):
            return {}
        return {name: sum(each[name] for each in energies) for name in energies[0] if all(name in e for e in energies)}

    def circuit(
        self, unit: Unit, formats: Sequence[Sequence[str]], accumulator: str | None, activity: ActivityName
    ) -> Estimate | None:
        """A unit of the circuit library, for the first of several lists of formats that it has, in this technology.

        With "uniform", whose operands nobody knows, the interval reaches over all activities that were measured.
        """
        scale = self.circuit_scale
        if self.circuits is None or scale is None:
            return None
        found = (self.circuits.find(unit, each, accumulator) for each in formats)
        circuit = next((each for each in found if each is not None), None)
        if circuit is None:
            return None
        energies = circuit.energy_pj
        estimate = energies.get(activity, max(energies.values())) * scale
        if activity != "uniform":
            return estimate
        return estimate.around(min(energies.values()) * scale, max(energies.values()) * scale)

    def mac(
        self, formats: tuple[str, str], generated: Sequence[str], accumulator: str, activity: ActivityName
    ) -> Estimate:
        """A multiply-add of an element; generated: all operand formats of the hardware, formats: those of A and B."""
        synthesised = self.synthesised_mac(formats, generated, accumulator, activity)
        return synthesised or self.published_mac(formats, generated, accumulator)

    def has_mac(self, formats: tuple[str, str], generated: Sequence[str], accumulator: str) -> bool:
        """Whether `mac` rests on the circuit library."""
        return self.synthesised_mac(formats, generated, accumulator, "uniform") is not None

    def synthesised_mac(
        self, formats: tuple[str, str], generated: Sequence[str], accumulator: str, activity: ActivityName
    ) -> Estimate | None:
        """The same by the circuit library alone, which has both units or is not asked."""
        choices = (tuple(generated), tuple(dict.fromkeys(formats)))
        multiply = self.circuit("multiply", choices, None, activity)
        accumulate = self.circuit("accumulate", choices, accumulator, activity)
        return None if multiply is None or accumulate is None else multiply + accumulate

    def published_mac(self, formats: tuple[str, str], generated: Sequence[str], accumulator: str) -> Estimate:
        """The same by the table alone: a product of the wider format's precision, and a sum.

        An exact sum is one of integers as wide as the register; the upper end, a float sum as wide as binary32's,
        allows for the shifter in front of it.
        """
        precision = max(map(precision_of, formats))
        product = self.float_operation("multiply", precision)
        if accumulator == "exact":
            register = self.integer_add(exact_accumulator_bits(generated))
            return product + register.around(register, register + self.float_operation("add", 24))
        return product + self.float_operation("add", precision_of(accumulator))

    def decode(self, generated: Sequence[str], format_: str, activity: ActivityName) -> Estimate:
        """A code decoded at the edge of the array; by the table nothing that it would show."""
        return self.circuit("decode", (tuple(generated), (format_,)), None, activity) or Estimate()

    def write_back(self, format_: str, generated: Sequence[str], addend: bool, activity: ActivityName) -> Estimate:
        """An element of D normalised, scaled and rounded, and added to an addend before that.

        By the table: as much as a sum of binary32, from that of binary16 to two of binary32; twice with an addend.
        Where the rounder was synthesised, the rest still costs that, or at least nothing.
        """
        single, half = self.float_operation("add", 24), self.float_operation("add", 11)
        around = (2.0 if addend else 1.0) * single.around(half, 2.0 * single)
        rounder = self.circuit("round", (tuple(generated), (format_,)), None, activity)
        return around if rounder is None else rounder + around.around(Estimate(), around)

    @cached_property
    def _sram_weights(self) -> tuple[np.ndarray, float]:
        """Rows: what each figure adds to a and b of the least squares; and the largest relative residual."""
        roots = np.sqrt(list(SRAM_SIZES.values()))
        weights = np.linalg.pinv(np.stack([np.ones(3), roots], axis=1))
        values = np.array([self.technology.figure(name).value for name in SRAM_SIZES])
        a, b = weights @ values
        given = values > 0  # a technology may price its memories at nothing
        residuals = np.abs((a + b * roots[given]) / values[given] - 1)
        return weights, float(residuals.max(initial=0.0))

    @property
    def sram_residual(self) -> float:
        """The largest relative difference of the fit from the table's three memories."""
        return self._sram_weights[1]

    def sram(self, size: float, bits: float) -> Estimate:
        """So many bits read from or written to a static memory of `size` bytes."""
        weights, residual = self._sram_weights
        root = sqrt(size / 1024)
        estimate = Estimate()
        for index, name in enumerate(SRAM_SIZES):
            weight = (float(weights[0, index]) + float(weights[1, index]) * root) * bits / 64
            part = weight * self.technology.figure(name)
            estimate += Estimate(part.value, min(part.low, part.high), max(part.low, part.high), part.figures)
        return estimate.spread(1 - residual, 1 + residual)

    def dram(self, bits: float) -> Estimate:
        """The same of DRAM, its interface included."""
        return bits / 64 * self.technology.figure("dram")


def _through(points: Sequence[tuple[str, int]], precision: int, exponent: float) -> list[tuple[str, float]]:
    """Weights of figures: linear in p^exponent between the points next to `precision`, proportional to it outside."""
    ordered = sorted(points, key=lambda point: point[1])
    below = [point for point in ordered if point[1] < precision]
    above = [point for point in ordered if point[1] > precision]
    if not below or not above:
        name, p = above[0] if above else below[-1]
        return [(name, (precision / p) ** exponent)]
    (low, p), (high, q) = below[-1], above[0]
    place = (precision**exponent - p**exponent) / (q**exponent - p**exponent)
    return [(low, 1 - place), (high, place)]
