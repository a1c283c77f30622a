"""`python -m accel_rtl.lint`: Verilator's lint, every warning an error, over the Verilog of several accelerators."""

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from litex.gen.fhdl.verilog import convert
from migen import ClockDomain, Module

from accel_rtl.accelerator import Accelerator
from accel_rtl.config import AcceleratorConfig
from pyhost.cosim.verilate import lint
from pyhost.errors import FloatsocError

__all__ = ["accelerator_verilog", "main"]

CONFIGS = {
    "exact": AcceleratorConfig(rows=2, columns=3, operand_formats=("e4m3fn", "e5m2"), result_formats=("e5m10",)),
    "chain": AcceleratorConfig(
        rows=3, columns=2, operand_formats=("e5m10", "e8m7", "e8m23"), result_formats=("e4m3fnuz",), accumulator="e8m23"
    ),
    "random": AcceleratorConfig(
        rows=2, columns=3, operand_formats=("e4m3fn", "e5m2"), accumulator="e5m10", stochastic_chain=True
    ),
}
"""Small ones: the elements of a larger array are the same."""

MEMORY_BYTES = 1 << 20


def accelerator_verilog(config: AcceleratorConfig, name: str) -> str:
    """Verilog of an accelerator alone: module `name`, with the memory port and the registers' signals as ports."""
    top = Module()
    top.clock_domains.cd_sys = ClockDomain("sys")
    top.clock_domains.cd_accelerator = ClockDomain("accelerator")
    top.submodules.accelerator = accelerator = Accelerator(config, MEMORY_BYTES)
    ports = {accelerator.clock_enable, *accelerator.port.flatten()}
    for domain in (top.cd_sys, top.cd_accelerator):
        ports |= {domain.clk, domain.rst}
    for csr in accelerator.get_csrs():
        ports |= {getattr(csr, name) for name in ("storage", "status", "r", "re", "w") if hasattr(csr, name)}
    text = str(convert(top, ports, name=name))
    return re.sub(r"^//.*\n", "", text, flags=re.MULTILINE)  # the date among them


def main() -> int:
    """Check every configuration; the exit status says whether all are clean."""
    with TemporaryDirectory() as directory:
        for name, config in CONFIGS.items():
            source = Path(directory) / f"{name}.v"
            source.write_text(accelerator_verilog(config, name))
            try:
                lint([Path(__file__).with_suffix(".vlt"), source], top=name)
            except FloatsocError as error:
                print(error, file=sys.stderr)
                return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
