"""Where a job can run, and what has to be built for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyhost.cosim.build import GeneratedSoc, build_board_simulation, build_soc, generate_soc, identifier, with_line
from pyhost.cosim.hardware import Hardware
from pyhost.errors import JobError
from pyhost.targets.base import Target
from pyhost.targets.fpga import BAUD, FpgaTarget
from pyhost.targets.renode import RenodeTarget, build_model, find_renode
from pyhost.targets.serial_simulation import SimulatedBoardTarget
from pyhost.targets.verilator import MAIN_RAM, VerilatorTarget

__all__ = ["SIMULATED_PORT", "TARGETS", "Where", "open_target"]

TARGETS = ("verilator", "renode", "fpga", "golden")
SIMULATED_PORT = "sim"
"""The port of a board that is not there: its SoC is simulated, down to the levels of its serial line."""


@dataclass(frozen=True, kw_only=True)
class Where:
    """Where a job runs. Raises JobError for what does not exist, or does not go together.

    target: one of TARGETS. port: of "fpga" alone, a serial port, or SIMULATED_PORT. baud: bits a second of that port.
    """

    target: str = "verilator"
    port: str | None = None
    baud: int | None = None

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise JobError(f'no target "{self.target}"; allowed are {", ".join(TARGETS)}')
        if self.target == "fpga" and not self.port:
            raise JobError(
                f"the fpga target needs a port: --port /dev/ttyUSB0, or --port {SIMULATED_PORT} without a board"
            )
        if self.target != "fpga" and (self.port or self.baud):
            raise JobError(f"the {self.target} target has no port: leave out --port and --baud, or use --target fpga")
        if self.baud is not None and self.baud <= 0:
            raise JobError(f"baud = {self.baud}: a positive number of bits a second")

    @property
    def simulated(self) -> bool:
        """Whether the SoC is Verilog that runs in this process."""
        return self.target == "verilator" or self.port == SIMULATED_PORT


def open_target(
    hardware: Hardware, where: Where, *, stall: float, progress: Callable[[str], None]
) -> tuple[Target, GeneratedSoc]:
    """The target, with nothing loaded, and the SoC that firmware is built for. Raises BuildError, TargetError."""
    if where.target == "verilator":
        soc = build_soc(hardware, progress)
        return VerilatorTarget(soc.library, stall=stall), soc
    if stall:
        raise JobError(f"stall = {stall}: memory stalls at random in the verilator target alone")
    if where.target == "renode":
        renode = find_renode()  # what is not there is not worth a build
        described = GeneratedSoc(hardware, generate_soc(hardware, progress))
        model = build_model(hardware.accelerator, progress) if hardware.accelerator else None
        return RenodeTarget(renode, described.directory, model, (MAIN_RAM, hardware.main_ram)), described
    assert where.port is not None
    board = with_line(hardware)
    assert board.serial is not None
    if where.port == SIMULATED_PORT:
        soc = build_board_simulation(board, progress)
        return SimulatedBoardTarget(soc.library, identifier=board.serial.identifier, progress=progress), soc
    fpga = FpgaTarget(where.port, baud=where.baud or BAUD, identifier=identifier(hardware), progress=progress)
    try:
        return fpga, GeneratedSoc(board, generate_soc(board, progress))
    except BaseException:
        fpga.close()
        raise
