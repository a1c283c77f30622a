"""Area, delay, leakage and energy of the arithmetic units, by synthesis to standard cells and gate-level simulation.

    .venv/bin/python -m scripts.characterize [--liberty FILE] [--unit NAME]... [--output FILE] [--markdown]

Without options it measures all units in osu018, Debian's qflow-tech-osu018, and writes the library that floatsoc comes
with. docs/circuits.md says how. Needs Yosys (apt install yosys, or the extra `fpga`) and the extra `characterize`.
Files are left in build/characterize. Exit status 2 or 3 with one line for a mistake or something that is missing.
"""

import argparse
import os
import re
import sys
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

from pyhost.energy.circuits import SCHEMA, Circuit, Circuits, CircuitsError, Liberty, load_circuits
from pyhost.errors import BuildError, FloatsocError
from scripts.characterize.tables import markdown

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / "build" / "characterize"
DATA = ROOT / "pyhost" / "energy" / "data"
OSU018 = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
VECTORS = 4000

NODES = {
    "osu05": 500.0,
    "osu035": 350.0,
    "osu018": 180.0,
    "gf180": 180.0,
    "sky130": 130.0,
    "sg13g2": 130.0,
    "nangate": 45.0,
    "freepdk45": 45.0,
    "asap7": 7.0,
}
"""nm, by how the name of a library begins."""


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m scripts.characterize", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--liberty", type=Path, metavar="FILE", help=f"standard cells (default {OSU018})")
    parser.add_argument(
        "--unit", action="append", default=[], metavar="NAME", help="only units whose names contain NAME, such as fma"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="(default: pyhost/energy/data for osu018, else here)"
    )
    parser.add_argument("--vectors", type=int, default=VECTORS, help=f"operations of each activity (default {VECTORS})")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (default 1)")
    parser.add_argument("--wire", type=float, metavar="FF", help="capacitance of a wire to a sink, in fF")
    parser.add_argument("--node", type=float, metavar="NM", help="of the technology, where its name does not tell")
    parser.add_argument("--markdown", action="store_true", help="print the tables of the file, and measure nothing")
    try:
        return _run(parser.parse_args())
    except FloatsocError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    if options.markdown:
        print(markdown(load_circuits(options.output or "osu018")))
        return 0
    if options.vectors < 100:
        raise CircuitsError(f"--vectors {options.vectors}: at least 100, for a standard error that means something")
    liberty = options.liberty or OSU018
    if not liberty.is_file():
        hint = (
            "apt install qflow-tech-osu018, or name another with --liberty FILE"
            if not options.liberty
            else "no such file"
        )
        raise BuildError(f"standard cells {liberty} are missing: {hint}")
    try:
        from scripts.characterize.cells import read_liberty
    except ModuleNotFoundError as error:
        raise BuildError(f"{error.name} is missing; install it with: pip install liberty-parser") from error
    from scripts.characterize.catalogue import items
    from scripts.characterize.measure import measure
    from scripts.characterize.netlist import find_yosys, yosys_version

    yosys = find_yosys()
    library = read_liberty(liberty)
    technology = re.sub(r"_?std_?cells?$", "", library.name)
    output = options.output or (
        Path(f"circuits-{technology}.json") if options.liberty else DATA / "circuits-osu018.json"
    )
    chosen = [
        item
        for item in items()
        if not options.unit
        or any(wanted in Circuit.name_of(*circuit) for wanted in options.unit for circuit in item.counted)
    ]
    if not chosen:
        raise CircuitsError(f"no unit's name contains {' or '.join(map(repr, options.unit))}")
    kept = _others(output, library.sha256) if options.unit else ()
    found: dict[tuple[str, tuple[str, ...], str | None], Circuit] = {}
    started = time.perf_counter()
    for number, item in enumerate(chosen, 1):
        print(f"[{number}/{len(chosen)}] {item.name}", end=" ", file=sys.stderr, flush=True)
        begun = time.perf_counter()
        circuits, wires = measure(
            item,
            liberty=liberty,
            library=library,
            yosys=yosys,
            directory=DIRECTORY / technology / re.sub(r"\W+", "-", item.name),
            vectors=options.vectors,
            seed=options.seed,
            wire=None if options.wire is None else options.wire * 1e-3,
        )
        found |= {circuit.key: circuit for circuit in circuits if circuit.key in item.counted}
        print(f"{time.perf_counter() - begun:.1f} s", file=sys.stderr, flush=True)
    found = {key: found.pop(key, circuit) for key, circuit in ((c.key, c) for c in kept)} | found
    result = Circuits(
        version=SCHEMA,
        technology=technology,
        node_nm=options.node or next((nm for n, nm in NODES.items() if technology.lower().startswith(n)), None),
        voltage=library.voltage,
        temperature=library.temperature,
        corner=library.corner,
        liberty=Liberty(file=library.file, sha256=library.sha256),
        tools={
            "yosys": yosys_version(yosys),
            "liberty-parser": version("liberty-parser"),
            "floatsoc": version("floatsoc"),
        },
        date=date.today(),
        wire_model=wires,
        seed=options.seed,
        circuits=tuple(found.values()),
    )
    _write(output, result)
    print(f"{output}: {len(found)} circuits, {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return 0


def _others(output: Path, sha256: str) -> tuple[Circuit, ...]:
    """Circuits of the file that is there; CircuitsError where it is of other cells."""
    if not output.exists():
        return ()
    before = load_circuits(output)
    if before.liberty.sha256 != sha256:
        raise CircuitsError(
            f"{output} is of {before.liberty.file}, other cells; choose another --output for these units"
        )
    return before.circuits


def _write(path: Path, circuits: Circuits) -> None:
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.write_text(circuits.to_json(), encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CircuitsError(f"{path} cannot be written: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
