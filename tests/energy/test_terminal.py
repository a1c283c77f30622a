"""Energies in a terminal: readable in 80 columns, in any encoding."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from pyhost.cosim.joules import with_energy
from pyhost.cosim.run import plan_of
from pyhost.datasets import load_dataset
from pyhost.energy import load_technology
from pyhost.energy.model import Counts
from pyhost.job import Job
from pyhost.profile import KernelResult, Result, Totals
from pyhost.report import show
from pyhost.report.tables import amount, energy_unit


@pytest.fixture(scope="module")
def result():
    """A step whose kernels all took 100,000 cycles and 60,000 instructions."""
    job = Job().with_changes({"accelerator.enabled": False})
    plan = plan_of(job, load_dataset("digits"))
    kernels = tuple(
        KernelResult(
            index=index,
            name=kernel.name,
            kind=kernel.kind,
            shape=kernel.shape,
            macs=kernel.macs,
            cycles=100_000,
            instructions=60_000,
            bit_exact=True,
        )
        for index, kernel in enumerate(plan.kernels)
    )
    totals = Totals.of(kernels, cycles=100_000 * len(kernels), elements=0)
    bare = Result(job=job, target="verilator", bit_exact=True, kernels=kernels, totals=totals)
    return with_energy(bare, plan, load_technology(), ())


def shown(result, encoding="utf-8", width=80):
    buffer = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    show(result, Console(file=buffer, width=width, highlight=False))
    buffer.flush()
    return buffer.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_eighty_columns_are_enough(result, encoding):
    text = shown(result, encoding)
    assert max(map(len, text.splitlines())) <= 80
    for kernel in result.kernels:
        assert kernel.name in text
    assert ("µJ" if encoding == "utf-8" else "uJ") in text


def test_the_total_has_its_interval_and_what_it_rests_on(result):
    line = next(line for line in shown(result).splitlines() if line.startswith("energy  "))
    energy = result.energy
    total, low, high = (amount(each / 1e6) for each in (energy.total_pj, energy.low_pj, energy.high_pj))
    assert f"{total} µJ ({low} to {high}), horowitz-45nm at 100 MHz" in line


def test_parts_are_shown_with_their_shares(result):
    text = shown(result)
    cpu = next(part for part in result.energy.parts if part.name == "cpu")
    row = next(line.split() for line in text.splitlines() if line.startswith("cpu "))
    assert row[1:3] == [amount(cpu.picojoules / 1e6), f"{cpu.picojoules / result.energy.total_pj:.1%}"]
    assert "least certain is cpu" in text
    assert "scratchpad" not in text  # there is none


def test_a_baseline_is_compared(result):
    twice = replace(result, energy=replace(result.energy, total_pj=2 * result.energy.total_pj))
    assert "2.0 times as much" in shown(replace(result, baseline=twice))


def test_what_is_not_known_is_not_shown(result):
    bare = replace(
        result,
        energy=None,
        kernels=tuple(replace(kernel, energy_pj=None, energy_interval_pj=None) for kernel in result.kernels),
        totals=replace(result.totals, energy_pj=None),
    )
    assert "energy" not in shown(bare) and "pJ" not in shown(bare)


@pytest.mark.parametrize(
    ("picojoules", "expected"), [(0, (1, "pJ")), (999, (1, "pJ")), (1e3, (1e3, "nJ")), (2e9, (1e9, "mJ"))]
)
def test_units(picojoules, expected):
    assert energy_unit(picojoules, Console(file=io.StringIO())) == expected


def test_counts_of_a_kernel_are_what_was_measured(result):
    assert Counts.of(result.kernels[0]) == Counts(cycles=100_000, instructions=60_000)
