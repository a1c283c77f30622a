"""Decoder, multiplier and rounder, exhaustively for formats of 8 bits, against exact rationals and the formats."""

from fractions import Fraction
from functools import cache

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

LISTS = {
    "binary": (
        ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e3m4", "e2m1fn", "e3m2fn", "e2m3fn", "e4m3nosub", "e4m3fnb9"),
        ("e5m10", "e8m7", "e8m23", "e5m10nosub"),
    ),
    "posits": (("posit8", "posit16"), ()),
    "mixed": (
        ("posit8", "posit16", "posit3", "posit6es1", "posit8es0", "binary8p3se", "binary8p4uf", "binary6p1ue"),
        ("posit10es3", "posit4", "binary3p1sf", "binary8p7sf", "e4m3fn", "e5m10"),
    ),
}
"""Operand formats and further result formats of a decoder and a rounder."""

OPERANDS = [(of, name) for of, (operands, _) in LISTS.items() for name in operands]
FORMATS = [(of, name) for of, (operands, results) in LISTS.items() for name in operands + results]
SIGNIFICAND_BITS = 33
MODES = {"nearest_even": NEAREST_EVEN, "toward_zero": TOWARD_ZERO, "stochastic": STOCHASTIC}


def _ports(rounder: Rounder) -> dict[str, Signal]:
    inputs = {f"number_{name}": getattr(rounder.number, name) for name, *_ in rounder.number.layout}
    return inputs | {name: getattr(rounder, name) for name in ("format", "saturate", "mode", "random", "random_bits")}


