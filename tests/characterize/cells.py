"""A small technology, written as a Liberty file in any units: nobody's, with round numbers."""

FUNCTIONS = {
    "INV": ("!A", 1.0),
    "BUF": ("A", 2.0),
    "NAND": ("!(A B)", 2.0),
    "NOR": ("!(A + B)", 2.0),
    "XOR": ("A ^ B", 4.0),
}
"""Function and area in um2."""


def liberty(*, time="1ns", capacitance=(1, "pf"), power="1nW", swapped=False, wire_load=False):
    """The library at 2 V. `swapped` exchanges the axes of the tables.

    An input has 0.01 pF. A delay is 0.1 ns + 2 ns/pF * load + 0.5 * transition, twice that for a fall, a transition
    0.05 ns + 1 ns/pF * load. A rise takes 0.02 pJ, a fall 0.04 pJ, each as much again for a ns of transition.
    """
    ns = {"1ns": 1.0, "1ps": 1e3, "10ps": 1e2}[time]
    pf = {"pf": 1.0, "ff": 1e3}[capacitance[1]] / capacitance[0]
    nw = {"1nW": 1.0, "1uW": 1e-3}[power]
    pj = pf  # times volts squared, whose unit is 1
    loads, slews = (0.0, 0.1, 0.4), (0.0, 1.0)

    def table(name, function, unit, template="grid"):
        points = [loads, slews]
        rows = [[function(load, slew) * unit for slew in slews] for load in loads]
        if swapped:
            points, rows = points[::-1], [list(column) for column in zip(*rows, strict=True)]
        units = [ns, pf] if swapped else [pf, ns]
        lines = [
            f'index_{i} ("{", ".join(f"{p * u:.9g}" for p in axis)}");'
            for i, (axis, u) in enumerate(zip(points, units, strict=True), 1)
        ]
        values = ", ".join('"' + ", ".join(f"{v:.9g}" for v in row) + '"' for row in rows)
        return f"{name}({template}) {{ {' '.join(lines)} values({values}); }}"

    def delay(load, slew):
        return 0.1 + 2 * load + 0.5 * slew

    def transition(load, slew):
        return 0.05 + load

    def energy(load, slew):
        return 0.02 * (1 + slew)

    timing = " ".join(
        [
            table("cell_rise", delay, ns),
            table("cell_fall", lambda load, slew: 2 * delay(load, slew), ns),
            table("rise_transition", transition, ns),
            table("fall_transition", transition, ns),
        ]
    )
    power_tables = " ".join(
        [
            table("rise_power", energy, pj, "energy"),
            table("fall_power", lambda load, slew: 2 * energy(load, slew), pj, "energy"),
        ]
    )

    def pin(name, more=""):
        return f"pin({name}) {{ direction : input; capacitance : {0.01 * pf:.9g}; {more} }}"

    cells = []
    for name, (function, area) in FUNCTIONS.items():
        inputs = [i for i in "AB" if i in function]
        sense = "non_unate" if "^" in function else "negative_unate" if "!" in function else "positive_unate"
        arcs = "".join(
            f'timing() {{ related_pin : "{i}"; timing_sense : {sense}; {timing} }}'
            f'internal_power() {{ related_pin : "{i}"; {power_tables} }}'
            for i in inputs
        )
        output = f'pin(Y) {{ direction : output; function : "{function}"; {arcs} }}'
        pins = " ".join(map(pin, inputs))
        cells.append(f"cell({name}) {{ area : {area}; cell_leakage_power : {area * nw}; {pins} {output} }}")
    constraint = 'rise_constraint(scalar) { values("%g"); } fall_constraint(scalar) { values("%g"); }' % (
        (0.1 * ns,) * 2
    )
    setup = f'timing() {{ related_pin : "CLK"; timing_type : setup_rising; {constraint} }}'
    from_clock = (
        f'timing() {{ related_pin : "CLK"; timing_type : rising_edge; timing_sense : non_unate; {timing} }}'
        f'internal_power() {{ related_pin : "CLK"; {power_tables} }}'
    )
    cells.append(
        f"cell(DFF) {{ area : 8; cell_leakage_power : {8 * nw}; "
        f'ff(IQ, IQN) {{ clocked_on : "CLK"; next_state : "D"; }} {pin("CLK", "clock : true;")} {pin("D", setup)} '
        f'pin(Q) {{ direction : output; function : "IQ"; {from_clock} }} }}'
    )
    axes = [("total_output_net_capacitance", loads, pf), ("input_net_transition", slews, ns)]
    axes = axes[::-1] if swapped else axes
    points = [f'index_{i} ("{", ".join(f"{p * u:.9g}" for p in axis)}");' for i, (_, axis, u) in enumerate(axes, 1)]
    names = " ".join(f"variable_{i} : {name};" for i, (name, _, _) in enumerate(axes, 1))
    grid = f"lu_table_template(grid) {{ {names} {' '.join(points)} }}"
    names = names.replace("net_transition", "transition_time")
    power_grid = f"power_lut_template(energy) {{ {names} {' '.join(points)} }}"
    wires = ""
    if wire_load:
        wires = (
            f'default_wire_load : "small"; wire_load("small") {{ capacitance : {0.001 * pf:.9g}; slope : 4; '
            "fanout_length(1, 2); fanout_length(3, 8); }"
        )
    return (
        f'library(toy_stdcells) {{ time_unit : "{time}"; voltage_unit : "1V"; leakage_power_unit : "{power}"; '
        f"capacitive_load_unit({capacitance[0]}, {capacitance[1]}); nom_voltage : 2.0; nom_temperature : 25; "
        f"{grid} {power_grid} {wires} {' '.join(cells)} }}"
    )
