"""The program behind the entry point: commands, errors and exit status.

Exit status: 0 equal to the golden model, 1 a mismatch, 2 a mistake in what was asked, 3 the target failed or a tool is
missing, 130 interrupted.
"""

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

import click

from pyhost.cli.boards import boards, build, flash
from pyhost.cli.compare import compare
from pyhost.cli.energy import energy
from pyhost.cli.inspect import doctor, formats, report
from pyhost.cli.jobs import run, train
from pyhost.cli.options import FAILED, Output
from pyhost.cli.products import conv, gemm
from pyhost.cli.trace import trace
from pyhost.errors import FloatsocError

__all__ = ["main"]

INTERRUPTED = 130


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
    Example:
      floatsoc run            the default job, which needs no file

    \b
    Exit status: 0 equal to the golden model, 1 a mismatch, 2 a mistake in what
    was asked, 3 the target failed or a tool is missing, 130 interrupted.
    """,
)
@click.version_option(version("floatsoc"), prog_name="floatsoc")
@click.pass_context
def cli(context: click.Context) -> None:
    """Train on a simulated SoC in any float format, and demand the golden model's bits."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _command in (run, train, gemm, conv, formats, energy, report, compare, trace, boards, build, flash, doctor):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    # Like Ctrl-C, a request to end must unwind the stack: whatever starts tools stops them on its way.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    output = Output()
    try:
        # click's own main() would answer a closed pipe with status 1, which means a mismatch here.
        with cli.make_context(
            "floatsoc", list(sys.argv[1:] if arguments is None else arguments), obj=output
        ) as context:
            cli.invoke(context)
        sys.stdout.flush()
    except FloatsocError as error:
        output.status = _fail(output, str(error), error.exit_status, error)
    except click.exceptions.Exit as ended:
        output.status = ended.exit_code
    except click.ClickException as error:
        output.status = _fail(output, error.format_message(), error.exit_code, error)
    except (KeyboardInterrupt, click.Abort):
        output.status = _fail(output, "interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has left, as is its right
        _give_up_output()
    except OSError as error:  # a full disk, most often
        _give_up_output()
        where = f"{error.filename}: " if error.filename else ""
        output.status = _fail(output, f"{where}{error.strerror or error}", FAILED, error)
    except Exception as error:  # noqa: BLE001  # the last line of defence: nobody sees a traceback unasked
        hint = "" if output.verbose else " (-v shows where; please report it)"
        output.status = _fail(output, f"internal error: {type(error).__name__}: {error}{hint}", FAILED, error)
    sys.exit(output.status)


def _give_up_output() -> None:
    """Drop what is left for standard output if it cannot be written: at its end Python would try again, and fail."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _terminate(number: int, frame: object) -> NoReturn:
    click.echo("floatsoc: terminated", err=True)
    sys.exit(128 + number)


def _fail(output: Output, message: str, status: int, error: BaseException | None = None) -> int:
    """Print one line for each line of the message."""
    if output.verbose and error:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
        if tool_output := getattr(error, "output", None):
            click.echo(tool_output, err=True)
    for line in message.splitlines() or ["failed"]:
        click.echo(f"floatsoc: {line}", err=True)
    return status
