"""Whole training steps in Renode where it is, and in a stand-in that has Unicorn for a processor."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from pyhost import run
from pyhost.cosim.gemm import run_gemm
from pyhost.cosim.session import Fault
from pyhost.errors import TargetError
from pyhost.job import gemm_job, load_job
from pyhost.targets.renode import find_renode

pytestmark = [pytest.mark.hardware, pytest.mark.slow]

SMALL = {"network.batch": 2}


@pytest.fixture(params=["renode", "unicorn"])
def renode(request, tmp_path, monkeypatch):
    if request.param == "renode":
        try:
            find_renode()
        except TargetError as error:
            pytest.skip(str(error))
        return
    if find_spec("unicorn") is None:
        pytest.skip("unicorn is not installed: pip install unicorn")
    launcher = tmp_path / "renode"
    stand_in = Path(__file__).with_name("emulated_renode.py")
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} {stand_in} "$@"\n')
    launcher.chmod(0o755)
    monkeypatch.setenv("FLOATSOC_RENODE", str(launcher))


def test_the_default_job(renode):
    result = run(target="renode", runs_dir=None)
    assert result.bit_exact
    assert result.totals.cycles is None
    for kernel in result.kernels:
        assert kernel.cycles is None
        assert kernel.accelerator is None
        assert kernel.cpu_bus is None
        assert kernel.instructions > 0
        assert not kernel.macs or kernel.instructions < 1000, "a job takes no time"


@pytest.mark.parametrize(
    "changes",
    [
        {"accelerator.enabled": False},
        {"accelerator.accumulator": "e8m23", "accelerator.rows": 4, "accelerator.columns": 3},
        {"soc.cpu": "minimal", "formats.overflow": "ieee"},
    ],
    ids=["firmware", "chain", "minimal"],
)
def test_other_jobs(renode, changes):
    assert run(load_job(changes=SMALL | changes), target="renode", runs_dir=None).bit_exact


def test_resident_jobs_of_floatsoc_gemm(renode):
    job = gemm_job({"m": 24, "n": 16, "k": 40, "jobs": 3, "resident": True})
    assert run_gemm(job, target="renode", runs_dir=None).bit_exact


def test_a_flipped_bit_is_found(renode):
    result = run(load_job(changes=SMALL), target="renode", runs_dir=None, faults=[Fault("conv1.weight.master", 5, 30)])
    assert not result.bit_exact
    assert result.mismatches[0].kernel == "conv1.weight.convert"
