"""Standard cells of a Liberty file, in ns, pF, V, nW and pJ, whatever the file's own units."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import sympy
from liberty.boolean_functions import parse_boolean_function
from liberty.parser import parse_liberty
from numpy.typing import NDArray

from pyhost.errors import FloatsocError

__all__ = ["Arc", "Cell", "FlipFlop", "LibertyError", "Library", "Output", "Table", "read_liberty", "truth_table"]

RISE, FALL = 0, 1

_SECONDS = {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0, "ps": 1e-3, "fs": 1e-6}
_FARADS = {"f": 1e12, "mf": 1e9, "uf": 1e6, "nf": 1e3, "pf": 1.0, "ff": 1e-3}
_WATTS = {"w": 1e9, "mw": 1e6, "uw": 1e3, "nw": 1.0, "pw": 1e-3, "fw": 1e-6}
_VOLTS = {"v": 1.0, "mv": 1e-3}


class LibertyError(FloatsocError):
    """A Liberty file that cannot be read or lacks what a characterisation needs."""

    exit_status = 3


@dataclass(frozen=True)
class Table:
    """A value over output load (pF) and input transition (ns), between whose points it is linear.

    Beyond the first and last points it goes on straight if `extrapolate`, and stays as it is otherwise.
    """

    loads: NDArray[np.float64]
    slews: NDArray[np.float64]
    values: NDArray[np.float64]
    """[load, slew]"""
    extrapolate: bool

    def __call__(self, load: float, slew: float) -> float:
        i, x = self._place(self.loads, load)
        j, y = self._place(self.slews, slew)
        v = self.values
        low = v[i, j] if not x else v[i, j] * (1 - x) + v[i + 1, j] * x
        if not y:
            return float(low)
        high = v[i, j + 1] if not x else v[i, j + 1] * (1 - x) + v[i + 1, j + 1] * x
        return float(low * (1 - y) + high * y)

    def _place(self, points: NDArray[np.float64], value: float) -> tuple[int, float]:
        if len(points) == 1:
            return 0, 0.0
        i = min(max(int(np.searchsorted(points, value)) - 1, 0), len(points) - 2)
        x = (value - points[i]) / (points[i + 1] - points[i])
        return i, float(x if self.extrapolate else min(max(x, 0.0), 1.0))


Pair = tuple[Table, Table]
"""Of a rising and of a falling transition."""


@dataclass(frozen=True)
class Arc:
    """How an input drives an output: sense "positive_unate", "negative_unate" or "non_unate"."""

    pin: str
    sense: str
    delay: Pair
    transition: Pair


@dataclass(frozen=True)
class Output:
    """An output pin: its function of the inputs (in a flip-flop: of the state), arcs, and energies by related pin."""

    function: Any
    arcs: tuple[Arc, ...]
    energy: dict[str, tuple[Pair, ...]]

    def truth(self, inputs: Sequence[str]) -> int:
        """Bit i is the output where bit j of i is inputs[j]."""
        return truth_table(self.function, inputs)


@dataclass(frozen=True)
class FlipFlop:
    """State after a rising clock: next_state of the inputs. state, inverse: names of the state in output functions."""

    clock: str
    next_state: Any
    state: str
    inverse: str
    setup: dict[str, tuple[Pair, ...]]
    """By data pin, for its edges; a table's `load` is the transition of the clock, its `slew` that of the data."""


@dataclass(frozen=True)
class Cell:
    """area: um2; leakage: nW; capacitance: pF by input pin; passive: energies of an input's own changes."""

    name: str
    area: float
    leakage: float
    capacitance: dict[str, float]
    passive: dict[str, tuple[Pair, ...]]
    outputs: dict[str, Output]
    flip_flop: FlipFlop | None = None


@dataclass(frozen=True)
class Library:
    """A technology: voltage in V, temperature in degrees Celsius, and how it estimates wires, if it does."""

    name: str
    file: str
    sha256: str
    voltage: float
    temperature: float
    corner: str
    cells: dict[str, Cell]
    wire_load: tuple[str, dict[int, float], float] | None = field(default=None)
    """Name, capacitance of the fanouts that it lists, and of each further one."""


def truth_table(function: Any, inputs: Sequence[str]) -> int:
    """Truth table of a sympy function, bit i for the inputs whose bits are those of i, the first input's the lowest."""
    table = 0
    for index, bits in enumerate(product((False, True), repeat=len(inputs))):
        values = {sympy.Symbol(name): bit for name, bit in zip(inputs, reversed(bits), strict=True)}
        if bool(function.subs(values) if hasattr(function, "subs") else function):
            table |= 1 << index
    return table


