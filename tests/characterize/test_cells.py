"""Standard cells: the same from files in any units, functions as written, and files that are none."""

import pytest

pytest.importorskip("liberty", reason="liberty-parser is not installed")

from scripts.characterize.cells import FALL, RISE, LibertyError, read_liberty
from tests.characterize.cells import liberty


def library(tmp_path, **options):
    path = tmp_path / "toy.lib"
    path.write_text(liberty(**options))
    return read_liberty(path)


UNITS = [
    {},
    {"time": "1ps", "capacitance": (1, "ff"), "power": "1uW"},
    {"time": "10ps", "capacitance": (100, "ff")},
    {"swapped": True},
    {"time": "1ps", "capacitance": (1, "ff"), "swapped": True},
]


@pytest.mark.parametrize("options", UNITS, ids=str)
def test_units_and_axes_do_not_matter(tmp_path, options):
    cells = library(tmp_path, **options)
    assert (cells.name, cells.voltage, cells.temperature) == ("toy_stdcells", 2.0, 25.0)
    nand = cells.cells["NAND"]
    assert nand.area == 2 and nand.leakage == pytest.approx(2.0)
    assert nand.capacitance == pytest.approx({"A": 0.01, "B": 0.01})
    output = nand.outputs["Y"]
    assert [arc.pin for arc in output.arcs] == ["A", "B"]
    for load, slew in ((0.0, 0.0), (0.05, 0.3), (0.3, 1.0)):
        arc = output.arcs[0]
        assert arc.delay[RISE](load, slew) == pytest.approx(0.1 + 2 * load + 0.5 * slew)
        assert arc.delay[FALL](load, slew) == pytest.approx(2 * (0.1 + 2 * load + 0.5 * slew))
        assert arc.transition[RISE](load, slew) == pytest.approx(0.05 + load)
        ((rise, fall),) = output.energy["B"]
        assert rise(load, slew) == pytest.approx(0.02 * (1 + slew))
        assert fall(load, slew) == pytest.approx(0.04 * (1 + slew))


def test_delays_go_on_beyond_their_table_and_energies_do_not(tmp_path):
    output = library(tmp_path).cells["INV"].outputs["Y"]
    assert output.arcs[0].delay[RISE](0.8, 2.0) == pytest.approx(0.1 + 1.6 + 1.0)
    assert output.energy["A"][0][RISE](0.8, 2.0) == pytest.approx(0.04)


def test_functions(tmp_path):
    cells = library(tmp_path).cells
    truth = {name: cells[name].outputs["Y"].truth(list(cells[name].capacitance)) for name in cells if name != "DFF"}
    assert truth == {"INV": 0b01, "BUF": 0b10, "NAND": 0b0111, "NOR": 0b0001, "XOR": 0b0110}
    assert cells["DFF"].flip_flop.clock == "CLK"


def test_functions_of_a_real_library(osu018):
    cells = read_liberty(osu018).cells
    for name, function in {
        "AOI22X1": lambda a, b, c, d: not ((a and b) or (c and d)),
        "OAI21X1": lambda a, b, c: not ((a or b) and c),
        "MUX2X1": lambda a, b, s: not (a if s else b),
        "NOR3X1": lambda a, b, c: not (a or b or c),
    }.items():
        inputs = list(cells[name].capacitance)
        table = cells[name].outputs["Y"].truth(inputs)
        for row in range(1 << len(inputs)):
            assert table >> row & 1 == function(*(row >> i & 1 for i in range(len(inputs)))), name


def test_cells_that_are_no_logic_are_left_out(osu018):
    cells = read_liberty(osu018).cells
    assert not {"LATCH", "TBUFX1", "DFFSR", "DFFNEGX1"} & set(cells)
    assert "DFFPOSX1" in cells


def test_wire_load(tmp_path):
    name, listed, slope = library(tmp_path, wire_load=True).wire_load
    assert (name, listed, slope) == ("small", pytest.approx({1: 0.002, 3: 0.008}), pytest.approx(0.004))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not liberty {", "not a Liberty file"),
        ("cell(x) { area : 1; }", "begins with library"),
        ('library(x) { nom_voltage : 1; time_unit : "1 hour"; }', "time_unit is '1 hour'"),
        ("library(x) { nom_voltage : 1; }", "no flip-flop"),
        ("library(x) { }", "no nom_voltage"),
    ],
)
def test_file_that_will_not_do(tmp_path, text, message):
    path = tmp_path / "bad.lib"
    path.write_text(text)
    with pytest.raises(LibertyError, match=rf"bad\.lib: .*{message}") as error:
        read_liberty(path)
    assert "\n" not in str(error.value) and error.value.exit_status == 3
