"""`python -m pyhost.cosim.exercise LIBRARY PROGRAM`: run a program on a simulation for a while, to be profiled."""

import sys
from pathlib import Path

from pyhost.targets.elf import ElfImage
from pyhost.targets.verilator import VerilatorTarget

_CYCLES = 1_000_000


def main(library: Path, program: Path) -> None:
    with VerilatorTarget(library) as target:
        target.load(ElfImage(program))
        while target.cycles < _CYCLES:
            target.advance()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
