"""Leading bits, scaling and the exact sum of the write-back, against exact rationals."""

from fractions import Fraction

import numpy as np
import pytest
from migen import Module

from accel_rtl.add import Adder
from accel_rtl.config import InternalForm
from accel_rtl.decode import BinaryDecoder
from accel_rtl.normalize import LeadingBits
from accel_rtl.scale import SCALE_LIMIT, Scaler
from pyhost.formats import parse_format
from pyhost.golden.reference import round_to_odd
from tests.rtl.dut import Dut
from tests.rtl.jobs import random_codes

pytestmark = [pytest.mark.hardware, pytest.mark.slow]

NUMBER = ("sign", "exponent", "significand", "sticky", "zero", "infinity", "nan")
BINARY32 = parse_format("e8m23")


def _ports(prefix: str, record) -> dict:
    return {f"{prefix}_{name}": getattr(record, name) for name, *_ in record.layout}


def _numbers(rng: np.random.Generator, count: int, bits: int, exponents: tuple[int, int]) -> dict[str, np.ndarray]:
    """Fields of random numbers, many significands with long runs of zeros and ones, a few of each special."""
    significand = rng.integers(0, 1 << bits, count) | 1 << (bits - 1)
    run = rng.integers(0, bits, count)
    ones = rng.integers(2, size=count) == 1
    significand = np.where(ones, significand | (1 << run) - 1, significand >> run << run)
    kind = rng.choice(["", "zero", "infinity", "nan"], count, p=[0.85, 0.05, 0.05, 0.05])
    fields = {name: (kind == name).astype(np.int64) for name in ("zero", "infinity", "nan")}
    fields |= {
        "sign": rng.integers(2, size=count),
        "exponent": rng.integers(*exponents, count),
        "significand": np.where(kind == "zero", 0, significand),
    }
    return fields


def _value(fields, i: int, bits: int) -> Fraction | float:
    """The number i as a rational, an infinity or NaN; with a sticky bit, half a last bit more."""
    sign = -1 if fields["sign"][i] else 1
    if fields["nan"][i]:
        return float("nan")
    if fields["infinity"][i]:
        return sign * float("inf")
    if fields["zero"][i]:
        return Fraction(0)
    exponent = int(fields["exponent"][i])
    exponent -= (exponent >= 1 << 12) << 13  # two's complement
    halves = 2 * int(fields["significand"][i]) + int(fields["sticky"][i])
    assert halves >> bits == 1, "the leading bit is missing"
    return sign * halves * Fraction(2) ** (exponent - bits)


def _odd(x: Fraction, bits: int) -> Fraction:
    """x truncated to `bits` + 1 bits, the last one set where anything was lost."""
    if x == 0:
        return x
    exponent = abs(x).numerator.bit_length() - x.denominator.bit_length()
    exponent -= abs(x) < Fraction(2) ** exponent
    quantum = Fraction(2) ** (exponent - bits)
    halves = int(abs(x) / quantum)
    return (-1 if x < 0 else 1) * (halves | (halves * quantum != abs(x))) * quantum


@pytest.mark.parametrize(("width", "kept", "span"), [(59, 28, 32), (33, 33, 33), (31, 28, 31), (20, 5, 20), (9, 9, 4)])
def test_leading_bits(width, kept, span):
    module = LeadingBits(width, kept, span)
    outputs = {"leading": module.leading, "count": module.count, "lost": module.lost}
    dut = Dut(module, "leading_bits", {"value": module.value}, outputs)
    rng = np.random.default_rng(width)
    count = rng.integers(0, min(span, width), 4000)
    values = [(1 << (width - 1) | int(rng.integers(1 << (width - 1)))) >> int(c) for c in count]
    values = [v & -(1 << int(rng.integers(0, width - c))) for v, c in zip(values, count.tolist(), strict=True)] + [0]
    out = dut.run(value=values)
    for i, value in enumerate(values):
        shift = width - value.bit_length()
        whole = (value << shift) if value else 0
        assert out["leading"][i] == whole >> (width - kept), hex(value)
        assert out["lost"][i] == (whole & ((1 << (width - kept)) - 1) != 0), hex(value)
        assert not value or out["count"][i] == shift, hex(value)


