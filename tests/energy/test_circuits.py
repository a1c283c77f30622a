"""The circuit library: what comes with floatsoc, how it is found, and what a bad file says."""

import json
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from pyhost.energy.circuits import ACTIVITIES, CircuitsError, load_circuits
from pyhost.formats import parse_format
from scripts.characterize.tables import circuit_table, markdown

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))


@pytest.fixture(scope="module")
def circuits():
    return load_circuits("osu018")


@pytest.fixture
def bad(tmp_path, circuits):
    """A file in which `change` has been made to the shipped library's JSON."""

    def write(change):
        tables = json.loads(circuits.to_json())
        change(tables)
        path = tmp_path / "bad.json"
        path.write_text(json.dumps(tables))
        return path

    return write


def test_json_of_a_library_is_that_library(tmp_path, circuits):
    path = tmp_path / "copy.json"
    path.write_text(circuits.to_json())
    assert load_circuits(path) == circuits


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_unit_of_the_examples_is_there(circuits, example):
    job = tomllib.loads(example.read_text())
    if not job["accelerator"].get("enabled", True):
        pytest.skip("has no accelerator")
    formats = job["accelerator"]["formats"]
    results = [*formats, job["formats"].get("result", "e8m23")]
    assert circuits.find("decode", formats)
    assert circuits.find("multiply", formats)
    assert circuits.find("accumulate", formats, job["accelerator"]["accumulator"])
    assert set(circuits.find("round", results).activities) == set(ACTIVITIES)


def test_formats_may_come_in_any_order_and_under_any_name(circuits):
    pair = circuits.find("multiply", ("e5m2", "e4m3fn"))
    assert pair is not None and pair == circuits.find("multiply", ["e4m3fn", "e5m2"])
    assert circuits.find("fma", "fp32", "fp32") == circuits.find("fma", "e8m23", "e8m23") is not None
    assert circuits.find("int8_mac") is not None
    assert circuits.find("multiply", "e3m2") is None
    assert circuits.find("accumulate", "e4m3fn", "e8m23") is None


def test_each_circuit_is_there_once(circuits):
    names = [circuit.name for circuit in circuits.circuits]
    assert len(names) == len(set(names))


def test_figures_are_plausible(circuits):
    for circuit in circuits.circuits:
        for activity in circuit.activities.values():
            assert activity.vectors >= 500
            assert 0 < activity.standard_error_pj < 0.1 * activity.energy_pj, circuit.name
            assert activity.clock_pj <= activity.glitch_free_pj <= activity.energy_pj, circuit.name
            assert activity.glitch_free_toggles <= activity.toggles, circuit.name
        assert (circuit.flip_flops == 0) == all(a.clock_pj == 0 for a in circuit.activities.values()), circuit.name
        assert 5 < circuit.area_um2 / circuit.cells < 100, circuit.name


def test_wider_significands_cost_more(circuits):
    """A multiplier's cells grow with the square of the significand's width, and all else of it is small."""
    formats = ("e5m2", "e4m3fn", "e8m7", "e5m10", "e8m23")
    widths = [parse_format(name).precision for name in formats]
    assert widths == sorted(widths)
    multipliers = [circuits.find("multiply", name) for name in formats]
    for figure in (lambda c: c.area_um2, lambda c: c.energy_pj["uniform"], lambda c: c.energy_pj["forward"]):
        values = [figure(circuit) for circuit in multipliers]
        assert values == sorted(values)


def test_library_that_is_not_there():
    with pytest.raises(
        CircuitsError, match=r"^circuit library 'osu999': No such file.*; there are .*osu018.*"
    ) as error:
        load_circuits("osu999")
    assert "\n" not in str(error.value)


def test_file_that_is_no_json(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{")
    with pytest.raises(CircuitsError, match=r"x\.json: .*JSON") as error:
        load_circuits(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.update(schema=2), r"schema: .*1"),
        (lambda t: t.pop("voltage"), r"voltage: Field required"),
        (lambda t: t.update(colour="red"), r"colour: Extra inputs"),
        (lambda t: t["circuits"][0].update(unit="divide"), r"circuits\.0\.unit: .*'multiply'"),
        (lambda t: t["circuits"][1].update(area_um2=-1), r"circuits\.1\.area_um2: .*greater than 0"),
        (lambda t: t["circuits"][0]["activities"]["uniform"].update(energy_pj=None), r"uniform\.energy_pj: .*number"),
        (lambda t: t["liberty"].update(sha256="0"), r"liberty\.sha256: .*pattern"),
        (lambda t: t["circuits"].append(t["circuits"][0]), r"appears twice"),
    ],
)
def test_bad_field_is_named(bad, change, message):
    path = bad(change)
    with pytest.raises(CircuitsError, match=rf"bad\.json: .*{message}") as error:
        load_circuits(path)
    assert "\n" not in str(error.value) and error.value.exit_status == 2


def test_libraries_do_not_change(circuits):
    with pytest.raises(ValidationError):
        circuits.circuits[0].area_um2 = 1.0


def test_tables_have_a_row_for_each_circuit(circuits):
    lines = circuit_table(circuits)
    assert len(lines) == 2 + len(circuits.circuits)
    assert {line.count("|") for line in lines} == {lines[0].count("|")}
    text = markdown(circuits)
    assert circuits.liberty.sha256[:12] in text and "e8m23, fused multiply-add" in text


def test_the_page_shows_the_file(circuits):
    """Between its comments; python -m scripts.characterize --markdown prints what belongs there."""
    page = (Path(__file__).parents[2] / "docs" / "circuits.md").read_text()
    assert page.partition("<!-- tables -->\n")[2].partition("\n<!-- end -->")[0] == markdown(circuits)
