"""The contract of a target, on every one that is present: a program that computes, prints, traps, hangs on request."""

import os
import random
import signal
import threading
import time

import pytest

from pyhost.errors import TargetError
from pyhost.targets.base import Limit, Promise
from pyhost.targets.verilator import MAIN_RAM
from tests.targets.driver import RAM_BYTES, Driver, compile_program, kind

pytestmark = pytest.mark.hardware

PROMISES = {"verilator": Promise.CYCLE_ACCURATE, "fpga": Promise.REAL_TIME, "renode": Promise.FUNCTIONAL}


@pytest.fixture(
    scope="module",
    params=[("verilator", "full"), ("verilator", "minimal"), ("fpga", "full"), ("renode", "full")],
    ids="-".join,
)
def place(request):
    return kind(*request.param)


@pytest.fixture(scope="module")
def image(place, tmp_path_factory):
    return compile_program(place.soc, tmp_path_factory.mktemp("program"))


@pytest.fixture
def driver(place, image):
    with place.open() as target:
        yield Driver(target, image)


def test_a_loaded_program_lies_in_memory_and_has_not_run(driver, place, image):
    for segment in image.segments:
        assert driver.target.read(segment.address, len(segment.data)) == segment.data
    assert driver.target.cycles == 0
    assert driver.target.console == ""
    assert driver.target.promise is PROMISES[place.name]


def test_what_is_written_is_read_back_up_to_the_last_byte(driver, image):
    first = image.symbol("_end")
    data = random.Random(1).randbytes(MAIN_RAM + RAM_BYTES - first)
    driver.target.write(first, data)
    assert driver.target.read(first, len(data)) == data
    driver.target.write(first + 3, b"\x5a")
    assert driver.target.read(first + 1, 4) == data[1:3] + b"\x5a" + data[4:5]


def test_bytes_are_written_wherever_they_begin_and_end(driver, image):
    source = random.Random(2)
    first = image.symbol("_end") + 64
    expected = bytearray(600)
    for _ in range(60):
        start = source.randrange(len(expected))
        size = source.choice((0, 1, 2, 3, 4, 5, 7, 300))
        data = source.choice((source.randbytes(size), bytes([source.randrange(256)]) * size))[: len(expected) - start]
        driver.target.write(first + start, data)
        expected[start : start + len(data)] = data
    assert driver.target.read(first, len(expected)) == expected
    for start, size in ((1, 2), (3, 3), (5, 0), (6, 590)):
        assert driver.target.read(first + start, size) == expected[start : start + size]


@pytest.mark.parametrize(
    ("address", "size"), [(MAIN_RAM - 1, 1), (MAIN_RAM + RAM_BYTES, 1), (MAIN_RAM + RAM_BYTES - 2, 4), (0, 4)]
)
def test_access_outside_main_ram_is_an_error(driver, address, size):
    with pytest.raises(TargetError, match="not within main RAM, 0x40000000 to 0x40010000"):
        driver.target.read(address, size)
    with pytest.raises(TargetError, match="not within main RAM"):
        driver.target.write(address, bytes(size))


def test_the_program_computes_on_what_the_host_wrote(driver, image):
    data = random.Random(3).randbytes(777)
    driver.wait("STATE_READY")
    driver.target.write(image.symbol("_end") + 1, data)
    driver.perform("TASK_SUM", image.symbol("_end") + 1, len(data))
    assert driver.get("error") == sum(data)


def test_what_the_program_counts_is_within_what_the_target_counts(driver, image):
    if driver.target.promise is Promise.FUNCTIONAL:
        pytest.skip("counts are instructions there, not the cycles that the program reads")
    driver.wait("STATE_READY")
    before = driver.target.cycles
    driver.perform("TASK_SUM", image.symbol("_end"), 1000)
    counted = driver.get("cycles_low") | driver.get("cycles_high") << 32
    assert 1000 < counted < driver.target.cycles - before