@pytest.mark.parametrize("bits", [11, 24, 25, 28, 48])
@pytest.mark.parametrize("seed", range(2))
def test_scales_and_rounds_to_binary32(bits, seed):
    module = Scaler(bits)
    inputs = _ports("number", module.number) | {"scale": module.scale, "narrow": module.narrow}
    dut = Dut(module, f"scaler_{bits}", inputs, _ports("scaled", module.scaled))
    rng = np.random.default_rng([bits, seed])
    count = 6000
    fields = _numbers(rng, count, bits, (-700, 700))
    fields["sticky"] = rng.integers(2, size=count) * (1 - fields["zero"]) * (bits > 24)
    scale = rng.choice([0, SCALE_LIMIT, -SCALE_LIMIT, 3, -40], count)
    # Half of them where binary32 ends, above and below.
    edge = rng.choice([126, 127, 128, -125, -126, -127, -148, -149, -150, -151], count)
    fields["exponent"] = np.where(rng.integers(2, size=count), edge - scale, fields["exponent"])
    for narrow in (0, 1):
        # Scale belongs to the number at the entrance only.
        out = dut.run(
            **{f"number_{name}": np.append(fields[name], [0] * Scaler.LATENCY) for name in NUMBER},
            scale=np.append(scale, [0] * Scaler.LATENCY),
            narrow=narrow,
        )
        got = {name: out[f"scaled_{name}"][Scaler.LATENCY :] for name in NUMBER}
        for i in range(count):
            expected = _value(fields, i, bits)
            if isinstance(expected, Fraction):
                expected *= Fraction(2) ** int(scale[i])
                if narrow:
                    odd = _odd(expected, 60)
                    held = float(BINARY32.round(np.array([_as_binary64(odd)]))[0])
                    expected = Fraction(held) if np.isfinite(held) else held
            value = _value(got, i, bits)
            same = value == expected or (value != value and expected != expected)
            assert same, (
                f"seed {seed}: { ({n: int(fields[n][i]) for n in NUMBER}) } {scale[i]}: {value}, not {expected}"
            )
            assert got["sign"][i] == fields["sign"][i] or value != value
            if value == 0:
                assert got["zero"][i]
                assert got["significand"][i] == 0
            if narrow:
                assert not got["sticky"][i]


def _as_binary64(x: Fraction) -> float:
    """Rounded to odd."""
    unit = -(x.denominator.bit_length() - 1)
    return round_to_odd(x.numerator, unit)


class _Sum(Module):
    """An adder behind a decoder of the addend."""

    def __init__(self, bits: int, name: str, total_bits: int) -> None:
        number_format = parse_format(name)
        form = InternalForm.of((number_format, parse_format("e5m2")))
        self.submodules.decoder = decoder = BinaryDecoder(number_format, form)
        self.submodules.adder = adder = Adder(bits, form, total_bits)
        self.comb += adder.addend.eq(decoder.value)
        self.inputs = _ports("number", adder.number) | {"code": decoder.code}
        self.outputs = _ports("total", adder.total)


@pytest.mark.parametrize(
    ("bits", "name", "total_bits"),
    [(28, "e4m3fn", 28), (25, "e5m10", 12), (48, "e8m23", 48), (11, "e8m23", 25), (24, "e5m2", 5)],
)
@pytest.mark.parametrize("seed", range(3))
def test_a_sum_is_exact_as_far_as_it_matters(bits, name, total_bits, seed):
    module = _Sum(bits, name, total_bits)
    dut = Dut(module, f"adder_{bits}_{name}", module.inputs, module.outputs)
    rng = np.random.default_rng([bits, seed])
    count = 6000
    f = parse_format(name)
    codes = random_codes(rng, f, (count,)).astype(np.int64)
    addends = f.decode(codes)
    fields = _numbers(rng, count, bits, (-160, 160))
    # Most of them near the addend, and some its opposite but for the last bits.
    near = np.frexp(np.where(np.isfinite(addends), addends, 1.0))[1] - 1
    close = rng.integers(4, size=count) > 0
    fields["exponent"] = np.where(close, near + rng.integers(-4, 5, count), fields["exponent"])
    opposite = (rng.integers(4, size=count) == 0) & np.isfinite(addends) & (addends != 0) & (fields["zero"] == 0)
    significand = np.abs(np.frexp(np.where(opposite, addends, 1.0))[0])
    cancelling = (significand * 2.0**bits).astype(np.int64) | rng.integers(2, size=count)
    fields["significand"] = np.where(opposite, cancelling, fields["significand"])
    fields["exponent"] = np.where(opposite, near, fields["exponent"])
    fields["sign"] = np.where(opposite, addends > 0, fields["sign"])
    # -0 changes nothing, and lets a sticky bit through.
    nothing = rng.integers(8, size=count) == 0
    minus_zero = int(f.encode(-0.0))
    codes = np.where(nothing, minus_zero, codes)
    addends = np.where(nothing, -0.0, addends)
    fields["sticky"] = rng.integers(2, size=count) * nothing * (1 - fields["zero"]) * (bits >= total_bits)
    padding = [0] * Adder.LATENCY
    out = dut.run(
        **{f"number_{field}": np.append(fields[field], padding) for field in NUMBER}, code=np.append(codes, padding)
    )
    got = {field: out[f"total_{field}"][Adder.LATENCY :] for field in NUMBER}
    for i in range(count):
        x, y = _value(fields, i, bits), float(addends[i])
        what = f"seed {seed}: { ({n: int(fields[n][i]) for n in NUMBER}) } + {y}"
        total = x + (Fraction(y) if np.isfinite(y) and isinstance(x, Fraction) else y)
        value = _value(got, i, total_bits)
        if isinstance(total, float):
            assert value == total or (value != value and total != total), what
            continue
        assert value == _odd(total, total_bits), f"{what}: {value}, not {total}"
        both_negative = fields["sign"][i] and np.signbit(y)
        assert got["sign"][i] == (total < 0 if total else both_negative), what
