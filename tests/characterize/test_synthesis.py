"""Synthesised units: right to the bit, and their toggles and delays those of Icarus Verilog and OpenSTA."""

from fractions import Fraction
from subprocess import run

import numpy as np
import pytest

pytest.importorskip("liberty", reason="liberty-parser is not installed")

from accel_rtl.config import AcceleratorConfig
from pyhost.formats import parse_format
from pyhost.golden.gemm import Chain, gemm
from scripts.characterize.blocks import element, fused_multiply_add, integer_mac
from scripts.characterize.catalogue import _operand
from scripts.characterize.cells import read_liberty
from scripts.characterize.netlist import synthesise
from scripts.characterize.simulate import Circuitry
from scripts.characterize.timing import Timing, WireModel
from tests.characterize import verilog

pytestmark = pytest.mark.hardware

CYCLES = 200
RUN = 20
SEED = 7


@pytest.fixture(scope="module")
def cells(osu018):
    return read_liberty(osu018)


@pytest.fixture(scope="module")
def build(osu018, cells, yosys, tmp_path_factory):
    """A design's circuitry and the directory of its files; the same design is built once."""
    built = {}

    def circuitry(design, wire=None):
        name = design.verilog(), wire
        if name not in built:
            directory = tmp_path_factory.mktemp("synthesis")
            netlist = synthesise(design, osu018, cells, yosys, directory)
            wires = WireModel.of(cells, netlist, wire)
            built[name] = Circuitry(Timing(cells, netlist, wires)), directory
        return built[name]

    return circuitry


@pytest.fixture
def random():
    print(f"seed {SEED}")
    return np.random.default_rng(SEED)


def firsts():
    return (np.arange(CYCLES) % RUN == 0).astype(np.int64)


def test_integers_are_multiplied_and_added(build, random):
    circuitry, _ = build(integer_mac())
    a, b = random.integers(-128, 128, (2, CYCLES))
    a[:4], b[:4] = (-128, -128, 127, 0), (-128, 127, 127, -128)
    trace = circuitry.run({"a": a & 0xFF, "b": b & 0xFF, "first": firsts()})
    total, expected = 0, []
    for x, y, first in zip(a.tolist(), b.tolist(), firsts(), strict=True):
        total = x * y + (0 if first else total)
        expected.append(total % (1 << 32))
    # A register in front, and another behind.
    assert trace.outputs["word0"].tolist()[2:] == expected[:-2]


@pytest.mark.parametrize("name", ["e5m2", "e5m10"])
def test_fused_multiply_add_has_the_golden_models_bits(build, random, name):
    number_format = parse_format(name)
    circuitry, _ = build(fused_multiply_add(name))
    a, b = random.integers(1 << number_format.bits, size=(2, CYCLES)).astype(number_format.dtype)
    trace = circuitry.run({"a": a, "b": b, "first": firsts()})
    formats = {f"{operand}_format": number_format for operand in "abd"}
    expected = [
        gemm(a[None, start : i + 1], b[start : i + 1, None], accumulator=Chain(number_format), **formats).item()
        for i in range(CYCLES)
        for start in [i - i % RUN]
    ]
    # Decoders, the product in its place, the sum: three registers.
    assert trace.outputs["word0"].tolist()[3:] == expected[:-3]


def test_exact_sums_are_exact(build, random):
    name = "e4m3fn"
    number_format = parse_format(name)
    config = AcceleratorConfig(rows=1, columns=1, operand_formats=(name,), accumulator="exact")
    circuitry, _ = build(element([name], "exact"))
    codes = np.arange(256, dtype=np.uint8)
    finite = codes[np.isfinite(number_format.decode(codes))]
    x, y = (number_format.decode(random.choice(finite, CYCLES)) for _ in range(2))
    ones = np.ones(CYCLES, np.int64)
    ports = {"first": firsts(), "step": ones, "enable": ones}
    for side, values in (("a", x), ("b", y)):
        ports |= {f"{side}_{field}": v for field, v in _operand(values, config.form).items()}
    trace = circuitry.run(ports)
    total = Fraction(0)
    for i in range(CYCLES - 1):
        total = Fraction(x[i]) * Fraction(y[i]) + (0 if i % RUN == 0 else total)
        words = [int(trace.outputs[f"word{j}"][i + 1]) for j in range(config.limbs)]
        # The last carry means nothing, each other belongs to the next limb.
        held = sum((word % (1 << 32)) << 32 * j for j, word in enumerate(words))
        held += sum((word >> 32) << 32 * (j + 1) for j, word in enumerate(words[:-1]))
        assert held % (1 << 32 * config.limbs) == total / Fraction(2) ** config.accumulator_unit % (
            1 << 32 * config.limbs
        )


