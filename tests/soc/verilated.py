"""Migen's simulation processes on a verilated module: thousands of times as fast as Migen's own simulator."""

from litex.gen import LiteXModule
from migen import Cat, ClockDomainsRenamer, Signal
from migen.fhdl.structure import _Assign, wrap

from tests.rtl.dut import Dut

__all__ = ["Verilated"]

_BITS = 64
"""Of a port of the harness at most: a wider signal is several."""


class Verilated:
    """`module` for processes that drive `inputs` and look at `outputs`; its clock domain `accelerator` is `sys`."""

    def __init__(self, module, name, inputs, outputs):
        top = LiteXModule()
        top.dut = ClockDomainsRenamer({"accelerator": "sys"})(module)
        self._pieces, ports = {}, []
        for side, signals in (("in", inputs), ("out", outputs)):
            ports.append({})
            for number, signal in enumerate(signals):
                widths = [min(_BITS, len(signal) - low) for low in range(0, len(signal), _BITS)]
                pieces = {f"{side}{number}_{i}": Signal(width) for i, width in enumerate(widths)}
                whole = Cat(*pieces.values())
                top.comb += signal.eq(whole) if side == "in" else whole.eq(signal)
                self._pieces[id(signal)] = list(pieces)
                ports[-1] |= pieces
        self._given = dict.fromkeys(ports[0], 0)
        self._dut = Dut(top, name, *ports)

    def run(self, *processes, cycles=100_000):
        """Until every process has ended, which has to be within so many cycles."""
        for _ in range(cycles):
            if not processes:
                return
            got = self._dut.run(**self._given)
            # As in Migen: what a process reads is from before the edge, what it writes comes after it.
            processes = [process for process in processes if self._resume(process, got)]
        raise AssertionError(f"not done after {cycles} cycles")

    def _resume(self, process, got):
        """Run `process` to its next edge; whether there is one."""
        try:
            request = process.send(None)
            while request is not None:
                if isinstance(request, _Assign):
                    answer = None
                    for i, name in enumerate(self._pieces[id(request.l)]):
                        self._given[name] = wrap(request.r).value >> _BITS * i & (1 << _BITS) - 1
                else:
                    pieces = self._pieces[id(request)]
                    answer = sum(int(got[name][0]) << _BITS * i for i, name in enumerate(pieces))
                request = process.send(answer)
        except StopIteration:
            return False
        return True
