"""From hardware to a bitstream: generate, synthesise, place, route, check the timing, pack. Cached by content."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pyhost.boards.bitstream import sealed
from pyhost.boards.catalogue import Board, BoardError
from pyhost.boards.toolchain import Toolchain, find_toolchain, synthesis_script
from pyhost.cosim.build import generate_soc, identifier
from pyhost.cosim.cache import cached, content_key, source_digest
from pyhost.cosim.hardware import Hardware, SerialHardware, hardware_of
from pyhost.cosim.tools import ToolFailed
from pyhost.errors import BuildError
from pyhost.files import replacing
from pyhost.job import Buildable

__all__ = ["BoardBuild", "Clock", "TimingError", "board_hardware", "build_bitstream", "cells", "synthesise"]

Progress = Callable[[str], None]

_CONSTRAINTS = {"ecp5": ("--lpf", "soc.lpf"), "ice40": ("--pcf", "soc.pcf")}
_SYNTHESIS_SECONDS, _PLACE_SECONDS, _PACK_SECONDS = 3600.0, 7200.0, 600.0
_KEPT = ("csr.json", "csr.h", "regions.ld")


class TimingError(BuildError):
    """A design whose slowest path takes longer than a cycle."""


@dataclass(frozen=True)
class Clock:
    """A clock of a routed design: MHz asked for and reached, and its slowest path, from register to register."""

    name: str
    required_mhz: float
    achieved_mhz: float
    path: str


@dataclass(frozen=True, kw_only=True)
class BoardBuild:
    """A bitstream and what is known of it. utilisation: of each resource, how many are used, and how many there are."""

    board: str
    device: str
    identifier: str
    hardware: Mapping[str, Any]
    clocks: tuple[Clock, ...]
    utilisation: Mapping[str, tuple[int, int]]
    seconds: Mapping[str, float]
    tools: Mapping[str, str]
    seed: int
    bitstream: str
    bytes: int

    def to_json(self) -> str:
        """As report.json."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> BoardBuild:
        """What `to_json` wrote."""
        values = json.loads(text)
        clocks = tuple(Clock(**clock) for clock in values["clocks"])
        utilisation = {name: (used, available) for name, (used, available) in values["utilisation"].items()}
        return cls(**{**values, "clocks": clocks, "utilisation": utilisation})


def board_hardware(board: Board, job: Buildable) -> Hardware:
    """The hardware of `job` with the board's clock and a serial line. Raises BoardError where it cannot fit."""
    hardware = hardware_of(job)
    if hardware.memory != "sram":
        raise BoardError(f'soc.memory "{hardware.memory}": main RAM is made of the FPGA\'s own on boards, "sram"')
    device = board.device
    if hardware.main_ram > device.memory_bytes:
        name, size = device.memory
        fitting = 1 << (device.memory_bytes.bit_length() - 1)
        raise BoardError(
            f"the job does not fit {board.name}: main RAM of {hardware.main_ram >> 10} KiB takes "
            f"{hardware.main_ram // size:,} {name} of the {device.name}'s {device.resources[name]}: at most "
            f'soc.main_ram = "{fitting >> 10} KiB"'
        )
    serial = SerialHardware(baud=board.baud, identifier=identifier(hardware))
    return replace(hardware, clock_frequency=board.clock_frequency, serial=serial)


def build_bitstream(
    board: Board,
    job: Buildable,
    progress: Progress = lambda message: None,
    *,
    seed: int = 1,
    output: Path | None = None,
) -> tuple[BoardBuild, Path]:
    """The bitstream of a job's hardware for a board, and the directory that has it: `output`, or else the cache's.

    The directory has the bitstream, report.json (`BoardBuild`), csr.json, csr.h and regions.ld; `output` has job.toml
    too. seed: of placement. Raises BoardError for a job that does not fit, TimingError where the clock is not reached,
    BuildError.
    """
    hardware = board_hardware(board, job)
    tools = find_toolchain(board.device.family)
    soc = generate_soc(hardware, progress, board=board.name)
    netlist = synthesise(soc, tools, progress)
    sources = [Path(__file__), Path(__file__).with_name("bitstream.py")]
    key = content_key(netlist.name, board.name, *board.device.options, str(seed), source_digest(sources))

    def build(directory: Path) -> None:
        with TemporaryDirectory(prefix=".tools.", dir=directory) as work:
            report = _build(board, hardware, soc, netlist, tools, seed, Path(work), directory, progress)
        for name in _KEPT:
            shutil.copy(soc / name, directory / name)
        (directory / "report.json").write_text(report.to_json())

    directory = cached("bitstream", key, build, progress)
    if output is not None:
        _deliver(directory, job, output)
    return BoardBuild.from_json((directory / "report.json").read_text()), output or directory


