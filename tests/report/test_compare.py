"""Runs side by side."""

import json
from dataclasses import replace

import pytest

from pyhost.errors import JobError
from pyhost.job import gemm_job
from pyhost.profile.compare import compare_runs
from pyhost.profile.result import Totals
from tests.pyhost.conftest import floatsoc  # noqa: F401
from tests.report.results import golden, kernels, record, result, trained, wrong


def slower():
    """On a smaller array: the first product takes three times as long, and there is no second."""
    first, _, update = kernels(energy=False)
    made = (replace(first, cycles=900), update)
    job = result().job.with_changes({"accelerator.rows": 4})
    return result(
        energy=False, job=job, kernels=made, totals=Totals.of(made, cycles=25_600, elements=32), loss=float("inf")
    )


def measured(comparison):
    return {measure.name: measure for measure in comparison.measures}


def test_what_differs_and_what_came_of_it():
    comparison = compare_runs([result(), slower()])
    assert [(each.key, each.values) for each in comparison.differences] == [("accelerator.rows", ("8", "4"))]
    assert measured(comparison)["cycles"].values == (12_800, 25_600)
    assert measured(comparison)["cycles"].relative == (1.0, 2.0)
    energy = measured(comparison)["energy"]
    assert (energy.values, energy.intervals, energy.relative) == (
        (7000.0, None),
        ((3500.0, 14000.0), None),
        (1.0, None),
    )
    assert {row.name: row.cycles for row in comparison.kernels} == {
        "dense1.forward": (300, 900),
        "dense1.input_gradient": (90, None),
        "dense1.weight.update": (12_345, 12_345),
    }


def test_what_nobody_knows_is_left_out():
    comparison = compare_runs([golden(), golden()])
    assert "cycles" not in measured(comparison)
    assert comparison.kernels == ()
    assert comparison.differences == ()


def test_trainings():
    comparison = compare_runs([trained(4), trained(2)])
    assert measured(comparison)["last loss"].values == (0.5, 1.0)
    assert measured(comparison)["cycles a step"].values == (1001.5, 1000.5)


def test_one_run_or_different_kinds_are_refused():
    with pytest.raises(JobError, match="1 run: a comparison takes at least two run directories"):
        compare_runs([result()])
    with pytest.raises(JobError, match=r"is a run of `floatsoc train`, .* one of `floatsoc run`"):
        compare_runs([result(), trained()])
    product = result(job=gemm_job({"m": 8, "n": 8, "k": 8}))
    with pytest.raises(JobError, match=r"is a run of `floatsoc gemm`, .* one of `floatsoc run`"):
        compare_runs([result(), product])


@pytest.fixture
def directories(tmp_path):
    runs = {"fast": result(), "slow": slower(), "wrong": wrong(), "trained": trained()}
    return {name: record(run, tmp_path / name) for name, run in runs.items()}


def test_the_table_fits_a_terminal(floatsoc, directories):  # noqa: F811
    status, out, err = floatsoc("compare", directories["fast"], directories["slow"])
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines]
    assert ["accelerator.rows", "8", "4"] in rows
    assert ["cycles", "12,800", "25,600"] in rows
    assert ["energy", "7", "nJ"] in rows
    assert ["3.5", "to", "14", "nJ"] in rows
    assert ["dense1.forward", "300", "900", "3.000", "x"] in rows
    assert ["dense1.weight.update", "12,345", "12,345", "same"] in rows


def test_json_is_valid_and_a_mismatch_makes_the_status(floatsoc, directories):  # noqa: F811
    status, out, _ = floatsoc("compare", directories["slow"], directories["wrong"], "--json")
    plain = json.loads(out, parse_constant=pytest.fail)
    assert status == 1
    assert plain["bit_exact"] == [True, False]
    losses = next(measure for measure in plain["measures"] if measure["name"] == "loss")
    assert losses["values"] == ["Infinity", 2.25]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("fast",), "1 run: a comparison takes at least two run directories"),
        (("fast", "missing"), "not a run directory"),
        (("fast", "trained"), "only runs of one command can be compared"),
    ],
)
def test_mistakes_take_one_line(floatsoc, directories, tmp_path, names, message):  # noqa: F811
    status, out, err = floatsoc("compare", *(directories.get(name, tmp_path / name) for name in names))
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert message in err
