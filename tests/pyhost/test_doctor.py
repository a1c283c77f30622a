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


def fake(directory, name, version):
    tool = directory / name
    tool.write_text(f"#!/bin/sh\necho {name} {version}\n")
    tool.chmod(0o755)
    return tool


def test_native_tools_count_where_a_familys_are_complete(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    fake(tmp_path, "yosys", "8.1")
    fake(tmp_path, "nextpnr-ice40", "8.2")
    assert versions()["board icebreaker"] != "native"
    assert versions()["nextpnr-ice40"] != "8.2"
    fake(tmp_path, "icepack", "8.3")
    if doctor.package_version("litex-boards"):  # nothing is built without
        assert versions()["board icebreaker"] == "native"
    assert versions()["nextpnr-ice40"] == "8.2"
    assert versions()["nextpnr-ecp5"] != "8.1"


def test_every_board_has_its_tool_chain_or_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("pyhost.boards.toolchain.package_version", lambda name: None)
    boards = [tool for tool in doctor.examine() if tool.name.startswith("board ")]
    assert {tool.name for tool in boards} == {"board ulx3s", "board orangecrab", "board icebreaker"}
    assert all(tool.version is None and "floatsoc[fpga]" in tool.install and not tool.required for tool in boards)


def test_renode_is_where_its_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOATSOC_RENODE", str(fake(tmp_path, "any-renode", "1.15.3")))
    assert versions()["renode"] == "1.15.3"
    monkeypatch.setenv("FLOATSOC_RENODE", str(tmp_path / "none"))
    assert versions()["renode"] is None


def test_a_loader_without_its_library_says_which(tmp_path, monkeypatch):
    loader = tmp_path / "openFPGALoader"
    loader.write_text("#!/bin/sh\necho 'error while loading shared libraries: libftdi1.so.2' >&2\nexit 127\n")
    loader.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tool,) = (tool for tool in doctor.examine() if tool.name == "openFPGALoader")
    assert tool.version is None
    assert tool.install == "apt install libftdi1-2"
