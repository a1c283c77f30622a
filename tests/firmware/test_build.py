"""Cross-compilation: every toolchain and CPU variant, without a warning, into memory as the linker script says."""

import shutil
from functools import cache

import pytest
from elftools.elf.elffile import ELFFile

from firmware.build import CPU_VARIANTS, SOURCES, TOOLCHAINS, compile_command, linker_script
from pyhost.cosim.cache import cache_root
from pyhost.cosim.tools import run_tool
from pyhost.targets.elf import ElfImage

ORIGIN, LENGTH = 0x4000_0000, 0x0010_0000
REGIONS = f"MEMORY {{\n\tmain_ram : ORIGIN = {ORIGIN:#x}, LENGTH = {LENGTH:#x}\n}}\n"


def registers(**peripherals):
    """The text of a csr.h; each peripheral's registers follow each other."""
    lines = []
    for number, (peripheral, names) in enumerate(peripherals.items()):
        for index, name in enumerate(names):
            address = 0xF000_0000 + 0x800 * number + 4 * index
            lines.append(f"#define CSR_{peripheral.upper()}_{name.upper()}_ADDR {address:#x}L\n")
    return "".join(lines)


ALL_PERIPHERALS = registers(
    uart=("rxtx", "txfull"),
    cycle_counter=("latch", "value", "value_low"),
    accelerator=("submit", "status", "completed", "error"),
)


def build(directory, toolchain, cpu, csr=ALL_PERIPHERALS):
    """Path of the ELF; skips where the toolchain is missing, fails on any warning."""
    if toolchain == "gcc" and shutil.which(TOOLCHAINS["gcc"].command[0]) is None:
        pytest.skip("riscv64-unknown-elf-gcc is not installed")
    (directory / "csr.h").write_text(csr)
    script, output = directory / "firmware.ld", directory / "firmware.elf"
    script.write_text(linker_script(REGIONS))
    command = compile_command(toolchain=toolchain, cpu=cpu, include=directory, script=script, output=output)
    zig_cache = str(cache_root() / "zig")  # zig keeps its run-time library there
    environment = {"ZIG_GLOBAL_CACHE_DIR": zig_cache, "ZIG_LOCAL_CACHE_DIR": zig_cache}
    said = run_tool(command, cwd=directory, timeout=300, purpose="compiling the firmware", environment=environment)
    assert said == "", "the compiler has something to say"
    return output


@pytest.fixture(scope="module")
def elf(tmp_path_factory):
    """elf(toolchain, cpu): path of the firmware with every peripheral, built once."""
    return cache(lambda toolchain, cpu: build(tmp_path_factory.mktemp("elf"), toolchain, cpu))


def instructions(path):
    """The words of .text."""
    with path.open("rb") as file:
        text = ELFFile(file).get_section_by_name(".text").data()
    return [int.from_bytes(text[i : i + 4], "little") for i in range(0, len(text) - 3, 4)]


@pytest.mark.slow
@pytest.mark.parametrize("cpu", CPU_VARIANTS)
@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_every_toolchain_and_cpu(elf, toolchain, cpu):
    image = ElfImage(elf(toolchain, cpu))
    assert image.entry == image.symbol("_start") == ORIGIN
    assert image.segments[0].address == ORIGIN
    end = max(segment.address + segment.size for segment in image.segments)
    assert end <= image.symbol("_end") < ORIGIN + LENGTH
    assert image.symbol("_end") % 64 == 0
    assert image.symbol("_stack_top") - image.symbol("_bss_end") >= 8192
    mailbox = image.symbol("mailbox")
    assert not image.symbol("_bss_start") <= mailbox < image.symbol("_bss_end")  # start-up must not clear it
    for name in ("gemm", "job_record"):  # the accelerator reads and writes them itself
        assert image.layout(name).size % 16 == 0
    assert image.layout("kernel")["gemm"].offset % 16 == image.layout("kernel").size % 16 == 0
    assert image.layout("record")["job"].offset % 16 == image.layout("record").size % 16 == 0


@pytest.mark.slow
@pytest.mark.parametrize("cpu", CPU_VARIANTS)
def test_only_instructions_that_the_cpu_has(elf, cpu):
    """0x500f flushes the data cache; opcode OP with funct7 = 1 is the M extension's; bits 1:0 are 3, not compressed."""
    words = instructions(elf("zig", cpu))
    assert (0x500F in words) == CPU_VARIANTS[cpu].data_cache
    assert any(word & 0x7F == 0x33 and word >> 25 == 1 for word in words) == CPU_VARIANTS[cpu].multiplier
    assert all(word & 3 == 3 for word in words if word)


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_a_soc_with_nothing_but_memory(tmp_path, toolchain):
    build(tmp_path, toolchain, "full", csr="")


def test_every_source_file_is_compiled():
    directory = SOURCES[0].parent
    assert {path.name for path in SOURCES} == {path.name for path in directory.iterdir() if path.suffix in (".c", ".S")}
