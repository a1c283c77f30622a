"""A Migen module as a verilated shared library: arrays of inputs in, arrays of outputs back, a cycle an element."""

import ctypes
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from litex.gen.fhdl.verilog import convert
from migen import ClockDomain, Module, Signal
from numpy.typing import ArrayLike, NDArray

from pyhost.cosim.verilate import verilate

__all__ = ["Dut", "build", "verilog"]

_EXPORT = '__attribute__((visibility("default")))'


def verilog(module: Module, ports: dict[str, Signal], name: str) -> str:
    """Verilog of `module` with `ports`, the same text whenever it is generated; clock domain `sys` is added."""
    module.clock_domains.cd_sys = ClockDomain("sys")
    for port, signal in ports.items():
        signal.name_override = port
    ios = {*ports.values(), module.cd_sys.clk, module.cd_sys.rst}
    text = str(convert(module, ios, name=name))
    return re.sub(r"^//.*\n", "", text, flags=re.MULTILINE)


def build(text: str, harness: str, name: str, optimisation: str = "-O1") -> ctypes.CDLL:
    """Verilog `text` of module `name` and C++ `harness`, compiled (or from the cache) and loaded."""
    with TemporaryDirectory() as directory:
        source, program = Path(directory) / f"{name}.v", Path(directory) / "harness.cpp"
        source.write_text(text)
        program.write_text(harness)
        library = verilate([source], program, top=name, library=f"lib{name}.so", optimisation=optimisation)
    return ctypes.CDLL(str(library))


class Dut:
    """`module` under test. inputs, outputs: its signals (64 bits at most) by the name they get in the arrays."""

    def __init__(self, module: Module, name: str, inputs: dict[str, Signal], outputs: dict[str, Signal]) -> None:
        assert not inputs.keys() & outputs.keys(), "a name for two signals"
        self._inputs, self._outputs = inputs, outputs
        # Prefixed, since `inside` and `release` are words of Verilog.
        ports = {f"port_{name}": signal for name, signal in (inputs | outputs).items()}
        self._library = build(verilog(module, ports, name), self._harness(name), name)

    def run(self, **inputs: ArrayLike) -> dict[str, NDArray[np.uint64]]:
        """One cycle for each element: outputs[i] are those of cycle i, in which the inputs are inputs[i].

        Inputs that are missing are 0, scalars hold for all cycles; signed outputs come in two's complement.
        """
        arrays = np.broadcast_arrays(*(np.asarray(inputs.get(n, 0)).astype(np.uint64) for n in self._inputs))
        assert set(inputs) <= set(self._inputs), inputs.keys()
        given = np.ascontiguousarray(np.stack(arrays, axis=-1).reshape(-1, len(self._inputs)))
        got = np.zeros((len(given), len(self._outputs)), np.uint64)
        self._library.run(
            ctypes.c_uint64(len(given)), given.ctypes.data_as(ctypes.c_void_p), got.ctypes.data_as(ctypes.c_void_p)
        )
        return {name: got[:, i] for i, name in enumerate(self._outputs)}

    def _harness(self, name: str) -> str:
        drive = "\n".join(f"        dut.port_{n} = in[{i}];" for i, n in enumerate(self._inputs))
        sample = "\n".join(f"        out[{i}] = dut.port_{n};" for i, n in enumerate(self._outputs))
        return f"""#include "V{name}.h"
#include <cstdint>
extern "C" {_EXPORT} void run(uint64_t cycles, const uint64_t *in, uint64_t *out)
{{
    static V{name} dut;
    for (uint64_t i = 0; i < cycles; i++, in += {len(self._inputs)}, out += {len(self._outputs)}) {{
        dut.sys_clk = 0;
{drive}
        dut.eval();
{sample}
        dut.sys_clk = 1;
        dut.eval();
    }}
}}
"""
