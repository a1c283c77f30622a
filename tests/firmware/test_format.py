"""Loading and storing elements against pyhost.formats, which is tested against exact rationals."""

import ctypes

import numpy as np
import pytest

from pyhost.formats import Rounding, Stochastic, parse_format
from pyhost.formats.stochastic import FIRST_ADDEND, WRITE_BACK

SEED = 4711
NARROW = ["e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e2m1fn", "e2m3fn", "e3m2fn", "e3m4", "e2m1", "e7m1", "e4m3b11"]
WIDE = ["e5m10", "e8m7", "e8m10", "e8m23", "e6m9", "e5m10nosub", "e8m23nosub", "e8m7fn", "e8m23fnuz", "e5m10b40"]
P3109 = ["binary8p3se", "binary8p4uf", "binary8p1ue", "binary8p7sf", "binary8p8uf", "binary6p1sf", "binary5p2ue"]
P3109 += ["binary3p1sf", "binary4p3se"]
POSITS = ["posit8", "posit16", "posit3", "posit6es1", "posit8es0", "posit10es3", "posit16es3", "posit16es0"]
EXTREME = ["e8m23b200", "e5m2b200", "e5m2b-100", "e8m3b160", "e6m9fnb120nosub"]


def pointer(array):
    assert array.flags.c_contiguous
    return array.ctypes.data_as(ctypes.c_void_p)


def canonical(bits):
    """Binary32 codes with every NaN made the same: payloads have no meaning here."""
    return np.where((bits & 0x7FFFFFFF) > 0x7F800000, np.uint32(0x7FC00000), bits)


def load(native, format_, codes):
    codes = codes.astype(np.uint32)
    values = np.empty_like(codes)
    native.library.load_all(pointer(native.format(format_)), pointer(codes), pointer(values), len(codes))
    return values


def store(native, format_, values, saturate=False, function="store_all"):
    values = np.ascontiguousarray(values).view(np.uint32)
    codes = np.empty_like(values)
    call = getattr(native.library, function)
    call(pointer(native.format(format_)), int(saturate), pointer(values), pointer(codes), len(values))
    return codes


