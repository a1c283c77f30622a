"""Decoder, multiplier and rounder, exhaustively for formats of 8 bits, against exact rationals and the formats."""

from fractions import Fraction

import numpy as np
import pytest
from migen import Module, Signal

from accel_rtl.config import AcceleratorConfig, AcceleratorConfigError, InternalForm
from accel_rtl.decode import Decoder
from accel_rtl.multiply import Multiplier
from accel_rtl.round import NEAREST_EVEN, RANDOM_BITS, STOCHASTIC, TOWARD_ZERO, Rounder
from pyhost.formats import parse_format
from tests.rtl.dut import Dut

pytestmark = [pytest.mark.hardware, pytest.mark.slow]

OPERANDS = ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e3m4", "e2m1fn", "e3m2fn", "e2m3fn", "e4m3nosub", "e4m3fnb9")
FORMATS = (*OPERANDS, "e5m10", "e8m7", "e8m23", "e5m10nosub")
SIGNIFICAND_BITS = 33
MODES = {"nearest_even": NEAREST_EVEN, "toward_zero": TOWARD_ZERO, "stochastic": STOCHASTIC}


def _ports(rounder: Rounder) -> dict[str, Signal]:
    inputs = {f"number_{name}": getattr(rounder.number, name) for name, *_ in rounder.number.layout}
    return inputs | {name: getattr(rounder, name) for name in ("format", "saturate", "mode", "random", "random_bits")}


class _Bench(Module):
    """A decoder for each factor, the multiplier between them, and a rounder."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.submodules.a = a = Decoder(config)
        self.submodules.b = b = Decoder(config)
        self.submodules.multiplier = multiplier = Multiplier(config.form)
        self.submodules.rounder = rounder = Rounder(config.formats, SIGNIFICAND_BITS)
        self.comb += [multiplier.a.eq(a.value), multiplier.b.eq(b.value)]
        self.inputs = {"a": a.code, "b": b.code, "a_format": a.format, "b_format": b.format}
        self.inputs |= _ports(rounder)
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


@pytest.fixture(scope="module")
def stochastic_rounder(config):
    bits = Rounder.significand_bits_needed(config.formats, stochastic=True)
    rounder = Rounder(config.formats, bits, stochastic=True, pipelined=True)
    return Dut(rounder, "stochastic_rounder", _ports(rounder), {"code": rounder.code})


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


def _number(values, significand_bits: int = SIGNIFICAND_BITS):
    """The rounder's inputs for float64 `values`."""
    magnitude = np.where(np.isfinite(values), np.abs(values), 0)
    fraction, exponent = np.frexp(magnitude)
    significand = (fraction * 2.0**significand_bits).astype(np.uint64)
    assert (np.ldexp(significand.astype(float), exponent - significand_bits) == magnitude).all()
    return {
        "number_sign": np.signbit(values),
        "number_exponent": (exponent - 1).astype(np.int64) & 0x1FFF,
        "number_significand": significand,
        "number_zero": values == 0,
        "number_infinity": np.isinf(values),
        "number_nan": np.isnan(values),
    }


def _rounded(dut, values, **inputs):
    """Codes of `values` by the stochastic rounder."""
    count = len(values) + Rounder.LATENCY
    bits = Rounder.significand_bits_needed(tuple(map(parse_format, FORMATS)), stochastic=True)
    inputs |= _number(values, bits)
    return dut.run(**{n: np.resize(v, count) if np.ndim(v) else v for n, v in inputs.items()})["code"][
        Rounder.LATENCY :
    ]


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
@pytest.mark.parametrize("mode", ["nearest_even", "toward_zero"])
def test_rounds_as_the_format_encodes(dut, name, mode, saturate):
    number_format = parse_format(name)
    values = np.append(_cases(number_format, seed=1), [np.nan, -np.nan])
    got = dut.run(**_number(values), format=FORMATS.index(name), mode=MODES[mode], saturate=saturate)["code"]
    np.testing.assert_array_equal(got, number_format.encode(values, mode, saturate))


