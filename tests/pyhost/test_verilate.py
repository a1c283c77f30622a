"""Verilog and a harness become a library; what is wrong with either is said."""

import ctypes

import pytest

from pyhost.cosim.tools import ToolFailed
from pyhost.cosim.verilate import lint, verilate
from pyhost.errors import BuildError

pytestmark = pytest.mark.hardware

ADDER = """module adder(input clk, input [7:0] a, output reg [7:0] sum);
    always @(posedge clk) sum <= sum + a;
endmodule
"""
HARNESS = """#include "Vadder.h"
extern "C" __attribute__((visibility("default"))) int add(int a, int times) {
    VerilatedContext context;
    Vadder adder{&context};
    adder.a = a;
    for (int i = 0; i < times; i++) {
        adder.clk = 0;
        adder.eval();
        adder.clk = 1;
        adder.eval();
    }
    return adder.sum;
}
"""


@pytest.fixture
def build(tmp_path):
    """build(verilog, harness, ...): path of the library; adds up what it says in build.said."""

    def build(verilog=ADDER, harness=HARNESS, **options):
        (tmp_path / "adder.v").write_text(verilog)
        (tmp_path / "harness.cpp").write_text(harness)
        return verilate(
            [tmp_path / "adder.v"],
            tmp_path / "harness.cpp",
            top="adder",
            library="libadder.so",
            optimisation="-O0",
            progress=build.said.append,
            **options,
        )

    build.said = []
    return build


def test_the_library_computes_what_the_verilog_says(build):
    library = ctypes.CDLL(str(build()))
    assert library.add(3, 10) == 30
    assert library.add(100, 3) == 300 % 256


def test_the_same_sources_are_compiled_once(build):
    first = build()
    build.said.clear()
    assert build() == first
    assert build.said == []
    assert build(verilog=ADDER.replace("sum + a", "sum - a")) != first


def test_an_error_in_the_verilog_is_quoted(build):
    with pytest.raises(ToolFailed, match=r"verilating adder: .*adder\.v:2:"):
        build(verilog=ADDER.replace("sum + a", "sum + nothing"))


def test_an_error_in_the_harness_is_quoted(build):
    with pytest.raises(ToolFailed, match=r"compiling the simulation of adder: .*harness\.cpp:5:.*nothing"):
        build(harness=HARNESS.replace("adder.a", "adder.nothing"))


def test_a_missing_compiler_says_what_to_install(build, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"g\+\+ is missing; install a C\+\+ compiler: apt install g\+\+"):
        build()


@pytest.mark.parametrize(
    ("verilog", "warning"),
    [
        ("module m(input a, input b, output reg c); always @(*) if (a) c = b; endmodule\n", "LATCH"),
        ("module m(input [3:0] a, output [7:0] b); assign b = a; endmodule\n", "WIDTHEXPAND"),
    ],
)
def test_lint_makes_an_error_of_a_warning(tmp_path, verilog, warning):
    (tmp_path / "m.v").write_text(verilog)
    with pytest.raises(ToolFailed, match=warning):
        lint([tmp_path / "m.v"], top="m")


def test_lint_is_silent_about_good_verilog(tmp_path):
    (tmp_path / "adder.v").write_text(ADDER)
    lint([tmp_path / "adder.v"], top="adder")
