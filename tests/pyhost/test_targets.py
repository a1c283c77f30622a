"""The contract of a target, on the verilated SoC: a small program that computes, prints, traps and hangs on request."""

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

import firmware
from firmware.build import CPU_VARIANTS, TOOLCHAINS, linker_script
from pyhost.cosim.build import build_soc, zig_environment
from pyhost.cosim.hardware import Hardware
from pyhost.cosim.tools import run_tool
from pyhost.errors import TargetError
from pyhost.targets.base import Limit, Promise
from pyhost.targets.elf import ElfImage
from pyhost.targets.verilator import MAIN_RAM, VerilatorTarget

pytestmark = pytest.mark.hardware

RAM_BYTES = 1 << 16
ENOUGH = Limit(cycles=1_000_000)
SOURCES = ("crt0.S", "main.c", "console.c")


@pytest.fixture(scope="module", params=["full", "minimal"])
def soc(request):
    return build_soc(Hardware(cpu=request.param, main_ram=RAM_BYTES))


@pytest.fixture(scope="module")
def image(soc, tmp_path_factory):
    directory = tmp_path_factory.mktemp("program")
    toolchain, cpu = TOOLCHAINS["zig"], CPU_VARIANTS[soc.hardware.cpu]
    (directory / "program.ld").write_text(linker_script((soc.directory / "regions.ld").read_text()))
    sources = Path(firmware.__file__).parent
    run_tool(
        [
            *toolchain.command,
            *(toolchain.with_multiplier if cpu.multiplier else toolchain.without_multiplier),
            *(["-DCPU_HAS_DATA_CACHE"] if cpu.data_cache else []),
            *("-O1", "-g", "-gdwarf-4", "-ffreestanding", "-nostdlib"),
            *(f"-I{sources}", f"-I{soc.directory}"),
            *(sources / name for name in SOURCES),
            Path(__file__).with_name("target_program.c"),
            *("-T", "program.ld", "-o", "program.elf"),
        ],
        cwd=directory,
        timeout=300,
        purpose="compiling the test's program",
        environment=zig_environment(),
    )
    return ElfImage(directory / "program.elf")


class Driver:
    """A target with the program in it, and the words of its mailbox."""

    def __init__(self, soc, image):
        self.target = VerilatorTarget(soc.library)
        self.image = image
        self.target.load(image)

    def field(self, name):
        return self.image.symbol("mailbox") + self.image.layout("mailbox")[name].offset

    def get(self, name):
        return int.from_bytes(self.target.read(self.field(name), 4), "little")

    def set(self, name, value):
        self.target.write(self.field(name), value.to_bytes(4, "little"))

    def wait(self, state, limit=ENOUGH):
        expected = self.image.enum("state")[state]
        self.target.run(lambda: self.get("state") == expected, limit)

    def start(self, task, address=0, count=0):
        self.wait("STATE_READY")
        self.set("plan_magic", self.image.enum("task")[task])
        self.set("kernels", address)
        self.set("kernel_count", count)
        self.set("command", self.image.enum("command")["COMMAND_RUN"])

    def perform(self, task, address=0, count=0):
        self.start(task, address, count)
        self.wait("STATE_DONE")


@pytest.fixture
def driver(soc, image):
    driver = Driver(soc, image)
    with driver.target:
        yield driver


def test_a_loaded_program_lies_in_memory_and_has_not_run(driver, image):
    for segment in image.segments:
        assert driver.target.read(segment.address, len(segment.data)) == segment.data
    assert driver.target.cycles == 0
    assert driver.target.console == ""
    assert driver.target.promise is Promise.CYCLE_ACCURATE


def test_what_is_written_is_read_back_up_to_the_last_byte(driver, image):
    first = image.symbol("_end")
    data = random.Random(1).randbytes(MAIN_RAM + RAM_BYTES - first)
    driver.target.write(first, data)
    assert driver.target.read(first, len(data)) == data
    driver.target.write(first + 3, b"\x5a")
    assert driver.target.read(first + 1, 4) == data[1:3] + b"\x5a" + data[4:5]


@pytest.mark.parametrize(
    ("address", "size"), [(MAIN_RAM - 1, 1), (MAIN_RAM + RAM_BYTES, 1), (MAIN_RAM + RAM_BYTES - 2, 4), (0, 4)]
)
def test_access_outside_main_ram_is_an_error(driver, address, size):
    with pytest.raises(TargetError, match="not within main RAM, 0x40000000 to 0x40010000"):
        driver.target.read(address, size)
    with pytest.raises(TargetError, match="not within main RAM"):
        driver.target.write(address, bytes(size))


def test_the_program_computes_on_what_the_host_wrote(driver, image):
    data = random.Random(2).randbytes(777)
    driver.wait("STATE_READY")
    driver.target.write(image.symbol("_end") + 1, data)
    driver.perform("TASK_SUM", image.symbol("_end") + 1, len(data))
    assert driver.get("error") == sum(data)


def test_cycles_are_those_of_the_socs_own_counter(driver, image):
    driver.wait("STATE_READY")
    before = driver.target.cycles
    driver.perform("TASK_SUM", image.symbol("_end"), 1000)
    counted = driver.get("cycles_low") | driver.get("cycles_high") << 32
    assert 1000 < counted < driver.target.cycles - before
    assert driver.target.cycles - before - counted < 2 * 10_000  # looked at every 10,000 cycles


