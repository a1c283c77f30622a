"""Circuits at a technology's prices: a library made up for the purpose, and the one that comes with floatsoc."""

import hashlib
import json
from datetime import date

import pytest

from pyhost.energy import load_technology
from pyhost.energy.circuits import Circuits, load_circuits
from pyhost.energy.costs import Costs


def circuit(unit, formats, accumulator, **energies):
    activity = {"vectors": 1, "standard_error_pj": 0, "clock_pj": 0, "toggles": 1, "glitch_free_toggles": 1}
    return {
        "unit": unit,
        "formats": formats,
        "accumulator": accumulator,
        "area_um2": 1,
        "delay_ns": 1,
        "leakage_nw": 0,
        "cells": 1,
        "flip_flops": 0,
        "activities": {
            name: {**activity, "energy_pj": energy, "glitch_free_pj": energy} for name, energy in energies.items()
        },
    }


def library(*circuits):
    return Circuits.model_validate_json(
        json.dumps(
            {
                "schema": 1,
                "technology": "paper",
                "node_nm": 180,
                "voltage": 1.8,
                "temperature": 25,
                "corner": "typical",
                "liberty": {"file": "paper.lib", "sha256": hashlib.sha256(b"").hexdigest()},
                "tools": {},
                "date": str(date.today()),
                "wire_model": "none",
                "seed": 1,
                "circuits": circuits,
            }
        )
    )


@pytest.fixture(scope="module")
def costs():
    """920 pJ for a multiply-add of binary32 that the table has for 4.6: a two-hundredth."""
    return Costs(
        load_technology(),
        library(
            circuit("multiply", ["e8m23"], None, uniform=420, forward=300),
            circuit("accumulate", ["e8m23"], "e8m23", uniform=500, forward=390),
            circuit("multiply", ["e4m3fn", "e5m2"], None, uniform=6, forward=4),
            circuit("accumulate", ["e4m3fn", "e5m2"], "exact", uniform=94, forward=76, weight_gradient=36),
            circuit("multiply", ["e5m10"], None, uniform=70),
            circuit("decode", ["e5m2"], None, uniform=10),
            circuit("round", ["e5m10"], None, uniform=50, forward=40),
        ),
    )


def test_circuits_are_priced_by_binary32(costs):
    scale = costs.circuit_scale
    assert scale.value == pytest.approx(4.6 / 920)
    assert scale.high == pytest.approx(4.6 / 690)  # as if the table meant a training step's operands
    assert costs.mac(("e8m23", "e8m23"), ("e8m23",), "e8m23", "uniform").value == pytest.approx(4.6)


def test_a_product_takes_the_activity_of_its_kind(costs):
    generated = ("e4m3fn", "e5m2")
    for activity, energy in (("forward", 80), ("uniform", 100)):
        cost = costs.mac(("e4m3fn", "e5m2"), generated, "exact", activity)
        assert cost.value == pytest.approx(energy / 200)
    assert costs.mac(("e4m3fn", "e4m3fn"), generated, "exact", "forward").value == pytest.approx(80 / 200)
    assert sorted(cost.figures) == ["add.e8m23", "multiply.e8m23"]
    assert sum(cost.figures.values()) == pytest.approx(cost.value)


def test_operands_that_nobody_knows_may_be_any(costs):
    unknown = costs.circuit("accumulate", (("e4m3fn", "e5m2"),), "exact", "uniform")
    assert unknown.low == pytest.approx(36 * costs.circuit_scale.low)
    assert unknown.high == pytest.approx(94 * costs.circuit_scale.high)


def test_what_the_library_lacks_comes_from_the_table(costs):
    without = Costs(costs.technology)
    for formats, accumulator in ((("e5m10", "e5m10"), "exact"), (("e8m7", "e8m7"), "e8m23")):
        assert costs.mac(formats, formats[:1], accumulator, "uniform") == without.mac(
            formats, formats[:1], accumulator, "uniform"
        )
    assert costs.decode(("e4m3fn",), "e4m3fn", "uniform").value == 0
    assert costs.decode(("e4m3fn", "e5m2"), "e5m2", "uniform").value == pytest.approx(10 / 200)


def test_write_back_is_a_rounder_and_what_is_around_it(costs):
    plain, added = (costs.write_back("e5m10", ("e5m10",), addend, "forward") for addend in (False, True))
    assert plain.value == pytest.approx(40 / 200 + 0.9)
    assert plain.low == pytest.approx(40 * costs.circuit_scale.low)
    assert added.value - plain.value == pytest.approx(0.9)


def test_a_library_without_binary32_is_not_priced():
    costs = Costs(load_technology(), library(circuit("multiply", ["e5m2"], None, uniform=3)))
    assert costs.circuit_scale is None
    assert costs.circuit("multiply", (("e5m2",),), None, "uniform") is None


@pytest.fixture(scope="module")
def shipped():
    """The library that comes with floatsoc, at the prices of 45 nm."""
    return Costs(load_technology(), load_circuits())


def test_three_entries_of_the_table_agree_on_the_price(shipped):
    """Binary32, binary16 and 8-bit integers within a quarter of each other, for random operands."""
    circuits = shipped.circuits
    binary32 = sum(
        circuits.find(*unit).energy_pj["uniform"] for unit in (("multiply", "e8m23"), ("accumulate", "e8m23", "e8m23"))
    )
    prices = [
        4.6 / binary32,
        1.5 / circuits.find("fma", "e5m10", "e5m10").energy_pj["uniform"],
        0.3 / circuits.find("int8_mac").energy_pj["uniform"],
    ]
    assert max(prices) / min(prices) < 1.25
    assert shipped.circuit_scale.low == pytest.approx(min(prices))


@pytest.mark.parametrize("format_", ["e4m3fn", "e5m2", "posit8", "e5m10"])
def test_synthesis_and_table_agree(shipped, format_):
    synthesised = shipped.synthesised_mac((format_, format_), (format_,), "exact", "uniform")
    published = shipped.published_mac((format_, format_), (format_,), "exact")
    assert published.low < synthesised.value < published.high
