"""The SoC as Renode reads it: a platform and a script, from the description that LiteX wrote of the hardware."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyhost.cosim.tools import run_tool

__all__ = ["PERIPHERALS", "platform", "script"]

PERIPHERALS = Path(__file__).with_name("peripherals.cs")
_UNBUFFERED_UART = (1, 16)
"""The first version in which characters would wait for some time before they are seen."""
_MIPS = 100
"""Instructions in a microsecond of Renode's time: as many as there are cycles in one of the SoC's."""


def platform(soc: Path, model: Path | None, version: tuple[int, ...], directory: Path) -> str:
    """The .repl of the SoC described in `soc`. Raises BuildError.

    soc: the directory of its csr.json. model: the accelerator's library, None without an accelerator. version:
    Renode's. directory: where LiteX's generator may write. Processor, memory and console are the generator's work, the
    rest is appended.
    """
    description = soc / "csr.json"
    generated = directory / "litex.repl"
    run_tool(
        [sys.executable, "-m", "litex.tools.litex_json2renode", description, "--repl", generated],
        cwd=directory,
        timeout=60,
        purpose="describing the SoC to Renode",
    )
    csr = json.loads(description.read_text())
    ram = csr["memories"]["main_ram"]
    # One piece of the host's memory, in which the accelerator's model finds everything.
    parts = [generated.read_text().strip(), _entry("main_ram", {"segmentSize": hex(ram["size"])})]
    if version >= _UNBUFFERED_UART and "uart" in csr["csr_bases"]:
        parts.append(_entry("uart", {"txFifoCapacity": 0}))
    parts.append(_peripheral(csr, "cycle_counter", "FloatsocCycleCounter", ("latch", "value"), {"cpu": "cpu0"}))
    parts.append(f"sysbus:\n    init add:\n        SilenceRange <{csr['csr_bases']['cpu_bus']:#x} 0x100>")
    if model is not None:
        registers = ("submit", "status", "completed", "error")
        constants = {"memory": "main_ram", "memoryBase": hex(ram["base"]), "library": f'"{model}"'}
        parts.append(_peripheral(csr, "accelerator", "FloatsocAccelerator", registers, constants))
    return "\n\n".join(parts) + "\n"


def script(platform: Path, console: Path, entry: int) -> str:
    """The .resc that makes a machine of `platform`, whose CPU will start at `entry` and which prints to `console`."""
    return f"""\
include @{PERIPHERALS}
mach create "floatsoc"
machine LoadPlatformDescription @{platform}
emulation SetGlobalAdvanceImmediately true
emulation SetGlobalQuantum "0.001"
sysbus.cpu0 PerformanceInMips {_MIPS}
sysbus.cpu0 PC {entry:#x}
sysbus.uart CreateFileBackend @{console} true
"""


def _peripheral(
    csr: dict[str, Any], name: str, model: str, registers: tuple[str, ...], properties: Mapping[str, object]
) -> str:
    base = csr["csr_bases"][name]
    offsets = {register: csr["csr_registers"][f"{name}_{register}"]["addr"] - base for register in registers}
    return _entry(f"{name}: Miscellaneous.{model} @ sysbus {base:#x}", {**properties, **offsets}, colon="")


def _entry(head: str, properties: Mapping[str, object], colon: str = ":") -> str:
    return "\n".join([head + colon, *(f"    {name}: {value}" for name, value in properties.items())])
