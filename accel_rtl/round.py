"""The one place that rounds: a number of any precision becomes a code, in one of three rounding modes."""

from collections.abc import Callable

from migen import Case, Cat, If, Module, Mux, Record, Signal

from accel_rtl.bits import index_bits
from accel_rtl.config import AcceleratorConfigError
from pyhost.formats import BinaryFormat

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
    half of the block aligns the significand there; the second adds what the mode asks for, and a carry out of the rest
    is the next code, be it in the next binade or beyond the largest, which one comparison tells. The addend, in codes:

        nearest even    1/2 where the code below is odd, else just less
        toward zero     0
        stochastic      the random integer / 2^random_bits

    Whatever is lost below the rest is or-ed into its last bit, so that `significand_bits` should be at least
    `significand_bits_needed`, or sticky never set.

    Raises AcceleratorConfigError where `formats` is empty or `significand_bits` below 2.
    """

    LATENCY = 1

    @staticmethod
    def significand_bits_needed(formats: tuple[BinaryFormat, ...], stochastic: bool) -> int:
        """Bits of a significand that decide by themselves; of those below, it is enough to know if all are zero."""
        return max(f.precision for f in formats) + (RANDOM_BITS if stochastic else 1)

    def __init__(
        self,
        formats: tuple[BinaryFormat, ...],
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

        self._formats = formats
        self._pipelined = pipelined
        self._fraction_max = max(f.fraction_bits for f in formats)
        self._exponent_max = max(f.exponent_bits for f in formats)
        # The rest has a bit below all those that decide, for what is lost.
        width = max(significand_bits, self._fraction_max + 1 + (RANDOM_BITS if stochastic else 1) + 1)
        self._rest_bits = width - self._fraction_max - 1

        position, huge = self._align(width)
        if stochastic:
            random = Signal(RANDOM_BITS)
            self.comb += random.eq(self.random & ~(((1 << RANDOM_BITS) - 1) >> self.random_bits))
            random = self._registered(random)
        mode = self._registered(self.mode)
        line = self._round(self._registered(position), mode, random if stochastic else None)
        self._encode(line, self._registered(huge), mode)

    def _registered(self, signal: Signal) -> Signal:
        """`signal` as the second half sees it."""
        if not self._pipelined:
            return signal
        register = Signal.like(signal, reset_less=True)
        self.sync += register.eq(signal)
        return register

    def _select(self, index: Signal, *constants: Callable[[BinaryFormat], int], signed: bool = False) -> list[Signal]:
        """A signal for each function of a format: its value for the format `index`."""
        signals, choices = [], {i: [] for i in range(len(self._formats))}
        for constant in constants:
            values = [int(constant(f)) for f in self._formats]
            signals.append(Signal((max(1, *(v.bit_length() for v in values)) + signed, signed)))
            for statements, value in zip(choices.values(), values, strict=True):
                statements.append(signals[-1].eq(value))
        choices["default"] = choices.pop(len(self._formats) - 1)
        self.comb += Case(index, choices)
        return signals

    def _align(self, width: int) -> tuple[Signal, Signal]:
        """The position on the line of codes, and whether its exponent is beyond all formats'."""
        number = self.number
        # The exponent field of a normal number. Others shift down by as much as they lack, or by all there is.
        field, shift = Signal((EXPONENT_BITS + 1, True)), Signal((EXPONENT_BITS + 1, True))
        normal, huge = Signal(), Signal()
        amount = Signal(width.bit_length())
        furthest = (1 << len(amount)) - 1
        bias, shift_normal, shift_subnormal = self._select(
            self.format,
            lambda f: f.bias,
            lambda f: self._fraction_max - f.fraction_bits,
            lambda f: self._fraction_max - f.fraction_bits + 1 - f.bias,
            signed=True,
        )
        self.comb += [
            field.eq(number.exponent + bias),
            shift.eq(shift_subnormal - number.exponent),
            normal.eq(field > 0),
            huge.eq(field >= (1 << self._exponent_max)),
            amount.eq(Mux(normal, shift_normal, Mux(shift > furthest, furthest, shift))),
        ]

        # The leading one of a normal number is in its exponent field.
        word, kept, mask, lost = (Signal(width) for _ in range(4))
        exponent, placed = Signal(self._exponent_max), Signal(self._exponent_max + self._fraction_max)
        position = Signal(len(placed) + self._rest_bits)
        choices: dict = {i: placed.eq(exponent << f.fraction_bits) for i, f in enumerate(self._formats)}
        choices["default"] = choices.pop(len(self._formats) - 1)
        self.comb += [
            word.eq(Cat(number.significand[:-1], ~normal) << (width - len(number.significand))),
            kept.eq(word >> amount),
            mask.eq(((1 << width) - 1) << amount),
            lost.eq(word & ~mask),
            If(normal, exponent.eq(field)),
            Case(self.format, choices),
            position.eq(kept | (placed << self._rest_bits) | (lost != 0) | number.sticky),
        ]
        return position, huge

    def _round(self, position: Signal, mode: Signal, random: Signal | None) -> Signal:
        """The code that the magnitude becomes, if that code is finite."""
        rest_bits = self._rest_bits
        half = 1 << (rest_bits - 1)
        addend, total = Signal(rest_bits), Signal(len(position) + 1)
        self.comb += [
            If(mode == NEAREST_EVEN, addend.eq(Mux(position[rest_bits], half, half - 1))),
            total.eq(position + addend),
        ]
        if random is not None:
            self.comb += If(mode == STOCHASTIC, addend.eq(random << (rest_bits - RANDOM_BITS)))
        return total[rest_bits:]

    def _encode(self, line: Signal, huge: Signal, mode: Signal) -> None:
        """Overflow, specials and the sign."""
        sign, zero, infinity, nan = (
            self._registered(getattr(self.number, name)) for name in ("sign", "zero", "infinity", "nan")
        )
        saturate = self._registered(self.saturate)
        largest, beyond, nan_code, sign_mask, flush_below, signed_zero = self._select(
            self._registered(self.format),
            lambda f: f.largest_code,
            lambda f: f.largest_code if f.style == "finite" else f.inf_code if f.has_inf else f.nan_code,
            lambda f: f.nan_code,
            lambda f: 1 << (f.bits - 1),
            lambda f: 0 if f.subnormals else 1 << f.fraction_bits,
            lambda f: f.style != "fnuz",
        )
        overflow, clamp, magnitude, is_nan = Signal(), Signal(), Signal(len(self.code)), Signal()
        self.comb += [
            overflow.eq(infinity | (~zero & (huge | (line > largest)))),
            clamp.eq(saturate | ((mode == TOWARD_ZERO) & ~infinity)),
            is_nan.eq(nan | (overflow & ~clamp & (beyond == nan_code))),
            If(
                overflow,
                magnitude.eq(Mux(clamp, largest, beyond)),
            ).Elif(
                ~zero & (line >= flush_below),
                magnitude.eq(line),
            ),
            If(
                is_nan,
                self.code.eq(nan_code),
            ).Else(
                self.code.eq(magnitude | Mux(sign & ((magnitude != 0) | signed_zero), sign_mask, 0)),
            ),
        ]
