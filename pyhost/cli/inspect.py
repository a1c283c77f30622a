"""Commands that only look: formats, report, doctor."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from pyhost.cli.options import FAILED, Output, command
from pyhost.formats import ALIASES, FAMILIES, parse_format
from pyhost.profile import read_result
from pyhost.report.formats import FormatSummary, show_families, show_format

__all__ = ["doctor", "formats", "report"]


@click.command(
    epilog="""\b
    Examples:
      floatsoc formats
      floatsoc formats e4m3fn
    """
)
@click.argument("name", required=False)
@command
def formats(output: Output, /, name: str | None) -> None:
    """List the families of formats, or show one of them.

    Of one format: range, precision, specials, and up to 8 bits all codes.
    """
    if name is None:
        if output.json:
            click.echo(json.dumps({"families": FAMILIES, "aliases": ALIASES}, indent=1))
        else:
            show_families(output.console)
        return
    summary = FormatSummary.of(parse_format(name))
    if output.json:
        click.echo(summary.to_json())
    else:
        show_format(summary, output.console)


@click.command(
    epilog="""\b
    Examples:
      floatsoc report runs/cnn-digits-verilator-20260101-120000
      floatsoc report runs/cnn-digits-verilator-20260101-120000 --html report.html
    """
)
@click.argument("run_dir", type=click.Path())
@click.option(
    "--html", metavar="FILE", type=click.Path(), help="Write it as a page with charts, one file that needs no network."
)
@command
def report(output: Output, /, run_dir: str, html: str | None) -> None:
    """Show a recorded run again; the exit status is that of the run."""
    result = read_result(run_dir)
    if html is None:
        output.deliver(result)
        return
    from pyhost.report.html import write_report  # charts take a second to import

    with output.progress() as progress:
        write_report(result, Path(html), progress)
    if output.json:
        output.deliver(result)
        return
    output.judge(result)
    if not output.quiet:
        output.console.print(f"written to {html}", soft_wrap=True)


@click.command(
    epilog="""\b
    Example:
      floatsoc doctor
    """
)
@command
def doctor(output: Output, /) -> None:
    """Show which tools are installed, and what for.

    Exit status 0 when everything that `floatsoc run` needs is there, otherwise 3.
    """
    from pyhost.doctor import examine, show_tools

    tools = examine()
    if output.json:
        click.echo(json.dumps([asdict(tool) for tool in tools], indent=1))
    elif not output.quiet:
        show_tools(tools, output.console)
    if any(tool.required and not tool.version for tool in tools):
        output.status = FAILED
