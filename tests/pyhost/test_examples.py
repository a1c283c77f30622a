"""The job files in examples/: each is a baseline, and its bits are the baseline's."""

from pathlib import Path

import pytest

from pyhost.cosim.launch import Where, accumulator_of, launch
from pyhost.cosim.run import run
from pyhost.cosim.train import train
from pyhost.errors import JobError
from pyhost.golden import baselines
from pyhost.golden.baselines import BASELINES
from pyhost.job import load_job
from pyhost.plan.calls import Plan

EXAMPLES = {path.stem: path for path in sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))}


def test_there_is_an_example_for_every_baseline():
    assert set(EXAMPLES) == set(BASELINES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_have_the_settings_of_their_baselines(name):
    job, baseline = load_job(EXAMPLES[name]), BASELINES[name]
    for field in ("activation", "weight", "gradient", "result", "master_weight", "overflow"):
        assert getattr(job.formats, field) == getattr(baseline, field), field
    assert accumulator_of(job) == baseline.accumulator
    assert (job.training.loss_scale == 1) == (baseline.loss_scaler is None)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_step_of_every_example_is_exact_on_the_golden_model(name):
    """On a small network: the readable engine, which takes the target's place, takes seconds for the CNN."""
    job = load_job(EXAMPLES[name], {"network.model": "linear-digits"})
    assert run(job, target="golden", runs_dir=None).bit_exact is True


def test_training_a_baseline_and_training_its_job_are_the_same_bits():
    job = load_job(EXAMPLES["hybrid-fp8"], {"network.model": "mlp-digits"})
    steps = train(job, steps=3, target="golden", runs_dir=None).steps
    expected = baselines.train(BASELINES["hybrid-fp8"], "mlp-digits", steps=3)
    assert [(step.loss, step.accuracy) for step in steps] == [(step.loss, step.accuracy) for step in expected]


def test_what_only_the_golden_model_computes_is_refused_before_anything_is_built():
    job = load_job(EXAMPLES["posit16"], {"formats.weight": "posit20"})
    with pytest.raises(JobError, match=r"formats.weight: hardware and firmware do not compute in posit20: .*golden"):
        launch(job, Plan((), (), ()), where=Where(), toolchain="zig", progress=print)
    with pytest.raises(
        JobError, match=r"formats.weight: posit20 is for the golden model alone: set accelerator.enabled"
    ):
        load_job(EXAMPLES["posit16"], {"formats.weight": "posit20", "accelerator.enabled": True})
    with pytest.raises(JobError, match=r"exact accumulation of posit16 takes 265 bits, 256 at most"):
        load_job(EXAMPLES["posit16"], {"accelerator.enabled": True, "accelerator.formats": ["posit16"]})
    with pytest.raises(JobError, match=r"unum2x2\": products need a format of single values"):
        load_job(EXAMPLES["posit16"], {"formats.weight": "unum2x2"})