def read_liberty(path: Path) -> Library:
    """The library of a file; LibertyError where it cannot be used."""
    try:
        content = path.read_bytes()
        library = parse_liberty(content.decode("utf-8", "replace"))
    except OSError as error:
        raise LibertyError(f"{path}: {error.strerror}") from error
    except Exception as error:  # the parser's own come from several packages
        raise LibertyError(f"{path}: not a Liberty file: {str(error).splitlines()[0]}") from error
    if library.group_name != "library":
        raise LibertyError(f"{path}: a Liberty file begins with library(...), this one with {library.group_name}")
    return _Reader(library, path).library(hashlib.sha256(content).hexdigest())


class _Reader:
    def __init__(self, library: Any, path: Path) -> None:
        self.source, self.path = library, path
        self.voltage_unit = self._unit("voltage_unit", _VOLTS, "1V")
        self.time = self._unit("time_unit", _SECONDS, "1ns")
        self.power = self._unit("leakage_power_unit", _WATTS, "1nW")
        load = library.get_attribute("capacitive_load_unit", None)
        number, unit = (str(v) for v in load) if load else ("1", "pf")
        self.farad = float(number) * _FARADS[unit.strip('"').lower()]
        self.joule = self.farad * self.voltage_unit**2
        kinds = ("lu_table_template", "power_lut_template")
        self.templates = {_text(g.args[0]): g for kind in kinds for g in library.get_groups(kind)}

    def _unit(self, name: str, units: dict[str, float], default: str) -> float:
        text = _text(self.source.get_attribute(name, default)).strip().lower()
        match = re.fullmatch(r"([\d.e+-]*)\s*([a-z]+)", text)
        if match is None or match[2] not in units:
            raise LibertyError(f"{self.path}: {name} is {text!r}")
        return float(match[1] or 1) * units[match[2]]

    def library(self, sha256: str) -> Library:
        source = self.source
        conditions = [g for g in source.get_groups("operating_conditions") if g.args]
        default = _text(source.get_attribute("default_operating_conditions", ""))
        chosen = next((g for g in conditions if _text(g.args[0]) == default), conditions[0] if conditions else None)
        voltage = source.get_attribute("nom_voltage", None)
        temperature = source.get_attribute("nom_temperature", 25)
        if chosen is not None:
            voltage = chosen.get_attribute("voltage", voltage)
            temperature = chosen.get_attribute("temperature", temperature)
        if voltage is None:
            raise LibertyError(f"{self.path}: no nom_voltage, so there is no energy to be had")
        cells = {}
        for group in source.get_groups("cell"):
            cell = self._cell(group)
            if cell is not None:
                cells[cell.name] = cell
        if not any(cell.flip_flop for cell in cells.values()):
            raise LibertyError(f"{self.path}: no flip-flop with a rising clock and without set and reset")
        return Library(
            name=_text(source.args[0]) if source.args else self.path.stem,
            file=self.path.name,
            sha256=sha256,
            voltage=float(voltage) * self.voltage_unit,
            temperature=float(temperature),
            corner=_text(chosen.args[0]) if chosen is not None else "nominal",
            cells=cells,
            wire_load=self._wire_load(),
        )

    def _wire_load(self) -> tuple[str, dict[int, float], float] | None:
        wanted = _text(self.source.get_attribute("default_wire_load", ""))
        for group in self.source.get_groups("wire_load"):
            if wanted and _text(group.args[0]) == wanted:
                per_length = float(group.get_attribute("capacitance", 0)) * self.farad
                lengths = {
                    int(float(str(a.value[0]))): float(str(a.value[1]))
                    for a in group.attributes
                    if a.name == "fanout_length"
                }
                if lengths and per_length:
                    loads = {fanout: length * per_length for fanout, length in lengths.items()}
                    return wanted, loads, float(group.get_attribute("slope", 0)) * per_length
        return None

    def _cell(self, group: Any) -> Cell | None:
        """The cell, or None if it is none that a synthesis of plain logic and registers uses."""
        name = _text(group.args[0])
        pins = {_text(p.args[0]): p for p in group.get_groups("pin")}
        flops = group.get_groups("ff")
        if group.get_groups("latch") or group.get_groups("statetable") or group.get_groups("bus"):
            return None
        inputs = {n: p for n, p in pins.items() if _text(p.get_attribute("direction", "")) == "input"}
        outputs = {n: p for n, p in pins.items() if _text(p.get_attribute("direction", "")) == "output"}
        functions = {n: p.get_attribute("function", None) for n, p in outputs.items()}
        if not outputs or None in functions.values():
            return None
        if any(p.get_attribute("three_state", None) is not None for p in outputs.values()):
            return None
        flip_flop = None
        if flops:
            flip_flop = self._flip_flop(flops[0], pins)
            if flip_flop is None:
                return None
        elif len(inputs) > 6:
            return None
        leakages = [float(g.get_attribute("value", 0)) for g in group.get_groups("leakage_power")]
        leakage = group.get_attribute("cell_leakage_power", None)
        if leakage is None:
            leakage = sum(leakages) / len(leakages) if leakages else 0.0
        return Cell(
            name=name,
            area=float(group.get_attribute("area", 0)),
            leakage=float(leakage) * self.power,
            capacitance={n: float(p.get_attribute("capacitance", 0)) * self.farad for n, p in inputs.items()},
            passive={n: self._energies(p.get_groups("internal_power")) for n, p in inputs.items()},
            outputs={
                n: Output(
                    function=parse_boolean_function(_text(functions[n])),
                    arcs=tuple(self._arcs(p)),
                    energy=self._related_energies(p),
                )
                for n, p in outputs.items()
            },
            flip_flop=flip_flop,
        )

    def _flip_flop(self, group: Any, pins: dict[str, Any]) -> FlipFlop | None:
        if any(group.get_attribute(name, None) is not None for name in ("clear", "preset")):
            return None
        clock = _text(group.get_attribute("clocked_on", "")).strip("() ")
        next_state = _text(group.get_attribute("next_state", ""))
        if clock not in pins or not next_state:
            return None
        setup = {}
        for name, pin in pins.items():
            constraints = [
                [timing.get_groups(kind) for kind in ("rise_constraint", "fall_constraint")]
                for timing in pin.get_groups("timing")
                if _text(timing.get_attribute("timing_type", "")) == "setup_rising"
            ]
            pairs = [tuple(self._table(g[0], self.time, True) for g in both) for both in constraints if all(both)]
            if pairs:
                setup[name] = tuple(pairs)
        state, inverse = [*(_text(a) for a in group.args), ""][:2]
        function = parse_boolean_function(next_state)
        if not {str(symbol) for symbol in function.free_symbols} <= set(pins) - {clock}:
            return None
        return FlipFlop(clock, function, state, inverse, setup)

    def _arcs(self, pin: Any) -> Iterable[Arc]:
        for timing in pin.get_groups("timing"):
            kind = _text(timing.get_attribute("timing_type", "combinational"))
            if kind not in ("combinational", "rising_edge"):
                continue
            names = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
            groups = [timing.get_groups(name) for name in names]
            if not all(groups):
                continue
            rise, fall, rise_transition, fall_transition = (self._table(g[0], self.time, True) for g in groups)
            sense = _text(timing.get_attribute("timing_sense", "non_unate"))
            for related in _text(timing.get_attribute("related_pin", "")).split():
                yield Arc(related, sense, (rise, fall), (rise_transition, fall_transition))

    def _related_energies(self, pin: Any) -> dict[str, tuple[Pair, ...]]:
        by_pin: dict[str, list[Any]] = {}
        for group in pin.get_groups("internal_power"):
            for related in _text(group.get_attribute("related_pin", "")).split() or [""]:
                by_pin.setdefault(related, []).append(group)
        return {related: self._energies(groups) for related, groups in by_pin.items()}

    def _energies(self, groups: Iterable[Any]) -> tuple[Pair, ...]:
        pairs = []
        for group in groups:
            both = group.get_groups("power")
            rise, fall = (group.get_groups(name) or both for name in ("rise_power", "fall_power"))
            if rise and fall:
                pairs.append((self._table(rise[0], self.joule, False), self._table(fall[0], self.joule, False)))
        return tuple(pairs)

    def _table(self, group: Any, unit: float, extrapolate: bool) -> Table:
        """Values times `unit`; axes as (load, slew), in a constraint (slew of the clock, slew of the data)."""
        template = self.templates.get(_text(group.args[0])) if group.args else None
        values = np.atleast_2d(np.asarray(group.get_array("values"), np.float64)) * unit
        axes: dict[str, NDArray[np.float64]] = {}
        order = []
        for number in (1, 2):
            variable = _text(template.get_attribute(f"variable_{number}", "")) if template is not None else ""
            if not variable:
                continue
            name = f"index_{number}"
            points = group.get_array(name) if group.get_attribute(name, None) is not None else template.get_array(name)
            axis = "load" if "capacitance" in variable or variable == "related_pin_transition" else "slew"
            scale = self.farad if "capacitance" in variable else self.time
            axes[axis] = np.asarray(points, np.float64).reshape(-1) * scale
            order.append(axis)
        if order == ["slew", "load"]:
            values = values.T
        elif order == ["load"]:
            values = values.reshape(-1, 1)
        none = np.zeros(1)
        return Table(axes.get("load", none), axes.get("slew", none), values, extrapolate)


def _text(value: object) -> str:
    return str(value).strip('"') if value is not None else ""
