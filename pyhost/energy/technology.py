"""Technologies: tables of published figures for one node and voltage, and what operations cost by them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from pyhost.energy.estimate import Estimate
from pyhost.energy.figures import DATA, UNITS, EnergyDataError, Figure, Table, parse
from pyhost.energy.scaling import scaling

__all__ = ["DEFAULT", "Technology", "load_technology", "technologies"]

DEFAULT: Final = "horowitz-45nm"

_ENERGIES: Final = (
    *(f"{operation}.{width}" for operation in ("add", "multiply") for width in ("int8", "int32", "e5m10", "e8m23")),
    *("sram.8KiB", "sram.32KiB", "sram.1MiB", "dram", "cpu.instruction", "register.clock"),
)
_OPTIONAL: Final = ("add.e8m7", "multiply.e8m7")
_POWERS: Final = ("leakage.register", "leakage.sram")


class Technology(Table):
    """The figures by name, in pJ or nW, each for its own node and voltage.

    add, multiply: an operation on integers or floats of that name. sram.SIZE: 64 bits read from or written to a memory
    of that size; dram: the same of DRAM, its interface included. cpu.instruction: of a simple core, with its caches.
    register.clock: a flip-flop that is clocked. leakage: of a bit of a register, of a bit of SRAM.
    clock_mhz: an assumption, which only leakage depends on.
    """

    version: Literal[1] = Field(alias="schema")
    name: Annotated[str, Field(min_length=1)]
    description: str
    node_nm: Annotated[float, Field(gt=0)]
    voltage: Annotated[float, Field(gt=0)]
    clock_mhz: Annotated[float, Field(gt=0)]
    figures: Mapping[str, Figure]

    @model_validator(mode="after")
    def _check(self) -> Self:
        known = {**dict.fromkeys((*_ENERGIES, *_OPTIONAL), "energy"), **dict.fromkeys(_POWERS, "power")}
        for name, figure in self.figures.items():
            if name not in known:
                raise ValueError(f"figures.{name}: unknown figure; allowed: {', '.join(known)}")
            if figure.quantity != known[name]:
                allowed = ", ".join(unit for unit, (quantity, _) in UNITS.items() if quantity == known[name])
                raise ValueError(f"figures.{name}.unit: {figure.unit}; allowed: {allowed}")
        if missing := [name for name in (*_ENERGIES, *_POWERS) if name not in self.figures]:
            raise ValueError(f"figures.{missing[0]}: missing")
        return self

    def figure(self, name: str) -> Estimate:
        """A figure in pJ, scaled to the technology's node and voltage, or in nW as it is."""
        figure = self.figures[name]
        value, low, high = figure.interval
        factor = (1.0, 1.0, 1.0)
        if figure.quantity == "energy":
            factor = scaling().factor((figure.node_nm, figure.voltage), (self.node_nm, self.voltage))
        value, low, high = (number * by for number, by in zip((value, low, high), factor, strict=True))
        return Estimate(value, low, high, {name: value})

    def source(self, name: str) -> str:
        """Where a figure is from, and from which node where that is another one."""
        figure = self.figures[name]
        moved = (figure.node_nm, figure.voltage) != (self.node_nm, self.voltage) and figure.quantity == "energy"
        return figure.source + (f", scaled from {figure.node_nm:g} nm, {figure.voltage:g} V" if moved else "")


def technologies() -> tuple[str, ...]:
    """Names of the technologies that come with floatsoc."""
    others = ("scaling", "published", "design")
    names = sorted(path.stem for path in DATA.glob("*.json"))
    return tuple(name for name in names if name not in others and not name.startswith("circuits-"))


def load_technology(name_or_path: str | Path = DEFAULT) -> Technology:
    """A technology that comes with floatsoc, or that of a JSON file; EnergyDataError names what is wrong with it.

    What contains a separator or ends in .json is a path.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, str) and "/" not in text and not text.endswith(".json"):
        if text not in technologies():
            raise EnergyDataError(
                f"no technology {text!r}; there are {', '.join(technologies())}, others are files: NAME.json"
            )
        path = DATA / f"{text}.json"
    else:
        path = Path(name_or_path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EnergyDataError(f"{path}: cannot be read: {error.strerror or error}") from error
    return parse(Technology, content, path.name if path.parent == DATA else text)
