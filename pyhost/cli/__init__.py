"""The command line: `floatsoc COMMAND`.

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

from pyhost.cli.inspect import doctor, formats, report
from pyhost.cli.jobs import gemm, run, train
from pyhost.cli.options import Output
from pyhost.errors import FloatsocError

__all__ = ["main"]

FAILED = 3
INTERRUPTED = 130


@click.group(
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
def cli() -> None:
    """Train on a simulated SoC in any float format, and demand the golden model's bits."""


for _command in (run, train, gemm, formats, report, doctor):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: the entry point `floatsoc`."""
    # Like Ctrl-C, a request to end must unwind the stack: whatever starts tools stops them on its way.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    output = Output()
    try:
        status = cli.main(arguments, prog_name="floatsoc", obj=output, standalone_mode=False)
        sys.stdout.flush()
    except FloatsocError as error:
        status = _fail(output, str(error), error.exit_status, error)
    except click.ClickException as error:
        status = _fail(output, error.format_message(), 2, error)
    except (KeyboardInterrupt, click.Abort):
        status = _fail(output, "interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone, which is its right
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except Exception as error:  # noqa: BLE001  # the last line of defence: nobody sees a traceback unasked
        hint = "" if output.verbose else " (-v shows where; please report it)"
        status = _fail(output, f"internal error: {type(error).__name__}: {error}{hint}", FAILED, error)
    sys.exit(status or 0)


def _terminate(number: int, frame: object) -> NoReturn:
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