def test_running_until_what_holds_already_costs_no_cycle(driver):
    driver.wait("STATE_READY")
    before = driver.target.cycles
    driver.target.run(lambda: True, Limit(cycles=0))
    assert driver.target.cycles == before


def test_console(driver):
    driver.perform("TASK_PRINT", count=500)
    assert driver.target.console.startswith("floatsoc: ready\n" + 500 * "0123456789abcdef" + "\n")


def test_loading_again_starts_afresh(driver, image):
    driver.perform("TASK_PRINT", count=1)
    driver.target.write(image.symbol("_end"), b"left over")
    driver.target.load(image)
    assert driver.target.cycles == 0
    assert driver.target.console == ""
    assert driver.target.read(image.symbol("_end"), 9) == bytes(9)
    data = bytes(range(100))
    driver.wait("STATE_READY")
    driver.target.write(image.symbol("_end"), data)
    driver.perform("TASK_SUM", image.symbol("_end"), len(data))
    assert driver.get("error") == sum(data)


def test_the_same_run_takes_the_same_cycles(driver, image):
    cycles = []
    for _ in range(2):
        driver.target.load(image)
        driver.perform("TASK_SUM", image.symbol("_end"), 500)
        cycles.append((driver.get("cycles_low"), driver.target.cycles))
    assert cycles[0] == cycles[1]


def test_two_at_once_do_not_know_of_each_other(driver, soc, image):
    other = Driver(soc, image)
    with other.target:
        for one, byte in ((driver, 1), (other, 2)):
            one.wait("STATE_READY")
            one.target.write(image.symbol("_end"), bytes([byte]) * 100)
            one.start("TASK_SUM", image.symbol("_end"), 100)
        driver.wait("STATE_DONE")
        assert other.get("error") == 0
        other.wait("STATE_DONE")
        assert (driver.get("error"), other.get("error")) == (100, 200)


@pytest.mark.parametrize(
    ("task", "what"),
    [
        ("TASK_ILLEGAL", "illegal instruction at plan_execute"),
        ("TASK_MISALIGNED", r"load address misaligned at load \(target_program.c:\d+\), value 0x40000002"),
    ],
)
def test_a_trap_is_reported_with_cause_place_kernel_and_console(driver, soc, task, what):
    if soc.hardware.cpu == "minimal":
        pytest.skip("the minimal CPU knows no exceptions")
    driver.start(task)
    with pytest.raises(TargetError, match=f"^the verilator target stopped: {what}.*, kernel 7; console: 'floatsoc: r"):
        driver.wait("STATE_DONE")


def test_an_access_where_nothing_is_is_reported(driver):
    driver.start("TASK_NOWHERE")
    with pytest.raises(TargetError, match="stopped: a load or store went where nothing is; since then"):
        driver.wait("STATE_TRAP")


def test_a_kernel_that_the_firmware_refuses_is_reported(driver):
    driver.start("TASK_REFUSE")
    with pytest.raises(TargetError, match=r"stopped: ERROR_FORMAT, kernel 7"):
        driver.wait("STATE_DONE")


def test_a_program_that_hangs_reaches_the_limit_of_cycles(driver):
    driver.start("TASK_SPIN")
    before = driver.target.cycles
    with pytest.raises(
        TargetError, match=r"did not finish within 50,000 cycles: at spin \(target_program.c:1\d\), kernel 7; console: "
    ):
        driver.wait("STATE_DONE", Limit(cycles=50_000))
    assert driver.target.cycles - before == 50_000


def test_a_program_that_hangs_reaches_the_limit_of_seconds(driver):
    driver.start("TASK_SPIN")
    begin = time.monotonic()
    with pytest.raises(TargetError, match=r"did not finish within 0\.3 seconds: at spin"):
        driver.wait("STATE_DONE", Limit(seconds=0.3))
    assert 0.3 <= time.monotonic() - begin < 5


def test_an_interrupt_ends_a_run_and_the_target_lives_on(driver):
    driver.start("TASK_SPIN")
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        driver.wait("STATE_DONE", Limit(seconds=60))
    driver.target.load(driver.image)
    driver.wait("STATE_READY")


def test_a_closed_target_says_so(driver):
    driver.target.close()
    driver.target.close()
    for use in (
        lambda: driver.target.read(MAIN_RAM, 4),
        lambda: driver.target.load(driver.image),
        lambda: driver.target.cycles,
        driver.target.advance,
    ):
        with pytest.raises(TargetError, match="closed"):
            use()


def test_stall_must_be_a_probability(soc):
    for stall in (-0.1, 1.0, 2.0):
        with pytest.raises(TargetError, match="not a probability"):
            VerilatorTarget(soc.library, stall=stall)


def test_a_library_that_is_none_is_an_error(tmp_path):
    (tmp_path / "libsoc.so").write_text("no library")
    with pytest.raises(TargetError, match="cannot be loaded"):
        VerilatorTarget(tmp_path / "libsoc.so")
