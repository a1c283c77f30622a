"""The command line: what it prints where, and its exit status. The golden target needs no hardware."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pyhost.cosim.run
import pyhost.cosim.train
from pyhost.errors import BuildError
from pyhost.formats import FAMILIES, ScalarFormat, parse_format

SMALL = ("--target", "golden", "--set", "network.model=linear-digits", "--set", "network.batch=4")
COMMANDS = ("run", "train", "gemm", "conv", "formats", "report", "trace", "doctor")


def only_run():
    """The one run directory of the current directory."""
    (directory,) = Path("runs").iterdir()
    return directory


def test_a_run_is_shown_recorded_and_reported_again(floatsoc):
    status, out, err = floatsoc("run", *SMALL)
    assert status == 0
    assert out.startswith("EXACT")
    assert "dense1.forward" in out
    assert "Traceback" not in err
    again = floatsoc("report", only_run())
    assert again[0] == 0
    assert again[1] == out


def test_json_is_alone_on_standard_output(floatsoc):
    status, out, _ = floatsoc("run", *SMALL, "--json")
    assert status == 0
    assert json.loads(out)["bit_exact"] is True
    assert out == (only_run() / "result.json").read_text()
    assert floatsoc("report", only_run(), "--json")[1] == out


def test_quiet_leaves_the_verdict(floatsoc):
    status, out, err = floatsoc("run", *SMALL, "-q")
    assert (status, len(out.splitlines()), err) == (0, 1, "")


def test_a_mismatch_is_named_and_has_status_1(floatsoc):
    status, out, _ = floatsoc("run", *SMALL, "--flip", "dense1.weight.master:3:30")
    assert status == 1
    assert out.startswith("NOT EQUAL")
    assert "kernel dense1.weight.convert" in out
    assert floatsoc("report", only_run())[0] == 1


def test_training_shows_the_curve(floatsoc):
    status, out, _ = floatsoc("train", *SMALL, "--steps", "3", "--compare", "last")
    assert status == 0
    assert out.startswith("EXACT  1 of 3 steps compared")
    assert [line.split()[0] for line in out.splitlines() if line[:4].strip().isdecimal()] == ["0", "1", "2"]
    assert floatsoc("report", only_run())[1] == out


def test_products_are_compared(floatsoc):
    arguments = ("5", "6", "7", "--a", "e5m2", "--d", "fp16", "--transpose", "TN", "--jobs", "2", "--target", "golden")
    status, out, _ = floatsoc("gemm", *arguments, "--json")
    assert status == 0
    assert [kernel["shape"] for kernel in json.loads(out)["kernels"]] == [[5, 6, 7]] * 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("run", "none.toml"), "none.toml: no such job file"),
        (("run", "--set", "network.model=cnn"), "--set network.model"),
        (("run", "--set", "rows=4"), "expected TABLE.KEY=VALUE"),
        (("run", "--target", "abacus"), "--target"),
        (("run", "--target", "fpga"), "needs a port: --port /dev/ttyUSB0, or --port sim"),
        (("run", *SMALL, "--port", "/dev/ttyUSB0"), "the golden target has no port"),
        (("run", "--target", "fpga", "--port", "sim", "--baud", "0"), "baud = 0: a positive number"),
        (("run", "--target", "fpga", "--port", "/dev/ttyUSB0", "--baseline"), "a board has one SoC"),
        (("gemm", "1", "2", "3", "--target", "fpga", "--port", "sim", "--stall", "0.1"), "the verilator target alone"),
        (("runn",), "No such command 'runn'"),
        (("run", "--flip", "dense1.weight.master:3"), "TENSOR:INDEX:BIT"),
        (("run", *SMALL, "--flip", "nothing:3:30"), 'no tensor "nothing"'),
        (("train",), "--steps"),
        (("train", "--steps", "1", "--compare", "every:0"), "every:K"),
        (("gemm", "1", "2"), "'K'"),
        (("gemm", "1", "2", "x"), "'x' is not a valid integer"),
        (("gemm", "1", "2", "0"), "K = 0: must be"),
        (("formats", "e9m9"), "'e9m9' is not a format"),
        (("report", "nowhere"), "nowhere: not a run directory"),
    ],
)
def test_mistakes_are_one_line_and_status_2(floatsoc, arguments, expected):
    status, out, err = floatsoc(*arguments)
    assert status == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert expected in err
    assert not Path("runs").exists()


def test_a_tool_that_fails_is_one_line_and_status_3(floatsoc, monkeypatch):
    def fail(*arguments, **options):
        raise BuildError("compiling: g++ is missing; install a C++ compiler: apt install g++")

    monkeypatch.setattr(pyhost.cosim.run, "run", fail)
    status, out, err = floatsoc("run")
    assert (status, out) == (3, "")
    assert err == "floatsoc: compiling: g++ is missing; install a C++ compiler: apt install g++\n"
    assert "Traceback" in floatsoc("run", "-v")[2]


def test_a_defect_of_ours_is_one_line_and_status_3(floatsoc, monkeypatch):
    monkeypatch.setattr(pyhost.cosim.run, "run", lambda *arguments, **options: {}["missing"])
    status, _, err = floatsoc("run")
    assert status == 3
    assert len(err.splitlines()) == 1
    assert "internal error: KeyError" in err


def test_an_unwritable_runs_directory_is_one_line(floatsoc, tmp_path):
    (tmp_path / "file").touch()
    status, _, err = floatsoc("run", *SMALL, "-q", "--runs-dir", tmp_path / "file")
    assert status == 2
    assert "cannot write the run directory" in err


def test_an_unwritable_runs_directory_is_found_before_the_run(floatsoc, monkeypatch, tmp_path):
    monkeypatch.setattr(pyhost.cosim.train, "launch", lambda *arguments, **options: pytest.fail("it ran"))
    (tmp_path / "file").touch()
    status, _, err = floatsoc("train", "--steps", "500", "-q", "--runs-dir", tmp_path / "file" / "runs")
    assert (status, err) == (2, f"floatsoc: cannot write the run directory in {tmp_path}/file/runs: Not a directory\n")


def test_a_full_disk_is_one_line_and_status_3():
    command = [sys.executable, "-c", "from pyhost.cli import main; main()", "formats"]
    with open("/dev/full", "w", encoding="utf-8") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (3, "floatsoc: No space left on device\n")


@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_an_interrupt_is_one_line_and_leaves_nothing(tmp_path, number, status, word):
    command = [sys.executable, "-c", "from pyhost.cli import main; main()", "train", *SMALL, "--steps", "1000000"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        first = process.stderr.readline()  # of its progress: it is about to begin
        time.sleep(0.8)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == status, first + err
    assert err.splitlines()[-1] == f"floatsoc: {word}"
    assert "Traceback" not in err
    assert out == ""
    assert not list(tmp_path.iterdir())


def test_an_interrupt_while_it_loads_is_one_line():
    program = """
