"""Lint the Verilog of whole SoCs: a warning is an error, except where Migen's way of writing makes it inevitable."""

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import accel_rtl
from pyhost.cosim.build import generate_soc
from pyhost.cosim.launch import hardware_of
from pyhost.cosim.verilate import lint
from pyhost.errors import FloatsocError
from pyhost.job import Job

JOBS = {
    "exact sums": {},
    "chains": {
        "accelerator.accumulator": "e8m23",
        "accelerator.rows": 4,
        "accelerator.formats": ["e4m3fn", "e5m2", "e5m10"],
    },
    "no accelerator": {"accelerator.enabled": False},
}

MIGEN = Path(accel_rtl.__file__).with_name("lint.vlt")
"""What means nothing in Verilog written by LiteX from Migen."""

WAIVERS = """\
`verilator_config
lint_off -file "*/netlist.v"  // the processor's: not ours to change
lint_off -rule MULTIDRIVEN -file "*" -match "*'soc.main_ram'*"  // main RAM has two ports that write
lint_off -rule CMPCONST  // what is compared for each lane may hold for the last one always
"""


def split(verilog: str) -> tuple[str, str]:
    """The SoC, which is the first module, and the processor's netlist after it."""
    second = list(re.finditer(r"^module \w", verilog, re.MULTILINE))[1]
    return verilog[: second.start()], verilog[second.start() :]


def check(verilog: str) -> None:
    """Raises BuildError with the first warning."""
    with TemporaryDirectory() as directory:
        files = [Path(directory) / name for name in ("waivers.vlt", "soc.v", "netlist.v")]
        for file, text in zip(files, (WAIVERS, *split(verilog)), strict=True):
            file.write_text(text)
        lint([MIGEN, *files], top="soc")


def main() -> None:
    try:
        for name, changes in JOBS.items():
            check((generate_soc(hardware_of(Job().with_changes(changes))) / "soc.v").read_text())
            print(f"SoC with {name}: no warnings")
    except FloatsocError as error:
        sys.exit(f"{error}\n{getattr(error, 'output', '')}")


if __name__ == "__main__":
    main()
