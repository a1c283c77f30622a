"""The one place that rounds: a number of any precision becomes a code, in one of three rounding modes."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from migen import If, Module, Mux, Record, Signal

from accel_rtl.bits import constants, index_bits
from accel_rtl.config import AcceleratorConfigError
from accel_rtl.form import HardwareFormat
from accel_rtl.line import Position
from pyhost import timing
from pyhost.formats import BinaryFormat, P3109Format, PositFormat

__all__ = ["EXPONENT_BITS", "NEAREST_EVEN", "RANDOM_BITS", "STOCHASTIC", "TOWARD_ZERO", "Rounder", "unrounded_layout"]

EXPONENT_BITS = 13
"""Exponents before rounding are signed: formats reach 2^+-300, products twice that, and scale adds +-1023."""

NEAREST_EVEN, TOWARD_ZERO, STOCHASTIC = range(3)
"""Rounding modes, numbered as `enum rounding` of firmware/plan.h."""

RANDOM_BITS = 24
"""Most random bits of a stochastic rounding."""


def unrounded_layout(significand_bits: int) -> list[tuple]:
    """(-1)^sign * 2^exponent * significand / 2^(significand_bits - 1), plus less than a last bit where sticky is set.

    The significand's top bit is set unless one of zero, infinity and nan is; then only sign counts.
    """
    return [
        ("sign", 1),
        ("exponent", (EXPONENT_BITS, True)),
        ("significand", significand_bits),
        ("sticky", 1),
        ("zero", 1),
        ("infinity", 1),
        ("nan", 1),
    ]


class Rounder(Module):
    """code = round(number) in the selected format; combinational, or LATENCY cycles if `pipelined`.

    =========== ========= ===============================================================================
    signal      direction meaning
    =========== ========= ===============================================================================
    number      in        record of `unrounded_layout(significand_bits)`
    format      in        index into `formats`
    saturate    in        1: overflow and infinities become the largest finite value
    mode        in        NEAREST_EVEN, TOWARD_ZERO or, with `stochastic`, STOCHASTIC
    random      in        with `stochastic`: the 24 most significant bits of the number's random word
    random_bits in        with `stochastic`: how many of them count, the most significant: 1 to 24
    code        out       right-aligned, as wide as the widest format
    =========== ========= ===============================================================================

    A magnitude's code grows with its value through subnormals, binades and beyond. So a magnitude has a position on
    the line of codes, a fixed-point number: the code at or below it, and the rest of the way to the next. The first
    half of the block is `Position`; the second adds what the mode asks for, and a carry out of the rest is the next
    code, be it in the next binade or beyond the largest, which one comparison tells. The addend, in codes:

        nearest even    1/2 where the code below is odd, else just less
        toward zero     0
        stochastic      the random integer / 2^random_bits

    Whatever is lost below the rest is or-ed into its last bit, so that `significand_bits` should be at least
    `significand_bits_needed`, or sticky never set.

    Raises AcceleratorConfigError where `formats` is empty or `significand_bits` below 2.
    """

    LATENCY = timing.ROUNDER

    @staticmethod
    def significand_bits_needed(formats: Sequence[HardwareFormat], stochastic: bool) -> int:
        """Bits of a significand that decide by themselves; of those below, it is enough to know if all are zero."""
        return max(f.precision for f in formats) + (RANDOM_BITS if stochastic else 1)

    def __init__(
        self,
        formats: Sequence[HardwareFormat],
        significand_bits: int,
        *,
        stochastic: bool = False,
        pipelined: bool = False,
    ) -> None:
        if not formats or significand_bits < 2:
            raise AcceleratorConfigError("a rounder needs at least one format and a significand of two bits")
        self.number = Record(unrounded_layout(significand_bits))
        self.format = Signal(index_bits(len(formats)))
        self.saturate = Signal()
        self.mode = Signal(2)
        self.random = Signal(RANDOM_BITS)
        self.random_bits = Signal(index_bits(RANDOM_BITS + 1))
        self.code = Signal(max(f.bits for f in formats))

        ###

        self._pipelined = pipelined
        # The rest has a bit below all those that decide, for what is lost.
        position = Position(self.number, formats, (RANDOM_BITS if stochastic else 1) + 1)
        self.submodules.position = position
        self.comb += position.format.eq(self.format)
        random = None
        if stochastic:
            random = Signal(RANDOM_BITS)
            self.comb += random.eq(self.random & ~(((1 << RANDOM_BITS) - 1) >> self.random_bits))
            random = self._registered(random)
        mode = self._registered(self.mode)
        line = self._round(self._registered(position.position), position.rest_bits, mode, random)
        self._encode(formats, line, self._registered(position.huge), mode)

    def _registered(self, signal: Signal) -> Signal:
        """`signal` as the second half sees it."""
        if not self._pipelined:
            return signal
        register = Signal.like(signal, reset_less=True)
        self.sync += register.eq(signal)
        return register

    def _round(self, position: Signal, rest_bits: int, mode: Signal, random: Signal | None) -> Signal:
        """The code that the magnitude becomes, if the format has it."""
        half = 1 << (rest_bits - 1)
        addend, total = Signal(rest_bits), Signal(len(position) + 1)
        self.comb += [
            If(mode == NEAREST_EVEN, addend.eq(Mux(position[rest_bits], half, half - 1))),
            total.eq(position + addend),
        ]
        if random is not None:
            self.comb += If(mode == STOCHASTIC, addend.eq(random << (rest_bits - RANDOM_BITS)))
        return total[rest_bits:]

    def _encode(self, formats: Sequence[HardwareFormat], line: Signal, huge: Signal, mode: Signal) -> None:
        """What the format does not have, specials and the sign."""
        sign, zero, infinity, nan = (
            self._registered(getattr(self.number, name)) for name in ("sign", "zero", "infinity", "nan")
        )
        saturate = self._registered(self.saturate)
        ends = [_Ends.of(f) for f in formats]
        signals, choice = constants(self._registered(self.format), {i: astuple(e) for i, e in enumerate(ends)})
        f = _Ends(*signals)
        overflow, clamp, is_nan, negative = Signal(), Signal(), Signal(), Signal()
        magnitude, code = Signal(len(self.code)), Signal(len(self.code))
        self.comb += [
            choice,
            overflow.eq(infinity | (~zero & (huge | (line > f.largest)))),
            clamp.eq(saturate | ((mode == TOWARD_ZERO) & ~infinity)),
            is_nan.eq(nan | (overflow & ~clamp & (f.beyond == f.nan))),
            If(
                overflow,
                magnitude.eq(Mux(clamp, f.largest, f.beyond)),
            ).Elif(
                ~zero,
                magnitude.eq(Mux(line < f.least, f.below_least, line)),
            ),
            negative.eq(sign & (magnitude != 0)),
            code.eq(magnitude),
            If(negative | (sign & f.negative_zero), code.eq(magnitude | f.sign)),
            self.code.eq(Mux(is_nan, f.nan, code)),
        ]
        if any(isinstance(f, PositFormat) for f in formats):
            self.comb += If(
                f.posit,
                If(infinity & ~saturate, is_nan.eq(1)),
                If(negative, code.eq((f.sign << 1) - magnitude)),
            )
        if any(isinstance(f, P3109Format) and not f.signed for f in formats):
            self.comb += If(f.unsigned & negative, is_nan.eq(nan | ~saturate), code.eq(0))


@dataclass(frozen=True)
class _Ends:
    """The ends of a format's line of codes, and its specials; magnitudes are codes without sign."""

    largest: int
    beyond: int  # what overflow and infinity become, be it NaN
    least: int  # what rounds to less becomes `below_least`
    below_least: int
    nan: int
    sign: int  # weight of the sign bit
    negative_zero: bool = False
    posit: bool = False  # infinity becomes NaN, and negative codes are two's complements
    unsigned: bool = False  # negative numbers become NaN, or 0 if they saturate

    @classmethod
    def of(cls, f: HardwareFormat) -> "_Ends":
        sign = 1 << (f.bits - 1)
        match f:
            case PositFormat():
                return cls(sign - 1, sign - 1, 1, 1, f.nan_code, sign, posit=True)
            case P3109Format():
                beyond = f.largest_code + 1 if f.extended else f.nan_code
                return cls(f.largest_code, beyond, 0, 0, f.nan_code, sign, unsigned=not f.signed)
            case BinaryFormat():
                beyond = f.largest_code if f.style == "finite" else f.inf_code if f.has_inf else f.nan_code
                least = 0 if f.subnormals else 1 << f.fraction_bits
                return cls(f.largest_code, beyond, least, 0, f.nan_code, sign, negative_zero=f.style != "fnuz")
