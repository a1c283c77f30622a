"""Event-driven simulation of a netlist with the library's delays, inertial, and the energy of every change."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pyhost.errors import BuildError
from scripts.characterize.cells import FALL, RISE, Pair, truth_table
from scripts.characterize.netlist import ONE
from scripts.characterize.timing import CAUSES, Timing

__all__ = ["Circuitry", "Trace"]

PINS = 6
"""Most inputs of a cell."""

LEAST_DELAY = 1e-5
"""ns; a table may give none, or less, where the input is slow."""


@dataclass(frozen=True)
class Trace:
    """What happened in each cycle, by block: energy and glitch_free in pJ, clock pins left out; toggles of all nets.

    energy, glitch_free: [cycle, block]. toggles, glitch_free_toggles: [cycle, block], nets counted where they are
    driven, inputs in the first block. outputs: [cycle] of each port, settled, as integers.
    """

    energy: NDArray[np.float64]
    glitch_free: NDArray[np.float64]
    toggles: NDArray[np.int64]
    glitch_free_toggles: NDArray[np.int64]
    outputs: Mapping[str, NDArray[np.object_]]


class Circuitry:
    """A netlist as arrays: what each change costs, and when it comes.

    A net's change costs C V^2 / 2, C its sinks' pins and its wire; the blocks of the sinks pay, each for its share. A
    cell's change costs what its tables give for the load, the input that caused it and that input's transition; an
    input's own energy (an input that changes while the output does not) is paid for whenever the input changes.
    """

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.netlist = netlist = timing.netlist
        blocks = len(netlist.blocks)
        self.net_energy = np.zeros((netlist.nets, 2, blocks))
        self._net_energies()
        gates, flops = [], []
        for index, instance in enumerate(netlist.instances):
            for pin in instance.cell.outputs:
                if pin in instance.pins:
                    (flops if instance.cell.flip_flop else gates).append((index, pin))
        self._gates(gates)
        self._flip_flops(flops)
        self._inputs()
        self.clock_energy = self._clock_energies()
        """pJ of a cycle in the clock pins, by block."""

    def _net_energies(self) -> None:
        netlist, voltage = self.netlist, self.timing.library.voltage
        wires = self.timing.wires
        for net, sinks in enumerate(netlist.sinks):
            if not sinks or net == netlist.clock:
                continue
            wire = wires.capacitance(len(sinks)) / len(sinks)
            for index, pin in sinks:
                instance = netlist.instances[index]
                stored = (instance.cell.capacitance[pin] + wire) * voltage**2 / 2
                for edge in (RISE, FALL):
                    passive = _mean(instance.cell.passive[pin], edge, 0.0, float(self.timing.slew[net, edge]))
                    self.net_energy[net, edge, instance.block] += stored + passive

    def _clock_energies(self) -> NDArray[np.float64]:
        """A rising and a falling edge of the clock, at the clock pins: their charge, wires and the cells' own."""
        netlist, timing = self.netlist, self.timing
        energy = np.zeros(len(netlist.blocks))
        for instance in netlist.instances:
            flip_flop = instance.cell.flip_flop
            if flip_flop is None:
                continue
            charge = instance.cell.capacitance[flip_flop.clock] + timing.wires.capacitance(1)
            energy[instance.block] += charge * timing.library.voltage**2
            for edge in (RISE, FALL):
                passive = instance.cell.passive[flip_flop.clock]
                energy[instance.block] += _mean(passive, edge, 0.0, timing.clock_slew[edge])
        return energy

    def _gates(self, gates: list[tuple[int, str]]) -> None:
        netlist, timing = self.netlist, self.timing
        count = len(gates)
        self.gate_inputs = np.zeros((count, PINS), np.int32)
        self.gate_truth = np.zeros(count, np.uint64)
        self.gate_output = np.zeros(count, np.int32)
        self.gate_block = np.zeros(count, np.int32)
        self.gate_delay = np.full((count, PINS, 2), LEAST_DELAY)
        self.gate_energy = np.zeros((count, PINS, 2))
        fanout: list[list[tuple[int, int]]] = [[] for _ in range(netlist.nets)]
        rank = {place: number for number, place in enumerate(timing.order)}
        truths: dict[tuple[str, str], int] = {}
        for g, (index, pin) in enumerate(sorted(gates, key=rank.__getitem__)):
            instance = netlist.instances[index]
            output, names = instance.cell.outputs[pin], list(instance.cell.capacitance)
            key = instance.cell.name, pin
            if key not in truths:
                truths[key] = output.truth(names)
            net = instance.pins[pin]
            self.gate_truth[g], self.gate_output[g], self.gate_block[g] = truths[key], net, instance.block
            for p, name in enumerate(names):
                source = instance.pins[name]
                self.gate_inputs[g, p] = source
                fanout[source].append((g, p))
                for edge in (RISE, FALL):
                    delays = [
                        timing.arc_delay(instance, arc, net, edge, cause)
                        for arc in output.arcs
                        if arc.pin == name
                        for cause in CAUSES[arc.sense][edge]
                    ]
                    if delays:
                        self.gate_delay[g, p, edge] = max(LEAST_DELAY, sum(delays) / len(delays))
                    pairs = output.energy.get(name, output.energy.get("", ()))
                    slew = float(timing.slew[source].mean())
                    self.gate_energy[g, p, edge] = _mean(pairs, edge, float(timing.load[net]), slew)
        starts = np.cumsum([0, *(len(sinks) for sinks in fanout)])
        self.fanout_start = starts.astype(np.int32)
        self.fanout_gate = np.array([g for sinks in fanout for g, _ in sinks], np.int32)
        self.fanout_pin = np.array([p for sinks in fanout for _, p in sinks], np.int32)

    def _flip_flops(self, flops: list[tuple[int, str]]) -> None:
        netlist, timing = self.netlist, self.timing
        count = len(flops)
        self.flop_inputs = np.zeros((count, PINS), np.int32)
        self.flop_truth = np.zeros(count, np.uint64)
        self.flop_output = np.zeros(count, np.int32)
        self.flop_block = np.zeros(count, np.int32)
        self.flop_delay = np.zeros((count, 2))
        self.flop_energy = np.zeros((count, 2))
        for f, (index, pin) in enumerate(flops):
            instance = netlist.instances[index]
            cell, flip_flop, output = instance.cell, instance.cell.flip_flop, instance.cell.outputs[pin]
            assert flip_flop is not None
            names = [n for n in cell.capacitance if n != flip_flop.clock]
            if len(names) > PINS:
                raise BuildError(f"{cell.name}: a flip-flop of more than {PINS} inputs")
            state = str(output.function)
            if state not in (flip_flop.state, flip_flop.inverse, f"~{flip_flop.state}", f"~{flip_flop.inverse}"):
                raise BuildError(f"{cell.name}: output {pin} is {state}, which is no state")
            inverted = state in (flip_flop.inverse, f"~{flip_flop.state}")
            truth = truth_table(flip_flop.next_state, names)
            self.flop_truth[f] = truth ^ ((1 << (1 << len(names))) - 1) if inverted else truth
            self.flop_inputs[f, : len(names)] = [instance.pins[name] for name in names]
            net = instance.pins[pin]
            self.flop_output[f], self.flop_block[f] = net, instance.block
            self.flop_delay[f] = timing.from_clock(output, float(timing.load[net]))[0]
            pairs = output.energy.get(flip_flop.clock, output.energy.get("", ()))
            for edge in (RISE, FALL):
                self.flop_energy[f, edge] = _mean(pairs, edge, float(timing.load[net]), timing.clock_slew[RISE])

    def _inputs(self) -> None:
        ports = self.netlist.inputs
        self.input_nets = np.array([net for bits in ports.values() for net in bits], np.int32)
        self.input_delay = np.array([self.timing.input_delay(net) for net in self.input_nets]).reshape(-1, 2)

    def run(self, vectors: Mapping[str, NDArray[np.integer]]) -> Trace:
        """Simulate a cycle for each of `vectors`, integers by input port; an input that is not there stays 0.

        Inputs change, as flip-flops do, behind the clock's edge. All nets settle before the next.
        """
        cycles = len(next(iter(vectors.values())))
        columns = []
        for name, bits in self.netlist.inputs.items():
            values = np.asarray(vectors.get(name, np.zeros(cycles, np.int64))).astype(np.int64)
            columns += [(values >> bit & 1).astype(np.uint8) for bit in range(len(bits))]
        stimulus = np.stack(columns, axis=1) if columns else np.zeros((cycles, 0), np.uint8)
        watched = [net for bits in self.netlist.outputs.values() for net in bits]
        blocks = len(self.netlist.blocks)
        energy, glitch_free = np.zeros((cycles, blocks)), np.zeros((cycles, blocks))
        toggles, settled = np.zeros((cycles, blocks), np.int64), np.zeros((cycles, blocks), np.int64)
        seen = np.zeros((cycles, len(watched)), np.uint8)
        value = np.zeros(self.netlist.nets, np.uint8)
        value[ONE] = 1
        _simulate(
            stimulus, self.input_nets, self.input_delay, value,
            self.gate_inputs, self.gate_truth, self.gate_output, self.gate_block, self.gate_delay, self.gate_energy,
            self.fanout_start, self.fanout_gate, self.fanout_pin,
            self.flop_inputs, self.flop_truth, self.flop_output, self.flop_block, self.flop_delay, self.flop_energy,
            self.net_energy, np.array(watched, np.int32), energy, glitch_free, toggles, settled, seen,
        )  # fmt: skip
        outputs, at = {}, 0
        for name, bits in self.netlist.outputs.items():
            weights = np.array([1 << i for i in range(len(bits))], object)
            outputs[name] = (seen[:, at : at + len(bits)].astype(object) * weights).sum(axis=1)
            at += len(bits)
        return Trace(energy, glitch_free, toggles, settled, outputs)


