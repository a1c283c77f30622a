"""`python -m soc --config FILE.json --output DIR [--board BOARD]`: write the SoC and what software has to know of it.

| file        | content                                                       |
|-------------|---------------------------------------------------------------|
| soc.v       | the whole SoC, the CPU's netlist included, in one file         |
| csr.json    | addresses of the registers, memory map and constants, by name |
| csr.h       | the registers' addresses for C                                |
| regions.ld  | the MEMORY command of a linker script                         |
| soc.lpf/pcf | with --board: where the pins are, and the oscillator's clock  |
"""

import argparse
import logging
import re
from pathlib import Path

from litex.soc.integration.export import get_csr_header, get_csr_json, get_linker_regions

from pyhost.errors import FloatsocError
from soc.config import SocConfig
from soc.serial_simulation import SerialSimulationPlatform
from soc.simulation import SimulationPlatform
from soc.soc import FloatSoc


def generate(config: SocConfig, output: Path, board: str | None = None) -> None:
    """Write the files into `output`, which exists. board: its name, or None for a simulation."""
    if board is None:
        platform = SerialSimulationPlatform() if config.serial else SimulationPlatform()
    else:
        from soc.boards import PLATFORMS  # needs litex-boards

        platform = PLATFORMS[board](config.clock_frequency)
    soc = FloatSoc(config, platform)
    soc.finalize()
    fragment = soc.get_fragment()
    platform.finalize(fragment)
    converted = platform.get_verilog(fragment, name="soc")
    verilog = str(converted)
    if board is not None:
        _write_constraints(platform, converted.ns, output)
    netlists = [Path(source).read_text() for source, *_ in platform.sources]
    (output / "soc.v").write_text("\n".join([_undated(verilog), *map(_private, netlists)]))

    regions = {name: region for name, region in soc.mem_regions.items() if name in ("main_ram", "csr")}
    (output / "csr.json").write_text(get_csr_json(soc.csr_regions, soc.constants, regions))
    (output / "csr.h").write_text(_undated(get_csr_header(soc.csr_regions, soc.constants, with_access_functions=False)))
    (output / "regions.ld").write_text(get_linker_regions({"main_ram": regions["main_ram"]}))


def _write_constraints(platform, names, output: Path) -> None:
    """As LiteX's own build does."""
    toolchain = platform.toolchain
    toolchain.platform, toolchain._build_name = platform, str(output / "soc")
    toolchain.named_sc, toolchain.named_pc = platform.resolve_signals(names)
    toolchain.build_io_constraints()


def _undated(text: str) -> str:
    """Drop LiteX's comments with date and revision: the same SoC is the same text."""
    return re.sub(r"^//.*(LiteX sha1|Date +:|Auto-[Gg]enerated by LiteX).*\n", "", text, flags=re.MULTILINE)


def _private(netlist: str) -> str:
    """Drop VexRiscv's /* verilator public */: what is public is kept from Verilator's optimiser."""
    return re.sub(r"/\* verilator public \*/", "", netlist)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m soc", description="Generate the SoC.")
    parser.add_argument("--config", type=Path, required=True, help="JSON file with the fields of SocConfig")
    parser.add_argument("--output", type=Path, required=True, help="directory to write to")
    parser.add_argument("--board", help="for one of soc.boards instead of the simulation")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    try:
        config = SocConfig.from_json(arguments.config.read_text())
    except (OSError, FloatsocError) as error:
        parser.exit(2, f"error: {error}\n")
    arguments.output.mkdir(parents=True, exist_ok=True)
    generate(config, arguments.output, arguments.board)


if __name__ == "__main__":
    main()
