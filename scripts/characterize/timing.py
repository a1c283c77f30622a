"""Loads, transitions and delays of a netlist: static timing analysis from the library's tables."""

from dataclasses import dataclass
from functools import cached_property
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from pyhost.errors import BuildError
from scripts.characterize.cells import FALL, RISE, Arc, Library, Output
from scripts.characterize.netlist import Instance, Netlist

__all__ = ["CAUSES", "Timing", "WireModel"]

CAPACITANCE_PER_UM = 0.2e-3
"""pF; Weste and Harris, CMOS VLSI Design, 4th edition, section 6.2: about 0.2 fF/um, whatever the technology."""

PITCHES_PER_SINK = 2.0
"""Length of wire to a sink, in distances of neighbouring cells; what Donath (1979) estimates for 1000 gates, halved:
his theory is an upper bound that placements beat by as much."""

CLOCK_FANOUT = 8
"""Clock pins that a buffer of the clock tree drives, for the transition of the clock."""

CAUSES = {
    "positive_unate": ((RISE,), (FALL,)),
    "negative_unate": ((FALL,), (RISE,)),
    "non_unate": ((RISE, FALL), (RISE, FALL)),
}
"""Of which input transitions an output's rising and falling come."""


@dataclass(frozen=True)
class WireModel:
    """Capacitance of a net's wire by its fanout: the library's default wire load, or one of `per_sink` pF."""

    description: str
    per_sink: float
    listed: tuple[tuple[int, float], ...] = ()

    @classmethod
    def of(cls, library: Library, netlist: Netlist, per_sink: float | None = None) -> "WireModel":
        """per_sink: in pF, instead of the library's wire load or, where it has none, of an estimate from cell areas."""
        if per_sink is not None:
            return cls(f"{1e3 * per_sink:g} fF a sink", per_sink)
        if library.wire_load is not None:
            name, listed, slope = library.wire_load
            return cls(f"wire load {name} of the library", slope, tuple(sorted(listed.items())))
        pitch = sqrt(sum(i.cell.area for i in netlist.instances) / len(netlist.instances))
        return cls(
            f"{PITCHES_PER_SINK:g} pitches of the design's mean cell a sink, {1e3 * CAPACITANCE_PER_UM:g} fF/um",
            PITCHES_PER_SINK * pitch * CAPACITANCE_PER_UM,
        )

    def capacitance(self, fanout: int) -> float:
        """pF of a net with `fanout` sinks; between the listed fanouts linear."""
        if not self.listed:
            return self.per_sink * fanout
        if fanout == 0:
            return 0.0
        fanouts, loads = zip(*self.listed, strict=True)
        if fanout > fanouts[-1]:
            return loads[-1] + self.per_sink * (fanout - fanouts[-1])
        return float(np.interp(fanout, (0, *fanouts), (0.0, *loads)))


