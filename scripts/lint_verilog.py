"""Check the generated Verilog: `verilator --lint-only -Wall`, warnings are errors; soc/lint.vlt says which are waived.

The SoCs below cover every block: both kinds of accumulator, a chain's random words, a CPU with and without caches.
"""

import sys
from pathlib import Path

import soc
from pyhost.cosim.build import generate_soc
from pyhost.cosim.hardware import AcceleratorHardware, Hardware
from pyhost.cosim.verilate import lint
from pyhost.errors import FloatsocError

SOCS = (
    Hardware(
        accelerator=AcceleratorHardware(
            rows=8, columns=8, operand_formats=("e4m3fn", "e5m2"), result_formats=("e8m23",), accumulator="exact"
        )
    ),
    Hardware(
        cpu="minimal",
        accelerator=AcceleratorHardware(
            rows=4,
            columns=2,
            operand_formats=("e5m10", "e4m3fnuz"),
            result_formats=("e8m23",),
            accumulator="e8m23",
            stochastic_chain=True,
        ),
    ),
)


def main() -> None:
    waivers = Path(soc.__file__).with_name("lint.vlt")
    for hardware in SOCS:
        try:
            lint([waivers, generate_soc(hardware) / "soc.v"], top="soc")
        except FloatsocError as error:
            sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
