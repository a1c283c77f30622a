"""Words and cycles on the CPU's port of main memory: counted by event, and for a program whose accesses are known."""

import random
from pathlib import Path

import numpy as np
import pytest
from litex.gen.sim import run_simulation
from litex.soc.interconnect import wishbone
from migen import Module, Signal

import firmware
from firmware.build import CPU_VARIANTS, TOOLCHAINS, linker_script
from pyhost.cosim.build import build_soc, zig_environment
from pyhost.cosim.hardware import Hardware
from pyhost.cosim.tools import run_tool
from pyhost.targets.elf import ElfImage
from pyhost.targets.verilator import VerilatorTarget
from soc.bus_counters import BusCounters

WORDS = 256  # of the program's array


@pytest.mark.parametrize("seed", range(3))
def test_acknowledged_beats_and_requests_until_the_latch(seed):
    rng = random.Random(seed)
    dut = Module()
    bus, latch = wishbone.Interface(data_width=32, address_width=32, addressing="word"), Signal()
    dut.submodules.counters = BusCounters(bus, latch)
    names = ("reads", "writes", "busy")

    def process():
        counted, latched = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
        for _ in range(400):
            cyc, stb, ack, we, moment = (rng.random() < p for p in (0.8, 0.8, 0.5, 0.5, 0.1))
            for signal, value in ((bus.cyc, cyc), (bus.stb, stb), (bus.ack, ack), (bus.we, we), (latch, moment)):
                yield signal.eq(value)
            yield
            yield latch.eq(0)
            for signal in (bus.cyc, bus.stb):
                yield signal.eq(0)
            yield
            if moment:
                latched = dict(counted)
            counted["reads"] += cyc and stb and ack and not we
            counted["writes"] += cyc and stb and ack and we
            counted["busy"] += cyc and stb
            for name in names:
                assert (yield getattr(dut.counters, name).status) == latched[name]

    run_simulation(dut, process())


@pytest.fixture(scope="module", params=[("full", "sram"), ("full", "sdram"), ("minimal", "sram")], ids="-".join)
def measured(request, tmp_path_factory):
    """CPU, memory, and what tests/soc/bus_program.c counted: an array by the name of the work."""
    cpu, memory = request.param
    with pytest.MonkeyPatch.context() as patch:
        if memory == "sdram":
            patch.setenv("FLOATSOC_PROFILE_GUIDED", "0")  # nobody else uses this one
        artefacts = build_soc(Hardware(cpu=cpu, main_ram=1 << 16, memory=memory))
    directory, variant = tmp_path_factory.mktemp("bus"), CPU_VARIANTS[cpu]
    (directory / "program.ld").write_text(linker_script((artefacts.directory / "regions.ld").read_text()))
    toolchain = TOOLCHAINS["zig"]
    run_tool(
        [
            *toolchain.command,
            *(toolchain.with_multiplier if variant.multiplier else toolchain.without_multiplier),
            *(["-DCPU_HAS_DATA_CACHE"] if variant.data_cache else []),
            *("-O2", "-g", "-gdwarf-4", "-ffreestanding", f"-DWORDS={WORDS}"),
            *(f"-I{artefacts.directory}", f"-I{Path(firmware.__file__).parent}"),
            *(Path(__file__).with_name("bus_program.c"), "-T", "program.ld", "-o", "program.elf"),
        ],
        cwd=directory,
        timeout=300,
        purpose="compiling the test's program",
        environment=zig_environment(),
    )
    image = ElfImage(directory / "program.elf")
    layout = image.layout("measurements").dtype
    with VerilatorTarget(artefacts.library) as target:
        target.load(image)
        while target.cycles < 200_000:
            target.advance()
        got = np.frombuffer(target.read(image.symbol("measurements"), layout.itemsize), layout)[0]
    assert got["done"] == 1
    return cpu, memory, got


@pytest.mark.hardware
def test_stores_are_words_written(measured):
    _, _, got = measured
    assert got["nothing"]["writes"] == 0
    assert got["store_words"]["writes"] == WORDS
    assert got["store_bytes"]["writes"] == WORDS


@pytest.mark.hardware
def test_loads_are_words_read_once_by_a_cache(measured):
    cpu, _, got = measured
    loads, fetches = got["load_words"]["reads"], got["nothing"]["reads"]
    if cpu == "full":  # the loops are in the instruction cache
        assert fetches == 0
        assert loads == WORDS
        assert got["load_again"]["reads"] == 0
    else:
        assert fetches > 0
        assert loads - got["store_words"]["reads"] == WORDS  # the loops differ in nothing else
        assert got["load_again"]["reads"] == loads
    assert got["load_words"]["writes"] == 0


@pytest.mark.hardware
def test_busy_is_what_the_memory_takes_for_the_words(measured):
    _, memory, got = measured
    for work in ("store_words", "load_words"):
        words = int(got[work]["reads"]) + int(got[work]["writes"])
        assert words < got[work]["busy"]
    # Static RAM takes two cycles for a word alone, one more than the words for a burst of eight.
    if memory == "sram":
        assert got["store_bytes"]["busy"] >= 2 * WORDS