class Timing:
    """Loads (pF), transitions (ns) and delays (ns) of `netlist`, inputs driven by flip-flops.

    load: by net, pins and wire. slew: [net, RISE or FALL], the slowest that comes. An output of the design has the load
    of a flip-flop's data pin.
    """

    def __init__(self, library: Library, netlist: Netlist, wires: WireModel) -> None:
        self.library, self.netlist, self.wires = library, netlist, wires
        self.register = min(
            (c for c in library.cells.values() if c.flip_flop and c.area > 0), key=lambda c: (c.area, c.name)
        )
        self.load = np.zeros(netlist.nets)
        data = self.register.capacitance[next(p for p in self.register.capacitance if p != self._clock_pin)]
        outputs = {bit for bits in netlist.outputs.values() for bit in bits}
        for net, sinks in enumerate(netlist.sinks):
            pins = [netlist.instances[i].cell.capacitance[pin] for i, pin in sinks] + [data] * (net in outputs)
            self.load[net] = sum(pins) + wires.capacitance(len(pins))
        self.clock_slew = self._clock_slew()
        self.slew = np.zeros((netlist.nets, 2))
        self._propagate_slews()

    @property
    def _clock_pin(self) -> str:
        assert self.register.flip_flop is not None
        return self.register.flip_flop.clock

    def _clock_slew(self) -> tuple[float, float]:
        """Transitions of a clock net of CLOCK_FANOUT flip-flops behind a row of buffers, of the best that there are."""
        load = CLOCK_FANOUT * (self.register.capacitance[self._clock_pin] + self.wires.capacitance(1))
        best = (inf, inf)
        for cell in self.library.cells.values():
            if len(cell.capacitance) != 1 or cell.flip_flop or len(cell.outputs) != 1:
                continue
            (output,) = cell.outputs.values()
            if output.truth(list(cell.capacitance)) != 0b10 or not output.arcs:
                continue
            slew = (0.0, 0.0)
            for _ in range(20):
                slew = (
                    output.arcs[0].transition[RISE](load, slew[RISE]),
                    output.arcs[0].transition[FALL](load, slew[FALL]),
                )
            best = min(best, slew, key=max)
        if best == (inf, inf):
            raise BuildError(f"{self.library.file}: no buffer for the clock")
        return best

    @cached_property
    def order(self) -> list[tuple[int, str]]:
        """(instance, output pin) of the combinational cells, after all that they depend on. BuildError for a loop."""
        instances = self.netlist.instances
        waiting = [0] * len(instances)
        driven: dict[int, list[int]] = {}
        for index, instance in enumerate(instances):
            if instance.cell.flip_flop is None:
                for pin in instance.cell.outputs:
                    if pin in instance.pins:
                        driven.setdefault(instance.pins[pin], []).append(index)
        for net in driven:
            for index, _ in self.netlist.sinks[net]:
                waiting[index] += 1
        ready = [i for i, instance in enumerate(instances) if not waiting[i] and instance.cell.flip_flop is None]
        order = []
        while ready:
            index = ready.pop()
            for pin in instances[index].cell.outputs:
                net = instances[index].pins.get(pin)
                if net is None:
                    continue
                order.append((index, pin))
                for sink, _ in self.netlist.sinks[net]:
                    waiting[sink] -= 1
                    if not waiting[sink] and instances[sink].cell.flip_flop is None:
                        ready.append(sink)
        if len({i for i, _ in order}) != sum(i.cell.flip_flop is None for i in instances):
            raise BuildError("the netlist has a combinational loop")
        return order

    def from_clock(self, output: Output, load: float) -> tuple[tuple[float, float], tuple[float, float]]:
        """(delays, transitions) of a flip-flop's output after the clock, rising and falling."""
        arcs = output.arcs
        if not arcs:
            raise BuildError(f"{self.library.file}: a flip-flop without a table of its delay")
        slew = self.clock_slew[RISE]

        def worst(kind: str, edge: int) -> float:
            return max(getattr(arc, kind)[edge](load, slew) for arc in arcs)

        delays = worst("delay", RISE), worst("delay", FALL)
        return delays, (worst("transition", RISE), worst("transition", FALL))

    @cached_property
    def input_output(self) -> Output:
        """The flip-flop output that drives the design's inputs."""
        return next(iter(self.register.outputs.values()))

    def input_delay(self, net: int) -> tuple[float, float]:
        """Delays from the clock to an input of the design, rising and falling."""
        return self.from_clock(self.input_output, self.load[net])[0]

    def _propagate_slews(self) -> None:
        for bits in self.netlist.inputs.values():
            for net in bits:
                self.slew[net] = self.from_clock(self.input_output, self.load[net])[1]
        for instance in self.netlist.instances:
            if instance.cell.flip_flop is not None:
                for pin, output in instance.cell.outputs.items():
                    if pin in instance.pins:
                        net = instance.pins[pin]
                        self.slew[net] = self.from_clock(output, self.load[net])[1]
        for index, pin in self.order:
            instance = self.netlist.instances[index]
            net = instance.pins[pin]
            for arc in instance.cell.outputs[pin].arcs:
                source = instance.pins.get(arc.pin)
                if source is None:
                    continue
                for edge in (RISE, FALL):
                    for cause in CAUSES[arc.sense][edge]:
                        slew = arc.transition[edge](self.load[net], self.slew[source, cause])
                        self.slew[net, edge] = max(self.slew[net, edge], slew)

    def arc_delay(self, instance: Instance, arc: Arc, net: int, edge: int, cause: int) -> float:
        """From an input's edge `cause` to the output's `edge`."""
        return arc.delay[edge](self.load[net], self.slew[instance.pins[arc.pin], cause])

    def slowest(self, block: int | None = None) -> float:
        """ns of the slowest path of a block, or of all: from its inputs or the clock to its outputs or a setup.

        Inputs change at time 0 and outputs have the load that they have in the design.
        """
        netlist = self.netlist
        inside = [block is None or instance.block == block for instance in netlist.instances]
        arrival: NDArray[np.float64] = np.full((netlist.nets, 2), -inf)
        driven = {
            instance.pins[pin]
            for index, instance in enumerate(netlist.instances)
            if inside[index]
            for pin in instance.cell.outputs
            if pin in instance.pins
        }
        entering = {
            net
            for net, sinks in enumerate(netlist.sinks)
            if net > 1 and net != netlist.clock and net not in driven and any(inside[i] for i, _ in sinks)
        }
        arrival[sorted(entering)] = 0.0
        for index, instance in enumerate(netlist.instances):
            if inside[index] and instance.cell.flip_flop is not None:
                for pin, output in instance.cell.outputs.items():
                    if pin in instance.pins:
                        arrival[instance.pins[pin]] = self.from_clock(output, self.load[instance.pins[pin]])[0]
        for index, pin in self.order:
            instance = netlist.instances[index]
            if not inside[index]:
                continue
            net = instance.pins[pin]
            for arc in instance.cell.outputs[pin].arcs:
                if arc.pin not in instance.pins:
                    continue
                for edge in (RISE, FALL):
                    for cause in CAUSES[arc.sense][edge]:
                        time = arrival[instance.pins[arc.pin], cause] + self.arc_delay(instance, arc, net, edge, cause)
                        arrival[net, edge] = max(arrival[net, edge], time)
        leaving = {net for net in driven if any(not inside[i] for i, _ in netlist.sinks[net])}
        leaving |= {net for bits in netlist.outputs.values() for net in bits} & driven
        ends = [float(arrival[net].max()) for net in leaving]
        for index, instance in enumerate(netlist.instances):
            if inside[index] and instance.cell.flip_flop is not None:
                for pin, pairs in instance.cell.flip_flop.setup.items():
                    net = instance.pins[pin]
                    for edge in (RISE, FALL):
                        slews = self.clock_slew[RISE], float(self.slew[net, edge])
                        ends.append(float(arrival[net, edge]) + max(pair[edge](*slews) for pair in pairs))
        return max((end for end in ends if end > -inf), default=0.0)