class _Bench(Module):
    """A decoder for each factor, the multiplier between them, and a rounder."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.submodules.a = a = Decoder(config.operands, config.form)
        self.submodules.b = b = Decoder(config.operands, config.form)
        self.submodules.multiplier = multiplier = Multiplier(config.form)
        self.submodules.rounder = rounder = Rounder(config.formats, SIGNIFICAND_BITS)
        self.comb += [multiplier.a.eq(a.value), multiplier.b.eq(b.value)]
        self.inputs = {"a": a.code, "b": b.code, "a_format": a.format, "b_format": b.format}
        self.inputs |= _ports(rounder)
        self.outputs = {f"value_{name}": getattr(a.value, name) for name, *_ in a.value.layout}
        product = multiplier.product
        self.outputs |= {f"product_{name}": getattr(product, name) for name, *_ in product.layout}
        self.outputs |= {"code": rounder.code}


@cache
def _config(of: str) -> AcceleratorConfig:
    operands, results = LISTS[of]
    return AcceleratorConfig(rows=1, columns=1, operand_formats=operands, result_formats=results, accumulator="e8m23")


@cache
def _dut(of: str) -> Dut:
    bench = _Bench(_config(of))
    return Dut(bench, f"arithmetic_{of}", bench.inputs, bench.outputs)


@cache
def _stochastic_rounder(of: str) -> Dut:
    formats = _config(of).formats
    bits = Rounder.significand_bits_needed(formats, stochastic=True)
    rounder = Rounder(formats, bits, stochastic=True, pipelined=True)
    return Dut(rounder, f"stochastic_rounder_{of}", _ports(rounder), {"code": rounder.code})


def _index(of: str, name: str) -> int:
    operands, results = LISTS[of]
    return (operands + results).index(name)


def _largest_code(number_format) -> int:
    return getattr(number_format, "largest_code", number_format.nan_code - 1)


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


@pytest.mark.parametrize("of, name", OPERANDS)
def test_every_code_decodes_to_its_value(of, name):
    number_format, config = parse_format(name), _config(of)
    codes = np.arange(1 << number_format.bits, dtype=number_format.dtype)
    fields = _fields(_dut(of).run(a=codes, a_format=_index(of, name)), "value_")
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
    "of, a_name, b_name",
    [
        ("binary", "e4m3fn", "e4m3fn"),
        ("binary", "e5m2", "e5m2"),
        ("binary", "e4m3fn", "e5m2"),
        ("binary", "e3m4", "e5m2fnuz"),
        ("mixed", "posit8", "posit8"),
        ("mixed", "posit8es0", "binary8p3se"),
    ],
)
def test_every_product_is_exact(of, a_name, b_name):
    a_format, b_format, config = parse_format(a_name), parse_format(b_name), _config(of)
    a, b = (x.reshape(-1) for x in np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8)))
    outputs = _dut(of).run(a=a, b=b, a_format=_index(of, a_name), b_format=_index(of, b_name))
    fields = _fields(outputs, "product_")
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


def _rounded(of, values, **inputs):
    """Codes of `values` by the stochastic rounder."""
    count = len(values) + Rounder.LATENCY
    bits = Rounder.significand_bits_needed(_config(of).formats, stochastic=True)
    inputs |= _number(values, bits)
    dut = _stochastic_rounder(of)
    return dut.run(**{n: np.resize(v, count) if np.ndim(v) else v for n, v in inputs.items()})["code"][
        Rounder.LATENCY :
    ]


def _codes(number_format, rng):
    """Codes of finite positive values: all of 8 bits, many of more, the ends among them."""
    count = _largest_code(number_format) + 1
    if number_format.bits <= 8:
        return np.arange(count)
    return np.concatenate([np.arange(100), np.arange(count - 100, count), rng.integers(count, size=3000)])


def _cases(number_format, seed):
    """Values where rounding decides: codes, midpoints, their neighbours; around the largest; tiny; special."""
    rng = np.random.default_rng(seed)
    print(f"seed {seed}")
    codes = _codes(number_format, rng)
    values = number_format.decode(codes.astype(number_format.dtype))
    values = np.unique(values)
    middles = np.concatenate([(values[1:] + values[:-1]) / 2, [values[-1] + (values[-1] - values[-2]) / 2]])
    ulp = np.ldexp(2.0**-27, np.frexp(middles)[1])  # still within 33 significant bits
    cases = np.concatenate([
        values, middles, middles + ulp, middles - ulp,
        number_format.max * np.array([1.5, 2, 4, 2.0**100, 2.0**500]),
        number_format.min_subnormal * np.array([0.75, 0.5, 0.25, 2.0**-30, 2.0**-500]),
        [0, np.inf],
    ])  # fmt: skip
    return np.concatenate([cases, -cases])


@pytest.mark.parametrize("of, name", FORMATS)
@pytest.mark.parametrize("saturate", [False, True], ids=["ieee", "saturate"])
@pytest.mark.parametrize("mode", ["nearest_even", "toward_zero"])
def test_rounds_as_the_format_encodes(of, name, mode, saturate):
    number_format = parse_format(name)
    values = np.append(_cases(number_format, seed=1), [np.nan, -np.nan])
    got = _dut(of).run(**_number(values), format=_index(of, name), mode=MODES[mode], saturate=saturate)["code"]
    np.testing.assert_array_equal(got, number_format.encode(values, mode, saturate))


@pytest.mark.parametrize("of, name", FORMATS)
def test_sticky_is_more_than_nothing_and_less_than_the_last_bit(of, name):
    number_format = parse_format(name)
    values = _cases(number_format, seed=2)
    values = values[np.isfinite(values) & (values != 0)]
    beyond = np.nextafter(values, np.copysign(np.inf, values))
    for name_of_mode in ("nearest_even", "toward_zero"):
        mode = MODES[name_of_mode]
        got = _dut(of).run(**_number(values), number_sticky=True, format=_index(of, name), mode=mode)["code"]
        np.testing.assert_array_equal(got, number_format.encode(beyond, name_of_mode))


def _between(number_format, rng):
    """Codes, and for each a value on the way to the next, in steps of 2^-24; from 0 to one code beyond the largest."""
    largest = _largest_code(number_format)
    codes = np.repeat(_codes(number_format, rng), 16)
    low = number_format.decode(codes)
    high = np.where(
        codes < largest, number_format.decode(codes + 1), 2 * low - number_format.decode(np.maximum(codes, 1) - 1)
    )
    return codes, low + (high - low) * (rng.integers(1 << 24, size=len(codes)) / (1 << 24))


@pytest.mark.parametrize("of, name", FORMATS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("saturate", [False, True], ids=["ieee", "saturate"])
def test_rounds_stochastically_as_the_format_encodes(of, name, mode, saturate):
    number_format, rng = parse_format(name), np.random.default_rng(3)
    print("seed 3")
    magnitudes = _between(number_format, rng)[1]
    values = np.concatenate([magnitudes, -magnitudes, _cases(number_format, seed=4), [np.nan]])
    bits = rng.integers(1, RANDOM_BITS + 1, size=len(values))
    words = rng.integers(1 << RANDOM_BITS, size=len(values))
    got = _rounded(
        of,
        values,
        format=_index(of, name),
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


@pytest.mark.parametrize(
    "of, name",
    [
        (of, name)
        for of, name in FORMATS
        if parse_format(name).bits <= 8 and name[-5:] != "nosub" and "posit" not in name
    ],
)
def test_the_next_code_is_as_likely_as_the_way_to_it_is_long(of, name):
    number_format, r = parse_format(name), 4
    codes, values = _between(number_format, np.random.default_rng(5))
    within = codes < number_format.largest_code
    codes, values = codes[within], values[within]
    low, high = (map(Fraction, number_format.decode(c)) for c in (codes, codes + 1))
    way = [(Fraction(x) - a) / (b - a) for x, a, b in zip(values, low, high, strict=True)]
    ups = np.zeros(len(values), np.int64)
    for random in range(1 << r):
        word = random << (RANDOM_BITS - r)
        got = _rounded(of, values, format=_index(of, name), mode=STOCHASTIC, random=word, random_bits=r)
        ups += got.astype(np.int64) - codes
    np.testing.assert_array_equal(ups, [int(w * 2**r) for w in way])


def test_the_internal_form_is_just_wide_enough():
    form = InternalForm.of((parse_format("e4m3fn"), parse_format("e5m2")))
    assert (form.precision, form.exponent_bias, form.exponent_max, form.exponent_bits) == (4, 16, 31, 5)


@pytest.mark.parametrize("name, bits", [("posit8", 121), ("posit8es0", 53), ("posit16es1", 155), ("binary8p3se", 87)])
def test_an_exact_accumulator_holds_the_products_of_the_extremes(name, bits):
    number_format, config = parse_format(name), AcceleratorConfig(rows=1, columns=1, operand_formats=(name,))
    assert config.register_bits == bits
    assert Fraction(number_format.min_subnormal) ** 2 / Fraction(2) ** config.accumulator_unit >= 1
    largest = 2**16 * Fraction(number_format.max) ** 2 / Fraction(2) ** config.accumulator_unit
    assert largest < 2 ** (config.register_bits - 1) <= 2 ** (32 * config.limbs - 1)


@pytest.mark.parametrize("name", ["posit17", "unum2x2", "mx(e4m3fn,32)", "e8m0fnu"])
def test_other_families_are_refused(name):
    with pytest.raises(AcceleratorConfigError, match=r"the accelerator knows binary formats .* P3109's .* and posits"):
        AcceleratorConfig(rows=1, columns=1, operand_formats=("e4m3fn",), result_formats=(name,))


def test_a_posit_is_no_chain_and_posit16_too_wide_for_exact_sums():
    with pytest.raises(AcceleratorConfigError, match="'posit16': a chain has a binary format"):
        AcceleratorConfig(rows=1, columns=1, operand_formats=("posit16",), accumulator="posit16")
    with pytest.raises(AcceleratorConfigError, match="posit16 needs 265 bits, at most 256"):
        AcceleratorConfig(rows=1, columns=1, operand_formats=("posit16",))


def test_a_rounder_needs_formats():
    with pytest.raises(AcceleratorConfigError, match="at least one format"):
        Rounder((), 8)
