"""The energy of a run: sums by hand, linearity, and agreement with the plan and the counters."""

import json
from dataclasses import replace
from fractions import Fraction
from math import hypot, sqrt

import pytest

from pyhost.cosim.gemm import gemm_plan, run_gemm
from pyhost.cosim.run import plan_of, run
from pyhost.datasets import load_dataset
from pyhost.energy import load_technology
from pyhost.energy.design import design
from pyhost.energy.figures import DATA
from pyhost.energy.model import PARTS, Counts, energy_of, parts_of
from pyhost.job import Job, gemm_job
from pyhost.profile import AcceleratorCounters, KernelResult, read_result

EXACT = pytest.approx
COUNTERS = AcceleratorCounters(macs=4096, cycles=300, busy=64, wait_a=100, wait_b=100, wait_store=36, dma_beats=150)


@pytest.fixture(scope="module")
def technology():
    return load_technology()


@pytest.fixture(scope="module")
def job():
    return gemm_job({"m": 16, "n": 16, "k": 16}, {"accumulator": "e8m23"})


@pytest.fixture(scope="module")
def plan(job):
    return gemm_plan(job)


@pytest.fixture(scope="module")
def kernels(plan):
    kernel = plan.kernels[0]
    return (
        KernelResult(
            index=0,
            name=kernel.name,
            kind=kernel.kind,
            shape=kernel.shape,
            macs=kernel.macs,
            cycles=400,
            instructions=90,
            accelerator=COUNTERS,
        ),
    )


def changed(technology, name, factor):
    """The technology with one figure, interval and all, multiplied."""
    figure = technology.figures[name]
    ends = {end: getattr(figure, end) * factor for end in ("value", "low", "high")}
    return technology.model_copy(update={"figures": {**technology.figures, name: figure.model_copy(update=ends)}})


def test_operations_cost_what_their_sum_by_hand_does(job, plan, kernels, technology):
    """16 x 16 x 16 of e4m3fn in a chain of binary32, on 8 x 8 elements: 4,096 multiply-adds, 256 results."""
    parts = parts_of(plan.kernels[0], Counts.of(kernels[0]), job, technology)
    multiply = Fraction("1.1") * Fraction((4 / 11) ** 1.55)
    assert parts["array"].value == EXACT(float(4096 * (multiply + Fraction("0.9"))))
    assert parts["write_back"].value == EXACT(float(256 * Fraction("0.9")))
    assert parts["cpu"].value == EXACT(float(90 * Fraction(70)))
    assert (parts["cpu"].low, parts["cpu"].high) == (90 * 31, 90 * 125)


def test_memories_cost_what_their_words_do(job, plan, kernels, technology):
    """150 words of 128 bits of 4 MiB; two scratchpads of 2,048 steps of 16 lanes, 32 KiB: 64 steps of 8 codes each."""
    weights = sqrt(8), sqrt(32), sqrt(1024)
    mean = sum(weights) / 3
    slope = sum((x - mean) * y for x, y in zip(weights, (10, 20, 100), strict=True))
    slope /= sum((x - mean) ** 2 for x in weights)
    offset = 130 / 3 - slope * mean

    def each(kib):
        return offset + slope * sqrt(kib)

    parts = parts_of(plan.kernels[0], Counts.of(kernels[0]), job, technology)
    assert parts["main_memory"].value == EXACT(150 * 2 * each(4096))
    loads = 150 - 304 // 16 - 256 * 4 // 16
    bits = 2 * 64 * 8 * 8 + loads * 128
    assert parts["scratchpad"].value == EXACT(bits / 64 * each(32))


def test_the_cpus_words_are_counted_where_they_are_recorded(job, plan, technology):
    kernel = plan.kernels[0]
    without = parts_of(kernel, Counts(cycles=400, instructions=90, accelerator=COUNTERS), job, technology)
    recorded = Counts(cycles=400, instructions=90, accelerator=COUNTERS, bus_words=600)
    more = parts_of(kernel, recorded, job, technology)
    assert more["main_memory"].value / without["main_memory"].value == EXACT(2)  # 600 of 32 bits, 150 of 128
    assert {name: more[name] for name in PARTS if name != "main_memory"} == {
        name: without[name] for name in PARTS if name != "main_memory"
    }


def test_sdram_costs_what_dram_does(plan, kernels, technology):
    job = gemm_job({"m": 16, "n": 16, "k": 16}, {"accumulator": "e8m23"}, {"memory": "sdram"})
    part = parts_of(plan.kernels[0], Counts.of(kernels[0]), job, technology)["main_memory"]
    assert (part.low, part.value, part.high) == (150 * 2 * 1300, 150 * 2 * 1950, 150 * 2 * 2600)


def test_idle_and_leakage_are_registers_and_time(job, plan, kernels, technology):
    parts = parts_of(plan.kernels[0], Counts.of(kernels[0]), job, technology)
    counted = design()
    array = 64 * (counted.chain_registers * 32 + counted.element_registers_fixed)
    clock = technology.figure("register.clock").value
    bits = (400 - 90) * counted.core_registers + 300 * counted.control_registers + (300 - 64) * array
    assert parts["idle"].value == EXACT(bits * clock)
    registers = (counted.core_registers + counted.control_registers + array) * counted.logic_factor
    nanowatts = registers * 73.95 + (counted.cache_bits + 2 * 8 * 2048 * 16) * 4.606
    microseconds = 400 / 100
    assert parts["leakage"].value == EXACT(nanowatts * microseconds * 1e-3)


