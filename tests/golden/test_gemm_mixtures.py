"""Both engines on random mixtures of formats, shapes, settings and data."""

from collections.abc import Callable

import numpy as np
import pytest

from pyhost.formats import Rounding, ScalarFormat, Stochastic, parse_format
from pyhost.golden import Chain, Exact, gemm

SEED = 20260519
NAMES = [
    "e5m2",
    "e4m3fn",
    "e4m3fnuz",
    "e5m2fnuzb20",
    "e3m4",
    "e2m1fn",
    "e2m3fn",
    "e3m2fn",
    "e4m3nosub",
    "e5m10",
    "e8m7",
]
NAMES += [
    "e8m10",
    "e8m23",
    "e6m9fn",
    "e8m3fnuz",
    "e3m12",
    "e2m20",
    "e8m5b200",
    "posit8",
    "posit8es0",
    "posit16",
    "posit5",
]
NAMES += ["posit32", "posit32es3", "binary8p3se", "binary8p1uf", "binary6p4sf", "e8m0fnu"]
MODES: list[Rounding | Stochastic] = [mode for mode in Rounding if mode is not Rounding.STOCHASTIC]
MODES += [Stochastic(1, seed=1), Stochastic(24, seed=2)]


def values(rng: np.random.Generator, number_format: ScalarFormat, shape: tuple[int, int]) -> np.ndarray:
    """Normal numbers of some size, spread over more or fewer binades, some of them equal, zero or special."""
    top, bottom = np.log2(number_format.max), np.log2(number_format.min_subnormal)
    center, spread = rng.uniform(bottom, top), rng.choice([0, 1, 4, 20, top - bottom])
    x = rng.standard_normal(shape) * 2.0 ** (center + rng.uniform(-spread, spread, shape)).clip(-330, 330)
    x = np.where(rng.random(shape) < rng.choice([0, 0.3]), x.flat[0] if x.size else 0.0, x)
    x = np.where(rng.random(shape) < 0.1, np.copysign(0.0, x), x)
    if rng.random() < 0.3:
        x = np.where(rng.random(shape) < 0.05, rng.choice([np.inf, -np.inf, np.nan], shape), x)
    return x


@pytest.mark.parametrize(
    ("part", "cases"), [(0, 200), *(pytest.param(part, 2000, marks=pytest.mark.slow) for part in range(1, 9))]
)
def test_engines_agree_on_anything(part: int, cases: int, compiling: Callable[[bool], None]) -> None:
    rng = np.random.default_rng([SEED, part])
    for _ in range(cases):
        fa, fb, fc, fd, acc = (parse_format(name) for name in rng.choice(NAMES, 5))
        m, k, n = rng.integers(
            0, rng.choice([9, 45], p=[0.97, 0.03]), 3
        )  # to a vector's and a block's length, and beyond
        transpose = str(rng.choice(["NN", "NT", "TN", "TT"]))
        a, b, c = (
            f.encode(values(rng, f, shape), saturate=bool(rng.integers(2)))
            for f, shape in ((fa, (m, k)), (fb, (k, n)), (fc, (m, n)))
        )
        chained = Chain(acc, [Rounding.NEAREST_EVEN, Stochastic(int(rng.integers(1, 25)), seed=3)][rng.integers(2)])
        settings = {
            "a_format": fa,
            "b_format": fb,
            "c_format": fc,
            "d_format": fd,
            "accumulator": [Exact(), chained][rng.integers(2)],
            "scale": int(rng.choice([0, 0, 1, -5, 40, -300, 512, -512])),
            "transpose": transpose,
            "overflow": str(rng.choice(["ieee", "saturate"])),
            "rounding": MODES[rng.integers(len(MODES))],
        }
        operands = [a.T if transpose[0] == "T" else a, b.T if transpose[1] == "T" else b]
        if rng.integers(2):
            operands.append(c)
        for name in ("addend", "mask"):
            if rng.integers(2):
                number_format = parse_format(str(rng.choice(NAMES)))
                x = values(rng, number_format, [(m, n), (1, n)][rng.integers(2)])
                codes = number_format.encode(x, saturate=bool(rng.integers(2)))
                settings |= {name: codes if len(codes) == m else codes[0], f"{name}_format": number_format}
        settings["relu"] = bool(rng.integers(2))
        reference = gemm(*operands, engine="reference", **settings)
        for compiles in (False, True):
            compiling(compiles)
            fast = gemm(*operands, **settings)
            message = f"seed {SEED}, part {part}, {compiles=}: {m}x{k}x{n} {len(operands)} {settings}"
            assert np.array_equal(reference, fast), message
