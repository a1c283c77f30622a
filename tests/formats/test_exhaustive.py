"""Formats of 8 bits and fewer against exact rationals: every code, every midpoint and its neighbours, every mode."""

import itertools
from bisect import bisect_right
from fractions import Fraction

import numpy as np
import pytest

from pyhost.formats import BinaryFormat, Rounding, parse_format

BINARY = [
    "e5m2",
    "e4m3",
    "e3m4",
    "e2m5",
    "e4m3fn",
    "e5m2fn",
    "e4m1fn",
    "e3m2fn",
    "e2m3fn",
    "e2m1fn",
    "e4m3fnuz",
    "e5m2fnuz",
]
BINARY += ["e4m3fnuzb11", "e4m3b9", "e5m2b20", "e5m2nosub", "e4m3fnnosub", "e4m3fnuznosub", "e2m1", "e3m1", "e2m2"]
TINY = Fraction(1, 1 << 40)


def binary_line(number_format: BinaryFormat) -> list[Fraction]:
    """Values of the non-negative finite codes in order, from the definition, and the one that would follow."""
    significands = 1 << number_format.fraction_bits
    values = []
    for code in range(1 << (number_format.bits - 1)):
        exponent, fraction = divmod(code, significands)
        significand = Fraction(fraction, significands) + (1 if exponent else 0)
        values.append(significand * Fraction(2) ** (max(exponent, 1) - number_format.bias))
    values.append(values[-significands] * 2)
    specials = {"ieee": significands, "fn": 1, "fnuz": 0, "finite": 0}[number_format.style]
    return values[: len(values) - specials]


def rounded(line: list[Fraction], x: Fraction, mode: Rounding) -> int | None:
    """The index on `line` that |x| rounds to; None for overflow. The last of the line is not a value."""
    magnitude = abs(x)
    largest = len(line) - 2
    if magnitude >= line[-1]:
        low, distance = largest + 1, Fraction(1, 4)
    else:
        low = bisect_right(line, magnitude) - 1
        distance = (magnitude - line[low]) / (line[low + 1] - line[low])
    up = (
        distance > 0
        and {
            Rounding.NEAREST_EVEN: distance > Fraction(1, 2) or (distance == Fraction(1, 2) and low % 2 == 1),
            Rounding.NEAREST_AWAY: distance >= Fraction(1, 2),
            Rounding.TOWARD_ZERO: False,
            Rounding.UP: x > 0,
            Rounding.DOWN: x < 0,
            Rounding.TO_ODD: low % 2 == 0,
        }[mode]
    )
    index = low + up
    if index <= largest:
        return index
    inward = {Rounding.TOWARD_ZERO: True, Rounding.TO_ODD: True, Rounding.UP: x < 0, Rounding.DOWN: x > 0}
    return largest if inward.get(mode, False) else None


def inputs(line: list[Fraction]) -> list[Fraction]:
    """Every value, every midpoint, and points close to both on either side; and far beyond."""
    points = [
        *line,
        *((low + high) / 2 for low, high in itertools.pairwise(line)),
        line[-1] * 2,
        line[-1] * 100,
    ]
    near = [p + s * TINY * (p or 1) for p in points for s in (-1, 1)]
    magnitudes = [p for p in points + near if p >= 0]
    return [s * p for p in magnitudes for s in (1, -1) if p or s > 0]


@pytest.mark.parametrize("name", BINARY)
def test_decode_is_the_definition(name: str) -> None:
    number_format = parse_format(name)
    line = binary_line(number_format)[:-1]
    for sign in (0, 1):
        codes = np.arange(len(line)) + (sign << (number_format.bits - 1))
        values = number_format.decode(codes)
        for index, value in enumerate(line):
            if not number_format.subnormals and 0 < value < Fraction(2) ** (1 - number_format.bias):
                value = Fraction(0)
            if number_format.style == "fnuz" and sign and index == 0:
                assert np.isnan(values[index])
                continue
            assert Fraction(float(values[index])) == (-value if sign else value)
            assert np.signbit(values[index]) == bool(sign)


@pytest.mark.parametrize("mode", [mode for mode in Rounding if mode is not Rounding.STOCHASTIC])
@pytest.mark.parametrize("name", BINARY)
def test_encode_rounds_every_midpoint_and_its_neighbours(name: str, mode: Rounding) -> None:
    number_format = parse_format(name)
    line = binary_line(number_format)
    sign_bit = 1 << (number_format.bits - 1)
    largest = len(line) - 2
    overflow = {"ieee": largest + 1, "fn": None, "fnuz": None, "finite": largest}[number_format.style]
    xs = inputs(line)
    floats = [float(x) for x in xs]
    assert all(Fraction(value) == x for value, x in zip(floats, xs, strict=True))
    indices = [rounded(line, x, mode) for x in xs]
    for saturate in (False, True):
        codes = number_format.encode(floats, mode, saturate=saturate)
        for x, index, code in zip(floats, indices, codes.tolist(), strict=True):
            if index is None:
                index = largest if saturate else overflow
            if index is None:
                expected = number_format.nan_code
            else:
                if not number_format.subnormals and index < 1 << number_format.fraction_bits:
                    index = 0
                expected = index + (sign_bit if x < 0 and not (number_format.style == "fnuz" and index == 0) else 0)
            assert code == expected, f"{name} {mode} {saturate=}: {x!r} gave {code:#x}, not {expected:#x}"


@pytest.mark.parametrize("name", BINARY)
def test_specials(name: str) -> None:
    number_format = parse_format(name)
    sign_bit = 1 << (number_format.bits - 1)
    largest = len(binary_line(number_format)) - 2
    plain = number_format.encode([0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf]).tolist()
    zero = 0 if number_format.style == "fnuz" else sign_bit
    nan = number_format.nan_code
    infinities = {"ieee": [largest + 1, largest + 1 + sign_bit], "finite": [largest, largest + sign_bit]}
    assert plain == [0, zero, nan, nan, *infinities.get(number_format.style, [nan, nan])]
    saturated = number_format.encode([np.nan, np.inf, -np.inf], saturate=True).tolist()
    assert saturated == [nan, largest, largest + sign_bit]
    assert number_format.max == number_format.decode([largest])[0]
    assert np.isnan(number_format.decode([nan])[0]) == number_format.has_nan


def test_stochastic_rounding_adds_the_random_bits_to_the_first_lost_ones() -> None:
    number_format = parse_format("e5m2")
    bits = 5
    line = binary_line(number_format)
    xs = [x for x in inputs(line[:-2]) if abs(x) <= line[-2]]
    random = np.arange(1 << bits)
    codes = number_format.encode(
        np.array([float(x) for x in xs])[:, None], Rounding.STOCHASTIC, random=random[None, :], random_bits=bits
    )
    for x, row in zip(xs, codes.tolist(), strict=True):
        low = min(bisect_right(line, abs(x)) - 1, len(line) - 2)
        distance = (abs(x) - line[low]) / (line[low + 1] - line[low])
        sign = 0x80 if x < 0 else 0
        expected = [sign + low + ((distance * 2**bits).__floor__() + int(r) >= 2**bits) for r in random]
        assert row == expected, f"{float(x)!r}"
