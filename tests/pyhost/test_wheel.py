"""The wheel: complete, and at work in another place than the source tree."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("accel_rtl", "firmware", "pyhost", "soc")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this tree."""
    directory = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "-w", directory, ROOT], check=True, capture_output=True, timeout=120)
    (path,) = directory.glob("floatsoc-*.whl")
    return path


def test_it_holds_every_file_of_the_packages(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    files = (file for package in PACKAGES for file in (ROOT / package).rglob("*") if file.is_file())
    assert {str(file.relative_to(ROOT)) for file in files if "__pycache__" not in file.parts} <= held
    assert not any(name.startswith(("tests/", "scripts/")) for name in held)


def test_it_runs_from_any_directory(wheel, tmp_path):
    place, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    zipfile.ZipFile(wheel).extractall(place)
    program = "import pyhost.cli, sys; print(pyhost.__file__, file=sys.stderr); pyhost.cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "run", "--target", "golden", "--json", "-q"],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == str(place / "pyhost" / "__init__.py")
    assert json.loads(done.stdout)["bit_exact"] is True
    assert [path.name for path in elsewhere.iterdir()] == ["runs"]