def test_ten_per_cent_of_a_figure_moves_the_total_by_a_tenth_of_its_share(job, plan, kernels, technology):
    total = energy_of(kernels, job, plan, technology)[1].total_pj
    parts = parts_of(plan.kernels[0], Counts.of(kernels[0]), job, technology)
    for name in technology.figures:
        share = sum(part.figures.get(name, 0.0) for part in parts.values()) / total
        after = energy_of(kernels, job, plan, changed(technology, name, 1.1))[1].total_pj
        assert after / total - 1 == EXACT(0.1 * share, abs=1e-12), name


@pytest.mark.parametrize(("part", "figure"), [("cpu", "cpu.instruction"), ("idle", "register.clock")])
def test_the_share_of_a_part_is_that_of_its_figure(job, plan, kernels, technology, part, figure):
    energy = energy_of(kernels, job, plan, technology)[1]
    share = next(each.picojoules for each in energy.parts if each.name == part) / energy.total_pj
    after = energy_of(kernels, job, plan, changed(technology, figure, 1.1))[1].total_pj
    assert after / energy.total_pj - 1 == EXACT(0.1 * share)


def test_parts_add_and_their_intervals_as_independent_errors_do(job, plan, kernels, technology):
    results, energy = energy_of(kernels * 3, job, plan, technology)
    assert [part.name for part in energy.parts] == list(PARTS)
    assert energy.total_pj == EXACT(sum(part.picojoules for part in energy.parts))
    assert energy.total_pj == EXACT(sum(result.energy_pj["total"] for result in results))
    below = hypot(*(part.picojoules - part.low for part in energy.parts))
    above = hypot(*(part.high - part.picojoules for part in energy.parts))
    assert (energy.low_pj, energy.high_pj) == EXACT((energy.total_pj - below, energy.total_pj + above))
    for result in results:
        low, high = result.energy_interval_pj
        assert low <= result.energy_pj["total"] <= high
        assert result.energy_pj["total"] == EXACT(sum(result.energy_pj[name] for name in PARTS))
    for part in energy.parts:
        assert part.low <= part.picojoules <= part.high
        assert part.assumption and part.source


def test_what_is_not_known_has_no_energy(job, plan, kernels, technology):
    unknown = (replace(kernels[0], cycles=None, accelerator=None, instructions=None),)
    results, energy = energy_of(unknown, job, plan, technology)
    assert (results[0].energy_pj, results[0].energy_interval_pj, energy) == (None, None, None)
    expected = (Counts(cycles=400, instructions=90, accelerator=COUNTERS),)
    assert (
        energy_of(unknown, job, plan, technology, predictions=expected)[1]
        == energy_of(kernels, job, plan, technology)[1]
    )


def test_figures_may_be_zero(job, plan, kernels, technology):
    for name in technology.figures:
        technology = changed(technology, name, 0.0)
    energy = energy_of(kernels, job, plan, technology)[1]
    assert (energy.low_pj, energy.total_pj, energy.high_pj) == (0, 0, 0)


def test_instructions_that_are_not_counted_widen_the_interval(plan, technology):
    job = Job().with_changes({"accelerator.enabled": False})
    plan = plan_of(job, load_dataset("digits"))
    counted = parts_of(plan.kernels[0], Counts(cycles=1000, instructions=600), job, technology)["cpu"]
    unknown = parts_of(plan.kernels[0], Counts(cycles=1000), job, technology)["cpu"]
    assert unknown.value == EXACT(counted.value)
    assert (unknown.low, unknown.high) == EXACT((250 * 31, 1000 * 125))


def test_the_golden_target_predicts_the_energy_of_a_step():
    result = run(target="golden", runs_dir=None)
    assert result.energy is not None and result.totals.energy_pj == result.energy.total_pj
    assert all(kernel.energy_pj and kernel.predicted_cycles for kernel in result.kernels)
    assert result.totals.predicted_cycles == sum(kernel.predicted_cycles for kernel in result.kernels)


def test_the_golden_target_predicts_the_energy_of_a_product():
    result = run_gemm(gemm_job({"m": 64, "n": 64, "k": 64, "d": "e5m10"}), target="golden", runs_dir=None)
    assert result.energy.parts[0].name == "array" and result.energy.parts[0].picojoules > 0
    modern = run_gemm(
        gemm_job({"m": 64, "n": 64, "k": 64, "d": "e5m10"}), target="golden", runs_dir=None, technology="jouppi-7nm"
    )
    assert modern.energy.technology == "jouppi-7nm" and modern.energy.total_pj < result.energy.total_pj


@pytest.mark.hardware
@pytest.mark.slow
def test_a_run_is_counted_as_the_plan_has_it(tmp_path):
    """Multiply-adds are the plan's, cycles the step's; at one pJ an instruction the energy is their number."""
    document = json.loads((DATA / "horowitz-45nm.json").read_text())
    for name, figure in document["figures"].items():
        figure |= dict.fromkeys(("value", "low", "high"), 0.0)
        if name == "cpu.instruction":
            figure |= dict.fromkeys(("value", "low", "high"), 1.0)
    file = tmp_path / "instructions.json"
    file.write_text(json.dumps({**document, "name": "instructions"}))
    job = Job().with_changes({"network.batch": 2})
    result = run(job, runs_dir=tmp_path, technology=file, baseline=True)
    plan = plan_of(job, load_dataset("digits"))
    assert sum(kernel.macs for kernel in plan.kernels) == result.totals.macs
    assert sum(kernel.accelerator.macs for kernel in result.kernels if kernel.accelerator) == result.totals.macs
    assert sum(kernel.cycles for kernel in result.kernels) == EXACT(result.totals.cycles, rel=0.01)
    for each in (result, result.baseline):
        cpu = next(part for part in each.energy.parts if part.name == "cpu")
        assert cpu.picojoules == EXACT(sum(kernel.instructions for kernel in each.kernels))
    assert result.baseline.energy.technology == "instructions"
    assert read_result(result.directory).energy == result.energy
