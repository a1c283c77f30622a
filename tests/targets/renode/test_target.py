"""The renode target against a stand-in for Renode: its monitor's protocol, and everything that can go wrong with it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from pyhost.errors import TargetError
from pyhost.targets.base import Limit, Promise
from pyhost.targets.elf import Segment
from pyhost.targets.renode import RenodeTarget, find_renode

FAKE = Path(__file__).with_name("fake_renode.py")
BASE, SIZE = 0x4000_0000, 1 << 16
CSR = {
    "csr_bases": {"cpu_bus": 0xF000_0000, "cycle_counter": 0xF000_0800, "uart": 0xF000_1000},
    "csr_registers": {"cycle_counter_latch": {"addr": 0xF000_0800}, "cycle_counter_value": {"addr": 0xF000_0804}},
    "constants": {"config_cpu_type_vexriscv": None, "config_cpu_variant_full": None, "config_csr_data_width": 32},
    "memories": {"main_ram": {"base": BASE, "size": SIZE, "type": "cached"}},
}
PROGRAM = bytes(range(1, 101))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home and a directory for temporary files, in which nothing may stay."""
    for name in ("HOME", "TMPDIR"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield tmp_path
    assert not list((tmp_path / "TMPDIR").iterdir()), "temporary files stay"
    assert not list((tmp_path / "HOME").iterdir()), "Renode wrote into the home"


@pytest.fixture
def renode(home, monkeypatch):
    """A launcher like that of Renode's packages, which does not become Renode but starts it."""
    launcher = home / "renode"
    launcher.write_text(f'#!/bin/sh\n{sys.executable} {FAKE} "$@"\nexit $?\n')
    launcher.chmod(0o755)
    monkeypatch.setenv("FLOATSOC_RENODE", str(launcher))
    return launcher


@pytest.fixture
def soc(home):
    directory = home / "soc"
    directory.mkdir()
    (directory / "csr.json").write_text(json.dumps(CSR))
    return directory


@pytest.fixture
def image(tmp_path):
    return SimpleNamespace(
        path=tmp_path / "program.elf",
        entry=BASE,
        segments=(Segment(BASE + 4, PROGRAM, 200),),
        has_symbol=lambda name: False,
        function_at=lambda address: f"somewhere at {address:#x}",
    )


@pytest.fixture
def open_target(renode, soc, monkeypatch):
    """open_target(faults): a target whose Renode has them."""
    opened = []

    def open_(faults=""):
        monkeypatch.setenv("FAKE_RENODE", faults)
        opened.append(RenodeTarget(find_renode(), soc, None, (BASE, SIZE)))
        return opened[-1]

    yield open_
    for target in opened:
        target.close()


def processes():
    """Command lines of everything that runs the stand-in, or was started by it."""
    lines = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in lines if str(FAKE) in line or "time.sleep(1000)" in line]


def word(target):
    return int.from_bytes(target.read(BASE, 4), "little")


def test_load_write_read(open_target, image):
    with open_target() as target:
        target.load(image)
        assert target.promise is Promise.FUNCTIONAL
        assert (target.cycles, target.program_counter, target.console) == (0, BASE, "")
        assert target.read(BASE, 210) == bytes(4) + PROGRAM + bytes(106)
        assert target.read(BASE + SIZE - 16, 16) == bytes(16)
        data = os.urandom(5000)
        target.write(BASE + 333, data)
        assert target.read(BASE + 332, 5002) == b"\0" + data + b"\0"
        target.write(BASE + SIZE, b"")
        assert target.read(BASE, 0) == b""


def test_a_run_counts_instructions(open_target, image):
    with open_target() as target:
        target.load(image)
        target.run(lambda: word(target) >= 3, Limit(cycles=10_000_000))
        assert target.cycles == 3_000_000
        assert target.program_counter == BASE + 0x40
        assert target.console == "tick\n" * 3


def test_twice_in_a_row_and_two_at_once(open_target, image):
    with open_target() as one, open_target() as other:
        for target in (one, other, one):
            target.load(image)
            assert (target.cycles, target.console, word(target)) == (0, "", 0)
            target.run(lambda target=target: word(target) >= 2, Limit(cycles=10_000_000))
            assert (target.cycles, target.console) == (2_000_000, "tick\n" * 2)
        assert word(other) == 2


def test_what_is_written_is_read_after_a_read(open_target, image):
    with open_target() as target:
        target.load(image)
        assert word(target) == 0
        target.write(BASE, b"\7\0\0\0")
        assert word(target) == 7


@pytest.mark.parametrize("address, size", [(BASE - 1, 1), (BASE + SIZE - 3, 4), (0, 4), (BASE, SIZE + 1)])
def test_outside_of_main_ram(open_target, image, address, size):
    with open_target() as target:
        target.load(image)
        with pytest.raises(TargetError, match="are not within main RAM"):
            target.read(address, size)
        with pytest.raises(TargetError, match="are not within main RAM"):
            target.write(address, bytes(size))


def test_limits(open_target, image):
    with open_target() as target:
        target.load(image)
        with pytest.raises(TargetError, match=r"did not finish within 2,000,000 cycles: at somewhere.*console: 'tick"):
            target.run(lambda: False, Limit(cycles=2_000_000))
        with pytest.raises(TargetError, match=r"did not finish within 0\.2 seconds"):
            target.run(lambda: False, Limit(seconds=0.2))


