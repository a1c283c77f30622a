"""The command that compares formats by energy."""

import json
from dataclasses import asdict

import click

from pyhost.cli.options import Output, command, technology_option

__all__ = ["energy"]


@click.command(
    epilog="""\b
    Examples:
      floatsoc energy
      floatsoc energy e4m3fn e2m3fn posit16 --technology jouppi-7nm
    """
)
@click.argument("formats", nargs=-1, metavar="[FORMAT]...")
@technology_option
@command
def energy(output: Output, /, formats: tuple[str, ...], technology: str) -> None:
    """Show what a multiply-add costs in each format.

    By a technology's published table, and by synthesis of the accelerator's own units where they were characterised;
    exactly accumulated, and in a chain of binary32.
    """
    from pyhost.cosim.joules import shipped_circuits
    from pyhost.energy import load_technology
    from pyhost.energy.comparison import FORMATS, mac_energies
    from pyhost.report.energy import show_energies

    prices, circuits = load_technology(technology), shipped_circuits()
    rows = mac_energies(formats or FORMATS, prices, circuits)
    if output.json:
        document = {"technology": prices.name, "node_nm": prices.node_nm, "voltage": prices.voltage}
        click.echo(json.dumps({**document, "formats": [asdict(row) for row in rows]}, indent=1))
    elif not output.quiet:
        library = f"synthesised in {circuits.technology}, priced by binary32 of the table" if circuits else None
        show_energies(rows, prices, library, output.console)
