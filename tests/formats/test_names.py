"""Names of formats: what is accepted, what each means, and what the error says."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from pyhost.formats import ALIASES, FormatError, parse_format


@pytest.mark.parametrize(
    ("name", "canonical", "bits"),
    [
        ("e4m3fn", "e4m3fn", 8),
        (" E5M2 ", "e5m2", 8),
        ("e4m3b11fnuz", "e4m3fnuzb11", 8),
        ("e4m3fnuzb11", "e4m3fnuzb11", 8),
        ("e4m3b7", "e4m3", 8),
        ("e4m3fnb9nosub", "e4m3fnb9nosub", 8),
        ("e8m23", "e8m23", 32),
        ("e2m1fn", "e2m1fn", 4),
        ("tf32", "e8m10", 19),
        ("bf16", "e8m7", 16),
    ],
)
def test_parse(name: str, canonical: str, bits: int) -> None:
    number_format = parse_format(name)
    assert (number_format.name, number_format.bits) == (canonical, bits)
    assert parse_format(number_format.name) == number_format


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases_mean_canonical_names(alias: str) -> None:
    assert parse_format(alias).name == ALIASES[alias]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("e9m3", "e9: exponent bits may be 2 to 8"),
        ("e1m3", "e1: exponent bits may be 2 to 8"),
        ("e4m24", "m24: fraction bits may be 1 to 23"),
        ("e4m0", "m0: fraction bits may be 1 to 23"),
        ("e4m3fx", "'fx' is none of the options"),
        ("e4m3fnfn", "'fn' repeats an option"),
        ("e8m3b999", "bias 999 puts values"),
        ("fp17", "near: fp16"),
        ("bananas", "no family of formats has such names"),
        ("posit\N{ARABIC-INDIC DIGIT EIGHT}", "no family of formats has such names"),
        ("posit" + "9" * 5000, "no family of formats has such names"),
        ("e4m3b" + "9" * 5000, "is none of the options"),
        ("", "no family of formats has such names"),
    ],
)
def test_error_quotes_the_name_and_says_which_part_is_wrong(name: str, part: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_format(name)
    message = str(caught.value)
    assert repr(name) in message
    assert part in message
    assert "\n" not in message


def test_error_for_what_is_no_string() -> None:
    with pytest.raises(FormatError, match="not 7"):
        parse_format(7)  # type: ignore[arg-type]
    with pytest.raises(FormatError, match=r"not \['e4m3fn'\]"):
        parse_format(["e4m3fn"])  # type: ignore[arg-type]


def test_codes_out_of_range_are_named() -> None:
    with pytest.raises(FormatError, match="0x40 is no code of e3m2fn: they are 0x0 to 0x3f"):
        parse_format("e3m2fn").decode(np.array([0x3F, 0x40], dtype=np.uint8))
    with pytest.raises(FormatError, match="-0x1 is no code of e4m3fn"):
        parse_format("e4m3fn").decode([-1])
    with pytest.raises(FormatError, match="integers, not float64"):
        parse_format("e4m3fn").decode([1.0])
    with pytest.raises(FormatError, match="codes of e4m3fn are an array of integers"):
        parse_format("e4m3fn").decode([[1], [1, 2]])


@pytest.mark.parametrize("name", ["e4m3fn", "posit16", "unum2x2", "mx(e4m3fn,32)"])
@pytest.mark.parametrize("x", ["1.5", [1.0 + 2.0j], [[1.0], [1.0, 2.0]], [{}], [10**400]])
def test_what_is_no_array_of_real_numbers_is_refused(name: str, x: object) -> None:
    with pytest.raises(FormatError, match="takes real numbers"):
        parse_format(name).encode(x)  # type: ignore[arg-type]


def test_fractions_and_integers_are_real_numbers() -> None:
    e4m3 = parse_format("e4m3fn")
    assert e4m3.encode([Fraction(1, 2), 3, True]).tolist() == e4m3.encode([0.5, 3.0, 1.0]).tolist()


def test_a_value_that_is_not_held_is_told_where_asked() -> None:
    e4m3 = parse_format("e4m3fn")
    assert e4m3.encode([0.5, np.nan, -448.0], exact=True).tolist() == [0x30, 0x7F, 0xFE]
    with pytest.raises(FormatError, match=r"e4m3fn does not hold 0\.3: the nearest is 0\.3125"):
        e4m3.encode([0.5, 0.3], exact=True)


def test_importing_the_formats_loads_numpy_and_nothing_heavier() -> None:
    code = "import sys, pyhost.formats; print([m for m in ('numba', 'scipy', 'ml_dtypes') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "[]"