def synthesise(soc: Path, tools: Toolchain, progress: Progress = lambda message: None) -> Path:
    """The directory with the netlist of the SoC in `soc`: soc.json.gz, cells.json, seconds.json. Raises BuildError.

    It is kept by itself, since another seed needs no other netlist.
    """
    script = _script(tools.family)
    key = content_key(soc.name, script, json.dumps(dict(tools.versions), sort_keys=True))

    def build(directory: Path) -> None:
        progress(f"synthesising the SoC with {'Yosys' if tools.native else 'YoWASP Yosys'} (some minutes)")
        started = time.monotonic()
        with TemporaryDirectory(prefix=".yosys.", dir=directory) as name:
            work = Path(name)
            shutil.copy(soc / "soc.v", work)
            purpose = "synthesising the SoC"
            tools.run(tools.synthesise, ["-q", "-p", script], work, timeout=_SYNTHESIS_SECONDS, purpose=purpose)
            shutil.move(work / "cells.json", directory)
            with (work / "soc.json").open("rb") as plain, gzip.open(directory / "soc.json.gz", "wb", 3) as packed:
                shutil.copyfileobj(plain, packed)
        (directory / "seconds.json").write_text(json.dumps(round(time.monotonic() - started, 1)))

    return cached("netlist", key, build, progress)


def cells(netlist: Path) -> Mapping[str, int]:
    """How many cells of each type a netlist has."""
    design = json.loads((netlist / "cells.json").read_text())["design"]
    return {str(name): int(number) for name, number in design["num_cells_by_type"].items()}


def _script(family: str) -> str:
    # Main RAM may answer anything where one side reads what the other writes in the same cycle: no program does that.
    # With the memory's contents of before, as in simulation, it could not be made of block RAM.
    main_ram = "setattr -set no_rw_check 1 soc/m:main_ram"
    synthesis = synthesis_script(family, "soc", "soc.json")
    return f"read_verilog soc.v; {main_ram}; {synthesis}; tee -q -o cells.json stat -json"


def _build(
    board: Board,
    hardware: Hardware,
    soc: Path,
    netlist: Path,
    tools: Toolchain,
    seed: int,
    work: Path,
    directory: Path,
    progress: Progress,
) -> BoardBuild:
    seconds = {"synthesis": json.loads((netlist / "seconds.json").read_text())}
    started = time.monotonic()
    progress(f"placing and routing the SoC on {board.name}'s {board.device.name} (some minutes)")
    shutil.copy(soc / _CONSTRAINTS[tools.family][1], work)
    with gzip.open(netlist / "soc.json.gz") as packed, (work / "soc.json").open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    report = _place(board, tools, seed, work)
    seconds["place and route"] = round(time.monotonic() - started, 1)
    clocks = _clocks(board, report)
    for clock in clocks:
        if clock.achieved_mhz < clock.required_mhz:
            raise _too_slow(board, clock)
    progress("packing the bitstream")
    stream = "soc.bit" if tools.family == "ecp5" else "soc.bin"
    arguments = ["--compress", "soc.config", stream] if tools.family == "ecp5" else ["soc.asc", stream]
    tools.run(tools.pack, arguments, work, timeout=_PACK_SECONDS, purpose="packing the bitstream")
    assert hardware.serial is not None
    content = sealed((work / stream).read_bytes(), board, hardware.serial.identifier)
    name = f"{board.name}{Path(stream).suffix}"
    (directory / name).write_bytes(content)
    used = report["utilization"]
    return BoardBuild(
        board=board.name,
        device=board.device.name,
        identifier=f"{hardware.serial.identifier:016x}",
        hardware=json.loads(hardware.to_json()),
        clocks=clocks,
        utilisation={
            resource: (used[resource]["used"], used[resource]["available"])
            for resource in board.device.resources
            if resource in used
        },
        seconds=seconds,
        tools=dict(tools.versions),
        seed=seed,
        bitstream=name,
        bytes=len(content),
    )


