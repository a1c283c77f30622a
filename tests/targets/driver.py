"""A target with the tests' program in it, whatever the target; and how each kind of target is opened."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import firmware
from firmware.build import CPU_VARIANTS, TOOLCHAINS, linker_script
from pyhost.cosim.build import (
    GeneratedSoc,
    build_board_simulation,
    build_soc,
    generate_soc,
    with_line,
    zig_environment,
)
from pyhost.cosim.hardware import Hardware
from pyhost.cosim.tools import run_tool
from pyhost.errors import TargetError
from pyhost.targets.base import Limit, Target
from pyhost.targets.elf import ElfImage
from pyhost.targets.renode import RenodeTarget, find_renode
from pyhost.targets.serial_simulation import SimulatedBoardTarget
from pyhost.targets.verilator import MAIN_RAM, VerilatorTarget

RAM_BYTES = 1 << 16
ENOUGH = Limit(cycles=5_000_000, seconds=120)
_SOURCES = ("crt0.S", "main.c", "console.c")


@dataclass(frozen=True)
class Kind:
    """A kind of target on a SoC: `open()` gives another one, with nothing in it."""

    name: str
    soc: GeneratedSoc
    open: Callable[[], Target]


def kind(name: str, cpu: str) -> Kind:
    """The kind `name` on a SoC without an accelerator; skips the test where it is not installed."""
    hardware = Hardware(cpu=cpu, main_ram=RAM_BYTES)
    if name == "verilator":
        soc = build_soc(hardware)
        return Kind(name, soc, lambda: VerilatorTarget(soc.library))
    if name == "fpga":
        board = build_board_simulation(with_line(hardware))
        who = board.hardware.serial.identifier
        return Kind(name, board, lambda: SimulatedBoardTarget(board.library, identifier=who))
    try:
        renode = find_renode()
    except TargetError as error:
        pytest.skip(str(error))
    directory = generate_soc(hardware)
    return Kind(
        name,
        GeneratedSoc(hardware, directory),
        lambda: RenodeTarget(renode, directory, None, (MAIN_RAM, RAM_BYTES)),
    )


def compile_program(soc: GeneratedSoc, directory: Path) -> ElfImage:
    """program.c with the firmware's start-up, main loop and console."""
    toolchain, cpu = TOOLCHAINS["zig"], CPU_VARIANTS[soc.hardware.cpu]
    (directory / "program.ld").write_text(linker_script((soc.directory / "regions.ld").read_text()))
    sources = Path(firmware.__file__).parent
    run_tool(
        [
            *toolchain.command,
            *(toolchain.with_multiplier if cpu.multiplier else toolchain.without_multiplier),
            *(["-DCPU_HAS_DATA_CACHE"] if cpu.data_cache else []),
            *("-O1", "-g", "-gdwarf-4", "-ffreestanding", "-nostdlib"),
            *(f"-I{sources}", f"-I{soc.directory}"),
            *(sources / name for name in _SOURCES),
            Path(__file__).with_name("program.c"),
            *("-T", "program.ld", "-o", "program.elf"),
        ],
        cwd=directory,
        timeout=300,
        purpose="compiling the test's program",
        environment=zig_environment(),
    )
    return ElfImage(directory / "program.elf")


class Driver:
    """A target with the program in it, and the words of its mailbox."""

    def __init__(self, target: Target, image: ElfImage) -> None:
        self.target = target
        self.image = image
        self.target.load(image)

    def field(self, name):
        return self.image.symbol("mailbox") + self.image.layout("mailbox")[name].offset

    def get(self, name):
        return int.from_bytes(self.target.read(self.field(name), 4), "little")

    def set(self, name, value):
        self.target.write(self.field(name), value.to_bytes(4, "little"))

    def wait(self, state, limit=ENOUGH):
        expected = self.image.enum("state")[state]
        self.target.run(lambda: self.get("state") == expected, limit)

    def start(self, task, address=0, count=0):
        self.wait("STATE_READY")
        self.set("plan_magic", self.image.enum("task")[task])
        self.set("kernels", address)
        self.set("kernel_count", count)
        self.set("command", self.image.enum("command")["COMMAND_RUN"])

    def perform(self, task, address=0, count=0):
        self.start(task, address, count)
        self.wait("STATE_DONE")