def test_a_second_task_runs_like_the_first(driver, image):
    for seed in (4, 5):
        data = random.Random(seed).randbytes(100)
        driver.target.write(image.symbol("_end"), data)
        if seed == 4:
            driver.wait("STATE_READY")
        driver.set("state", image.enum("state")["STATE_READY"])
        driver.perform("TASK_SUM", image.symbol("_end"), len(data))
        assert driver.get("error") == sum(data)


def test_console(driver):
    driver.perform("TASK_PRINT", count=100)
    assert driver.target.console.startswith("floatsoc: ready\n" + 100 * "0123456789abcdef" + "\n")


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


def test_one_after_the_other(place, image):
    for _ in range(2):
        with place.open() as target:
            driver = Driver(target, image)
            driver.wait("STATE_READY")
            target.write(image.symbol("_end"), b"\x03" * 50)
            driver.perform("TASK_SUM", image.symbol("_end"), 50)
            assert driver.get("error") == 150


def test_two_at_once_do_not_know_of_each_other(driver, place, image):
    with place.open() as target:
        other = Driver(target, image)
        for one, byte in ((driver, 1), (other, 2)):
            one.wait("STATE_READY")
            one.target.write(image.symbol("_end"), bytes([byte]) * 100)
        driver.perform("TASK_SUM", image.symbol("_end"), 100)
        assert other.get("error") == 0
        other.perform("TASK_SUM", image.symbol("_end"), 100)
        assert (driver.get("error"), other.get("error")) == (100, 200)


@pytest.mark.parametrize(
    ("task", "what"),
    [
        ("TASK_ILLEGAL", "illegal instruction at plan_execute"),
        ("TASK_MISALIGNED", r"load address misaligned at load \(program.c:\d+\), value 0x40000002"),
    ],
)
def test_a_trap_is_reported_with_cause_place_kernel_and_console(driver, place, task, what):
    if place.soc.hardware.cpu == "minimal":
        pytest.skip("the minimal CPU knows no exceptions")
    driver.start(task)
    with pytest.raises(
        TargetError, match=f"^the {place.name} target stopped: {what}.*, kernel 7; console: 'floatsoc: r"
    ):
        driver.wait("STATE_DONE")


def test_an_access_where_nothing_is_is_reported(driver):
    driver.start("TASK_NOWHERE")
    with pytest.raises(TargetError, match="stopped: a load or store went where nothing is; since then"):
        driver.wait("STATE_TRAP")


def test_a_kernel_that_the_firmware_refuses_is_reported(driver):
    driver.start("TASK_REFUSE")
    with pytest.raises(TargetError, match=r"stopped: ERROR_FORMAT, kernel 7"):
        driver.wait("STATE_DONE")


def test_a_program_that_hangs_reaches_the_limit_of_cycles(driver, image):
    driver.start("TASK_SPIN")
    running = image.enum("state")["STATE_RUNNING"]
    driver.target.run(lambda: driver.get("state") == running and driver.get("current") == 7, Limit(seconds=60))
    before = driver.target.cycles
    with pytest.raises(TargetError) as stopped:
        driver.wait("STATE_DONE", Limit(cycles=50_000))
    assert "did not finish within 50,000 cycles: at " in str(stopped.value)
    assert "kernel 7; console: 'floatsoc: ready" in str(stopped.value)
    assert ("at spin (program.c:1" in str(stopped.value)) == (driver.target.program_counter is not None)
    assert driver.target.cycles - before >= 50_000


def test_a_program_that_hangs_reaches_the_limit_of_seconds(driver):
    driver.start("TASK_SPIN")
    begin = time.monotonic()
    with pytest.raises(TargetError, match=r"did not finish within 0\.3 seconds: at "):
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


def test_a_program_that_starts_elsewhere_is_not_loaded(driver, image, monkeypatch):
    monkeypatch.setattr(type(image), "entry", 0x1000)
    with pytest.raises(TargetError, match="starts at 0x00001000, but the CPU at 0x40000000"):
        driver.target.load(image)


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