def _place(board: Board, tools: Toolchain, seed: int, work: Path) -> dict[str, Any]:
    """nextpnr's report of the routed design; raises BoardError where there are too few cells, TimingError."""
    result = "--textcfg soc.config" if tools.family == "ecp5" else "--asc soc.asc"
    arguments = [*board.device.options, "--json", "soc.json", *_CONSTRAINTS[tools.family], *result.split()]
    arguments += [
        "--report",
        "report.json",
        "--log",
        "nextpnr.log",
        "--seed",
        str(seed),
        "--freq",
        f"{board.clock_frequency / 1e6:g}",
    ]
    try:
        tools.run(tools.place, arguments, work, timeout=_PLACE_SECONDS, purpose="placing and routing the SoC")
    except ToolFailed as error:
        _explain(board, error, work)
        raise
    report: dict[str, Any] = json.loads((work / "report.json").read_text())
    return report


def _explain(board: Board, error: ToolFailed, work: Path) -> None:
    """Raise what the failure of nextpnr means, if that is known."""
    used = re.findall(r"Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%", error.output)
    if too_many := [(name, int(n), int(most)) for name, n, most in used if int(n) > int(most)]:
        lacking = ", ".join(f"{n:,} {name} of {most:,}" for name, n, most in too_many)
        raise BoardError(f"the job does not fit {board.name}'s {board.device.name}: it takes {lacking}") from error
    if (work / "report.json").exists():
        for clock in _clocks(board, json.loads((work / "report.json").read_text())):
            if clock.achieved_mhz < clock.required_mhz:
                raise _too_slow(board, clock) from error


def _too_slow(board: Board, clock: Clock) -> TimingError:
    return TimingError(
        f"{board.name}: timing fails: the {clock.name}'s clock reaches {clock.achieved_mhz:.2f} of "
        f"{clock.required_mhz:.2f} MHz; slowest path {clock.path}; try another --seed, a lower --clock, or a smaller "
        "accelerator"
    )


def _clocks(board: Board, report: Mapping[str, Any]) -> tuple[Clock, ...]:
    """The clocks of a routed design; nextpnr names them after one of many nets."""

    def short(name: str) -> str:
        """A register without what the tools append."""
        return re.split(r"_(?:SB|TRELLIS|LUT4|PFUMX|L6MUX21|CCU2C|DP16KD|MULT18X18D)(?:_|$)", name)[0]

    paths: dict[str, tuple[float, str]] = {}
    for path in report.get("critical_paths", ()):
        source, sink = (str(path[end]).removeprefix("posedge ") for end in ("from", "to"))
        if source != sink or not path["path"]:
            continue
        delay = sum(step["delay"] for step in path["path"])
        ends = (short(path["path"][0]["from"]["cell"]), short(path["path"][-1]["to"]["cell"]))
        paths[source] = max(paths.get(source, (0.0, "")), (delay, f"from {ends[0]} to {ends[1]}, {delay:.1f} ns"))
    return tuple(
        Clock(
            "SoC" if abs(values["constraint"] * 1e6 / board.clock_frequency - 1) < 1e-3 else "oscillator",
            values["constraint"],
            values["achieved"],
            paths.get(name, (0.0, "not reported"))[1],
        )
        for name, values in sorted(report["fmax"].items())
    )


def _deliver(directory: Path, job: Buildable, output: Path) -> None:
    """Copy what was built into `output`, with its job, each file whole or not at all."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BoardError(f"--output {output}: {error.strerror}") from None
    files = {file.name: file.read_bytes() for file in directory.iterdir() if file.name != "manifest.json"}
    files["job.toml"] = _toml(job).encode()
    for name, content in sorted(files.items()):
        with replacing(output / name) as copy:
            copy.write(content)


def _toml(job: Buildable) -> str:
    """A job as a file: its tables have strings, numbers, truth values and lists, which JSON writes as TOML does."""
    tables = job.model_dump(mode="json")
    if (data := Path(tables.get("training", {}).get("data", ""))).is_file():
        tables["training"]["data"] = str(data.absolute())
    lines: list[str] = []
    for table, values in tables.items():
        lines += [f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""]
    return "\n".join(lines)
