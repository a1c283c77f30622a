"""Commands for FPGA boards: boards, build, flash."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from pyhost.boards.catalogue import BOARDS, Board, find_board
from pyhost.cli.options import Output, command, job_options
from pyhost.job import Job, load_job, parse_change
from pyhost.report.tables import facts, table

__all__ = ["boards", "build", "flash"]

_BOARD = click.option("--board", "name", required=True, metavar="BOARD", help="Which board: see floatsoc boards.")


@click.command(
    epilog="""\b
    Example:
      floatsoc boards
    """
)
@command
def boards(output: Output, /) -> None:
    """List the FPGA boards that bitstreams are built for."""
    if output.json:
        click.echo(json.dumps([_summary(board) for board in BOARDS.values()], indent=1))
    elif not output.quiet:
        _show_boards(output.console)


def _summary(board: Board) -> dict[str, Any]:
    job, device = board.job, board.device
    return {
        "name": board.name,
        "title": board.title,
        "url": board.url,
        "device": device.name,
        "idcode": device.idcode,
        "resources": dict(device.resources),
        "memory_bytes": device.memory_bytes,
        "clock_frequency": board.clock_frequency,
        "cpu": job.soc.cpu,
        "main_ram": job.soc.main_ram,
        "accelerator": job.accelerator.model_dump(mode="json") if job.accelerator.enabled else None,
        "serial": board.serial,
        "baud": board.baud,
        "fits": board.fits,
    }


def _show_boards(console: Console) -> None:
    rows = [
        (
            board.name,
            board.device.name,
            f"{board.clock_frequency / 1e6:g} MHz",
            f"{board.job.soc.main_ram >> 10} KiB",
            board.job.soc.cpu,
            _array(board.job),
        )
        for board in BOARDS.values()
    ]
    console.print(table(("board", "FPGA", "clock", "main RAM", "VexRiscv", "array"), rows, left=(0, 1, 4, 5)))
    console.print()
    console.print(facts(*((board.name, f"{board.title}; {board.fits}") for board in BOARDS.values())))


def _array(job: Job) -> str:
    accelerator = job.accelerator
    if not accelerator.enabled:
        return "none"
    return f"{accelerator.rows} x {accelerator.columns} {'+'.join(accelerator.formats)} {accelerator.accumulator}"


@click.command(
    epilog="""\b
    Examples:
      floatsoc build --board ulx3s
      floatsoc build --board ulx3s --clock 40
      floatsoc build --board ulx3s job.toml --output bitstreams
    """
)
@job_options
@_BOARD
@click.option(
    "--output",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where it is written to, by default bitstreams/BOARD.",
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0, 2**31 - 1), help="Of placement.")
@click.option(
    "--clock",
    metavar="MHZ",
    type=float,
    help="Of the SoC, by default the board's (floatsoc boards).",
)
@command
def build(
    output: Output,
    /,
    job: str | None,
    changes: tuple[str, ...],
    name: str,
    directory: Path | None,
    seed: int,
    clock: float | None,
) -> None:
    """Build a bitstream of a job's hardware for a board.

    Without a file it is the board's own hardware. Fails where the clock is not reached. Takes minutes the first time,
    then nothing: what was built is kept.
    """
    board = find_board(name)
    if clock is not None:
        board = board.clocked(clock)
    asked = _job(board, job, changes)

    from pyhost.boards.build import build_bitstream
    from pyhost.report.boards import show_build

    with output.progress() as progress:
        output_directory = directory or Path("bitstreams") / board.name
        report, place = build_bitstream(board, asked, progress, seed=seed, output=output_directory)
    if output.json:
        click.echo(json.dumps({**json.loads(report.to_json()), "directory": str(place)}, indent=1))
    elif output.quiet:
        click.echo(place / report.bitstream)
    else:
        show_build(report, place / report.bitstream, output.console)


def _job(board: Board, job: str | None, changes: tuple[str, ...]) -> Job:
    """The job of a file, else the board's own; with changes."""
    return load_job(job, {**({} if job else board.changes), **dict(map(parse_change, changes))})


@click.command(
    epilog="""\b
    Examples:
      floatsoc flash --board ulx3s
      floatsoc flash --board ulx3s bitstreams/ulx3s.bit --permanent
    """
)
@click.argument("bitstream", required=False, metavar="[BITSTREAM]", type=click.Path(path_type=Path))
@_BOARD
@click.option("--permanent", is_flag=True, help="Into flash memory, so that the board starts with it.")
@click.option(
    "--cable",
    metavar="CABLE",
    help="A JTAG cable of openFPGALoader --list-cables in place of the board's own, or remote-bitbang:HOST:PORT.",
)
@command
def flash(output: Output, /, bitstream: Path | None, name: str, permanent: bool, cable: str | None) -> None:
    """Program a board with openFPGALoader, and verify it.

    Without a file it is the bitstream of the board's own hardware, which is built if it is missing.
    """
    board = find_board(name)

    from pyhost.boards.flash import flash as program

    with output.progress() as progress:
        if bitstream is None:
            from pyhost.boards.build import build_bitstream

            report, place = build_bitstream(board, board.job, progress)
            bitstream = place / report.bitstream
        programmed = program(board, bitstream, progress, permanent=permanent, cable=cable)
    if output.json:
        document = {
            "board": board.name,
            "bitstream": str(programmed.path),
            "identifier": f"{programmed.identifier:016x}",
            "bytes": len(programmed.payload),
        }
        click.echo(json.dumps(document, indent=1))
    elif not output.quiet:
        output.console.print(f"{board.name} runs {programmed.path}, SoC {programmed.identifier:016x}", soft_wrap=True)
