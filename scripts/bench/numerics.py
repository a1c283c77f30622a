"""Speed of the formats and of the golden matrix product, beside their peers.

    .venv/bin/python scripts/bench/numerics.py [--json] [--rounds N]

One thread, medians over rounds in which ours and the peers take turns. Times are those the process had the processor
(other work on the machine does not count). Peers that are not installed are left out: ml_dtypes and gfloat come with
the extra `test`, apytypes, qtorch and qtorch-plus with the extra `bench`. Exit status 1 where a target is missed.
"""

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"  # read when NumPy is imported

import numpy as np  # noqa: E402

from pyhost.formats import Stochastic, parse_format  # noqa: E402
from pyhost.golden import Chain, Exact, gemm  # noqa: E402

SEED = 1
ELEMENTS = 10_000_000
CHAIN_SIZE = 256
EXACT_SIZE = 512


@dataclass
class Row:
    """One measurement, in millions of elements or multiply-adds a second."""

    name: str
    speed: float
    target: float | None = None
    peers: dict[str, float] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """Whether the target is met, or there is none."""
        return self.target is None or self.speed >= self.target


def measure(work: dict[str, tuple[float, Callable[[], Any]]], rounds: int) -> dict[str, float]:
    """Millions a second of each of `work` (name -> how many millions, what to do), in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for done in range(rounds + 1):
        for name, (_, run) in work.items():
            start = time.process_time()
            run()
            if done:  # the first round compiles
                seconds[name].append(time.process_time() - start)
    return {name: millions / median(seconds[name]) for name, (millions, _) in work.items()}


def module(name: str) -> Any:
    """A peer, or None where it is not installed or does not load."""
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError):
        return None


def rounding(name: str, rounds: int) -> Row:
    """Rounding binary32 numbers to codes."""
    ours = parse_format(name)
    x = np.random.default_rng(SEED).standard_normal(ELEMENTS).astype(np.float32)
    few = x[:100_000]
    work: dict[str, tuple[float, Callable[[], Any]]] = {"ours": (ELEMENTS / 1e6, lambda: ours.encode(x))}
    if ml_dtypes := module("ml_dtypes"):
        types = {"e5m2": ml_dtypes.float8_e5m2, "e4m3fn": ml_dtypes.float8_e4m3fn, "e5m10": np.float16}
        if name in types:
            work["ml_dtypes"] = (ELEMENTS / 1e6, lambda: x.astype(types[name]))
    if gfloat := module("gfloat"):
        formats = importlib.import_module("gfloat.formats")
        infos = {"e5m2": "ocp_e5m2", "e4m3fn": "ocp_e4m3", "e5m10": "binary16"}
        if name in infos:
            info = getattr(formats, f"format_info_{infos[name]}")
            work["gfloat"] = (few.size / 1e6, lambda: gfloat.encode_ndarray(info, gfloat.round_ndarray(info, few)))
    if name != "posit8" and (apytypes := module("apytypes")):
        bits = {"exp_bits": ours.exponent_bits, "man_bits": ours.fraction_bits}
        wide = few.astype(np.float64)
        work["apytypes"] = (few.size / 1e6, lambda: apytypes.APyFloatArray.from_array(wide, **bits))
    if torch := module("torch"):
        torch.set_num_threads(1)
        tensor = torch.from_numpy(x[:1_000_000])
        if name == "posit8" and (quant := module("qtorch_plus.quant")):
            work["qtorch-plus"] = (1.0, lambda: quant.posit_quantize(tensor, nsize=8, es=2))
        elif name != "posit8" and (quant := module("qtorch.quant")):
            size = {"exp": ours.exponent_bits, "man": ours.fraction_bits}
            work["qtorch"] = (1.0, lambda: quant.float_quantize(tensor, rounding="nearest", **size))
    speeds = measure(work, rounds)
    speed = speeds.pop("ours")
    targets = {
        "e5m2": 10 * speeds.get("ml_dtypes", 0),
        "e4m3fn": 10 * speeds.get("ml_dtypes", 0),
        "e5m10": 3 * speeds.get("ml_dtypes", 0),
        "posit8": 20 * speeds.get("qtorch-plus", 10),
    }
    return Row(f"round to {name}", speed, targets[name], speeds)


def chain(title: str, operand: tuple[str, str], accumulator: Chain, target: float, rounds: int) -> Row:
    """A product with one rounding a step."""
    size = CHAIN_SIZE
    rng = np.random.default_rng(SEED)
    a_format, b_format = map(parse_format, operand)
    a, b = a_format.encode(rng.standard_normal((size, size))), b_format.encode(rng.standard_normal((size, size)))
    formats = {"a_format": a_format, "b_format": b_format, "d_format": accumulator.format}
    work: dict[str, tuple[float, Callable[[], Any]]] = {
        "ours": (size**3 / 1e6, lambda: gemm(a, b, accumulator=accumulator, **formats))
    }
    if not isinstance(accumulator.rounding, Stochastic) and (apytypes := module("apytypes")):
        few = size // 4
        x, y = (
            apytypes.APyFloatArray.from_array(
                f.decode(v)[:few, :few].copy(), exp_bits=f.exponent_bits, man_bits=f.fraction_bits
            )
            for f, v in ((a_format, a), (b_format, b))
        )
        bits = {"exp_bits": accumulator.format.exponent_bits, "man_bits": accumulator.format.fraction_bits}

        def product() -> None:
            with apytypes.APyFloatAccumulatorContext(**bits):
                x @ y

        work["apytypes"] = (few**3 / 1e6, product)
    speeds = measure(work, rounds)
    return Row(f"chain, {title}", speeds.pop("ours"), target, speeds)


def exact(name: str, share: float, rounds: int) -> Row:
    """A product with one rounding at its end, beside binary64 BLAS."""
    size = EXACT_SIZE
    rng = np.random.default_rng(SEED)
    operand, result = parse_format(name), parse_format("posit8" if name == "posit8" else "e5m10")
    x, y = rng.standard_normal((size, size)), rng.standard_normal((size, size))
    a, b = operand.encode(x), operand.encode(y)
    formats = {"a_format": operand, "b_format": operand, "d_format": result}
    millions = size**3 / 1e6
    speeds = measure(
        {
            "ours": (millions, lambda: gemm(a, b, accumulator=Exact(), **formats)),
            "BLAS float64": (millions, lambda: x @ y),
        },
        rounds,
    )
    return Row(f"exact, {name}", speeds.pop("ours"), share * speeds["BLAS float64"], speeds)


def rows(rounds: int) -> list[Row]:
    """Everything, in the order of the documentation."""
    e5m10, draws = parse_format("e5m10"), Stochastic(8, seed=SEED)
    return [
        *(rounding(name, rounds) for name in ("e5m2", "e4m3fn", "e5m10", "posit8")),
        chain("e5m10 into e5m10", ("e5m10", "e5m10"), Chain(e5m10), 2500, rounds),
        chain("e4m3fn x e5m2 into e5m10", ("e4m3fn", "e5m2"), Chain(e5m10), 4000, rounds),
        chain("e5m10, stochastic", ("e5m10", "e5m10"), Chain(e5m10, draws), 500, rounds),
        chain("fp8 into e5m10, stochastic", ("e4m3fn", "e5m2"), Chain(e5m10, draws), 500, rounds),
        chain("e8m7 into e8m7", ("e8m7", "e8m7"), Chain(parse_format("e8m7")), 700, rounds),
        chain("e8m23 into e8m23", ("e8m23", "e8m23"), Chain(parse_format("e8m23")), 700, rounds),
        *(exact(*case, rounds) for case in (("e4m3fn", 0.5), ("e5m2", 0.2), ("e5m10", 0.1), ("posit8", 0.1))),
    ]


def main() -> int:
    """Print the table; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Speed of the numerics beside their peers, on one thread.")
    parser.add_argument("--rounds", type=int, default=9, help="measured rounds, of which the median counts")
    parser.add_argument("--json", action="store_true", help="print a list of rows instead of a table")
    options = parser.parse_args()
    table = rows(options.rounds)
    if options.json:
        print(json.dumps([asdict(row) for row in table], indent=2))
    else:
        print(f"{'millions a second':<34}{'ours':>9}{'target':>9}   peers")
        for row in table:
            peers = ", ".join(f"{name} {speed:,.1f} ({row.speed / speed:.1f}x)" for name, speed in row.peers.items())
            mark = "" if row.reached else "   MISSED"
            print(f"{row.name:<34}{row.speed:>9,.0f}{row.target or 0:>9,.0f}   {peers}{mark}")
    return 0 if all(row.reached for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
