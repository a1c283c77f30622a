"""Arithmetic units between ports: the project's own RTL, wrapped for synthesis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from litex.gen.fhdl.verilog import convert
from migen import Cat, ClockDomain, Constant, If, Module, Record, Replicate, Signal

from accel_rtl.array import accumulator_class
from accel_rtl.config import AcceleratorConfig
from accel_rtl.decode import Decoder, operand_layout
from accel_rtl.form import InternalForm
from accel_rtl.multiply import Multiplier
from accel_rtl.round import Rounder
from pyhost.formats import parse_format

__all__ = ["TOP", "Block", "Design", "decoder", "element", "fused_multiply_add", "integer_mac", "rounder"]

TOP = "top"
ACCUMULATOR_BITS = 32
"""Of the integer unit."""


@dataclass(frozen=True)
class Block:
    """A unit: the Verilog of module `name`, and widths by port, which are pins `port_pin`, `clk` besides.

    Ports of the same name are connected in a design.
    """

    name: str
    verilog: str
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]

    @classmethod
    def of(cls, name: str, module: Module, inputs: dict[str, Signal], outputs: dict[str, Signal]) -> "Block":
        """The block of a Migen module. There is no reset, for nothing in a unit needs one."""
        top = Module()
        top.clock_domains.cd_sys = ClockDomain("sys", reset_less=True)
        top.cd_sys.clk.name_override = "clk"
        top.submodules += module
        pins = {top.cd_sys.clk}
        for port, signal in (inputs | outputs).items():
            pin = Signal(len(signal), name_override=f"{port}_pin")
            top.comb += signal.eq(pin) if port in inputs else pin.eq(signal)
            pins.add(pin)
        widths = ({port: len(signal) for port, signal in side.items()} for side in (inputs, outputs))
        return cls(name, str(convert(top, pins, name=name)), *widths)


@dataclass(frozen=True)
class Design:
    """Blocks side by side: an input that no block drives is the design's own, and so is an output that none takes."""

    blocks: Sequence[Block]

    @property
    def inputs(self) -> dict[str, int]:
        """Widths of the design's inputs."""
        driven = {port for block in self.blocks for port in block.outputs}
        return {port: w for block in self.blocks for port, w in block.inputs.items() if port not in driven}

    @property
    def outputs(self) -> dict[str, int]:
        """Widths of the design's outputs."""
        taken = {port for block in self.blocks for port in block.inputs}
        return {port: w for block in self.blocks for port, w in block.outputs.items() if port not in taken}

    def verilog(self) -> str:
        """All modules; the one that holds them is TOP."""
        ports = [f"input [{w - 1}:0] {port}" for port, w in self.inputs.items()]
        ports += [f"output [{w - 1}:0] {port}" for port, w in self.outputs.items()]
        lines = [f"module {TOP}(input clk, {', '.join(ports)});"]
        own = self.inputs | self.outputs
        for block in self.blocks:
            lines += [f"wire [{w - 1}:0] {port};" for port, w in block.outputs.items() if port not in own]
        for block in self.blocks:
            pins = "".join(f", .{port}_pin({port})" for port in (*block.inputs, *block.outputs))
            lines.append(f"{block.name} {block.name}(.clk(clk){pins});")
        return "\n".join([*(block.verilog for block in self.blocks), *lines, "endmodule", ""])


def _fields(prefix: str, record: Record, signals: Sequence[str]) -> dict[str, Signal]:
    return {f"{prefix}_{name}": getattr(record, name) for name in signals}


def _names(layout: Sequence[tuple]) -> list[str]:
    return [name for name, *_ in layout]


def decoder(formats: Sequence[str]) -> Design:
    """An operand's decoder at the array's edge, and the register behind it: codes in, operands out a cycle later."""
    known = [parse_format(name) for name in formats]
    form = InternalForm.of(known)
    module = Module()
    module.submodules.decoder = decode = Decoder(known, form)
    operand = Record(operand_layout(form), reset_less=True)
    module.sync += operand.eq(decode.value)
    inputs = {"code": decode.code} | ({"format": decode.format} if len(known) > 1 else {})
    return Design([Block.of("decode", module, inputs, _fields("value", operand, _names(operand_layout(form))))])