def _mean(pairs: tuple[Pair, ...], edge: int, load: float, slew: float) -> float:
    """pJ of an edge: the mean of the tables that there are, for conditions that are not told apart."""
    return sum(pair[edge](load, slew) for pair in pairs) / len(pairs) if pairs else 0.0


@njit(cache=True)
def _row(value, inputs):
    index = np.uint64(0)
    for p in range(PINS):
        index |= np.uint64(value[inputs[p]]) << np.uint64(p)
    return index


@njit(cache=True)
def _evaluate(value, inputs, truth):
    return np.uint8((truth >> _row(value, inputs)) & np.uint64(1))


@njit(cache=True)
def _push(times, events, size, time, event):
    """Put an event into the heap of `size`."""
    i = size
    while i > 0:
        parent = (i - 1) >> 1
        if times[parent] <= time:
            break
        times[i], events[i] = times[parent], events[parent]
        i = parent
    times[i], events[i] = time, event


@njit(cache=True)
def _pop(times, events, size):
    """Remove the first event of the heap of `size`."""
    last = size - 1
    time, event = times[last], events[last]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= last:
            break
        if child + 1 < last and times[child + 1] < times[child]:
            child += 1
        if times[child] >= time:
            break
        times[i], events[i] = times[child], events[child]
        i = child
    times[i], events[i] = time, event


