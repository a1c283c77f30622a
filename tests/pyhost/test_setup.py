"""Set-up on machines that lack something: one line that says what to install, and nothing left behind."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def machine(tmp_path):
    """Runs a copy of the set-up script on a machine with these programs and a few basic ones; no network is needed."""
    programs = tmp_path / "bin"
    programs.mkdir()
    project = tmp_path / "project"
    (project / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup.sh", project / "scripts")

    def set_up(*available, **scripts):
        for name in ("dirname", "rm", *available):
            (programs / name).symlink_to(shutil.which(name) or "/bin/true")
        for name, text in scripts.items():
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        done = subprocess.run(
            ["/bin/sh", project / "scripts" / "setup.sh"],
            env={"PATH": str(programs), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert not (project / ".venv").exists()
        assert done.stdout == ""
        return done.returncode, done.stderr

    return set_up


def test_missing_tools_are_named(machine):
    status, err = machine("perl")
    assert status == 3
    assert err == "setup: missing: g++ make; install with: apt-get install g++ make\n"


def test_a_missing_python_is_named(machine):
    status, err = machine("perl", "make", "g++")
    assert status == 3
    assert len(err.splitlines()) == 1
    assert "missing: Python 3.11 or newer" in err


def test_a_python_that_is_too_old_is_not_used(machine):
    status, err = machine("perl", "make", "g++", python3="exit 1")
    assert status == 3
    assert "missing: Python 3.11 or newer" in err


def test_another_python_of_the_right_age_is_found(machine):
    python = 'case "$1" in -c) exit 0;; --version) echo Python 3.12.0;; *) exit 1;; esac'
    status, err = machine("perl", "make", "g++", **{"python3": "exit 1", "python3.12": python})
    assert status == 3
    assert "missing: pip for 'python3.12'" in err


def test_a_missing_pip_is_named(machine):
    # A Python that has neither venv nor pip: it answers the question for its version and fails in everything else.
    python = 'case "$1" in -c) exit 0;; --version) echo Python 3.11.0;; *) exit 1;; esac'
    status, err = machine("perl", "make", "g++", python3=python)
    assert status == 3
    assert err.splitlines()[-1] == "setup: missing: pip for 'python3'; install with: apt-get install python3-venv"
