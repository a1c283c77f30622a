"""The compiled encoders against the readable one, whatever the size of the array."""

import numpy as np
import pytest

from pyhost.formats import Rounding, ScalarFormat, base, parse_format

SEED = 42
NAMES = ["e5m2", "e4m3fn", "e4m3fnuz", "e5m2fnuz", "e2m1fn", "e3m2fn", "e5m10", "e8m7", "e8m10", "e8m23", "e2m23"]
NAMES += ["posit3", "posit8", "posit8es0", "posit16", "posit16es1", "posit32", "posit32es0", "posit32es3"]
NAMES += ["e5m2nosub", "e8m7nosub", "e4m3fnuznosub", "e8m3b140", "e8m3b-40", "e4m3b30", "e3m20fn"]
NAMES += ["e5m1fn", "e3m1fnb0nosub"]  # the largest value is a power of two: the step below it is half of that above


def awkward(number_format: ScalarFormat) -> np.ndarray:
    """float64 values around everything that decides: every binade, ties and their neighbours, the ends, specials."""
    rng = np.random.default_rng(SEED)
    codes = rng.integers(0, 1 << number_format.bits, 1 << 12)
    values = number_format.decode(codes.astype(number_format.dtype))
    with np.errstate(invalid="ignore", over="ignore"):
        middle = (values + number_format.decode(codes ^ 1)) / 2
        wide = rng.standard_normal(1 << 12) * 2.0 ** rng.integers(-330, 330, 1 << 12)
        near = [np.nextafter(v, s) for v in (values, middle) for s in (-np.inf, np.inf)]
        ends = number_format.max * np.array([1, 1 + 2.0**-24, 1.0625, 1.2, 1.25, 1.5, 2, 4, 1e9])
    specials = [0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, -1e308]
    return np.concatenate([values, middle, *near, wide, ends, -ends, specials])


@pytest.mark.parametrize("saturate", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_compiled_and_readable_encoders_agree(name: str, saturate: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    number_format = parse_format(name)
    assert isinstance(number_format, ScalarFormat)
    x = awkward(number_format)
    rng = np.random.default_rng(SEED)
    with np.errstate(over="ignore"):
        singles = x.astype(np.float32)
    for mode in Rounding:
        for values in (x, singles, singles.reshape(-1, 1)[::3]):
            draw = {}
            if mode is Rounding.STOCHASTIC:
                bits = int(rng.integers(1, 25))
                draw = {"random": rng.integers(0, 1 << bits, values.shape), "random_bits": bits}
            results = []
            for compiles in (True, False):
                monkeypatch.setattr(base, "worth_compiling", lambda elements, compiles=compiles: compiles)
                results.append(number_format.encode(values, mode, saturate, **draw))
            compiled, readable = results
            assert compiled.shape == values.shape
            wrong = compiled != readable
            assert not wrong.any(), (
                f"seed {SEED}, {mode}: {values[wrong][:3]}: {compiled[wrong][:3]} {readable[wrong][:3]}"
            )


@pytest.mark.parametrize("name", ["posit32es0", "posit32es1", "e8m23"])
def test_the_most_random_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of posit32es0 fewer bits are lost around 1 than are drawn."""
    rng = np.random.default_rng(SEED)
    x, random = rng.standard_normal(1000), rng.integers(0, 1 << 24, 1000)
    results = []
    for compiles in (True, False):
        monkeypatch.setattr(base, "worth_compiling", lambda elements, compiles=compiles: compiles)
        results.append(parse_format(name).encode(x, Rounding.STOCHASTIC, random=random, random_bits=24))
    assert np.array_equal(*results)


def test_kernels_compile_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import caching

    from pyhost.formats.jit import kernel

    monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", [])
    assert kernel(lambda x: x / 0.0)(1.0) == np.inf