@njit(cache=True)
def _simulate(
    stimulus, input_nets, input_delay, value,
    gate_inputs, gate_truth, gate_output, gate_block, gate_delay, gate_energy,
    fanout_start, fanout_gate, fanout_pin,
    flop_inputs, flop_truth, flop_output, flop_block, flop_delay, flop_energy,
    net_energy, watched, energy, glitch_free, toggles, settled, seen,
):  # fmt: skip
    """An event is a source that changes: a gate, then the flip-flops, then the inputs, numbered through.

    A gate has at most one event on its way. An input that changes the mind of a gate before its output has changed
    takes the event back: a pulse shorter than the delay does not pass.
    """
    gates, flops, inputs = len(gate_output), len(flop_output), len(input_nets)
    blocks = net_energy.shape[2]
    sources = gates + flops + inputs
    stamp = np.zeros(sources, np.int64)
    pending = np.zeros(sources, np.bool_)
    cause = np.zeros(sources, np.int32)
    times = np.empty(8 * sources + 64)
    events = np.empty(8 * sources + 64, np.int64)
    net_of = np.empty(sources, np.int32)
    net_of[:gates], net_of[gates : gates + flops], net_of[gates + flops :] = gate_output, flop_output, input_nets
    block_of = np.zeros(sources, np.int32)
    block_of[:gates], block_of[gates : gates + flops] = gate_block, flop_block

    # A settled start: everything as its inputs, which are 0, say.
    for g in range(gates):
        value[gate_output[g]] = _evaluate(value, gate_inputs[g], gate_truth[g])
    index = np.zeros(gates, np.uint64)  # of each gate's row in its truth table
    for g in range(gates):
        index[g] = _row(value, gate_inputs[g])
    before = value.copy()

    for cycle in range(len(stimulus)):
        before[:] = value
        size = 0
        for f in range(flops):
            new = _evaluate(before, flop_inputs[f], flop_truth[f])
            if new != before[flop_output[f]]:
                source = gates + f
                pending[source] = True
                stamp[source] += 1
                _push(times, events, size, flop_delay[f, 1 - new], stamp[source] * sources + source)
                size += 1
        for i in range(inputs):
            new = stimulus[cycle, i]
            if new != before[input_nets[i]]:
                source = gates + flops + i
                pending[source] = True
                stamp[source] += 1
                _push(times, events, size, input_delay[i, 1 - new], stamp[source] * sources + source)
                size += 1
        while size:
            now, event = times[0], events[0]
            _pop(times, events, size)
            size -= 1
            source = event % sources
            if not pending[source] or event // sources != stamp[source]:
                continue
            pending[source] = False
            net = net_of[source]
            value[net] ^= 1
            edge = 1 - value[net]
            block = block_of[source]
            toggles[cycle, block] += 1
            if source < gates:
                energy[cycle, block] += gate_energy[source, cause[source], edge]
            elif source < gates + flops:
                energy[cycle, block] += flop_energy[source - gates, edge]
            for b in range(blocks):
                energy[cycle, b] += net_energy[net, edge, b]
            for k in range(fanout_start[net], fanout_start[net + 1]):
                g = fanout_gate[k]
                index[g] ^= np.uint64(1) << np.uint64(fanout_pin[k])
                new = np.uint8((gate_truth[g] >> index[g]) & np.uint64(1))
                if new == value[gate_output[g]]:
                    pending[g] = False
                elif not pending[g]:
                    pending[g] = True
                    stamp[g] += 1
                    cause[g] = fanout_pin[k]
                    if size == len(times):
                        raise MemoryError
                    _push(times, events, size, now + gate_delay[g, fanout_pin[k], 1 - new], stamp[g] * sources + g)
                    size += 1
        for source in range(sources):
            net = net_of[source]
            if value[net] != before[net]:
                edge = 1 - value[net]
                block = block_of[source]
                settled[cycle, block] += 1
                if source < gates:
                    mean, pins = 0.0, 0
                    for p in range(PINS):
                        if gate_energy[source, p, edge] != 0.0:
                            mean += gate_energy[source, p, edge]
                            pins += 1
                    if pins:
                        glitch_free[cycle, block] += mean / pins
                elif source < gates + flops:
                    glitch_free[cycle, block] += flop_energy[source - gates, edge]
                for b in range(blocks):
                    glitch_free[cycle, b] += net_energy[net, edge, b]
        for w in range(len(watched)):
            seen[cycle, w] = value[watched[w]]