@pytest.mark.parametrize(
    "faults, message",
    [
        (
            "crash@RunFor",
            r"Renode ended with .*it said: Fatal error:; System\.NullReferenceException: Object reference",
        ),
        ("exit@RunFor", "Renode ended with status 3"),
        (
            "refuse@RunFor",
            "Renode cannot do 'emulation RunFor \"0.01\"': There was an error .*It is not the day for it",
        ),
        ("halt@RunFor", "stands still at 0x40000000; log: .*CPU abort.*outside RAM or ROM"),
    ],
)
def test_what_goes_wrong_while_it_runs(open_target, image, faults, message):
    target = open_target(faults)
    target.load(image)
    with pytest.raises(TargetError, match=message) as raised:
        target.run(lambda: False, Limit(cycles=10_000_000))
    assert "\n" not in str(raised.value)
    target.close()
    assert not processes()


def test_a_load_from_nowhere(open_target, image):
    with open_target() as target:
        target.load(image)
        target.advance()
        assert not target.bus_error
    with open_target("nowhere@RunFor") as target:
        target.load(image)
        assert not target.bus_error
        target.advance()
        assert target.bus_error
        target.load(image)
        assert not target.bus_error


def test_after_its_end_everything_says_how_it_ended(open_target, image):
    target = open_target("crash@RunFor")
    target.load(image)
    for action in (target.advance, lambda: target.read(BASE, 4), lambda: target.write(BASE, b"1")):
        with pytest.raises(TargetError, match="NullReferenceException"):
            action()
    target.close()
    with pytest.raises(TargetError, match="the renode target is closed"):
        target.advance()
    target.close()


def test_a_hang_ends_it_and_what_it_started(open_target, image, monkeypatch):
    target = open_target("hang@RunFor")
    target.load(image)
    monkeypatch.setattr("pyhost.targets.renode.monitor._COMMAND_SECONDS", 1.0)
    started = time.monotonic()
    with pytest.raises(TargetError, match="Renode does not answer"):
        target.advance()
    assert time.monotonic() - started < 10
    assert not processes()


@pytest.mark.parametrize("where", ["LoadBinary", "dump_file", "RunFor"])
def test_noise_is_not_taken_for_an_answer(open_target, image, where):
    with open_target(f"garbage@{where}") as target:
        target.load(image)
        target.write(BASE + 8, b"1234")
        target.advance()
        assert target.read(BASE + 8, 4) == b"1234"
        assert target.cycles == 1_000_000


@pytest.mark.parametrize("where", ["logFile", "include", "mach", "LoadPlatformDescription", "CreateFileBackend"])
def test_a_start_that_fails_leaves_nothing(open_target, image, where):
    with pytest.raises(TargetError, match=f"Renode cannot do '.*{'logFile' if where == 'logFile' else 'include'}"):
        open_target(f"refuse@{where}").load(image)


def test_the_end_of_its_input_ends_it(renode, soc, image):
    """So that no Renode outlives a host that was killed."""
    program = f"""
import os, signal
from pathlib import Path
from pyhost.targets.renode import RenodeTarget, find_renode
target = RenodeTarget(find_renode(), Path({str(soc)!r}), None, ({BASE}, {SIZE}))
print(target._scratch.name, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    deadline = time.monotonic() + 10
    while processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not processes()
    subprocess.run(["rm", "-r", output.strip()], check=True)


@pytest.mark.parametrize("version", ["1.14.9", "0.9", "1.9.0"])
def test_an_old_version(renode, monkeypatch, version):
    monkeypatch.setenv("FAKE_RENODE_VERSION", version)
    with pytest.raises(TargetError, match=rf"is Renode {version}.*, too old: install Renode 1\.15 or newer"):
        find_renode()


@pytest.mark.parametrize("version, expected", [("1.15.0", (1, 15, 0)), ("1.16.1", (1, 16, 1)), ("2.0.0", (2, 0, 0))])
def test_a_supported_version(renode, monkeypatch, version, expected):
    monkeypatch.setenv("FAKE_RENODE_VERSION", version)
    assert find_renode().version == expected


def test_no_renode(home, monkeypatch):
    monkeypatch.delenv("FLOATSOC_RENODE", raising=False)
    monkeypatch.setenv("PATH", str(home))
    with pytest.raises(TargetError, match=r"^renode is missing: install Renode 1\.15 or newer from https://renode\.io"):
        find_renode()
    monkeypatch.setenv("FLOATSOC_RENODE", "/nowhere/renode")
    with pytest.raises(TargetError, match=r"^/nowhere/renode is missing"):
        find_renode()


def test_something_else_of_that_name(home, monkeypatch):
    other = home / "renode"
    other.write_text("#!/bin/sh\necho hello 1.20\n")
    other.chmod(0o755)
    monkeypatch.setenv("FLOATSOC_RENODE", str(other))
    with pytest.raises(TargetError, match="is no Renode"):
        find_renode()


@pytest.mark.parametrize("old", [False, True])
def test_the_command_says_what_to_install_in_one_line(renode, home, monkeypatch, old):
    monkeypatch.setenv("FAKE_RENODE_VERSION", "1.14.0")
    if not old:
        monkeypatch.setenv("FLOATSOC_RENODE", "/nowhere/renode")
    command = [Path(sys.executable).with_name("floatsoc"), "run", "--target", "renode"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True)
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert "install Renode 1.15 or newer" in done.stderr
    assert not (home / "runs").exists()