def interesting_values(format_, rng):
    """Binary32 numbers at, between and beside the format's values, beyond its ends, and of every kind."""
    codes = np.arange(1 << format_.bits) if format_.bits <= 12 else rng.integers(0, 1 << format_.bits, 20_000)
    values = np.unique(format_.decode(codes.astype(format_.dtype)))
    values = values[np.isfinite(values)]
    around = np.concatenate([values, (values[1:] + values[:-1]) / 2, values * 2, values / 3])
    specials = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, format_.max, -format_.max])
    with np.errstate(over="ignore"):
        around, specials = around.astype(np.float32), specials.astype(np.float32)
    patterns = rng.integers(0, 1 << 32, 50_000, dtype=np.uint32).view(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        up, down = np.nextafter(around, np.float32(np.inf)), np.nextafter(around, np.float32(-np.inf))
    return np.concatenate([around, up, down, specials, patterns])


@pytest.mark.parametrize("name", NARROW + WIDE + EXTREME + P3109 + POSITS)
def test_load(native, name):
    format_ = parse_format(name)
    rng = np.random.default_rng(SEED)
    print(f"seed {SEED}")
    every = format_.bits <= 16
    codes = np.arange(1 << format_.bits) if every else rng.integers(0, 1 << format_.bits, 200_000)
    codes = np.concatenate([codes, [0, (1 << format_.bits) - 1, 1 << (format_.bits - 1)]]).astype(format_.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = format_.decode(codes).astype(np.float32).view(np.uint32)
    assert (canonical(load(native, format_, codes)) == canonical(expected)).all()


@pytest.mark.parametrize("saturate", [False, True])
@pytest.mark.parametrize("name", NARROW + WIDE + EXTREME + P3109 + POSITS)
def test_store(native, name, saturate):
    format_ = parse_format(name)
    print(f"seed {SEED}")
    values = interesting_values(format_, np.random.default_rng(SEED))
    with np.errstate(invalid="ignore"):
        expected = format_.encode(values.astype(np.float64), saturate=saturate)
    for function in ("store_all", "store_all_any"):  # with the short cut, and without
        codes = store(native, format_, values, saturate, function)
        wrong = np.flatnonzero(codes != expected)
        assert not wrong.size, [(function, float(values[i]).hex(), hex(codes[i]), hex(expected[i])) for i in wrong[:5]]


def between_codes(format_, rng):
    """Binary64 numbers of 53 significant bits: beside and between values, below and beyond all of them."""
    codes = rng.integers(0, 1 << format_.bits, 4000).astype(format_.dtype)
    values = format_.decode(codes)
    values = values[np.isfinite(values)]
    random = rng.normal(size=2000) * 2.0 ** rng.integers(-320, 320, 2000)
    near = values[:, None] * (1 + 2.0 ** -rng.integers(1, 52, (len(values), 8))) + format_.min_subnormal / 3
    beyond = format_.max * (1 + 2.0 ** -rng.integers(-2, 50, 200))
    return np.concatenate([values, near.reshape(-1), random, beyond, -beyond, [0.0, -0.0]])


@pytest.mark.parametrize("saturate", [False, True])
@pytest.mark.parametrize("name", [*NARROW, *WIDE, *EXTREME, *P3109, *POSITS])
def test_rounding_modes(native, name, saturate):
    format_ = parse_format(name)
    print(f"seed {SEED}")
    rng = np.random.default_rng(SEED)
    values = between_codes(format_, rng)
    fractions, exponents = np.frexp(np.abs(values))
    significands = (fractions * 2.0**53).astype(np.uint64)
    exponents, negative = (exponents - 53).astype(np.int32), np.signbit(values).astype(np.uint32)
    for mode in (Rounding.NEAREST_EVEN, Rounding.TOWARD_ZERO, *(Stochastic(bits, 1) for bits in (1, 7, 24))):
        words, options = np.zeros(len(values), np.uint32), {"rounding": mode}
        if isinstance(mode, Stochastic):
            random = rng.integers(0, 1 << mode.bits, len(values)).astype(np.uint32)
            words = random << np.uint32(32 - mode.bits)
            options = {"rounding": Rounding.STOCHASTIC, "random": random, "random_bits": mode.bits}
        number = native.enum("rounding")[f"ROUNDING_{options['rounding'].name}"]
        expected = format_.encode(values, saturate=saturate, **options)
        codes = np.empty(len(values), np.uint32)
        arrays = (pointer(array) for array in (negative, significands, exponents, words, codes))
        native.library.round_all(pointer(native.format(format_)), int(saturate), number, *arrays, len(values))
        wrong = np.flatnonzero(codes != expected)
        assert not wrong.size, [(mode, values[i].hex(), hex(codes[i]), hex(expected[i])) for i in wrong[:5]]


@pytest.mark.parametrize("k", [0, 77, FIRST_ADDEND, WRITE_BACK])
def test_random_words(native, k):
    for bits in (1, 13, 24):
        stochastic = Stochastic(bits, seed=SEED, step=3, tensor=8)
        words = np.empty((40, 30), np.uint32)
        native.library.random_all(int(stochastic.key), *words.shape, k, bits, pointer(words))
        assert (words == stochastic.draw(*words.shape, k).astype(np.uint32) << np.uint32(32 - bits)).all()


def test_stored_nan_is_canonical(native):
    patterns = np.array([0x7F800001, 0xFF800001, 0x7FFFFFFF, 0xFFC00000], np.uint32).view(np.float32)
    for name in NARROW + WIDE + P3109 + POSITS:
        format_ = parse_format(name)
        assert set(store(native, format_, patterns)) == {format_.nan_code}, name


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("exponent_bits", 1),
        ("exponent_bits", 9),
        ("fraction_bits", 0),
        ("fraction_bits", 24),
        ("style", 4),
        ("style", 6),
        ("style", 7),
        ("bits", 15),
        ("bias", 301),
    ],
)
def test_what_is_no_format(native, field, value):
    entry = native.format(parse_format("e5m10")).copy()
    assert native.library.codec_is_valid(pointer(entry))
    entry[field] = value
    assert not native.library.codec_is_valid(pointer(entry))
