"""What was built for a board, for people to read."""

from pathlib import Path

from rich.console import Console
from rich.text import Text

from pyhost.boards.build import BoardBuild
from pyhost.report.tables import count, facts, percent, table

__all__ = ["show_build"]


def show_build(build: BoardBuild, bitstream: Path, console: Console) -> None:
    """The verdict on the clock, what the SoC takes of the FPGA, and where the bitstream is."""
    slowest = min(build.clocks, key=lambda clock: clock.achieved_mhz / clock.required_mhz)
    console.print(
        Text.assemble(
            ("TIMING MET", "bold green"),
            f"  {slowest.achieved_mhz:.1f} MHz reached, {slowest.required_mhz:g} MHz asked for",
        )
    )
    console.print()
    console.print(
        facts(
            ("board", f"{build.board}, {build.device}"),
            ("SoC", build.identifier),
            ("slowest path", slowest.path),
            ("time", ", ".join(f"{stage} {seconds:,.0f} s" for stage, seconds in build.seconds.items())),
            ("tools", ", ".join(f"{name} {version}" for name, version in build.tools.items())),
            ("bitstream", f"{bitstream}, {build.bytes:,} bytes"),
        )
    )
    console.print()
    console.print(
        table(
            ("resource", "used", "of", "share"),
            [
                (name, count(used), count(available), percent(used / available))
                for name, (used, available) in build.utilisation.items()
            ],
        )
    )
