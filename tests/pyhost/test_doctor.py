"""The doctor sees what is there, and says what to do about the rest."""

import json
import shutil

import pytest

from pyhost import doctor


def versions():
    return {tool.name: tool.version for tool in doctor.examine()}


def test_it_finds_what_is_on_the_path():
    found = versions()
    for name in ("g++", "make", "perl", "riscv64-unknown-elf-gcc"):
        assert bool(found[name]) == (shutil.which(name) is not None)
    assert found["migen"] == "0.10.0"
    assert found["litex"] == "2024.12"


def test_it_reports_the_version_that_the_tool_prints(tmp_path, monkeypatch):
    fake = tmp_path / "g++"
    fake.write_text("#!/bin/sh\necho 99.1.2\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert versions()["g++"] == "99.1.2"


def test_a_tool_that_fails_is_missing(tmp_path, monkeypatch):
    fake = tmp_path / "make"
    fake.write_text("#!/bin/sh\necho 4.0\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert versions()["make"] is None


def test_a_missing_compiler_is_named_with_its_remedy(tmp_path, monkeypatch, floatsoc):
    monkeypatch.setenv("PATH", str(tmp_path))
    status, out, err = floatsoc("doctor")
    assert status == 3
    assert out.startswith("NOT READY  floatsoc run needs g++, make, perl")
    assert "apt install g++" in out
    assert "riscv64-unknown-elf-gcc" in out
    assert err == ""


@pytest.mark.skipif(any(shutil.which(name) is None for name in ("g++", "make", "perl")), reason="tools are missing")
def test_a_complete_installation_is_ready(floatsoc):
    status, out, _ = floatsoc("doctor", "--json")
    assert status == 0
    assert {tool["name"] for tool in json.loads(out) if tool["required"]} >= {
        "g++",
        "make",
        "perl",
        "verilator",
        "ziglang",
    }
