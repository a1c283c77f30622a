"""The program that simulations are optimised for keeps the accelerator busy, on every memory and with every clock."""

from pathlib import Path

import numpy as np
import pytest

import firmware
import soc
from firmware.build import TOOLCHAINS, linker_script
from pyhost.cosim.build import build_soc, zig_environment
from pyhost.cosim.hardware import AcceleratorHardware, Hardware
from pyhost.cosim.tools import run_tool
from pyhost.targets.elf import ElfImage
from pyhost.targets.verilator import VerilatorTarget

M, N, K = 16, 16, 128


def run(hardware, directory, cycles):
    """Records of the job as the program runs."""
    artefacts = build_soc(hardware)
    (directory / "workload.ld").write_text(linker_script((artefacts.directory / "regions.ld").read_text()))
    sources = Path(soc.__file__).parent, Path(firmware.__file__).parent
    run_tool(
        [
            *(*TOOLCHAINS["zig"].command, *TOOLCHAINS["zig"].with_multiplier, "-O2", "-g", "-ffreestanding"),
            *(f"-I{artefacts.directory}", f"-I{sources[1]}", sources[0] / "workload.c"),
            *("-T", "workload.ld", "-o", "workload.elf"),
        ],
        cwd=directory,
        timeout=300,
        purpose="compiling the workload",
        environment=zig_environment(),
    )
    image = ElfImage(directory / "workload.elf")
    layout = image.layout("job_record").dtype
    with VerilatorTarget(artefacts.library) as target:
        target.load(image)
        while target.cycles < cycles:
            target.advance()
        return np.frombuffer(target.read(image.symbol("record"), layout.itemsize), layout)[0]


@pytest.mark.parametrize("memory", ["sram", "sdram"])
@pytest.mark.parametrize("gate", ["0", "1"])
def test_its_jobs_succeed(memory, gate, tmp_path, monkeypatch):
    monkeypatch.setenv("FLOATSOC_PROFILE_GUIDED", "0")
    monkeypatch.setenv("FLOATSOC_CLOCK_GATE", gate)
    accelerator = AcceleratorHardware(rows=2, columns=2, operand_formats=("e4m3fn",))
    record = run(Hardware(main_ram=1 << 16, memory=memory, accelerator=accelerator), tmp_path, 200_000)
    assert record["error"] == 0
    counters = record["counters"]
    assert counters["macs_low"] == M * N * K
    assert counters["busy"] == M * N * K // 4
