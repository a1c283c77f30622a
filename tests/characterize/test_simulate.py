"""Delays and energies of circuits so small that a pencil does: the figures are those of `tests.characterize.cells`."""

import numpy as np
import pytest

pytest.importorskip("liberty", reason="liberty-parser is not installed")

from scripts.characterize.cells import read_liberty
from scripts.characterize.netlist import Instance, Netlist
from scripts.characterize.simulate import Circuitry
from scripts.characterize.timing import Timing, WireModel
from tests.characterize.cells import liberty

WIRE = 0.002
"""pF of a wire to each sink."""

PIN = 0.01 + WIRE
STORED = PIN * 2.0**2 / 2
"""pJ of a change of a net with one sink, at 2 V."""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy") / "toy.lib"
    path.write_text(liberty())
    return read_liberty(path)


def build(library, cells, inputs, outputs):
    """cells: (name of the cell, net by pin); nets are numbered from 2."""
    instances = tuple(Instance(f"u{i}", library.cells[name], 0, pins) for i, (name, pins) in enumerate(cells))
    nets = 1 + max(net for instance in instances for net in instance.pins.values())
    clock = next((i.pins["CLK"] for i in instances if i.cell.flip_flop), None)
    netlist = Netlist(("block",), instances, inputs, outputs, clock, nets)
    return Timing(library, netlist, WireModel("", WIRE))


def slew(load):
    return 0.05 + load


def test_slowest_path_of_two_inverters(library):
    a, x, y = 2, 3, 4
    timing = build(library, [("INV", {"A": a, "Y": x}), ("INV", {"A": x, "Y": y})], {"a": (a,)}, {"y": (y,)})
    # Both have one pin to drive: the next inverter's, and the flip-flop's that an output leads to.
    one = 0.1 + 2 * PIN + 0.5 * slew(PIN)
    assert timing.load[[a, x, y]] == pytest.approx(PIN)
    assert timing.slowest() == pytest.approx(one + 2 * one)


def test_energy_of_an_inverter(library):
    a, x, y = 2, 3, 4
    timing = build(library, [("INV", {"A": a, "Y": x}), ("INV", {"A": x, "Y": y})], {"a": (a,)}, {"y": (y,)})
    trace = Circuitry(timing).run({"a": np.array([0, 1, 1, 0])})
    own = 0.02 * (1 + slew(PIN))
    # a rises: x falls, y rises; the output's load is somebody else's.
    both = 2 * STORED + 3 * own
    assert trace.energy[:, 0] == pytest.approx([0, both, 0, both])
    assert trace.glitch_free[:, 0] == pytest.approx(trace.energy[:, 0])
    assert trace.toggles[:, 0].tolist() == [0, 3, 0, 3]
    assert trace.outputs["y"].tolist() == [0, 1, 1, 0]


def hazard(library, inverters):
    """y = !(a & chain(a)), an odd number of inverters: 1 at rest. y drives more than they do, so it is slower."""
    a, y, z = 2, 3, 4
    chain = [a, *range(5, 5 + inverters)]
    cells = [("INV", {"A": chain[i], "Y": chain[i + 1]}) for i in range(inverters)]
    cells += [("NAND", {"A": a, "B": chain[-1], "Y": y}), ("INV", {"A": y, "Y": z})]
    timing = build(library, cells, {"a": (a,)}, {"y": (y,)})
    return Circuitry(timing).run({"a": np.array([0, 1, 1, 0])})


def test_pulse_longer_than_the_delay_passes(library):
    trace = hazard(library, 3)
    assert trace.outputs["y"].tolist() == [1, 1, 1, 1]
    assert trace.glitch_free_toggles[:, 0].tolist() == [0, 4, 0, 4]
    assert trace.toggles[:, 0].tolist() == [0, 8, 0, 4]  # y and z change and change back when a rises, and only then
    assert trace.energy[1, 0] > trace.glitch_free[1, 0]
    assert trace.energy[3, 0] == pytest.approx(trace.glitch_free[3, 0])


def test_pulse_shorter_than_the_delay_does_not(library):
    trace = hazard(library, 1)
    assert trace.toggles[:, 0].tolist() == trace.glitch_free_toggles[:, 0].tolist() == [0, 2, 0, 2]


def test_flip_flop_takes_what_was_there_before_the_clock(library):
    a, q, r, clock = 2, 3, 4, 5
    flops = [("DFF", {"CLK": clock, "D": a, "Q": q}), ("DFF", {"CLK": clock, "D": q, "Q": r})]
    circuitry = Circuitry(build(library, flops, {"a": (a,)}, {"r": (r,)}))
    trace = circuitry.run({"a": np.array([1, 0, 1, 1, 0])})
    assert trace.outputs["r"].tolist() == [0, 0, 1, 0, 1]
    # Two clock pins, charged and discharged once a cycle; they have no energy of their own here.
    assert circuitry.clock_energy == pytest.approx([2 * 2 * STORED])


def test_a_net_is_paid_for_by_the_blocks_that_read_it(library):
    a, x, y, z = 2, 3, 4, 5
    cells = [("INV", {"A": a, "Y": x}, 0), ("INV", {"A": x, "Y": y}, 0), ("INV", {"A": x, "Y": z}, 1)]
    instances = tuple(Instance(f"u{i}", library.cells[n], block, pins) for i, (n, pins, block) in enumerate(cells))
    netlist = Netlist(("first", "second"), instances, {"a": (a,)}, {"y": (y,), "z": (z,)}, None, 6)
    timing = Timing(library, netlist, WireModel("", WIRE))
    trace = Circuitry(timing).run({"a": np.array([0, 1])})
    own = 0.02 * (1 + slew(PIN))  # of a rise behind a net with one sink
    wide = 0.02 * (1 + slew(2 * PIN))
    assert trace.energy[1] == pytest.approx([2 * STORED + 2 * own + wide, STORED + wide])


def test_wire_load_of_the_library(tmp_path):
    path = tmp_path / "toy.lib"
    path.write_text(liberty(wire_load=True))
    library = read_liberty(path)
    a, y = 2, 3
    netlist = build(library, [("INV", {"A": a, "Y": y})], {"a": (a,)}, {"y": (y,)}).netlist
    wires = WireModel.of(library, netlist)
    assert [wires.capacitance(n) for n in (0, 1, 2, 3, 5)] == pytest.approx([0, 0.002, 0.005, 0.008, 0.016])
    assert WireModel.of(library, netlist, 0.003).capacitance(2) == pytest.approx(0.006)