def vectors(random, netlist):
    return {name: random.integers(1 << len(bits), size=CYCLES) for name, bits in netlist.inputs.items()}


@pytest.mark.parametrize("design", [integer_mac(), element(["e4m3fn"], "exact")], ids=["int8", "e4m3fn"])
def test_settled_changes_are_those_of_icarus_with_the_librarys_verilog(
    build, random, iverilog, osu018, tmp_path, design
):
    models = osu018.with_suffix(".v")
    if not models.exists():
        pytest.skip("qflow-tech-osu018 has no Verilog models")
    circuitry, _ = build(design)
    netlist = circuitry.netlist
    inputs = vectors(random, netlist)
    (tmp_path / "bench.v").write_text(verilog.zero_delay(netlist, inputs))
    # Without `specify` the models have no delays.
    _, settled = verilog.changes(tmp_path, ["-gno-specify", "bench.v", models], iverilog)
    # Registers are unknown to Icarus at first.
    toggles = circuitry.run(inputs).glitch_free_toggles.sum(axis=1)
    assert toggles[8 : CYCLES - 1].tolist() == settled[8 : CYCLES - 1]


def test_all_changes_are_those_of_icarus_with_the_same_delays(build, random, iverilog, tmp_path):
    circuitry, _ = build(integer_mac())
    unit = 1e-4
    for delays in (circuitry.gate_delay, circuitry.flop_delay, circuitry.input_delay):
        delays[:] = np.maximum(1, np.round(delays / unit)) * unit
    circuitry.gate_delay[:] = circuitry.gate_delay[:, :1]  # an assignment knows of one delay, whichever input it was
    inputs = vectors(random, circuitry.netlist)
    (tmp_path / "bench.v").write_text(verilog.with_delays(circuitry, inputs, unit))
    counts, settled = verilog.changes(tmp_path, ["bench.v"], iverilog)
    trace = circuitry.run(inputs)
    last = CYCLES - 1
    assert trace.glitch_free_toggles.sum(axis=1)[8:last].tolist() == settled[8:last]
    assert trace.toggles.sum() > 1.5 * trace.glitch_free_toggles.sum()
    # Each resolves changes at the same time in an order of its own.
    assert trace.toggles.sum(axis=1)[8:last].sum() == pytest.approx(sum(counts[8:last]), rel=0.01)


@pytest.mark.parametrize("design", [integer_mac(), fused_multiply_add("e5m2")], ids=["int8", "e5m2"])
def test_slowest_path_is_that_of_opensta(build, cells, sta, design):
    circuitry, directory = build(design, 0.0)
    timing = circuitry.timing
    inputs = [net for bits in circuitry.netlist.inputs.values() for net in bits]
    rise, fall = timing.slew[inputs].max(axis=0)
    (directory / "sta.tcl").write_text(f"""
read_liberty cells.lib
read_verilog netlist.v
link_design top
create_clock -name clk -period 100 clk
set_clock_transition {timing.clock_slew[0]} clk
set_input_transition -rise {rise} [all_inputs]
set_input_transition -fall {fall} [all_inputs]
set_output_delay 0 -clock clk [all_outputs]
set_load {cells.cells["DFFPOSX1"].capacitance["D"]} [all_outputs]
report_worst_slack
""")
    output = run([sta, "-no_splash", "-exit", "sta.tcl"], cwd=directory, capture_output=True, text=True, check=True)
    slack = float(output.stdout.split("worst slack")[1].split()[0])
    assert timing.slowest() == pytest.approx(100 - slack, rel=0.01)
