"""The command line: `floatsoc COMMAND`.

This module imports next to nothing, so that Ctrl-C is answered from the start.
"""

import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: the entry point `floatsoc`."""
    try:
        from pyhost.cli.program import main as program
    except KeyboardInterrupt:
        print("floatsoc: interrupted", file=sys.stderr)
        sys.exit(130)
    program(arguments)
