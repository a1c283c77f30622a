"""Tables of figures: what is published, what is refused, and how figures move between technologies."""

import json
import math
from fractions import Fraction

import pytest

from pyhost.energy import EnergyDataError, load_technology, technologies
from pyhost.energy.costs import SRAM_SIZES, Costs
from pyhost.energy.figures import DATA
from pyhost.energy.scaling import scaling

HOROWITZ = {
    "add.int8": 0.03,
    "add.int32": 0.1,
    "multiply.int8": 0.2,
    "multiply.int32": 3.1,
    "add.e5m10": 0.4,
    "add.e8m23": 0.9,
    "multiply.e5m10": 1.1,
    "multiply.e8m23": 3.7,
    "sram.8KiB": 10,
    "sram.32KiB": 20,
    "sram.1MiB": 100,
    "cpu.instruction": 70,
}
"""pJ at 45 nm and 0.9 V (ISSCC 2014)."""

JOUPPI = {
    "add.int8": (0.03, 0.007),
    "add.int32": (0.1, 0.03),
    "multiply.int8": (0.2, 0.07),
    "multiply.int32": (3.1, 1.48),
    "add.e5m10": (0.4, 0.16),
    "add.e8m23": (0.9, 0.38),
    "multiply.e5m10": (1.1, 0.34),
    "multiply.e8m23": (3.7, 1.31),
}
"""The same operations in pJ at 45 and 7 nm (ISCA 2021, table 2)."""


def shipped(name="horowitz-45nm"):
    return json.loads((DATA / f"{name}.json").read_text())


def refused(tmp_path, document):
    file = tmp_path / "mine.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    with pytest.raises(EnergyDataError) as error:
        load_technology(file)
    message = str(error.value)
    assert "\n" not in message and message.startswith(str(file))
    return message.removeprefix(f"{file}: ")


def test_the_published_figures_are_there():
    figures = load_technology().figures
    assert {name: figures[name].value for name in HOROWITZ} == HOROWITZ
    assert (figures["dram"].low, figures["dram"].high) == (1300, 2600)
    modern = load_technology("jouppi-7nm").figures
    assert {name: modern[name].value for name in JOUPPI} == {name: at_7 for name, (_, at_7) in JOUPPI.items()}
    assert [modern[name].value for name in SRAM_SIZES] == [7.5, 8.5, 14]


@pytest.mark.parametrize("name", technologies())
def test_every_figure_says_where_it_is_from(name):
    for figure in load_technology(name).figures.values():
        assert figure.low <= figure.value <= figure.high
        assert len(figure.source) > 20 and 1990 < figure.year < 2030


def test_a_file_is_a_technology(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({**shipped(), "name": "mine"}))
    assert load_technology(file).name == load_technology(str(file)).name == "mine"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"unit": None}, "figures.add.int8.unit: missing"),
        ({"unit": "kWh"}, "figures.add.int8.unit: 'kWh'; allowed: 'fJ', 'pJ', 'nJ', 'nW' or 'uW'"),
        ({"unit": "nW"}, "figures.add.int8.unit: nW; allowed: fJ, pJ, nJ"),
        ({"value": -1}, "figures.add.int8.value: -1; must be greater than or equal to 0"),
        ({"low": 2}, "figures.add.int8: low 2, value 0.03, high 0.035: must not descend"),
        ({"source": ""}, "figures.add.int8.source: ''; String should have at least 1 character"),
        ({"volts": 1}, "figures.add.int8.volts: unknown key"),
    ],
)
def test_a_bad_figure_is_named_with_what_is_allowed(tmp_path, change, expected):
    document = shipped()
    figure = document["figures"]["add.int8"]
    for key, value in change.items():
        if value is None:
            del figure[key]
        else:
            figure[key] = value
    assert refused(tmp_path, document) == expected


def test_a_bad_table_is_named_too(tmp_path):
    document = shipped()
    del document["figures"]["dram"]
    assert refused(tmp_path, document) == "figures.dram: missing"
    document = shipped()
    document["figures"]["sqrt.e8m23"] = document["figures"]["add.e8m23"]
    assert refused(tmp_path, document).startswith("figures.sqrt.e8m23: unknown figure; allowed: add.int8, add.int32")
    assert refused(tmp_path, "{").startswith("not JSON: ")
    with pytest.raises(EnergyDataError, match=r"no technology 'tsmc'; there are horowitz-45nm, jouppi-7nm"):
        load_technology("tsmc")
    with pytest.raises(EnergyDataError, match=r"cannot be read"):
        load_technology(tmp_path / "nothing.json")


