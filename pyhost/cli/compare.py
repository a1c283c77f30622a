"""The command that puts recorded runs side by side."""

import click

from pyhost.cli.options import MISMATCH, Output, command
from pyhost.profile import read_result

__all__ = ["compare"]


@click.command(
    epilog="""\b
    Example:
      floatsoc compare runs/cnn-digits-verilator-20260101-120000 runs/cnn-digits-verilator-20260101-120500
    """
)
@click.argument("run_dirs", nargs=-1, required=True, metavar="RUN_DIR RUN_DIR...", type=click.Path())
@command
def compare(output: Output, /, run_dirs: tuple[str, ...]) -> None:
    """Show recorded runs side by side.

    What differs between their jobs, their verdicts, cycles, energy and losses, and each kernel's cycles, relative to
    the first. All are runs of one command: run, train, gemm or conv. Exit status 1 where one of them is not exact.
    """
    from pyhost.profile.compare import compare_runs
    from pyhost.report.comparison import show_comparison

    comparison = compare_runs([read_result(directory) for directory in run_dirs])
    if False in comparison.bit_exact:
        output.status = MISMATCH
    if output.json:
        click.echo(comparison.to_json())
    elif not output.quiet:
        show_comparison(comparison, output.console)
