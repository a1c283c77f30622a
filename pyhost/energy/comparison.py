"""Energy of a multiply-add by format: by the technology's table, and by synthesis where the circuit library has it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pyhost.energy.circuits import ActivityName, Circuits
from pyhost.energy.costs import Costs, precision_of
from pyhost.energy.estimate import Estimate
from pyhost.energy.technology import Technology
from pyhost.formats import parse_format
from pyhost.job.models import EXACT_ACCUMULATOR_LIMIT, exact_accumulator_bits

__all__ = ["FORMATS", "Amount", "MacEnergy", "mac_energies"]

FORMATS: Final = ("e4m3fn", "e5m2", "posit8", "e5m10", "e8m7", "e8m23")
"""What `floatsoc energy` compares unless it is told otherwise."""

_CHAIN: Final = "e8m23"


@dataclass(frozen=True)
class Amount:
    """An energy in pJ with its interval, and how many times a binary32 multiply-add in binary32 it is."""

    picojoules: float
    low: float
    high: float
    ratio: float | None


@dataclass(frozen=True, kw_only=True)
class MacEnergy:
    """acc += a * b, both in `format`, with one accumulator: "exact", or the format of a chain.

    precision: bits of the significand. accumulator_bits: of the register, or of the chain's format. published: by the
    technology's table; synthesised: by the circuit library, None where that lacks it.
    """

    format: str
    precision: int
    accumulator: str
    accumulator_bits: int
    published: Amount
    synthesised: Amount | None


def mac_energies(
    formats: Iterable[str],
    technology: Technology,
    circuits: Circuits | None = None,
    activity: ActivityName = "uniform",
) -> tuple[MacEnergy, ...]:
    """For each format, a multiply-add into an exact register, where it fits the accelerator, and into binary32."""
    costs = Costs(technology, circuits)
    reference = costs.published_mac((_CHAIN, _CHAIN), (_CHAIN,), _CHAIN)
    synthesised = costs.synthesised_mac((_CHAIN, _CHAIN), (_CHAIN,), _CHAIN, activity)

    def row(format_: str, accumulator: str, bits: int) -> MacEnergy:
        found = costs.synthesised_mac((format_, format_), (format_,), accumulator, activity)
        return MacEnergy(
            format=format_,
            precision=precision_of(format_),
            accumulator=accumulator,
            accumulator_bits=bits,
            published=_amount(costs.published_mac((format_, format_), (format_,), accumulator), reference),
            synthesised=None if found is None else _amount(found, synthesised),
        )

    rows: list[MacEnergy] = []
    for name in formats:
        format_ = parse_format(name).name
        if (bits := exact_accumulator_bits((format_,))) <= EXACT_ACCUMULATOR_LIMIT:
            rows.append(row(format_, "exact", bits))
        rows.append(row(format_, _CHAIN, parse_format(_CHAIN).bits))
    return tuple(rows)


def _amount(energy: Estimate, reference: Estimate | None) -> Amount:
    return Amount(energy.value, energy.low, energy.high, energy.value / reference.value if reference else None)
