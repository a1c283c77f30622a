"""The accelerator for Renode: the firmware's own arithmetic as a library, configured for one accelerator.

No arithmetic is written a second time: `accelerator.c` adds the checks of a descriptor and what scratchpads keep.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pyhost.cosim.build import zig_environment
from pyhost.cosim.cache import cached, content_key, source_digest
from pyhost.cosim.hardware import AcceleratorHardware
from pyhost.cosim.tools import run_tool
from pyhost.errors import BuildError
from pyhost.formats import Format, parse_format
from pyhost.plan.pack import pack_format

__all__ = ["build_model", "configuration"]

_HERE = Path(__file__).parent
_ARITHMETIC = (
    "array",
    "chain",
    "exact",
    "format",
    "gemm_software",
    "operand",
    "posit",
    "random",
    "vector",
    "write_back",
)
_FLAGS = (
    *("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-fno-strict-aliasing"),
    *("-fno-sanitize=all", "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,-z,defs"),
)


def build_model(
    hardware: AcceleratorHardware, progress: Callable[[str], None] = lambda message: None, *, stochastic: bool = True
) -> Path:
    """The library for an accelerator, or the one in the cache. stochastic: of the generated write-back. BuildError."""
    header = configuration(hardware, stochastic=stochastic)
    firmware = _firmware()
    sources = [_HERE / "accelerator.c", *(firmware / f"{name}.c" for name in _ARITHMETIC)]
    key = content_key(
        header, version("ziglang"), sys.platform, *_FLAGS, source_digest([firmware, *_HERE.glob("*.[ch]")])
    )

    def build(directory: Path) -> None:
        progress("compiling the accelerator's model")
        (directory / "configuration.h").write_text(header)
        includes = ("-include", _HERE / "memory.h", f"-I{_HERE}", f"-I{firmware}", "-I.")
        run_tool(
            [*(sys.executable, "-m", "ziglang", "cc"), *_FLAGS, *includes, *sources, "-o", "libaccelerator.so"],
            cwd=directory,
            timeout=300,
            purpose="compiling the accelerator's model",
            environment=zig_environment(),
        )

    return cached("renode", key, build, progress) / "libaccelerator.so"


def configuration(hardware: AcceleratorHardware, *, stochastic: bool = True) -> str:
    """configuration.h for `accelerator.c`: formats in the accelerator's order, and what decides which operands stay."""
    operands = _formats(hardware.operand_formats)
    formats = _formats((*hardware.operand_formats, *hardware.result_formats))
    exact = hardware.accumulator == "exact"
    table = formats if exact else tuple(dict.fromkeys((*formats, parse_format(hardware.accumulator))))
    word = hardware.port_bits // 8 // min(format_.dtype.itemsize for format_ in operands)
    constants = {
        "OPERAND_FORMATS": len(operands),
        "FORMAT_COUNT": len(formats),
        "ACCUMULATOR": "ACCUMULATOR_EXACT" if exact else "ACCUMULATOR_CHAIN",
        "ACCUMULATOR_FORMAT": 0 if exact else table.index(parse_format(hardware.accumulator)),
        "STOCHASTIC": int(stochastic),
        "STOCHASTIC_CHAIN": int(hardware.stochastic_chain),
        "DEPTH": hardware.depth,
        "PANEL_A": -(-word // hardware.rows) * hardware.rows,
        "PANEL_B": -(-word // hardware.columns) * hardware.columns,
    }
    lines = [f"#define {name} {value}" for name, value in constants.items()]
    entries = (f"        {_initialiser(format_)}, /* {format_.name} */ \\\n" for format_ in table)
    return "\n".join([*lines, "#define FORMATS \\\n    { \\\n" + "".join(entries) + "    }\n"])


def _formats(names: Iterable[str]) -> tuple[Format, ...]:
    return tuple({parse_format(name).name: parse_format(name) for name in names}.values())


class _Names(dict[str, str]):
    """Enumerators by their names in C: each is itself."""

    def __missing__(self, name: str) -> str:
        return name


def _initialiser(format_: Format) -> str:
    """A `struct format` in C."""
    fields: dict[str, Any] = {}
    pack_format(fields, format_, _Names())
    return "{" + ", ".join(f".{name} = {_literal(value)}" for name, value in fields.items()) + "}"


def _literal(value: Any) -> str:
    return value if isinstance(value, str) else str(int(value))


def _firmware() -> Path:
    spec = find_spec("firmware")
    if spec is None or not spec.submodule_search_locations:
        raise BuildError("the package firmware is missing; install floatsoc again")
    return Path(spec.submodule_search_locations[0])
