"""Decoder, multiplier and rounder, exhaustively for formats of 8 bits, against exact rationals and the formats."""

from fractions import Fraction

import numpy as np
import pytest
from migen import Module

from accel_rtl.config import AcceleratorConfig, AcceleratorConfigError, InternalForm
from accel_rtl.decode import Decoder
from accel_rtl.multiply import Multiplier
from accel_rtl.round import Rounder
from pyhost.formats import parse_format
from tests.rtl.dut import Dut

pytestmark = [pytest.mark.hardware, pytest.mark.slow]

OPERANDS = ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e3m4", "e2m1fn", "e3m2fn", "e2m3fn", "e4m3nosub", "e4m3fnb9")
FORMATS = (*OPERANDS, "e5m10", "e8m7", "e8m23", "e5m10nosub")
SIGNIFICAND_BITS = 33


class _Bench(Module):
    """A decoder for each factor, the multiplier between them, and a rounder."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.submodules.a = a = Decoder(config)
        self.submodules.b = b = Decoder(config)
        self.submodules.multiplier = multiplier = Multiplier(config.form)
        self.submodules.rounder = rounder = Rounder(config.formats, SIGNIFICAND_BITS)
        self.comb += [multiplier.a.eq(a.value), multiplier.b.eq(b.value)]
        self.inputs = {"a": a.code, "b": b.code, "a_format": a.format, "b_format": b.format}
        self.inputs |= {f"number_{name}": getattr(rounder.number, name) for name, *_ in rounder.number.layout}
        self.inputs |= {"format": rounder.format, "saturate": rounder.saturate}
        self.outputs = {f"value_{name}": getattr(a.value, name) for name, *_ in a.value.layout}
        product = multiplier.product
        self.outputs |= {f"product_{name}": getattr(product, name) for name, *_ in product.layout}
        self.outputs |= {"code": rounder.code}


@pytest.fixture(scope="module")
def config():
    return AcceleratorConfig(
        rows=1, columns=1, operand_formats=OPERANDS, result_formats=FORMATS[len(OPERANDS) :], accumulator="e8m23"
    )


@pytest.fixture(scope="module")
def dut(config):
    bench = _Bench(config)
    return Dut(bench, "arithmetic", bench.inputs, bench.outputs)


def _value(fields, i: int, unit: int) -> float | Fraction:
    """Value of fields[name][i] as an exact rational, or infinity or NaN; a zero is a Fraction 0."""
    sign = -1 if fields["sign"][i] else 1
    if fields["nan"][i]:
        return float("nan")
    if fields["infinity"][i]:
        return sign * float("inf")
    return sign * int(fields["significand"][i]) * Fraction(2) ** (int(fields["exponent"][i]) + unit)


def _fields(outputs, prefix: str):
    return {name.removeprefix(prefix): values for name, values in outputs.items() if name.startswith(prefix)}


@pytest.mark.parametrize("name", OPERANDS)
def test_every_code_decodes_to_its_value(dut, config, name):
    number_format = parse_format(name)
    codes = np.arange(1 << number_format.bits, dtype=number_format.dtype)
    fields = _fields(dut.run(a=codes, a_format=OPERANDS.index(name)), "value_")
    unit = -config.form.exponent_bias - config.form.precision + 1
    for code, expected in zip(codes, number_format.decode(codes), strict=True):
        got = _value(fields, int(code), unit)
        assert bool(fields["zero"][code]) == (expected == 0)
        if np.isnan(expected):
            assert fields["nan"][code], hex(code)
        elif np.isinf(expected):
            assert got == expected
        else:
            assert got == Fraction(float(expected)), hex(code)
            assert bool(fields["sign"][code]) == np.signbit(expected)
            if expected:
                assert int(fields["significand"][code]) >> (config.form.precision - 1) == 1, "not normalised"


@pytest.mark.parametrize(
    "a_name, b_name", [("e4m3fn", "e4m3fn"), ("e5m2", "e5m2"), ("e4m3fn", "e5m2"), ("e3m4", "e5m2fnuz")]
)
def test_every_product_is_exact(dut, config, a_name, b_name):
    a_format, b_format = parse_format(a_name), parse_format(b_name)
    a, b = (x.reshape(-1) for x in np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8)))
    fields = _fields(dut.run(a=a, b=b, a_format=OPERANDS.index(a_name), b_format=OPERANDS.index(b_name)), "product_")
    with np.errstate(invalid="ignore"):
        expected = a_format.decode(a) * b_format.decode(b)  # exact in binary64: at most 10 significant bits
    np.testing.assert_array_equal(fields["nan"] != 0, np.isnan(expected))
    np.testing.assert_array_equal((fields["infinity"] != 0) & (fields["nan"] == 0), np.isinf(expected))
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(fields["sign"][number] != 0, np.signbit(expected[number]))
    unit = -2 * (config.form.exponent_bias + config.form.precision - 1)
    magnitude = np.ldexp(fields["significand"].astype(float), fields["exponent"].astype(int) + unit)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(magnitude[finite], np.abs(expected[finite]))
    np.testing.assert_array_equal(fields["zero"][finite] != 0, expected[finite] == 0)


def _round(dut, number_format_index, values, sticky, saturate):
    """Round float64 `values`, plus a little where `sticky`, in the direction away from zero."""
    magnitude = np.where(np.isfinite(values), np.abs(values), 0)
    fraction, exponent = np.frexp(magnitude)
    significand = (fraction * 2.0**SIGNIFICAND_BITS).astype(np.uint64)
    assert (np.ldexp(significand.astype(float), exponent - SIGNIFICAND_BITS) == magnitude).all()
    return dut.run(
        number_sign=np.signbit(values),
        number_exponent=(exponent - 1).astype(np.int64) & 0x1FFF,
        number_significand=significand,
        number_sticky=sticky,
        number_zero=values == 0,
        number_infinity=np.isinf(values),
        number_nan=np.isnan(values),
        format=number_format_index,
        saturate=saturate,
    )["code"]


def _cases(number_format, seed):
    """Values where rounding decides: codes, midpoints, their neighbours; around the largest; tiny; special."""
    rng = np.random.default_rng(seed)
    print(f"seed {seed}")
    count = 1 << (number_format.bits - 1)
    if number_format.bits <= 8:
        codes = np.arange(count)
    else:
        codes = np.concatenate([np.arange(100), np.arange(count - 100, count), rng.integers(count, size=3000)])
    values = number_format.decode(codes.astype(number_format.dtype))
    values = np.unique(values[np.isfinite(values)])
    middles = np.concatenate([(values[1:] + values[:-1]) / 2, [values[-1] + (values[-1] - values[-2]) / 2]])
    ulp = np.spacing(np.float32(middles)).astype(float) / 8  # still within 33 significant bits
    cases = np.concatenate([
        values, middles, middles + ulp, middles - ulp,
        number_format.max * np.array([1.5, 2, 4, 2.0**100, 2.0**500]),
        number_format.min_subnormal * np.array([0.75, 0.5, 0.25, 2.0**-30, 2.0**-500]),
        [0, np.inf],
    ])  # fmt: skip
    return np.concatenate([cases, -cases])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("saturate", [False, True], ids=["ieee", "saturate"])
def test_rounds_as_the_format_encodes(dut, name, saturate):
    number_format = parse_format(name)
    values = np.append(_cases(number_format, seed=1), np.nan)
    got = _round(dut, FORMATS.index(name), values, False, saturate)
    np.testing.assert_array_equal(got, number_format.encode(values, saturate=saturate))


@pytest.mark.parametrize("name", FORMATS)
def test_sticky_is_more_than_nothing_and_less_than_the_last_bit(dut, name):
    number_format = parse_format(name)
    values = _cases(number_format, seed=2)
    values = values[np.isfinite(values) & (values != 0)]
    beyond = np.nextafter(values, np.copysign(np.inf, values))
    got = _round(dut, FORMATS.index(name), values, True, False)
    np.testing.assert_array_equal(got, number_format.encode(beyond))


def test_the_internal_form_is_just_wide_enough():
    form = InternalForm.of((parse_format("e4m3fn"), parse_format("e5m2")))
    assert (form.precision, form.exponent_bias, form.exponent_max, form.exponent_bits) == (4, 16, 31, 5)


def test_a_rounder_needs_formats():
    with pytest.raises(AcceleratorConfigError, match="at least one format"):
        Rounder((), 8)
