"""The default job and its variations: every bit equal, whatever computes it."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pyhost.cosim.run import run
from pyhost.cosim.session import Fault
from pyhost.cosim.train import train
from pyhost.job import Job
from pyhost.profile import read_result
from tests.e2e.runs import tensors_of


def test_default_job_is_exact_and_accounts_for_its_cycles(default_result):
    result = default_result
    assert result.bit_exact is True
    assert result.mismatches == ()
    assert all(kernel.bit_exact for kernel in result.kernels)
    parts = sum(kernel.cycles for kernel in result.kernels)
    assert parts <= result.totals.cycles < parts * 1.02  # the executor's own work lies between kernels
    products = [kernel for kernel in result.kernels if kernel.kind == "gemm"]
    assert len(products) == 8
    before = None
    for kernel in result.kernels:
        if kernel.kind == "gemm":
            m, n, k = kernel.shape
            assert kernel.macs == m * n * k
            # The model takes it that a job waits in the queue. After a short one it may not be there yet: firmware
            # takes some 200 cycles a job.
            late = 200 if before and before.kind == "gemm" and before.accelerator.cycles < 1000 else 0
            assert 0 <= kernel.accelerator.cycles - kernel.predicted_cycles <= late
        before = kernel
    # The firmware notices the end of a job a little late: of one alone, not of all of them.
    assert sum(kernel.accelerator.cycles for kernel in products) <= sum(kernel.cycles for kernel in products)
    assert result.totals.macs == sum(kernel.macs for kernel in products)
    assert result.totals.energy_pj == pytest.approx(sum(kernel.energy_pj["total"] for kernel in result.kernels))
    low, high = result.totals.energy_interval_pj
    assert 0 < low < result.totals.energy_pj < high


def test_result_is_read_back_as_it_was_written(default_result):
    assert read_result(default_result.directory) == default_result


def test_second_run_builds_nothing(default_result, tmp_path):
    said = []
    again = run(runs_dir=tmp_path, progress=said.append)
    assert not [line for line in said if "generating" in line or "compiling" in line or "verilating" in line]
    assert again.totals.cycles == default_result.totals.cycles
    first, second = tensors_of(default_result), tensors_of(again)
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (8, 4)])
def test_the_shape_of_the_array_changes_no_bit(rows, columns, default_result, hardware_of_its_own, tmp_path):
    result = run(Job().with_changes({"accelerator.rows": rows, "accelerator.columns": columns}), runs_dir=tmp_path)
    assert result.bit_exact is True, result.mismatches
    first, second = tensors_of(default_result), tensors_of(result)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_chain_is_exact_too(tmp_path):
    result = run(Job().with_changes({"accelerator.accumulator": "e8m23"}), runs_dir=tmp_path)
    assert result.bit_exact is True, result.mismatches


def test_gcc_gives_the_same_bits(riscv_gcc, default_result, tmp_path):
    result = run(toolchain="gcc", runs_dir=tmp_path)
    assert result.bit_exact is True, result.mismatches
    first, second = tensors_of(default_result), tensors_of(result)
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("accumulator", ["exact", "e8m23"])
def test_without_the_accelerator_the_same_bits(accumulator, small_job, tmp_path):
    job = small_job.with_changes({"accelerator.accumulator": accumulator})
    result = run(job, baseline=True, runs_dir=tmp_path)
    assert result.bit_exact is True, result.mismatches
    assert result.baseline.bit_exact is True, result.baseline.mismatches
    assert all(kernel.accelerator is None for kernel in result.baseline.kernels)
    assert result.baseline.totals.cycles > result.totals.cycles


def test_training_lowers_the_loss(tmp_path):
    result = train(steps=10, runs_dir=tmp_path)
    assert result.bit_exact is True
    assert [step.bit_exact for step in result.steps] == [True] * 10
    assert np.mean([step.loss for step in result.steps[-3:]]) < result.steps[0].loss


def test_comparing_now_and_then_gives_the_same_losses(small_job, tmp_path):
    each = train(small_job, steps=5, runs_dir=tmp_path)
    some = train(small_job, steps=5, compare_every=2, runs_dir=tmp_path)
    assert [step.bit_exact for step in some.steps] == [None, True, None, True, True]
    assert [step.loss for step in some.steps] == [step.loss for step in each.steps]


@pytest.mark.parametrize("bit", [30, 23])
def test_a_flipped_bit_is_found_and_named(bit, small_job, tmp_path):
    """One bit of one master weight: the first kernel that reads it is named, with index and both values."""
    weight = 37
    result = run(small_job, faults=[Fault("conv2.weight.master", weight, bit)], runs_dir=tmp_path)
    assert result.bit_exact is False
    first = result.mismatches[0]
    assert (first.kernel, first.tensor) == ("conv2.weight.convert", "conv2.weight")
    assert first.different == 1
    assert np.ravel_multi_index(first.index, (3, 3, 8, 16)) == weight
    assert first.expected.value != first.actual.value
    clean = tensors_of(run(small_job, runs_dir=tmp_path))["conv2.weight"].reshape(-1)
    assert first.expected.code == clean[weight]
    assert not result.kernels[first.kernel_index].bit_exact
    assert result.kernels[0].bit_exact


def test_the_command_line_names_a_flipped_bit_and_exits_with_1(tmp_path):
    command = [Path(sys.executable).with_name("floatsoc"), "run", "--set", "network.batch=2", "--flip"]
    result = subprocess.run(
        [*command, "conv1.weight.master:5:30"], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )
    assert result.returncode == 1
    assert result.stdout.startswith("NOT EQUAL")
    assert re.search(r"kernel conv1.weight.convert .*\n\s+tensor\s+conv1.weight, e4m3fn", result.stdout)
    assert re.search(r"first\s+\[0, 0, 0, 5\]\s+expected\s+code 0x\w+, value \S+\s+actual", result.stdout)
    malformed = subprocess.run([*command, "conv1"], capture_output=True, text=True, timeout=60, check=False)
    assert malformed.returncode == 2
    assert "'conv1'; expected TENSOR:INDEX:BIT" in malformed.stderr


def test_other_networks_formats_and_data(hardware_of_its_own, tmp_path):
    """A wider sample of what a job can say, on hardware of its own."""
    rng = np.random.default_rng(3)
    path = tmp_path / "data.npz"
    np.savez(path, images=rng.normal(size=(40, 9, 7, 2)), labels=rng.integers(0, 5, 40))
    formats = {"formats.activation": "e5m10", "formats.weight": "e5m10", "formats.gradient": "e5m10"}
    job = Job().with_changes(
        {
            "accelerator.formats": ["e5m10"],
            "accelerator.accumulator": "e8m23",
            "accelerator.rows": 4,
            "accelerator.columns": 4,
            "network.model": "cnn-digits",
            "network.batch": 3,
            "training.data": str(path),
            "training.loss_scale": 256.0,
            "training.seed": 9,
            **formats,
        }
    )
    result = run(job, runs_dir=tmp_path)
    assert result.bit_exact is True, result.mismatches