def element(formats: Sequence[str], accumulator: str) -> Design:
    """A processing element: the multiplier and the accumulator of an array; a chain rounds its steps to nearest."""
    config = AcceleratorConfig(rows=1, columns=1, operand_formats=tuple(formats), accumulator=accumulator)
    multiplier = Multiplier(config.form)
    unit = accumulator_class(config)(config)
    fields = _names(operand_layout(config.form))
    # What the accumulator does not look at is not made, as in an array that is synthesised as a whole.
    flags = {"zero", "infinity", "nan"} if config.exact else set()
    used = [name for name in fields if name not in flags]
    outputs = _fields("product", multiplier.product, used)
    inputs = _fields("product", unit.product, used)
    operands = _fields("a", multiplier.a, used) | _fields("b", multiplier.b, used)
    inputs |= {"step": unit.step, "first": unit.first, "enable": unit.enable}
    words = {f"word{i}": word for i, word in enumerate(unit.words)}
    return Design([Block.of("multiply", multiplier, operands, outputs), Block.of("accumulate", unit, inputs, words)])


class _FusedMultiplyAdd(Module):
    """acc = round(acc + a * b), of codes: two decoders, a register, a multiplier, a chain rounded to nearest even."""

    def __init__(self, name: str) -> None:
        config = AcceleratorConfig(rows=1, columns=1, operand_formats=(name,), accumulator=name)
        self.submodules.multiplier = multiplier = Multiplier(config.form)
        self.submodules.accumulator = self.accumulator = accumulator_class(config)(config)
        self.codes = []
        for operand in (multiplier.a, multiplier.b):
            decode = Decoder(config.operands, config.form)
            self.submodules += decode
            self.codes.append(decode.code)
            register = Record(operand_layout(config.form), reset_less=True)
            self.sync += register.eq(decode.value)
            self.comb += operand.eq(register)
        self.first = Signal()
        first = Signal(reset_less=True)
        self.sync += first.eq(self.first)
        self.comb += [
            self.accumulator.product.eq(multiplier.product),
            self.accumulator.step.eq(1),
            self.accumulator.enable.eq(1),
            self.accumulator.first.eq(first),
        ]


def fused_multiply_add(name: str) -> Design:
    """acc = round(acc + a * b) with operands and sum in one IEEE format, from codes to a code, one a cycle."""
    unit = _FusedMultiplyAdd(name)
    inputs = {"a": unit.codes[0], "b": unit.codes[1], "first": unit.first}
    return Design([Block.of("fma", unit, inputs, {"word0": unit.accumulator.words[0]})])


class _IntegerMac(Module):
    """acc += a * b, of registered integers of 8 bits, in 32.

    The product is that of Baugh and Wooley (1973), for Yosys multiplies signed numbers as if they were 16 bits wide.
    """

    def __init__(self) -> None:
        self.a, self.b = Signal(8), Signal(8)
        self.first = Signal()
        self.acc = Signal(ACCUMULATOR_BITS, reset_less=True)

        ###

        a, b, first = Signal(8, reset_less=True), Signal(8, reset_less=True), Signal(reset_less=True)
        old, product = Signal(ACCUMULATOR_BITS), Signal(16)
        negative_a, negative_b = (~(x[:7] & Replicate(y[7], 7)) for x, y in ((b, a), (a, b)))
        zeros = Constant(0, 7)
        self.comb += [
            product.eq(
                a[:7] * b[:7]
                + Cat(zeros, negative_a[:7], a[7] & b[7])
                + Cat(zeros, negative_b[:7])
                + Constant((1 << 15) | (1 << 8), 16)
            ),
            If(~first, old.eq(self.acc)),
        ]
        extended = Cat(product, Replicate(product[15], ACCUMULATOR_BITS - 16))
        self.sync += [a.eq(self.a), b.eq(self.b), first.eq(self.first), self.acc.eq(old + extended)]


def integer_mac() -> Design:
    """acc += a * b, of integers of 8 bits in 32, their registers included as in `fused_multiply_add`."""
    unit = _IntegerMac()
    inputs = {"a": unit.a, "b": unit.b, "first": unit.first}
    return Design([Block.of("int8_mac", unit, inputs, {"word0": unit.acc})])


def rounder(formats: Sequence[str]) -> Design:
    """The rounder of a write-back lane, in two cycles, as the product builds it: stochastic rounding included."""
    known = [parse_format(name) for name in formats]
    bits = Rounder.significand_bits_needed(known, True)
    unit = Rounder(known, bits, stochastic=True, pipelined=True)
    inputs = {f"number_{n}": getattr(unit.number, n) for n, *_ in unit.number.layout}
    inputs |= {"saturate": unit.saturate, "mode": unit.mode, "random": unit.random, "random_bits": unit.random_bits}
    inputs |= {"format": unit.format} if len(known) > 1 else {}
    return Design([Block.of("round", unit, inputs, {"code": unit.code})])
