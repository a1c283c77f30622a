"""Predicted costs of the firmware's kernels: each has one, it grows with the work, and what is unknown is None."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pyhost.cosim.run import plan_of, run
from pyhost.datasets import load_dataset
from pyhost.golden.cycles import firmware
from pyhost.golden.cycles.firmware import firmware_cost
from pyhost.job import Job

FILE = Path(firmware.__file__).with_name("firmware.json")


@pytest.fixture(scope="module")
def plan():
    return plan_of(Job(), load_dataset("digits"))


def cost(kernel, cpu="full", memory="sram", accumulator="exact"):
    return firmware_cost(kernel, accumulator, cpu=cpu, memory=memory)


def test_every_kernel_of_a_step_has_a_prediction(plan):
    for kernel in plan.kernels:
        found = cost(kernel)
        assert found.cycles > found.instructions > 0, kernel.name
        assert 0 < found.error < 1


def test_predictions_are_the_tables_sums(plan):
    """By hand from the file: an update's cost is so much for each element, and something once."""
    kernel = next(kernel for kernel in plan.kernels if kernel.name == "conv2.weight.update")
    fit = json.loads(FILE.read_text())["kinds"]["sgd"]["e8m23 e8m23 e8m23"]["cycles"]
    assert cost(kernel).cycles == pytest.approx(fit["one"] + fit["elements"] * 3 * 3 * 8 * 16, abs=1)


def test_predictions_grow_with_the_batch(plan):
    larger = plan_of(Job().with_changes({"network.batch": 32}), load_dataset("digits"))
    for small, large in zip(plan.kernels, larger.kernels, strict=True):
        if small.name.endswith((".update", ".convert")):
            assert cost(small) == cost(large)
        else:
            assert cost(small).cycles < cost(large).cycles < 2.1 * cost(small).cycles


def test_no_cost_is_negative():
    for kind, of_kind in json.loads(FILE.read_text())["kinds"].items():
        for formats, fit in of_kind.items():
            for what in ("cycles", "instructions", "bus_words"):
                assert all(value >= 0 for value in fit[what].values()), (kind, formats)
            assert fit["cycles"], (kind, formats)


def test_what_was_not_measured_is_not_known(plan):
    assert cost(plan.kernels[0], cpu="lite") is None
    assert cost(plan.kernels[0], memory="sdram") is None
    unknown = run(Job().with_changes({"soc.memory": "sdram"}), target="golden", runs_dir=None)
    assert unknown.totals.predicted_cycles is None and unknown.energy is None


def test_formats_that_were_not_measured_cost_what_their_neighbours_do_with_a_wider_error(plan):
    kernel = next(kernel for kernel in plan.kernels if kernel.kind == "convert")
    other = replace(kernel, call=replace(kernel.call, y=replace(kernel.call.y, format=plan.inputs[0].format)))
    assert cost(other) == cost(kernel)  # the same format by another name of the tensor
    strange = plan_of(
        Job().with_changes({"accelerator.enabled": False, "formats.weight": "e3m4"}), load_dataset("digits")
    )
    found = cost(strange.kernels[0])
    assert found.cycles > 0 and found.error > cost(plan.kernels[0]).error


@pytest.mark.hardware
@pytest.mark.slow
def test_a_step_that_was_not_fitted_is_predicted():
    """Other seed, other batch: the whole step to a tenth, each kernel in firmware to a half."""
    result = run(Job().with_changes({"network.batch": 6, "training.seed": 77}), runs_dir=None)
    assert result.totals.predicted_cycles == pytest.approx(result.totals.cycles, rel=0.1)
    for kernel in result.kernels:
        if kernel.accelerator is None:
            assert kernel.predicted_cycles == pytest.approx(kernel.cycles, rel=0.5), kernel.name
