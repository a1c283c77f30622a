"""The package as users install it: a wheel, in an environment of its own, run from another directory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]


def call(*arguments, **options):
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=600, check=False, **options)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_an_installed_wheel_runs_the_default_job_from_anywhere(default_result, tmp_path):
    """Only floatsoc itself is installed anew: its dependencies are those of this environment."""
    wheels, site, elsewhere = tmp_path / "wheels", tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    call(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, REPOSITORY)
    (wheel,) = wheels.iterdir()
    call(*pip, "install", "--quiet", "--no-deps", "--target", site, wheel)

    environment = {**os.environ, "PYTHONPATH": str(site)}
    home = call(sys.executable, "-c", "import pyhost; print(pyhost.__file__)", cwd=elsewhere, env=environment)
    assert Path(home.strip()).is_relative_to(site)
    result = json.loads(call(site / "bin" / "floatsoc", "run", "--json", cwd=elsewhere, env=environment))
    assert result["bit_exact"] is True
    assert result["totals"]["cycles"] == default_result.totals.cycles
    assert list((elsewhere / "runs").iterdir())
