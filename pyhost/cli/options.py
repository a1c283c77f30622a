"""Options that several commands take, and what they mean for the output."""

from collections.abc import Callable
from typing import Any, TypeVar

import click
from rich.console import Console

from pyhost.energy.technology import DEFAULT
from pyhost.profile import Result, TrainResult
from pyhost.report import Progress, show, verdict

__all__ = ["FAILED", "MISMATCH", "Output", "command", "job_options", "machine_options", "technology_option"]

MISMATCH = 1
FAILED = 3

Function = TypeVar("Function", bound=Callable[..., Any])


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise  # rich would exit with status 1, which means a mismatch here


class Output:
    """What --json, -q and -v of the command say, where its output goes, and the exit status so far."""

    def __init__(self) -> None:
        self.json = False
        self.quiet = False
        self.verbose = False
        self.status = 0

    @property
    def console(self) -> Console:
        """Standard output."""
        return _Console(highlight=False)

    def progress(self) -> Progress:
        """Progress on standard error; none with -q."""
        return Progress(Console(stderr=True, highlight=False), quiet=self.quiet)

    def judge(self, result: Result | TrainResult) -> None:
        """A mismatch makes the exit status 1."""
        if result.equal is False:
            self.status = MISMATCH

    def deliver(self, result: Result | TrainResult) -> None:
        """Show a result as asked for; a mismatch makes the exit status 1."""
        self.judge(result)
        if self.json:
            click.echo(result.to_json(), nl=False)
        elif self.quiet:
            self.console.print(verdict(result))
        else:
            show(result, self.console)


def command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds what all commands take: --json, -q, -v; the function gets an Output first."""
    for flags, name, text in (
        (("-v", "--verbose"), "verbose", "On an error, show all of a tool's output and the traceback."),
        (("-q", "--quiet"), "quiet", "No progress, and of a result only the verdict."),
        (("--json",), "json", "The result as JSON on standard output, everything else on standard error."),
    ):
        function = click.option(*flags, is_flag=True, expose_value=False, callback=_setter(name), help=text)(function)
    return click.pass_obj(function)


def _setter(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        setattr(context.ensure_object(Output), name, value)

    return callback


def job_options(function: Function) -> Function:
    """The job file and changes to it."""
    function = click.option(
        "--set",
        "changes",
        multiple=True,
        metavar="TABLE.KEY=VALUE",
        help="Change the job, e.g. --set accelerator.rows=4. Repeatable.",
    )(function)
    return click.argument("job", required=False, metavar="[JOB.toml]", type=click.Path())(function)


def machine_options(function: Function) -> Function:
    """Where something runs, with which compiler, and where the run is recorded."""
    function = click.option(
        "--runs-dir", default="runs", show_default=True, metavar="DIR", help="Where runs are recorded."
    )(function)
    function = click.option(
        "--toolchain",
        type=click.Choice(["zig", "gcc"]),
        default="zig",
        show_default=True,
        help="Compiler of the firmware; gcc is riscv64-unknown-elf-gcc, where it is installed.",
    )(function)
    function = click.option(
        "--baud",
        type=int,
        metavar="N",
        help="Bits a second of the port, as the bitstream was built.  [default: 115200]",
    )(function)
    function = click.option(
        "--port", metavar="PORT", help="Serial port of --target fpga; sim simulates a board and its serial line."
    )(function)
    return click.option(
        "--target",
        type=click.Choice(["verilator", "renode", "fpga", "golden"]),
        default="verilator",
        show_default=True,
        help="What runs it: the verilated SoC, Renode, a board with the SoC in its FPGA, or the golden model alone.",
    )(function)


def technology_option(function: Function) -> Function:
    """The technology whose figures turn counts into energies."""
    return click.option(
        "--technology",
        default=DEFAULT,
        show_default=True,
        metavar="NAME|FILE",
        help="What energies are computed for: a technology of floatsoc energy, or a JSON file.",
    )(function)
