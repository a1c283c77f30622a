"""What goes wrong on a target ends in one clear line, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pyhost.cosim import launch, targets
from pyhost.cosim.run import run
from pyhost.cosim.session import Fault
from pyhost.cosim.train import train
from pyhost.errors import BuildError, JobError, TargetError
from pyhost.job import Job
from pyhost.targets.base import Limit
from pyhost.targets.verilator import VerilatorTarget

FLOATSOC = Path(sys.executable).with_name("floatsoc")
ILLEGAL_INSTRUCTION = (0).to_bytes(4, "little")
JUMP_TO_SELF = (0x6F).to_bytes(4, "little")


def patched_target(symbol, code):
    """A target whose firmware has `code` at the start of the function `symbol`."""

    class Patched(VerilatorTarget):
        def load(self, image):
            super().load(image)
            self.write(image.symbol(symbol), code)

    return Patched


def no_remnants(directory):
    return not directory.exists() or list(directory.iterdir()) == []


def test_a_trap_is_reported_with_function_and_kernel(small_job, monkeypatch, tmp_path):
    monkeypatch.setattr(targets, "VerilatorTarget", patched_target("kernel_sgd", ILLEGAL_INSTRUCTION))
    with pytest.raises(
        TargetError, match=r"illegal instruction at kernel_sgd \(sgd.c:\d+\).*is conv1.weight.update"
    ) as error:
        run(small_job, runs_dir=tmp_path / "runs")
    assert "\n" not in str(error.value)
    assert error.value.exit_status == 3
    assert no_remnants(tmp_path / "runs")


def test_firmware_that_never_finishes_reaches_its_limit(small_job, monkeypatch, tmp_path):
    monkeypatch.setattr(targets, "VerilatorTarget", patched_target("kernel_max_pool", JUMP_TO_SELF))
    monkeypatch.setattr(launch, "_limit", lambda plan, job: Limit(cycles=3_000_000))
    message = r"did not finish within 3,000,000 cycles: at kernel_max_pool \(max_pool.c:\d+\).*is pool1.forward"
    with pytest.raises(TargetError, match=message):
        run(small_job, runs_dir=tmp_path / "runs")
    assert no_remnants(tmp_path / "runs")


def test_firmware_that_does_not_start(small_job, monkeypatch):
    monkeypatch.setattr(targets, "VerilatorTarget", patched_target("_start", JUMP_TO_SELF))
    with pytest.raises(TargetError, match=r"did not finish within 1,000,000 cycles: at _start .*no kernel running"):
        run(small_job, runs_dir=None)


def test_tensors_that_do_not_fit_the_memory():
    job = Job().with_changes({"network.batch": 512, "soc.main_ram": "1 MiB"})
    with pytest.raises(JobError, match=r"bytes of main memory.*make them smaller or main memory larger.*soc.main_ram"):
        run(job, runs_dir=None)


@pytest.mark.parametrize(
    "fault, message",
    [
        (
            Fault("conv9.weight", 0, 0),
            'no tensor "conv9.weight" before a step; there are images, labels, conv1.weight.master',
        ),
        (Fault("conv1.weight.master", 72, 0), "elements 0 to 71 of bits 0 to 31"),
        (Fault("conv1.weight.master", 0, 32), "elements 0 to 71 of bits 0 to 31"),
    ],
)
def test_faults_that_cannot_be_planted(fault, message, small_job):
    with pytest.raises(JobError, match=message):
        run(small_job, faults=[fault], runs_dir=None)


def test_unknown_target_and_toolchain(small_job):
    with pytest.raises(JobError, match='no target "abacus"; allowed are verilator, renode, fpga, golden'):
        run(small_job, target="abacus", runs_dir=None)
    with pytest.raises((JobError, BuildError), match=r"tcc.*zig, gcc"):
        run(small_job, toolchain="tcc", runs_dir=None)


@pytest.mark.parametrize(
    "arguments, message", [({"steps": 0}, "steps = 0"), ({"steps": 2, "compare_every": 0}, "at least")]
)
def test_training_that_cannot_be(arguments, message, small_job):
    with pytest.raises(JobError, match=message):
        train(small_job, runs_dir=None, **arguments)


def test_a_runs_directory_that_cannot_be_written(small_job, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = subprocess.run(
        [
            FLOATSOC,
            "run",
            "--target",
            "golden",
            "--runs-dir",
            str(tmp_path / "file" / "runs"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert "cannot write the run directory" in result.stderr


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children]


@pytest.mark.parametrize("during", ["build", "simulation"])
def test_ctrl_c_leaves_no_process_and_no_remnant(during, default_result, tmp_path):
    """Interrupted while a simulation is being compiled (in an empty cache), and while it runs."""
    environment = dict(os.environ)
    if during == "build":
        environment["FLOATSOC_CACHE"] = str(tmp_path / "cache")
    command = [FLOATSOC, "train", "--steps", "1000", "--runs-dir", str(tmp_path / "runs")]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    awaited = "compiling the simulation" if during == "build" else "simulating"
    said = []
    while not any(awaited in line for line in said):
        line = process.stderr.readline()
        assert line, f"ended early: {said}"
        said.append(line)
    time.sleep(1)
    children = descendants(process.pid)
    os.kill(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1] == "floatsoc: interrupted"
    assert output == ""
    for child in children:
        assert not Path(f"/proc/{child}").exists()
    assert no_remnants(tmp_path / "runs")
    if during == "build":
        assert children
        left = [path for path in (tmp_path / "cache").rglob("*") if path.is_dir() and path.name.startswith(".")]
        assert left == []
