"""Whole runs on the verilated SoC. Builds are shared with every other test, and with the user, through the cache."""

import pytest

from pyhost.cosim.run import run
from pyhost.job import Job

SMALL = {"network.batch": 2}
"""Enough for every kernel, small enough to simulate without the accelerator."""


@pytest.fixture
def hardware_of_its_own(monkeypatch):
    """For tests that build hardware which nobody else uses: a simulation that is built quickly will do."""
    monkeypatch.setenv("FLOATSOC_PROFILE_GUIDED", "0")


@pytest.fixture(scope="session")
def small_job():
    return Job().with_changes(SMALL)


@pytest.fixture(scope="session")
def default_result(tmp_path_factory):
    """The default job on the default target."""
    return run(runs_dir=tmp_path_factory.mktemp("runs"))
