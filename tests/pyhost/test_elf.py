"""What is read from a program's ELF file, against what the C compiler itself says of it."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from firmware.build import TOOLCHAINS
from pyhost.cosim.build import zig_environment
from pyhost.cosim.tools import run_tool
from pyhost.errors import BuildError
from pyhost.targets.elf import ElfImage

PROGRAM = """
#include <stddef.h>
#include <stdint.h>

enum colour { RED, GREEN = 5, BLUE = -1 };
struct inner { uint8_t flag; int16_t level; };
typedef struct { int32_t x, y; } point;
struct outer {
    const volatile uint32_t word;
    int8_t grid[2][3];
    struct inner pair[2];
    union {
        struct inner one;
        uint64_t two;
    };
    point where;
    enum colour colour;
    void *next;
};

/* Facts that the test compares: the compiler computes them. */
const volatile uint32_t facts[] = {
    sizeof(struct outer), offsetof(struct outer, word), offsetof(struct outer, grid), offsetof(struct outer, pair),
    offsetof(struct outer, one), offsetof(struct outer, two), offsetof(struct outer, where),
    offsetof(struct outer, colour), offsetof(struct outer, next),
};
struct outer outer = {
    .word = 0xdeadbeef, .grid = {{1, -2, 3}, {-4, 5, -6}}, .pair = {{1, -300}, {0, 4}}, .two = 0x1122334455667788,
    .where = {-7, 8}, .colour = BLUE, .next = &outer,
};

__attribute__((noinline)) uint32_t add(uint32_t a) {
    return a + outer.word;
}

void _start(void) {
    for (;;)
        outer.pair[0].flag = add(facts[0]);
}
"""
SCRIPT = """
MEMORY { ram : ORIGIN = 0x40000000, LENGTH = 64K }
SECTIONS { .text : { *(.text*) } > ram .data : { *(.rodata* .srodata* .data* .sdata* .bss* .sbss*) } > ram }
"""
COMPILERS = {
    "zig, DWARF 4": ("zig", "-gdwarf-4"),
    "zig, DWARF 5": ("zig", "-gdwarf-5"),
    "gcc, DWARF 5": ("riscv64-unknown-elf-gcc", "-gdwarf-5"),
}


@pytest.fixture(scope="module", params=COMPILERS)
def image(request, tmp_path_factory):
    compiler, debug = COMPILERS[request.param]
    if compiler != "zig" and shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    toolchain = TOOLCHAINS["zig" if compiler == "zig" else "gcc"]
    directory = tmp_path_factory.mktemp("elf")
    (directory / "program.c").write_text(PROGRAM)
    (directory / "program.ld").write_text(SCRIPT)
    run_tool(
        [
            *(*toolchain.command, *toolchain.with_multiplier, debug, "-O1", "-ffreestanding", "-nostdlib"),
            *("program.c", "-T", "program.ld", "-o", "program.elf"),
        ],
        cwd=directory,
        timeout=300,
        purpose="compiling the test's program",
        environment=zig_environment(),
    )
    return ElfImage(directory / "program.elf")


def contents(image, symbol, size):
    """Bytes of a symbol in the program's segments."""
    address = image.symbol(symbol)
    for segment in image.segments:
        if segment.address <= address < segment.address + segment.size:
            return segment.data[address - segment.address :][:size]
    raise AssertionError(f"{symbol} lies in no segment")


def test_offsets_are_the_compilers(image):
    layout = image.layout("outer")
    facts = np.frombuffer(contents(image, "facts", 36), "<u4")
    names = ("word", "grid", "pair", "one", "two", "where", "colour", "next")
    assert [layout.size, *(layout[name].offset for name in names)] == facts.tolist()
    assert [field.name for field in layout.fields] == list(names)


def test_fields(image):
    outer = image.layout("outer")
    word, grid, pair, two = (outer[name] for name in ("word", "grid", "pair", "two"))
    assert (word.size, word.count, word.signed, word.layout) == (4, None, False, None)
    assert (grid.size, grid.count, grid.signed) == (1, 6, True)
    assert (pair.count, pair.layout) == (2, image.layout("inner"))
    assert (two.size, two.signed) == (8, False)
    assert outer["where"].layout.fields == image.layout("point").fields
    with pytest.raises(BuildError, match="struct outer of the firmware has no field 'height'; it has word, grid, pair"):
        outer["height"]


def test_dtype_reads_what_the_compiler_wrote(image):
    dtype = image.layout("outer").dtype
    outer = np.frombuffer(contents(image, "outer", dtype.itemsize), dtype)[0]
    assert outer["word"] == 0xDEADBEEF
    assert outer["grid"].tolist() == [1, -2, 3, -4, 5, -6]
    assert outer["pair"].tolist() == [(1, -300), (0, 4)]
    assert outer["two"] == 0x1122334455667788
    assert outer["one"].tolist() == (0x88, 0x5566)  # the same bytes as `two`; one is padding
    assert outer["where"].tolist() == (-7, 8)
    assert outer["next"] == image.symbol("outer")


def test_dtype_packs_an_array_that_reads_back(image):
    dtype = image.layout("outer").dtype
    packed = np.zeros(3, dtype)
    packed[2]["where"]["x"] = -5
    packed["word"] = [1, 2, 3]
    again = np.frombuffer(packed.tobytes(), dtype)
    assert (again[2]["where"]["x"], again[1]["word"]) == (-5, 2)


def test_enumerators(image):
    assert image.enum("colour") == {"RED": 0, "GREEN": 5, "BLUE": -1}


def test_place_of_an_address(image):
    line = 1 + PROGRAM[: PROGRAM.index("return a + outer.word")].count("\n")
    assert image.function_at(image.symbol("add") + 4) in (f"add (program.c:{line})", f"add (program.c:{line - 1})")
    assert image.function_at(image.symbol("_start")).startswith("_start (program.c:")
    assert image.function_at(0x1000) == "0x00001000"


def test_names_that_are_not_there(image):
    assert not image.has_symbol("subtract")
    with pytest.raises(BuildError, match="has no symbol 'subtract'"):
        image.symbol("subtract")
    with pytest.raises(BuildError, match="has no struct 'innermost'"):
        image.layout("innermost")
    with pytest.raises(BuildError, match="has no enum 'flavour'"):
        image.enum("flavour")


def test_a_file_that_is_no_program(tmp_path):
    (tmp_path / "text").write_text("no program")
    with pytest.raises(BuildError, match="text is not a program that can be loaded"):
        ElfImage(tmp_path / "text")
    with pytest.raises(BuildError, match="nowhere is not a program that can be loaded"):
        ElfImage(tmp_path / "nowhere")
    with pytest.raises(BuildError, match="not a 32-bit little-endian program"):
        ElfImage(Path(sys.executable).resolve())
