"""Lint the SoC's generated Verilog: any warning is an error, but for those that Migen's way of writing makes inevitable."""

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from pyhost.cosim.build import generate_soc
from pyhost.cosim.launch import hardware_of
from pyhost.cosim.verilate import lint
from pyhost.errors import FloatsocError
from pyhost.job import Job

WAIVED = {
    "CASEINCOMPLETE": "Migen assigns defaults before a case",
    "COMBDLY": "LiteX writes combinational processes with nonblocking assignments",
    "DECLFILENAME": "the SoC and the processor share a file",
    "PROCASSINIT": "registers have initial values, as FPGAs do",
    "UNUSEDSIGNAL": "registers are wider than what is used of them",
    "WIDTHEXPAND": "Migen extends operands without saying so",
    "WIDTHTRUNC": "Migen truncates what is assigned without saying so",
}

TWO_PORTS = 'lint_off -rule MULTIDRIVEN -file "*" -match "*\'soc.main_ram\'*"'
"""Main RAM is written by the processor and by the accelerator."""

JOBS = {
    "exact sums": {},
    "chains": {
        "accelerator.accumulator": "e8m23",
        "accelerator.rows": 4,
        "accelerator.formats": ["e4m3fn", "e5m2", "e5m10"],
    },
    "no accelerator": {"accelerator.enabled": False},
}


def waivers(verilog: Path) -> str:
    """Verilator's configuration for `verilog`, which ends with the processor's netlist: that is not ours to change."""
    lines = verilog.read_text().splitlines()
    modules = [number for number, line in enumerate(lines, 1) if re.match(r"module \w", line)]
    netlist = f'lint_off -file "*" -lines {modules[1]}-{len(lines)}'
    return "\n".join(["`verilator_config", *(f"lint_off -rule {rule}" for rule in WAIVED), TWO_PORTS, netlist, ""])


def main() -> None:
    try:
        for name, changes in JOBS.items():
            verilog = generate_soc(hardware_of(Job().with_changes(changes))) / "soc.v"
            with TemporaryDirectory() as directory:
                configuration = Path(directory) / "waivers.vlt"
                configuration.write_text(waivers(verilog))
                lint([configuration, verilog], top="soc")
            print(f"{name}: no warnings")
    except FloatsocError as error:
        sys.exit(f"{error}\n{getattr(error, 'output', '')}")


if __name__ == "__main__":
    main()
