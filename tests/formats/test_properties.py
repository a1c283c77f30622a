"""What holds of every scalar format: identity, order, symmetry, and how the modes relate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyhost.formats import Rounding, ScalarFormat, parse_format

SEED = 754
SYMMETRIC = [
    "e5m2",
    "e4m3fn",
    "e4m3fnuz",
    "e2m1fn",
    "e5m10",
    "e8m7",
    "e8m23",
    "e5m2nosub",
    "posit8",
    "posit16",
    "posit32",
]
SYMMETRIC += ["binary8p3se", "binary8p1sf", "binary5p3se"]
ALL = [*SYMMETRIC, "binary8p4ue", "binary6p6uf", "e8m0fnu"]
MODES = [mode for mode in Rounding if mode is not Rounding.STOCHASTIC]


def scalar(name: str) -> ScalarFormat:
    number_format = parse_format(name)
    assert isinstance(number_format, ScalarFormat)
    return number_format


def codes_of(number_format: ScalarFormat) -> np.ndarray:
    if number_format.bits <= 16:
        return np.arange(1 << number_format.bits)
    return np.random.default_rng(SEED).integers(0, 1 << number_format.bits, 1 << 14)


finite = st.floats(allow_nan=False, allow_infinity=False)
name = st.sampled_from(ALL)


@pytest.mark.parametrize("name", ALL)
def test_encode_of_decode_is_the_identity(name: str) -> None:
    """But for NaN, which becomes canonical, and for subnormals that are read as zero."""
    number_format = scalar(name)
    codes = codes_of(number_format)
    values = number_format.decode(codes)
    for mode in MODES:
        again = number_format.encode(values, mode)
        if name.endswith("nosub"):
            codes = np.where(values == 0, np.signbit(values) * 0x80, codes)
        number = ~np.isnan(values)
        assert np.array_equal(again[number], codes[number]), f"seed {SEED}, {mode}"
        assert (again[~number] == number_format.nan_code).all()


@pytest.mark.parametrize("name", ALL)
def test_round_is_decode_of_encode(name: str) -> None:
    number_format = scalar(name)
    rng = np.random.default_rng(SEED)
    top = np.log2(number_format.max) + 2
    x = rng.standard_normal(1 << 10) * 2.0 ** rng.uniform(-top, top, 1 << 10)
    x[:6] = [0.0, -0.0, np.inf, -np.inf, np.nan, number_format.max * (1 + 2.0**-12)]
    rounded, expected = number_format.round(x), number_format.decode(number_format.encode(x))
    assert np.array_equal(rounded, expected, equal_nan=True), f"seed {SEED}"
    assert np.array_equal(np.signbit(rounded[rounded == 0]), np.signbit(expected[expected == 0])), f"seed {SEED}"


@pytest.mark.parametrize("name", ALL)
def test_the_unit_divides_every_value(name: str) -> None:
    number_format = scalar(name)
    values = number_format.decode(codes_of(number_format))
    values = np.abs(values[np.isfinite(values)])
    units = values * 2.0**-number_format.unit_exponent
    assert np.array_equal(units, np.floor(units))
    assert values.max() <= number_format.max
    smallest = values[values > 0].min()
    assert smallest >= number_format.min_subnormal
    assert number_format.decode(number_format.encode([number_format.min_subnormal]))[0] == number_format.min_subnormal
    rng = np.random.default_rng(SEED)
    for bound in rng.choice(values[values > 0], 30):
        above = values[values >= bound] * 2.0 ** -number_format.unit_above(float(bound))
        assert np.array_equal(above, np.floor(above)), f"seed {SEED}, {bound!r}"


@settings(max_examples=150, deadline=None)
@given(name, st.sampled_from(MODES), finite, finite)
def test_encoding_keeps_the_order(name: str, mode: Rounding, x: float, y: float) -> None:
    number_format = scalar(name)
    if mode is Rounding.TO_ODD:  # neighbours may trade places with what lies between them
        mode = Rounding.NEAREST_EVEN
    low, high = number_format.decode(number_format.encode([min(x, y), max(x, y)], mode))
    assert np.isnan(low) or np.isnan(high) or low <= high


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SYMMETRIC), st.sampled_from(MODES), finite)
def test_encoding_is_symmetric(name: str, mode: Rounding, x: float) -> None:
    number_format = scalar(name)
    mirrored = {Rounding.UP: Rounding.DOWN, Rounding.DOWN: Rounding.UP}.get(mode, mode)
    one = number_format.decode(number_format.encode([x], mode))[0]
    other = number_format.decode(number_format.encode([-x], mirrored))[0]
    assert one == -other or (np.isnan(one) and np.isnan(other))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SYMMETRIC), finite)
def test_the_modes_enclose_the_value(name: str, x: float) -> None:
    number_format = scalar(name)
    if name.startswith("posit") or name.endswith("nosub"):  # these do not round to zero, or do
        x = float(np.copysign(max(abs(x), number_format.min_normal), x))
    x = float(np.clip(x, -number_format.max, number_format.max))
    down, up, nearest, zero = (
        number_format.decode(number_format.encode([x], mode))[0]
        for mode in (Rounding.DOWN, Rounding.UP, Rounding.NEAREST_EVEN, Rounding.TOWARD_ZERO)
    )
    assert down <= x <= up
    assert nearest in (down, up)
    assert zero == (down if x > 0 else up)
    if not name.startswith("posit"):
        assert abs(nearest - x) == min(x - down, up - x)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(ALL), st.sampled_from(MODES), finite)
def test_saturation_is_the_only_difference_that_saturation_makes(name: str, mode: Rounding, x: float) -> None:
    number_format = scalar(name)
    plain, saturated = (number_format.encode([x], mode, saturate=saturate)[0] for saturate in (False, True))
    value = number_format.decode([saturated])[0]
    assert plain == saturated or abs(value) == number_format.max or (x < 0 and value == 0)
    assert np.isfinite(value) or (name == "e8m0fnu" and x <= 0)
