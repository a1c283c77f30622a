"""How to compile the firmware: its sources, the toolchains and what each CPU variant needs.

The SoC's build provides two files: csr.h, LiteX's register addresses (`get_csr_header` with
`with_access_functions=False`), and the MEMORY command of a linker script (`get_linker_regions`), in which the
region `main_ram` is where everything goes and where the CPU starts. This module imports nothing of ours and runs
nothing: it returns command lines.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CPU_VARIANTS", "SOURCES", "TOOLCHAINS", "CpuVariant", "Toolchain", "compile_command", "linker_script"]

_DIRECTORY = Path(__file__).parent

#: Every C and assembly file of the firmware. Files that call each other in loops are linked one after the other: what
#: is less than 4 KiB apart does not compete for a line of the instruction cache. Soft-float comes after the last one.
SOURCES = tuple(
    _DIRECTORY / name
    for name in (
        "crt0.S",
        "main.c",
        "console.c",
        "posit.c",
        "executor.c",
        "accelerator.c",
        "operand.c",
        "gemm_software.c",
        "write_back.c",
        "exact.c",
        "format.c",
        "chain.c",
        "random.c",
        "array.c",
        "convert.c",
        "bias_gradient.c",
        "relu.c",
        "max_pool.c",
        "sgd.c",
        "memory.c",
        "softmax_cross_entropy.c",
        "elementary.c",
        "vector.c",
    )
)

_WARNINGS = ("-Wall", "-Wextra", "-Werror")

#: Flags that both compilers take. Contraction would fuse a product and a sum that the golden model rounds apart, and
#: main memory holds elements of any size at any time, whatever type was stored there before.
_COMMON_FLAGS = (
    "-std=gnu11",
    "-O2",
    "-g",
    "-gdwarf-4",
    "-ffreestanding",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-fomit-frame-pointer",
    "-fno-asynchronous-unwind-tables",
    *_WARNINGS,
)


@dataclass(frozen=True)
class CpuVariant:
    """What the compiler has to know of a VexRiscv variant."""

    multiplier: bool
    """RV32M; without it the compiler's library multiplies."""
    data_cache: bool
    """The cache holds stale lines after others wrote to memory, and the flush instruction exists."""


CPU_VARIANTS = {
    "minimal": CpuVariant(multiplier=False, data_cache=False),
    "lite": CpuVariant(multiplier=True, data_cache=False),
    "standard": CpuVariant(multiplier=True, data_cache=True),
    "full": CpuVariant(multiplier=True, data_cache=True),
}


@dataclass(frozen=True)
class Toolchain:
    """A compiler that makes RV32 ELF files with soft-float arithmetic."""

    command: tuple[str, ...]
    with_multiplier: tuple[str, ...]
    without_multiplier: tuple[str, ...]
    libraries: tuple[str, ...]
    """After the sources: where the compiler's run-time library does not come by itself."""


TOOLCHAINS = {
    "zig": Toolchain(
        command=(sys.executable, "-m", "ziglang", "cc", "-target", "riscv32-freestanding-none", "-fno-sanitize=all"),
        with_multiplier=("-mcpu=generic_rv32+m",),
        without_multiplier=("-mcpu=generic_rv32",),
        libraries=(),
    ),
    # With `_zicsr` in its name an architecture matches no multilib, and a 64-bit libgcc would be linked:
    # version 2.2 of the ISA has the CSR instructions in the base.
    "gcc": Toolchain(
        command=(
            "riscv64-unknown-elf-gcc",
            "-mabi=ilp32",
            "-misa-spec=2.2",
            "-nostdlib",
            "-fno-tree-loop-distribute-patterns",  # memset is not a call of memset
            "-Wl,--no-warn-rwx-segments",
        ),
        with_multiplier=("-march=rv32im",),
        without_multiplier=("-march=rv32i",),
        libraries=("-lgcc",),
    ),
}


def linker_script(regions: str) -> str:
    """The complete script: the SoC's MEMORY command, then the firmware's sections.

    One file, because lld evaluates regions while it parses and zig's cache does not see included files.
    """
    return regions + "\n" + (_DIRECTORY / "linker.ld").read_text(encoding="utf-8")


def compile_command(*, toolchain: str, cpu: str, include: Path, script: Path, output: Path) -> list[str]:
    """The argv that compiles and links the firmware.

    `toolchain` is a key of TOOLCHAINS, `cpu` one of CPU_VARIANTS, `include` the directory of csr.h, `script` a file
    with the text of `linker_script` and `output` the ELF file to write.
    """
    compiler, variant = TOOLCHAINS[toolchain], CPU_VARIANTS[cpu]
    return [
        *compiler.command,
        *(compiler.with_multiplier if variant.multiplier else compiler.without_multiplier),
        *_COMMON_FLAGS,
        *(["-DCPU_HAS_DATA_CACHE"] if variant.data_cache else []),
        f"-I{_DIRECTORY}",
        f"-I{include}",
        *map(str, SOURCES),
        *compiler.libraries,
        "-T",
        str(script),
        "-o",
        str(output),
    ]
