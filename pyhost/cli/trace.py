"""The command trace: a recorded run over time, for Perfetto."""

import json
from dataclasses import asdict

import click

from pyhost.cli.options import Output, command

__all__ = ["trace"]


@click.command(
    epilog="""\b
    Examples:
      floatsoc trace runs/cnn-digits-verilator-20260101-120000
      floatsoc trace runs/gemm-verilator-20260101-120000 -o gemm.pftrace
    """
)
@click.argument("run_dir", type=click.Path())
@click.option("-o", "output_file", metavar="FILE", type=click.Path(), help="Default: trace.pftrace in RUN_DIR.")
@command
def trace(output: Output, /, run_dir: str, output_file: str | None) -> None:
    """Write a recorded run as a trace that ui.perfetto.dev opens.

    Kernels, accelerator jobs, what the array waited for, DMA and power over time: 1 ns is 1 cycle.
    """
    from pyhost.profile.trace import write_trace

    written = write_trace(run_dir, output_file)
    if output.json:
        click.echo(json.dumps(asdict(written) | {"path": str(written.path)}, indent=1))
    elif output.quiet:
        click.echo(written.path)
    else:
        kernels = "1 kernel" if written.kernels == 1 else f"{written.kernels} kernels"
        click.echo(f"{kernels}, {written.cycles:,} cycles (1 ns each); waits are {written.waits}")
        click.echo(f"written to {written.path}: open it at https://ui.perfetto.dev")
