"""From a description of hardware to artefacts, through processes that may fail or be interrupted."""

import os
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from accel_rtl import AcceleratorConfig
from pyhost.cosim.build import build_firmware, build_soc, generate_soc
from pyhost.cosim.hardware import AcceleratorHardware, Hardware
from pyhost.cosim.tools import ToolFailed
from pyhost.errors import BuildError
from pyhost.targets.elf import ElfImage
from soc.config import SocConfig

SMALL = Hardware(main_ram=1 << 18)


@pytest.mark.parametrize("ours, theirs", [(Hardware, SocConfig), (AcceleratorHardware, AcceleratorConfig)])
def test_what_the_host_says_is_what_the_generator_understands(ours, theirs):
    assert {field.name for field in fields(ours)} <= {field.name for field in fields(theirs)}
    for field in fields(ours):
        other = next(f for f in fields(theirs) if f.name == field.name)
        assert field.default == other.default, field.name


@pytest.mark.hardware
@pytest.mark.parametrize("cpu", ["full", "minimal"])
def test_a_soc_is_generated_with_what_software_needs(cpu):
    directory = generate_soc(Hardware(cpu=cpu, main_ram=1 << 18))
    assert "module soc (" in (directory / "soc.v").read_text()
    assert "CSR_UART_RXTX_ADDR" in (directory / "csr.h").read_text()
    assert "main_ram : ORIGIN = 0x40000000, LENGTH = 0x00040000" in (directory / "regions.ld").read_text()


@pytest.mark.hardware
def test_the_second_build_builds_nothing():
    hardware = Hardware(main_ram=1 << 16)
    first = build_soc(hardware)
    said = []
    assert build_soc(hardware, said.append) == first
    assert build_firmware_twice(said) == []
    assert said == []


def build_firmware_twice(said):
    soc = build_soc(SMALL)
    first = build_firmware(soc)
    assert build_firmware(soc, "zig", said.append) == first
    return said


@pytest.mark.hardware
def test_both_toolchains_make_a_program_for_the_soc(riscv_gcc):
    soc = build_soc(SMALL)
    for toolchain in ("zig", "gcc"):
        image = ElfImage(build_firmware(soc, toolchain))
        assert image.entry == 0x4000_0000
        assert image.symbol("_end") < 0x4004_0000


@pytest.mark.hardware
def test_a_toolchain_that_is_none_or_missing(monkeypatch, tmp_path):
    soc = build_soc(SMALL)
    with pytest.raises(BuildError, match="toolchain 'llvm' is not one of zig, gcc"):
        build_firmware(soc, "llvm")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"riscv64-unknown-elf-gcc is missing; install .* or use --toolchain zig"):
        build_firmware(soc, "gcc")


@pytest.mark.hardware
@pytest.mark.parametrize(
    ("hardware", "what"),
    [
        (Hardware(cpu="huge"), "cpu 'huge' is not one of minimal, lite, standard, full"),
        (Hardware(main_ram=3 << 20), "main_ram 3145728 is not a power of two"),
        (Hardware(accelerator=AcceleratorHardware(rows=0, columns=8, operand_formats=("e5m2",))), "rows .* is 0"),
    ],
)
def test_hardware_that_cannot_be_is_an_error_in_one_line(hardware, what, monkeypatch, tmp_path):
    monkeypatch.setenv("FLOATSOC_CACHE", str(tmp_path))
    with pytest.raises(ToolFailed, match=f"^generating the SoC: .*{what}") as caught:
        generate_soc(hardware)
    assert "\n" not in str(caught.value)
    assert contents(tmp_path / "soc") == []


@pytest.mark.hardware
@pytest.mark.parametrize(
    "moment", ["generating the SoC", "compiling the simulation of soc", "optimising the simulation of soc"]
)
def test_an_interrupt_leaves_no_process_and_nothing_half_built(tmp_path, moment):
    program = """
from pyhost.cosim.build import build_soc
from pyhost.cosim.hardware import Hardware
build_soc(Hardware(main_ram=1 << 17), lambda message: print(message, flush=True))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "FLOATSOC_CACHE": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while (line := process.stdout.readline().strip()) != moment:
        assert line, process.stderr.read()
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in error
    assert processes_in(tmp_path) == []
    assert contents(tmp_path / "simulation") == []
    assert len(contents(tmp_path / "soc")) == (moment != "generating the SoC")


def contents(directory: Path) -> list[str]:
    """Names in a kind's directory of the cache, but for locks."""
    return [path.name for path in directory.glob("*") if path.suffix != ".lock"] if directory.exists() else []


def processes_in(directory: Path) -> list[int]:
    """Processes that work in a directory or below."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.joinpath("cwd").resolve().is_relative_to(directory):
                found.append(int(process.name))
        except OSError:
            continue
    return found