@pytest.mark.parametrize("name", FORMATS)
def test_sticky_is_more_than_nothing_and_less_than_the_last_bit(dut, name):
    number_format = parse_format(name)
    values = _cases(number_format, seed=2)
    values = values[np.isfinite(values) & (values != 0)]
    beyond = np.nextafter(values, np.copysign(np.inf, values))
    for name_of_mode in ("nearest_even", "toward_zero"):
        mode = MODES[name_of_mode]
        got = dut.run(**_number(values), number_sticky=True, format=FORMATS.index(name), mode=mode)["code"]
        np.testing.assert_array_equal(got, number_format.encode(beyond, name_of_mode))


def _between(number_format, rng):
    """Codes, and for each a value on the way to the next, in steps of 2^-24; from 0 to one code beyond the largest."""
    count = 1 << (number_format.bits - 1)
    codes = np.arange(count)
    if number_format.bits > 8:
        codes = np.concatenate([codes[:100], rng.integers(count, size=3000), [number_format.largest_code]])
    codes = np.repeat(codes[codes <= number_format.largest_code], 16)
    low = number_format.decode(codes)
    high = np.where(
        codes < number_format.largest_code,
        number_format.decode(codes + 1),
        2 * low - number_format.decode(np.maximum(codes, 1) - 1),
    )
    return codes, low + (high - low) * (rng.integers(1 << 24, size=len(codes)) / (1 << 24))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("saturate", [False, True], ids=["ieee", "saturate"])
def test_rounds_stochastically_as_the_format_encodes(stochastic_rounder, name, mode, saturate):
    number_format, rng = parse_format(name), np.random.default_rng(3)
    print("seed 3")
    magnitudes = _between(number_format, rng)[1]
    values = np.concatenate([magnitudes, -magnitudes, _cases(number_format, seed=4), [np.nan]])
    bits = rng.integers(1, RANDOM_BITS + 1, size=len(values))
    words = rng.integers(1 << RANDOM_BITS, size=len(values))
    got = _rounded(
        stochastic_rounder,
        values,
        format=FORMATS.index(name),
        mode=MODES[mode],
        saturate=saturate,
        random=words,
        random_bits=bits,
    )
    if mode == "stochastic":
        expected = np.zeros_like(got)
        for r in range(1, RANDOM_BITS + 1):
            of_r = bits == r
            random = words[of_r] >> (RANDOM_BITS - r)
            expected[of_r] = number_format.encode(values[of_r], mode, saturate, random=random, random_bits=r)
    else:
        expected = number_format.encode(values, mode, saturate)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", [name for name in OPERANDS if not name.endswith("nosub")])
def test_the_next_code_is_as_likely_as_the_way_to_it_is_long(stochastic_rounder, name):
    number_format, r = parse_format(name), 4
    codes, values = _between(number_format, np.random.default_rng(5))
    codes, values = codes[codes < number_format.largest_code], values[codes < number_format.largest_code]
    low, high = (map(Fraction, number_format.decode(c)) for c in (codes, codes + 1))
    way = [(Fraction(x) - a) / (b - a) for x, a, b in zip(values, low, high, strict=True)]
    ups = np.zeros(len(values), np.int64)
    for random in range(1 << r):
        word = random << (RANDOM_BITS - r)
        got = _rounded(
            stochastic_rounder, values, format=FORMATS.index(name), mode=STOCHASTIC, random=word, random_bits=r
        )
        ups += got.astype(np.int64) - codes
    np.testing.assert_array_equal(ups, [int(w * 2**r) for w in way])


def test_the_internal_form_is_just_wide_enough():
    form = InternalForm.of((parse_format("e4m3fn"), parse_format("e5m2")))
    assert (form.precision, form.exponent_bias, form.exponent_max, form.exponent_bits) == (4, 16, 31, 5)


def test_a_rounder_needs_formats():
    with pytest.raises(AcceleratorConfigError, match="at least one format"):
        Rounder((), 8)
