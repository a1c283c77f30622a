"""The circuit library: area, delay, leakage and energy of arithmetic units, as `scripts/characterize` measured them."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pyhost.errors import FloatsocError
from pyhost.formats import parse_format

__all__ = [
    "ACTIVITIES",
    "SCHEMA",
    "UNITS",
    "Activity",
    "Circuit",
    "Circuits",
    "CircuitsError",
    "Liberty",
    "load_circuits",
]

SCHEMA = 1
"""Version of the files that `load_circuits` reads."""

Unit = Literal["decode", "multiply", "accumulate", "round", "fma", "int8_mac"]
ActivityName = Literal["forward", "weight_gradient", "input_gradient", "uniform"]

UNITS: tuple[Unit, ...] = ("decode", "multiply", "accumulate", "round", "fma", "int8_mac")
"""What circuits do; see docs/circuits.md. An operation is a code decoded or rounded, a product, or a product added."""

ACTIVITIES: tuple[ActivityName, ...] = ("forward", "weight_gradient", "input_gradient", "uniform")
"""Whose operands a circuit saw: those of a kind of product in a training step, or random codes."""

_DIRECTORY = Path(__file__).parent / "data"

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class CircuitsError(FloatsocError):
    """A circuit library that does not exist or does not hold what it should."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Liberty(_Table):
    """The standard cells: name and SHA-256 of the Liberty file."""

    file: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Activity(_Table):
    """What a circuit did with one kind of operands, a mean over `vectors` operations.

    energy_pj: pJ per operation, glitches and clock pins included, leakage not; standard_error_pj: of that mean.
    glitch_free_pj: the same if every net changed at most once a cycle. clock_pj: the part of flip-flops' clock pins.
    toggles, glitch_free_toggles: changes of nets per operation.
    """

    vectors: Annotated[int, Field(gt=0)]
    energy_pj: _NotNegative
    standard_error_pj: _NotNegative
    glitch_free_pj: _NotNegative
    clock_pj: _NotNegative
    toggles: _NotNegative
    glitch_free_toggles: _NotNegative

    @property
    def glitch_share(self) -> float:
        """Share of the energy that glitches take; 0 where there is no energy."""
        return 1 - self.glitch_free_pj / self.energy_pj if self.energy_pj else 0.0


class Circuit(_Table):
    """One unit, synthesised.

    formats: of its operands, or of the result of a rounder; empty for integers. accumulator: "exact", the format of
    a chain, or None where the unit has none. delay_ns: the slowest path, from clock edge or input to setup or output.
    """

    unit: Unit
    formats: tuple[str, ...]
    accumulator: str | None = None
    area_um2: _Positive
    delay_ns: _Positive
    leakage_nw: _NotNegative
    cells: Annotated[int, Field(gt=0)]
    flip_flops: Annotated[int, Field(ge=0)]
    activities: Mapping[ActivityName, Activity]

    @property
    def energy_pj(self) -> dict[ActivityName, float]:
        """pJ per operation for each activity."""
        return {name: activity.energy_pj for name, activity in self.activities.items()}

    @property
    def key(self) -> tuple[Unit, tuple[str, ...], str | None]:
        """What no other circuit of a library has."""
        return self.unit, self.formats, self.accumulator

    @property
    def name(self) -> str:
        """Such as "accumulate e4m3fn+e5m2 in exact"."""
        return self.name_of(*self.key)

    @staticmethod
    def name_of(unit: str, formats: Sequence[str], accumulator: str | None) -> str:
        """The name of a circuit that there need not be."""
        return " ".join([unit, "+".join(formats)]).strip() + (f" in {accumulator}" if accumulator else "")


class Circuits(_Table):
    """Circuits in one technology and the conditions under which they were measured.

    voltage: V; temperature: degrees Celsius. node_nm is None where the library's name does not tell and nobody said.
    wire_model: how wires were estimated, in words. tools: versions. seed: of everything random.
    """

    version: Literal[1] = Field(alias="schema")
    technology: str
    node_nm: _Positive | None
    voltage: _Positive
    temperature: float
    corner: str
    liberty: Liberty
    tools: Mapping[str, str]
    date: date
    wire_model: str
    seed: int
    circuits: tuple[Circuit, ...]

    @field_validator("circuits")
    @classmethod
    def _each_once(cls, circuits: tuple[Circuit, ...]) -> tuple[Circuit, ...]:
        names = [circuit.name for circuit in circuits]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name} appears twice")
        return circuits

    def find(self, unit: Unit, formats: str | Sequence[str] = (), accumulator: str | None = None) -> Circuit | None:
        """The unit for exactly these formats, in any order and by any of their names, or None."""
        names = (formats,) if isinstance(formats, str) else formats
        wanted = {parse_format(name).name for name in names}
        if accumulator not in (None, "exact"):
            accumulator = parse_format(accumulator).name
        for circuit in self.circuits:
            if (circuit.unit, set(circuit.formats), circuit.accumulator) == (unit, wanted, accumulator):
                return circuit
        return None

    def to_json(self) -> str:
        """The file that `load_circuits` reads."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=1) + "\n"


def load_circuits(name_or_path: str | Path = "osu018") -> Circuits:
    """The library of a technology that comes with floatsoc, such as "osu018", or of a file; CircuitsError if it is bad.

    What contains a separator or ends in .json is a path.
    """
    text = str(name_or_path)
    shipped = isinstance(name_or_path, str) and "/" not in text and not text.endswith(".json")
    path = _DIRECTORY / f"circuits-{text}.json" if shipped else Path(name_or_path)
    try:
        content = path.read_bytes()
    except OSError as error:
        there = ", ".join(sorted(p.stem.removeprefix("circuits-") for p in _DIRECTORY.glob("circuits-*.json")))
        hint = f"; there are {there or 'none'}, others are files made by python -m scripts.characterize"
        raise CircuitsError(f"circuit library {text!r}: {error.strerror or error}{hint}") from error
    try:
        return Circuits.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise CircuitsError(f"{path}: {where + ': ' if where else ''}{first['msg']}") from error
