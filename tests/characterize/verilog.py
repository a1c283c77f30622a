"""Netlists in Icarus Verilog: the settled and all changes of every net, cycle by cycle."""

import re
import subprocess

PERIOD = 1_000_000
"""Units of time of a cycle; one passes before the first, for everything to settle."""


def changes(directory, sources, iverilog):
    """(all, settled): how often the nets n2, n3... of `bench` changed in each cycle, and how many differ at its end."""
    program = directory / "bench.vvp"
    subprocess.run([iverilog, "-g2005", "-o", program, *sources], check=True, cwd=directory, capture_output=True)
    subprocess.run([program], check=True, cwd=directory, capture_output=True)
    names, value, before, counts, settled, cycle = set(), {}, {}, [], [], -1
    for line in [*(directory / "bench.vcd").read_text().splitlines(), "#end"]:
        if match := re.match(r"\$var \w+ 1 (\S+) n\d+ ", line):
            names.add(match[1])
        elif line.startswith("#"):
            new = -1 if line == "#end" else int(line[1:]) // PERIOD
            if new != cycle:
                settled.append(sum(value[net] != before.get(net) for net in value))
                before, cycle = dict(value), new
                counts += [0] * (new + 1 - len(counts))
                settled += [0] * (new - len(settled))
        elif line[:1] in "01" and line[1:] in names and counts:
            value[line[1:]] = line[0]
            counts[cycle] += 1
    return counts[1:], settled[2:]


def stimulus(vectors, ports):
    """The bits of a cycle's inputs as one number, and their total width."""
    rows, width = [0] * len(next(iter(vectors.values()))), 0
    for name, bits in ports.items():
        if name in vectors:
            for cycle, value in enumerate(vectors[name]):
                rows[cycle] |= int(value) << width
        width += len(bits)
    return rows, width


def bench(netlist, body, vectors, scale="1fs"):
    """A module with all nets, `body` that drives them, the clock, and inputs `pin` that change with its edge."""
    rows, width = stimulus(vectors, netlist.inputs)
    nets = ", ".join(f"n{n}" for n in range(2, netlist.nets))
    cases = " ".join(f"{cycle}: pin = {width}'h{row:x};" for cycle, row in enumerate(rows))
    return f"""
`timescale {scale}/{scale}
module bench;
  reg clock = 0;
  reg [{width - 1}:0] pin = 0;
  wire {nets};
  integer cycle;
  {body}
  initial begin
    $dumpfile("bench.vcd");
    $dumpvars(1, bench);
    #{PERIOD};
    for (cycle = 0; cycle < {len(rows)}; cycle = cycle + 1) begin
      clock = 1;
      case (cycle) {cases} endcase
      #{PERIOD // 2} clock = 0;
      #{PERIOD // 2};
    end
    $finish;
  end
endmodule
"""


def zero_delay(netlist, vectors):
    """The netlist in the cells of the library's own Verilog, without delays. Inputs change just behind the clock."""
    lines = []
    at = 0
    for bits in netlist.inputs.values():
        for net in bits:
            lines.append(f"assign #1 n{net} = pin[{at}];")
            at += 1
    for index, instance in enumerate(netlist.instances):
        pins = {
            pin: "clock" if net == netlist.clock else f"1'b{net}" if net < 2 else f"n{net}"
            for pin, net in instance.pins.items()
        }
        lines.append(f"{instance.cell.name} u{index}({', '.join(f'.{p}({n})' for p, n in pins.items())});")
    return bench(netlist, "\n  ".join(lines), vectors)


def with_delays(circuitry, vectors, unit):
    """Every gate an assignment with its delays for a rise and a fall, those of its first input; `unit` ns."""
    netlist = circuitry.netlist

    def delays(pair):
        return f"#({', '.join(str(round(d / unit)) for d in pair)})"

    def net(number):
        return f"1'b{number}" if number < 2 else f"n{number}"

    def row(inputs):
        return "{" + ", ".join(net(n) for n in reversed(inputs)) + "}"

    lines = []
    for at, (number, pair) in enumerate(zip(circuitry.input_nets, circuitry.input_delay, strict=True)):
        lines.append(f"assign {delays(pair)} n{number} = pin[{at}];")
    for g, number in enumerate(circuitry.gate_output):
        truth = f"64'h{int(circuitry.gate_truth[g]):x} >> {row(circuitry.gate_inputs[g])}"
        lines.append(f"wire g{g} = {truth}; assign {delays(circuitry.gate_delay[g, 0])} n{number} = g{g};")
    for f, number in enumerate(circuitry.flop_output):
        lines.append(f"wire [63:0] s{f} = 64'h{int(circuitry.flop_truth[f]):x}; reg q{f} = 0;")
        lines.append(f"always @(posedge clock) q{f} <= s{f}[{row(circuitry.flop_inputs[f])}];")
        lines.append(f"assign {delays(circuitry.flop_delay[f])} n{number} = q{f};")
    return bench(netlist, "\n  ".join(lines), vectors)
