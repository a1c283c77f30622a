"""Posits against SoftPosit, whose Python package has to be compiled: skipped where it could not be."""

import numpy as np
import pytest

from pyhost.formats import PositFormat, parse_format

softposit = pytest.importorskip("softposit", reason="softposit is not installed: pip install 'floatsoc[peers]'")

SEED = 2022


def doubles(rng: np.random.Generator, number_format: PositFormat, count: int) -> np.ndarray:
    top = np.log2(number_format.max) + 4
    return rng.standard_normal(count) * 2.0 ** rng.uniform(-top, top, count)


@pytest.mark.parametrize(
    ("name", "convert", "back"),
    [
        ("posit8es0", softposit.convertDoubleToP8, softposit.convertP8ToDouble),
        ("posit16es1", softposit.convertDoubleToP16, softposit.convertP16ToDouble),
        ("posit32", softposit.convertDoubleToP32, softposit.convertP32ToDouble),
    ],
)
def test_softposit_agrees_where_es_does(name: str, convert, back) -> None:  # type: ignore[no-untyped-def]
    number_format = parse_format(name)
    assert isinstance(number_format, PositFormat)
    rng = np.random.default_rng(SEED)
    x = doubles(rng, number_format, 3000)
    expected = [convert(float(v)) for v in x]
    assert number_format.encode(x).tolist() == [p.v for p in expected], f"seed {SEED}"
    assert number_format.decode([p.v for p in expected]).tolist() == [back(p) for p in expected], f"seed {SEED}"


@pytest.mark.parametrize("width", [5, 8, 13, 16, 24, 32])
def test_softposit_agrees_on_the_standards_posits_of_other_widths(width: int) -> None:
    """SoftPosit keeps a posit of N bits with es = 2 in the upper bits of 32."""
    number_format = PositFormat(width)
    rng = np.random.default_rng(SEED)
    x = doubles(rng, number_format, 2000)
    expected = [softposit.convertDoubleToPX2(float(v), width).v >> (32 - width) for v in x]
    assert number_format.encode(x).tolist() == expected, f"seed {SEED}"