import sys
class Interrupting:
    def find_spec(self, name, *rest):
        if name == "pyhost.job":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from pyhost.cli import main
main()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "floatsoc: interrupted\n")


def test_a_reader_who_leaves_is_no_error(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", "from pyhost.cli import main; main()", "formats", "e5m2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_the_common_options(floatsoc, command):
    status, out, _ = floatsoc(command, "--help")
    assert status == 0
    assert f"  floatsoc {command}" in out
    assert {"--json", "--quiet", "--verbose"} <= set(out.replace(",", "").split())


def test_without_a_command_there_is_help(floatsoc):
    assert floatsoc() == floatsoc("--help")


def test_the_first_help_names_every_command(floatsoc):
    out = floatsoc("--help")[1]
    assert all(f"  {command} " in out for command in COMMANDS)


def test_starting_is_quick():
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "from pyhost.cli import main; main(['--help'])"], check=True, capture_output=True
    )
    assert time.perf_counter() - started < 3
    modules = subprocess.run(
        [sys.executable, "-c", "import sys, pyhost.cli; print('numba' in sys.modules, 'litex' in sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert modules.stdout == "False False\n"


def test_models_are_listed(floatsoc):
    assert "cnn-digits" in floatsoc("run", "--list-models")[1]
    assert "cnn-digits" in json.loads(floatsoc("run", "--list-models", "--json")[1])


def test_families_and_aliases_are_listed(floatsoc):
    out = floatsoc("formats")[1]
    assert all(family in out for family in FAMILIES)
    assert "bf16" in out
    assert json.loads(floatsoc("formats", "--json")[1])["aliases"]["bf16"] == "e8m7"


@pytest.mark.parametrize(
    "name", ["e4m3fn", "e5m2", "e2m1fn", "e4m3fnuz", "bf16", "fp32", "posit8", "unum1x2", "mx(e4m3fn,32)"]
)
def test_a_format_is_shown_as_the_library_has_it(floatsoc, name):
    format_ = parse_format(name)
    shown = json.loads(floatsoc("formats", name, "--json")[1])
    assert (shown["bits"], shown["max"], shown["has_nan"]) == (format_.bits, format_.max, format_.has_nan)
    has_table = isinstance(format_, ScalarFormat) and format_.bits <= 8
    assert (shown["values"] is not None) == has_table
    text = floatsoc("formats", name)[1]
    assert max(map(len, text.splitlines())) <= 80
    if has_table:
        assert [float(value) for value in shown["values"]][1] == format_.min_subnormal
        assert all(f"{code:0{-(-format_.bits // 4)}x} " in text for code in range(1 << format_.bits))


def test_the_installed_program_is_this_command_line():
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="floatsoc")
    assert script.value == "pyhost.cli:main"
