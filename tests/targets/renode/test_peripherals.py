"""The peripherals that Renode compiles, compiled by Mono against stand-ins for Renode's classes, and run."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from accel_rtl.registers import DESCRIPTOR, ErrorCode
from pyhost.targets.renode.model import build_model
from pyhost.targets.renode.platform import PERIPHERALS
from tests.rtl.device import MEMORY_BASE, RESERVED
from tests.rtl.jobs import random_job
from tests.rtl.test_accelerator import CONFIGS
from tests.targets.renode.models import hardware_of

SEED = 2357
CONFIG = CONFIGS["8x8_exact"]
MEMORY_BYTES = 1 << 17
SUBMIT, STATUS, COMPLETED, ERROR = range(0, 16, 4)
RECORD = MEMORY_BASE + MEMORY_BYTES - 48


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    for tool in ("mcs", "mono"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: apt install mono-mcs mono-runtime")
    program = tmp_path_factory.mktemp("mono") / "peripherals.exe"
    stubs = Path(__file__).with_name("Stubs.cs")
    subprocess.run(["mcs", "-warnaserror+", f"-out:{program}", PERIPHERALS, stubs], check=True, timeout=120)
    return program


@pytest.fixture(scope="module")
def execute(program):
    """execute(*commands): what the program prints, a line each."""

    def execute(*commands, library=None):
        library = library or build_model(hardware_of(CONFIG))
        argv = ["mono", program, library, str(MEMORY_BASE), str(MEMORY_BYTES)]
        done = subprocess.run(argv, input="\n".join(commands), capture_output=True, text=True, timeout=120)
        assert not done.stderr, done.stderr
        return done.stdout.splitlines()

    return execute


def descriptor_of(words):
    codes = [({"record": RECORD} | words).get(name, 0) & 0xFFFF_FFFF for name in DESCRIPTOR]
    return np.array(codes, np.uint32).view(np.uint8)


def test_random_jobs(execute, tmp_path):
    print(f"seed {SEED}")
    rng = np.random.default_rng(SEED)
    place = MEMORY_BYTES - RESERVED
    commands, after = [], []
    for number in range(30):
        job = random_job(rng, CONFIG, place, largest=24)
        before, expected = (np.zeros(MEMORY_BYTES, np.uint8) for _ in range(2))
        before[:place], expected[:place] = job.before, job.after
        descriptor = descriptor_of(job.descriptor)
        before[place : place + descriptor.size] = expected[place : place + descriptor.size] = descriptor
        macs = job.descriptor["m"] * job.descriptor["n"] * job.descriptor["k"]
        expected[RECORD - MEMORY_BASE + 4 :][:4] = np.array([macs], np.uint32).view(np.uint8)
        before[RECORD - MEMORY_BASE :] = 0xA5
        before.tofile(tmp_path / f"before-{number}")
        commands += [f"load {tmp_path}/before-{number}", f"write accelerator {SUBMIT} {MEMORY_BASE + place}"]
        commands += [f"read accelerator {COMPLETED}", f"save {tmp_path}/after-{number}"]
        after.append((expected, job))
    output = execute(*commands, f"read accelerator {ERROR}", f"read accelerator {STATUS}")
    assert output == [*map(str, range(1, 31)), "0", "0"]
    for number, (expected, job) in enumerate(after):
        got = np.fromfile(tmp_path / f"after-{number}", np.uint8)
        wrong = np.flatnonzero(got != expected)
        assert not wrong.size, f"{wrong.size} bytes differ, the first at {wrong[0]:#x}: {job.description}"


def test_errors_stay_until_they_are_cleared(execute):
    bad, clear = f"write accelerator {SUBMIT} 4", f"write accelerator {ERROR} 1"
    registers = [f"read accelerator {register}" for register in (COMPLETED, ERROR)]
    output = execute(bad, *registers, clear, *registers, bad, bad, "reset", *registers)
    wrong = str(int(ErrorCode.DESCRIPTOR))
    assert output == ["1", wrong, "1", "0", "0", "0"]


def test_the_counter_counts_instructions_from_its_reset(execute):
    read = ["read counter 4", "read counter 8"]
    first = (7 << 32) + 5
    output = execute(
        *read, f"count {first}", *read, "write counter 0 1", "count 1000", *read, "reset", "count 3", *read
    )
    assert output == ["0", "0", "0", "0", "7", "5", "0", "0"]
    assert execute("count 10", "reset", "count 3", "write counter 0 1", *read) == ["0", "3"]


def test_other_registers_are_reported(execute):
    output = execute("read accelerator 16", "write accelerator 8 1", "read counter 12", "write counter 4 1")
    assert output == ["unhandled read 16", "0", "unhandled write 8 1", "unhandled read 12", "0", "unhandled write 4 1"]


def test_a_library_that_is_not_there(execute):
    assert execute(library="/nowhere.so") == [
        "refused: The accelerator's model cannot be loaded: no library /nowhere.so"
    ]
