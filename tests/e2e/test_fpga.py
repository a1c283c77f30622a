"""Whole steps through the serial line of a simulated board, on a good line and on a bad one."""

import pytest

import pyhost.cosim.targets
from pyhost.cosim.run import run
from pyhost.targets.serial_simulation import Noise, SimulatedBoardTarget

pytestmark = pytest.mark.slow


def test_the_default_job_is_exact_and_takes_the_cycles_it_takes(default_result):
    result = run(target="fpga", port="sim", runs_dir=None)
    assert result.bit_exact
    assert (result.target, result.loss) == ("fpga", default_result.loss)
    # The host looks at main memory now and then; nothing else differs from the verilator target.
    assert result.totals.cycles == pytest.approx(default_result.totals.cycles, rel=0.02)
    for there, here in zip(result.kernels, default_result.kernels, strict=True):
        assert there.macs == here.macs
        assert (there.accelerator is None) == (here.accelerator is None)


def test_a_step_is_exact_though_the_line_loses_and_corrupts_bytes(small_job, monkeypatch):
    boards = []

    def noisy(*arguments, **options):
        boards.append(SimulatedBoardTarget(*arguments, **options, noise=Noise(lose=2e-4, corrupt=2e-4, seed=7)))
        return boards[-1]

    monkeypatch.setattr(pyhost.cosim.targets, "SimulatedBoardTarget", noisy)
    result = run(small_job, target="fpga", port="sim", runs_dir=None)
    assert result.bit_exact
    assert boards[0].repeated > 10