def test_scaling_is_that_of_the_publication():
    """The corrected example of section 4.2.1: 1 pJ in 65 nm at 1.3 V is 0.1755 pJ in 32 nm at 0.9 V."""
    at_32 = Fraction("0.8367") * Fraction("0.81") - Fraction("0.4341") * Fraction("0.9") + Fraction("0.1701")
    at_65 = Fraction("3.755") * Fraction("1.69") - Fraction("4.398") * Fraction("1.3") + Fraction("1.975")
    factor = scaling().factor((65, 1.3), (32, 0.9))
    assert factor.value == pytest.approx(float(at_32 / at_65), rel=1e-12)
    assert factor.value == pytest.approx(0.1755, abs=1e-4)


def test_scaling_there_and_back_is_nothing():
    there, back = scaling().factor((45, 0.9), (28, 0.8)), scaling().factor((28, 0.8), (45, 0.9))
    assert there.value * back.value == pytest.approx(1)
    assert scaling().factor((45, 0.9), (45, 0.9)) == (1, 1, 1)
    assert there.low < there.value < there.high


@pytest.mark.parametrize("name", JOUPPI)
def test_the_stated_error_of_scaling_holds_for_what_was_published_at_both_nodes(name):
    old, new = JOUPPI[name]
    factor = scaling().factor((45, 0.9), (7, 0.7))
    assert old * factor.low <= new <= old * factor.high


def test_scaling_knows_its_limits():
    with pytest.raises(EnergyDataError, match=r"node 5 nm: energies can be scaled from 7 to 180 nm"):
        scaling().factor((45, 0.9), (5, 0.7))
    with pytest.raises(EnergyDataError, match=r"0.2 V at 180 nm"):
        scaling().factor((180, 0.2), (45, 0.9))


def test_memories_follow_the_square_root_of_their_size():
    """Least squares of a + b sqrt(KiB) through 10, 20 and 100 pJ, by the normal equations."""
    roots = [math.sqrt(size) for size in (8, 32, 1024)]
    energies = (10, 20, 100)
    n, sx, sy = 3, sum(roots), sum(energies)
    sxx, sxy = sum(x * x for x in roots), sum(x * y for x, y in zip(roots, energies, strict=True))
    b = (n * sxy - sx * sy) / (n * sxx - sx * sx)
    a = (sy - b * sx) / n
    costs = Costs(load_technology())
    for size in (2, 32, 4096):
        expected = a + b * math.sqrt(size)
        assert costs.sram(size * 1024, 64).value == pytest.approx(expected)
        assert costs.sram(size * 1024, 128).value == pytest.approx(2 * expected)
    residual = max(abs((a + b * x) / y - 1) for x, y in zip(roots, energies, strict=True))
    assert costs.sram_residual == pytest.approx(residual)
    assert residual < 0.07
    for (name, size), energy in zip(SRAM_SIZES.items(), energies, strict=True):
        estimate = costs.sram(size * 1024, 64)
        assert estimate.low <= energy <= estimate.high, name


def test_arithmetic_goes_through_the_published_points():
    costs = Costs(load_technology())
    assert costs.float_operation("multiply", 11).value == 1.1
    assert costs.float_operation("multiply", 24).value == 3.7
    assert costs.float_operation("add", 24).value == 0.9
    assert costs.float_operation("multiply", 4).value == pytest.approx(1.1 * (4 / 11) ** 1.55)
    between = (17**1.55 - 11**1.55) / (24**1.55 - 11**1.55)
    assert costs.float_operation("multiply", 17).value == pytest.approx(1.1 + between * (3.7 - 1.1))
    assert costs.integer_add(96).value == pytest.approx(0.3)


@pytest.mark.parametrize("precision", range(1, 31))
def test_interpolation_is_an_interval_around_its_value(precision):
    for name in technologies():
        costs = Costs(load_technology(name))
        for operation in ("multiply", "add"):
            estimate = costs.float_operation(operation, precision)
            assert 0 < estimate.low <= estimate.value <= estimate.high
            assert sum(estimate.figures.values()) == pytest.approx(estimate.value)


def test_the_interval_of_an_interpolation_holds_what_was_published_between():
    """bfloat16 at 7 nm, which has 8 bits of significand, from binary16 and binary32 alone."""
    technology = load_technology("jouppi-7nm")
    figures = {name: figure for name, figure in technology.figures.items() if not name.endswith("e8m7")}
    costs = Costs(technology.model_copy(update={"figures": figures}))
    for operation in ("multiply", "add"):
        published = technology.figures[f"{operation}.e8m7"].value
        estimate = costs.float_operation(operation, 8)
        assert estimate.low <= published <= estimate.high
