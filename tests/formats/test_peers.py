"""Formats against ml_dtypes: every code decoded, all 2^16 binary16 and 2^21 random binary32 values cast."""

import ml_dtypes
import numpy as np
import pytest

from pyhost.formats import BinaryFormat, line, parse_format

SEED = 20260211
PEERS = {
    "e5m2": ml_dtypes.float8_e5m2,
    "e4m3fn": ml_dtypes.float8_e4m3fn,
    "e4m3": ml_dtypes.float8_e4m3,
    "e3m4": ml_dtypes.float8_e3m4,
    "e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "e4m3fnuzb11": ml_dtypes.float8_e4m3b11fnuz,
    "e2m1fn": ml_dtypes.float4_e2m1fn,
    "e2m3fn": ml_dtypes.float6_e2m3fn,
    "e3m2fn": ml_dtypes.float6_e3m2fn,
    "e5m10": np.float16,
    "e8m7": ml_dtypes.bfloat16,
}


@pytest.mark.parametrize("name", PEERS)
def test_decode_agrees_with_ml_dtypes(name: str) -> None:
    number_format = parse_format(name)
    codes = np.arange(1 << number_format.bits, dtype=number_format.dtype)
    with np.errstate(invalid="ignore"):
        expected = codes.view(PEERS[name]).astype(np.float64)
    values = number_format.decode(codes)
    assert np.array_equal(values, expected, equal_nan=True)
    number = ~np.isnan(expected)
    assert np.array_equal(np.signbit(values[number]), np.signbit(expected[number]))


def test_binary32_decodes_as_numpy_reads_it() -> None:
    rng = np.random.default_rng(SEED)
    codes = rng.integers(0, 1 << 32, 1 << 16, dtype=np.uint32)
    number_format = parse_format("e8m23")
    expected = codes.view(np.float32)
    with np.errstate(invalid="ignore"):
        assert np.array_equal(number_format.decode(codes), expected.astype(np.float64), equal_nan=True)
    number = ~np.isnan(expected)
    assert np.array_equal(number_format.encode(expected)[number], codes[number]), f"seed {SEED}"


@pytest.mark.parametrize("name", ["e8m23", "e8m10", "e8m3"])
def test_what_the_machine_decodes_is_the_definition(name: str) -> None:
    """Values of a family member that binary32 hardware reads, against the arithmetic that serves all others."""
    number_format = parse_format(name)
    assert isinstance(number_format, BinaryFormat)
    rng = np.random.default_rng(SEED)
    codes = rng.integers(0, number_format.inf_code, 1 << 14, dtype=np.uint64)
    codes[:64] = np.arange(64)
    expected = line.value(codes, number_format.fraction_bits, number_format.bias)
    negative = codes | np.uint64(1 << (number_format.bits - 1))
    assert np.array_equal(number_format.decode(codes), expected), f"seed {SEED}"
    assert np.array_equal(number_format.decode(negative), -expected), f"seed {SEED}"
    special = number_format.decode([number_format.inf_code, number_format.inf_code + 1, number_format.nan_code])
    assert np.array_equal(special, [np.inf, np.nan, np.nan], equal_nan=True)


@pytest.mark.parametrize("name", PEERS)
def test_encode_agrees_with_ml_dtypes(name: str) -> None:
    rng = np.random.default_rng(SEED)
    number_format = parse_format(name)
    with np.errstate(invalid="ignore", over="ignore"):
        x = np.concatenate(
            [
                np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32),
                rng.integers(0, 1 << 32, 1 << 21, dtype=np.uint32).view(np.float32),
                # Most random patterns lie far outside an 8-bit format: as many inside.
                (number_format.max * rng.uniform(-1.1, 1.1, 1 << 18)).astype(np.float32),
                (number_format.min_normal * rng.uniform(-4, 4, 1 << 18)).astype(np.float32),
            ]
        )
        expected = x.astype(PEERS[name]).view(number_format.dtype)
        codes = number_format.encode(x)
    # Payloads and signs of NaN are not compared: ours is canonical, also where an overflow made it.
    nan = np.isnan(number_format.decode(codes))
    assert np.array_equal(nan, np.isnan(number_format.decode(expected))), f"seed {SEED}"
    wrong = np.flatnonzero((codes != expected) & ~nan & ~np.isnan(x))
    assert wrong.size == 0, f"seed {SEED}: {x[wrong[:1]]} gave {codes[wrong[:1]]}, not {expected[wrong[:1]]}"
    assert (codes[np.isnan(x)] == number_format.nan_code).all()


def test_encode_agrees_with_numpy_from_float64_to_binary16_and_binary32() -> None:
    rng = np.random.default_rng(SEED)
    x = rng.standard_normal(1 << 18) * 2.0 ** rng.integers(-160, 140, 1 << 18)
    with np.errstate(over="ignore"):
        assert np.array_equal(parse_format("e8m23").encode(x), x.astype(np.float32).view(np.uint32)), f"seed {SEED}"
        assert np.array_equal(parse_format("e5m10").encode(x), x.astype(np.float16).view(np.uint16)), f"seed {SEED}"


def test_where_ml_dtypes_breaks_ties_of_powers_of_two_the_other_way() -> None:
    """Half way between two powers of two, ml_dtypes always takes the larger; we, as gfloat, take the even code."""
    number_format = parse_format("e8m0fnu")
    codes = np.arange(1, 254)  # below, binary32 is subnormal, and what they do there is another matter
    x = (1.5 * number_format.decode(codes)).astype(np.float32)
    theirs = x.astype(ml_dtypes.float8_e8m0fnu).view(np.uint8)
    assert np.array_equal(theirs, codes + 1)
    assert np.array_equal(number_format.encode(x), codes + codes % 2)
    off = np.concatenate([np.nextafter(x, np.float32(0)), np.nextafter(x, np.float32(np.inf)), -x, [0, -0.0, np.inf]])
    assert np.array_equal(number_format.encode(off), off.astype(ml_dtypes.float8_e8m0fnu).view(np.uint8))


def test_where_ml_dtypes_keeps_the_sign_of_an_overflow_to_nan() -> None:
    """e4m3fn has two NaNs: theirs keep the sign of what overflowed, ours is always the canonical one."""
    assert np.float32(-1000).astype(ml_dtypes.float8_e4m3fn).view(np.uint8) == 0xFF
    assert parse_format("e4m3fn").encode([-1000.0]).tolist() == [0x7F]
