"""P3109 and OCP formats against gfloat, which the working group's numbers are checked with."""

import gfloat
import numpy as np
import pytest
from gfloat.formats import (
    format_info_binary16,
    format_info_ocp_e2m1,
    format_info_ocp_e2m3,
    format_info_ocp_e3m2,
    format_info_ocp_e4m3,
    format_info_ocp_e5m2,
    format_info_ocp_e8m0,
    format_info_p3109,
)

from pyhost.formats import FormatError, P3109Format, Rounding, ScalarFormat, parse_format

MODES = {
    Rounding.NEAREST_EVEN: gfloat.RoundMode.TiesToEven,
    Rounding.NEAREST_AWAY: gfloat.RoundMode.TiesToAway,
    Rounding.TOWARD_ZERO: gfloat.RoundMode.TowardZero,
    Rounding.UP: gfloat.RoundMode.TowardPositive,
    Rounding.DOWN: gfloat.RoundMode.TowardNegative,
}
OCP = {
    "e5m2": format_info_ocp_e5m2,
    "e4m3fn": format_info_ocp_e4m3,
    "e3m2fn": format_info_ocp_e3m2,
    "e2m3fn": format_info_ocp_e2m3,
    "e2m1fn": format_info_ocp_e2m1,
    "e8m0fnu": format_info_ocp_e8m0,
    "e5m10": format_info_binary16,
}
P3109 = [
    (width, precision, signed, extended)
    for width in range(3, 9)
    for signed in (True, False)
    for extended in (True, False)
    for precision in range(1, width + (not signed))
]


def p3109(width: int, precision: int, signed: bool, extended: bool) -> tuple[P3109Format, gfloat.FormatInfo]:
    signedness = gfloat.Signedness.Signed if signed else gfloat.Signedness.Unsigned
    domain = gfloat.Domain.Extended if extended else gfloat.Domain.Finite
    return P3109Format(width, precision, signed, extended), format_info_p3109(width, precision, signedness, domain)


def points(number_format: ScalarFormat) -> np.ndarray:
    """Every value, every midpoint, the neighbours of both in binary64, and beyond the largest."""
    values = np.unique(np.abs(number_format.decode(np.arange(1 << number_format.bits))))
    values = values[np.isfinite(values)]
    values = np.append(values, number_format.max + (values[-1] - values[-2]) * np.array([1, 2, 1000]))
    points = np.concatenate([values, (values[1:] + values[:-1]) / 2])
    points = np.concatenate([points, np.nextafter(points, np.inf), np.nextafter(points, 0), [np.inf]])
    return np.concatenate([points, -points])


def same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a == b) & (np.signbit(a) == np.signbit(b)) | (np.isnan(a) & np.isnan(b))


@pytest.mark.parametrize("case", P3109)
def test_p3109_decodes_as_gfloat_does(case: tuple[int, int, bool, bool]) -> None:
    ours, theirs = p3109(*case)
    codes = np.arange(1 << ours.bits)
    assert same(ours.decode(codes), gfloat.decode_ndarray(theirs, codes)).all()
    assert ours.max == theirs.max
    assert ours.bias == theirs.bias
    assert parse_format(ours.name) == ours


@pytest.mark.parametrize("saturate", [False, True])
@pytest.mark.parametrize("case", P3109)
def test_p3109_rounds_as_gfloat_does(case: tuple[int, int, bool, bool], saturate: bool) -> None:
    ours, theirs = p3109(*case)
    x = points(ours)
    if not ours.signed:  # gfloat does not say what becomes of negative values
        x = x[~np.signbit(x)]
    for mode, their_mode in MODES.items():
        rounded = ours.decode(ours.encode(x, mode, saturate))
        expected = gfloat.round_ndarray(theirs, x, their_mode, sat=saturate)
        wrong = ~same(rounded, expected)
        assert not wrong.any(), f"{ours.name} {mode}: {x[wrong][0]!r} {rounded[wrong][0]!r} {expected[wrong][0]!r}"


def test_negative_values_in_unsigned_p3109() -> None:
    unsigned = parse_format("binary8p3ue")
    x = [-1.0, -np.inf, -1e-300, -0.0, np.nan]
    assert unsigned.encode(x).tolist() == [255, 255, 0, 0, 255]
    assert unsigned.encode(x, saturate=True).tolist() == [0, 0, 0, 0, 255]


@pytest.mark.parametrize("name", OCP)
def test_ocp_formats_decode_and_round_as_gfloat_does(name: str) -> None:
    ours, theirs = parse_format(name), OCP[name]
    assert isinstance(ours, ScalarFormat)
    codes = np.arange(1 << ours.bits)
    assert same(ours.decode(codes), gfloat.decode_ndarray(theirs, codes)).all()
    x = points(ours)
    x = x[np.isfinite(x)]
    if name == "e8m0fnu":
        x = x[x >= ours.min_normal]
    for mode, their_mode in MODES.items():
        for saturate in (True, False) if ours.has_nan else (True,):
            rounded = ours.decode(ours.encode(x, mode, saturate))
            expected = gfloat.round_ndarray(theirs, x, their_mode, sat=saturate)
            wrong = ~same(rounded, expected)
            assert not wrong.any(), f"{name} {mode}: {x[wrong][0]!r} {rounded[wrong][0]!r} {expected[wrong][0]!r}"


def test_stochastic_rounding_is_gfloats_fastest_up_to_the_bits_that_are_looked_at() -> None:
    """gfloat compares with all bits of the rest; ours with the first `random_bits`: the same for integer randoms."""
    ours, theirs = parse_format("e4m3fn"), format_info_ocp_e4m3
    rng = np.random.default_rng(3109)
    x = rng.uniform(-400, 400, 5000)
    random = rng.integers(0, 1 << 6, x.size)
    rounded = ours.decode(ours.encode(x, Rounding.STOCHASTIC, random=random, random_bits=6))
    expected = gfloat.round_ndarray(theirs, x, gfloat.RoundMode.StochasticFastest, srbits=random, srnumbits=6)
    assert np.array_equal(rounded, expected)


def test_bad_parameters_are_named() -> None:
    with pytest.raises(FormatError, match="binary9: a P3109 format has 3 to 8 bits here"):
        parse_format("binary9p3")
    with pytest.raises(FormatError, match="p8: the precision may be 1 to 7"):
        parse_format("binary8p8se")
