"""From a description of hardware to what a target runs: Verilog, shared library, firmware. Cached by content.

Generating hardware and compiling are processes of their own, run in the cache's directories: the
packages `soc`, `accel_rtl` and `firmware` may lie where nobody can write.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from firmware.build import CPU_VARIANTS, TOOLCHAINS, compile_command, linker_script
from pyhost.cosim.cache import cache_root, cached, content_key, source_digest
from pyhost.cosim.hardware import Hardware, SerialHardware
from pyhost.cosim.tools import run_tool
from pyhost.cosim.verilate import Training, verilate
from pyhost.errors import BuildError

__all__ = [
    "GeneratedSoc",
    "SocArtefacts",
    "build_board_simulation",
    "build_firmware",
    "build_soc",
    "generate_soc",
    "identifier",
    "with_line",
    "zig_environment",
]

_GENERATORS = ("litedram", "litex", "migen", "pythondata-cpu-vexriscv")

_HARDWARE = ("soc", "accel_rtl", "pyhost.formats")

Progress = Callable[[str], None]


@dataclass(frozen=True)
class GeneratedSoc:
    """A SoC. `directory` has soc.v, csr.json, csr.h and regions.ld."""

    hardware: Hardware
    directory: Path


@dataclass(frozen=True)
class SocArtefacts(GeneratedSoc):
    """A built SoC. `library` is the simulation."""

    library: Path


def build_soc(hardware: Hardware, progress: Progress = lambda message: None) -> SocArtefacts:
    """Generate and verilate a SoC, or find it in the cache. `progress` is told what takes time.

    With $FLOATSOC_PROFILE_GUIDED set to 0 the simulation is compiled once, without a training run: in half the time,
    and a quarter slower. Raises BuildError.
    """
    directory = generate_soc(hardware, progress)
    sources = _package("soc")
    training = Training(
        lambda instrumented: _exercise(instrumented, directory, hardware.cpu),
        (
            sources / "workload.c",
            *(_package("firmware") / name for name in ("plan.h", "linker.ld")),
            _package("pyhost.cosim") / "exercise.py",
        ),
    )
    library = verilate(
        [directory / "soc.v", sources / "simulation.vlt"],
        sources / "simulation.cpp",
        top="soc",
        library="libsoc.so",
        headers=[sources / "recording.hpp"],
        training=training if os.environ.get("FLOATSOC_PROFILE_GUIDED") != "0" else None,
        progress=progress,
    )
    return SocArtefacts(hardware, directory, library)


def with_line(hardware: Hardware, identifier: int | None = None) -> Hardware:
    """`hardware` with the serial line of the simulated board, four cycles a bit.

    identifier: None for one of the configuration alone, which is enough where the simulation cannot be of other sources
    than the host's. The firmware for a board is built against this SoC too: registers are where they are whatever the
    board, line and identifier.
    """
    if identifier is None:
        identifier = _short(content_key(hardware.to_json()))
    return replace(hardware, serial=SerialHardware(baud=hardware.clock_frequency // 4, identifier=identifier))


def build_board_simulation(hardware: Hardware, progress: Progress = lambda message: None) -> SocArtefacts:
    """Generate and verilate a SoC with a serial line, or find it in the cache. Raises BuildError."""
    directory = generate_soc(hardware, progress)
    library = verilate(
        [directory / "soc.v"],
        _package("soc") / "serial_simulation.cpp",
        top="soc",
        library="libboard.so",
        progress=progress,
    )
    return SocArtefacts(hardware, directory, library)


def identifier(hardware: Hardware) -> int:
    """Who a SoC with a serial line is, in 64 bits: the same firmware runs on it and computes the same bits.

    A hash of the configuration, of the sources of the hardware and of the generators' versions; neither clock nor line
    nor board count.
    """
    bare = replace(hardware, clock_frequency=Hardware.clock_frequency, serial=None)
    sources = [file for name in _HARDWARE for file in sorted(_package(name).rglob("*.py"))]
    return _short(content_key(bare.to_json(), source_digest(sources), *map(version, _GENERATORS)))


def generate_soc(hardware: Hardware, progress: Progress = lambda message: None, *, board: str | None = None) -> Path:
    """The directory with the SoC's Verilog and the files that describe it to software. Raises BuildError.

    board: one of `pyhost.boards`, on whose pins the SoC is; None for the simulation.
    """
    sources = [_package(name) for name in _HARDWARE]
    generators = _GENERATORS if board is None else (*_GENERATORS, "litex-boards")
    key = content_key(board or "", hardware.to_json(), source_digest(sources), sys.version, *map(version, generators))

    def build(directory: Path) -> None:
        progress("generating the SoC")
        configuration = directory / "config.json"
        configuration.write_text(hardware.to_json())
        run_tool(
            [
                *(sys.executable, "-m", "soc", "--config", configuration, "--output", directory),
                *(("--board", board) if board else ()),
            ],
            cwd=directory,
            timeout=300,
            purpose="generating the SoC",
            environment={"PYTHONPATH": _python_path(), "PYTHONHASHSEED": "0"},
        )

    return cached("soc", key, build, progress)


def _short(key: str) -> int:
    """64 bits of a content key."""
    return int(key[:16], 16)


def build_firmware(artefacts: GeneratedSoc, toolchain: str = "zig", progress: Progress = lambda message: None) -> Path:
    """The firmware's ELF for a SoC. toolchain: "zig" (from PyPI) or "gcc" (riscv64-unknown-elf-gcc).

    Raises BuildError.
    """
    if toolchain not in TOOLCHAINS:
        raise BuildError(f"toolchain {toolchain!r} is not one of {', '.join(TOOLCHAINS)}")
    script = linker_script((artefacts.directory / "regions.ld").read_text())
    key = content_key(
        toolchain,
        _compiler_version(toolchain),
        artefacts.hardware.cpu,
        script,
        source_digest([_package("firmware"), artefacts.directory / "csr.h"]),
    )

    def build(directory: Path) -> None:
        progress(f"compiling the firmware with {toolchain}")
        script_file = directory / "firmware.ld"
        script_file.write_text(script)
        run_tool(
            compile_command(
                toolchain=toolchain,
                cpu=artefacts.hardware.cpu,
                include=artefacts.directory,
                script=script_file,
                output=directory / "firmware.elf",
            ),
            cwd=directory,
            timeout=600,
            purpose="compiling the firmware",
            environment=zig_environment(),
        )

    return cached("firmware", key, build, progress) / "firmware.elf"


def _exercise(library: Path, soc: Path, cpu: str) -> None:
    """Run soc/workload.c on an instrumented simulation; both lie in a directory that will be deleted."""
    work = library.parent
    compiler, variant = TOOLCHAINS["zig"], CPU_VARIANTS[cpu]
    (work / "workload.ld").write_text(linker_script((soc / "regions.ld").read_text()))
    run_tool(
        [
            *compiler.command,
            *(compiler.with_multiplier if variant.multiplier else compiler.without_multiplier),
            *("-O2", "-ffreestanding", f"-I{soc}", f"-I{_package('firmware')}", _package("soc") / "workload.c"),
            *("-T", "workload.ld", "-o", "workload.elf"),
        ],
        cwd=work,
        timeout=300,
        purpose="compiling the workload that the simulation is optimised for",
        environment=zig_environment(),
    )
    run_tool(
        [sys.executable, "-m", "pyhost.cosim.exercise", library, work / "workload.elf"],
        cwd=work,
        timeout=300,
        purpose="profiling the simulation",
        environment={"PYTHONPATH": _python_path()},
    )


def _compiler_version(toolchain: str) -> str:
    if toolchain == "zig":
        return version("ziglang")
    return run_tool(
        ["riscv64-unknown-elf-gcc", "-dumpfullversion"],
        cwd=Path.cwd(),
        timeout=30,
        purpose="asking the compiler for its version",
    )


def zig_environment() -> dict[str, str]:
    """Environment of every call of zig: it keeps a cache of its run-time library, which belongs below ours."""
    directory = str(cache_root() / "zig")
    return {"ZIG_GLOBAL_CACHE_DIR": directory, "ZIG_LOCAL_CACHE_DIR": directory}


def _package(name: str) -> Path:
    """Directory of a package's sources, without importing it."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise BuildError(f"the package {name} is missing; install floatsoc again")
    return Path(spec.submodule_search_locations[0])


def _python_path() -> str:
    """So that the generator sees the same packages as this process, however they were found."""
    inherited = os.environ.get("PYTHONPATH")
    root = str(_package("soc").parent)
    return f"{root}{os.pathsep}{inherited}" if inherited else root
