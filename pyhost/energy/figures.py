"""Figures with their uncertainty and where they come from, as data files state them, and errors in one clear line."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pyhost.errors import FloatsocError

__all__ = ["DATA", "UNITS", "EnergyDataError", "Figure", "Table", "parse"]

DATA = Path(__file__).parent / "data"
"""The tables that come with floatsoc."""

UNITS = {
    "fJ": ("energy", 1e-3),
    "pJ": ("energy", 1.0),
    "nJ": ("energy", 1e3),
    "nW": ("power", 1.0),
    "uW": ("power", 1e3),
}
"""Unit: (what it measures, how many pJ or nW it is)."""

TableType = TypeVar("TableType", bound="Table")


class EnergyDataError(FloatsocError):
    """A table of energies that does not exist or does not hold what it should."""


class Table(BaseModel):
    """Frozen, and strict about keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


_NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Figure(Table):
    """A published value with the ends of its interval, and the conditions under which it holds.

    node_nm and voltage (V): of the circuit it was found for. note: what the value includes, what the interval means.
    """

    value: _NotNegative
    low: _NotNegative
    high: _NotNegative
    unit: Literal["fJ", "pJ", "nJ", "nW", "uW"]
    node_nm: _Positive
    voltage: _Positive
    year: Annotated[int, Field(ge=1960, le=2100)]
    source: Annotated[str, Field(min_length=1)]
    note: str | None = None

    @property
    def quantity(self) -> str:
        """What its unit measures: energy or power."""
        return UNITS[self.unit][0]

    @property
    def interval(self) -> tuple[float, float, float]:
        """(value, low, high) in pJ or nW."""
        scale = UNITS[self.unit][1]
        return self.value * scale, self.low * scale, self.high * scale

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"low {self.low:g}, value {self.value:g}, high {self.high:g}: must not descend")
        return self


def parse(kind: type[TableType], text: str | bytes, name: str) -> TableType:
    """The table of a JSON text from file `name`; EnergyDataError with the first problem: file, key, given, allowed."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise EnergyDataError(f"{name}: {key + ': ' if key else ''}{_problem(dict(first))}") from error


def _problem(error: dict[str, Any]) -> str:
    """What is wrong, in words: what was given, what is allowed."""
    given = f"{error['input']!r}" if isinstance(error["input"], str | int | float | bool | None) else ""
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return "missing"
        case "extra_forbidden":
            return "unknown key"
        case "literal_error":
            return f"{given}; allowed: {context['expected']}"
        case "value_error":
            return str(context["error"])
        case "json_invalid":
            return f"not JSON: {context['error']}"
    return f"{given}; {error['msg'].replace('Input should be', 'must be')}"
