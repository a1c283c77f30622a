"""Both accumulators, from operand codes to the rounded result, against the golden product of a row by a column."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from migen import Module, Signal
from numpy.typing import NDArray

from accel_rtl.array import OuterProductArray, ProcessingRow
from accel_rtl.chain_random import ChainRandom
from accel_rtl.config import AcceleratorConfig
from accel_rtl.decode import Decoder
from accel_rtl.normalize import normalizer_class
from accel_rtl.round import Rounder
from pyhost.formats import Rounding, Stochastic, parse_format
from pyhost.golden import Chain, Exact, gemm
from tests.rtl.dut import Dut
from tests.rtl.jobs import random_codes

pytestmark = [pytest.mark.hardware, pytest.mark.slow]


def _config(*operands: str, results: tuple[str, ...] = (), accumulator: str, **more: bool) -> AcceleratorConfig:
    return AcceleratorConfig(
        rows=1, columns=1, operand_formats=operands, result_formats=results, accumulator=accumulator, **more
    )


CONFIGS = {
    "exact": _config("e4m3fn", "e5m2", results=("e5m10", "e8m23"), accumulator="exact"),
    "exact_wide": _config("e5m10", "e3m4", "e6m7", results=("e8m23",), accumulator="exact"),
    "chain_e8m23": _config("e5m10", "e8m7", "e8m23", accumulator="e8m23"),
    "chain_e5m10": _config("e4m3fn", "e5m2", results=("e5m10",), accumulator="e5m10"),
    "chain_e4m3fn": _config("e4m3fn", "e5m10", accumulator="e4m3fn"),
    "chain_e2m1fn": _config("e4m3fn", "e3m2fn", results=("e8m23",), accumulator="e2m1fn"),
    "chain_nosub": _config("e5m2fnuz", "e4m3nosub", results=("e8m23",), accumulator="e5m7fnuznosub"),
    # Able to round stochastically, but here to nearest even: with a bit that is added, not with a carry.
    "random_e8m23": _config("e5m10", "e8m7", "e8m23", accumulator="e8m23", stochastic_chain=True),
    "random_e5m10": _config("e4m3fn", "e5m2", results=("e5m10",), accumulator="e5m10", stochastic_chain=True),
    "random_e2m1fn": _config("e4m3fn", "e3m2fn", accumulator="e2m1fn", stochastic_chain=True),
}


class _Bench(Module):
    """A row of one processing element with its decoders, and the way of its sum to a code."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.submodules.a = a = Decoder(config.operands, config.form)
        self.submodules.b = b = Decoder(config.operands, config.form)
        self.submodules.row = row = ProcessingRow(config)
        self.submodules.normalizer = normalizer = normalizer_class(config)(config)
        self.submodules.rounder = rounder = Rounder(config.formats, normalizer.significand_bits(config))
        self.comb += [
            row.a.eq(a.value),
            row.b[0].eq(b.value),
            *(target.eq(word) for target, word in zip(normalizer.words, row.words[0], strict=True)),
            rounder.number.eq(normalizer.number),
        ]
        self.inputs = {"a": a.code, "b": b.code, "a_format": a.format, "b_format": b.format}
        self.inputs |= {"step": row.step, "first": row.first, "enable": row.enable}
        self.inputs |= {"format": rounder.format}
        self.outputs = {"code": rounder.code}


@dataclass(frozen=True)
class _Bed:
    config: AcceleratorConfig
    dut: Dut

    def sums(self, a: NDArray, b: NDArray, a_index: int, b_index: int, d_index: int) -> NDArray:
        """round(sum of a[i, k] * b[i, k]) for each row i, the steps of each row in order."""
        latency = ProcessingRow.latency(self.config) - 1 + normalizer_class(self.config).LATENCY
        rows, k = a.shape
        # For each row: the products, then idle cycles until its code has come out.
        length = k + latency + 1
        step, first = np.zeros((rows, length), np.uint64), np.zeros((rows, length), np.uint64)
        step[:, :k], first[:, 0] = 1, 1
        codes = [np.pad(x, ((0, 0), (0, length - k))) for x in (a, b)]
        out = self.dut.run(
            a=codes[0].reshape(-1),
            b=codes[1].reshape(-1),
            a_format=a_index,
            b_format=b_index,
            step=step.reshape(-1),
            first=first.reshape(-1),
            enable=1,
            format=d_index,
        )
        return out["code"].reshape(rows, length)[:, -1]

    def check(self, a: NDArray, b: NDArray, a_index: int, b_index: int, d_index: int) -> None:
        """The element's sums equal the golden model's."""
        formats = self.config.formats
        accumulator = Exact() if self.config.exact else Chain(self.config.chain_format)
        got = self.sums(a, b, a_index, b_index, d_index)
        for i in range(len(a)):
            expected = gemm(
                a[i : i + 1],
                b[i][:, None],
                a_format=formats[a_index],
                b_format=formats[b_index],
                d_format=formats[d_index],
                accumulator=accumulator,
                engine="reference",
            )[0, 0]
            what = f"{formats[a_index].name} {list(map(hex, a[i]))} {formats[b_index].name} {list(map(hex, b[i]))}"
            assert got[i] == expected, f"{what} -> {formats[d_index].name}: {got[i]:#x}, golden {expected:#x}"


@pytest.fixture(scope="module", params=CONFIGS)
def bed(request):
    config = CONFIGS[request.param]
    bench = _Bench(config)
    return _Bed(config, Dut(bench, f"accumulator_{request.param}", bench.inputs, bench.outputs))


class _ArrayBench(Module):
    """An array with its random words, and the words of results[0] as one code a column."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.submodules.array = array = OuterProductArray(config)
        names = ["step", "first", "load_c", "rows", "capture", "shift", "a_format", "b_format", "c_format"]
        self.inputs = {name: Signal.like(getattr(array, name)) for name in names}
        if config.stochastic_chain:
            # Its inputs are as late as those of the array.
            self.submodules.random = random = ChainRandom(config)
            self.inputs["key"] = random.key
            for name in ("take", "tile_ends", "row", "column"):
                self.inputs[name] = Signal.like(getattr(random, name))
                self.sync += getattr(random, name).eq(self.inputs[name])
            self.inputs["chain_random_bits"] = Signal.like(array.chain_random_bits)
            names.append("chain_random_bits")
            self.sync += [random.step.eq(self.inputs["step"]), random.product.eq(~self.inputs["load_c"])]
            self.comb += [
                *(target.eq(word) for target, word in zip(array.row_words, random.row_words, strict=True)),
                *(target.eq(word) for target, word in zip(array.column_words, random.column_words, strict=True)),
                array.depth_word.eq(random.depth_word),
            ]
        for name in "abc":
            for i, code in enumerate(getattr(array, name)):
                self.inputs[f"{name}{i}"] = Signal.like(code)
                self.sync += code.eq(self.inputs[f"{name}{i}"])
        self.sync += [getattr(array, name).eq(self.inputs[name]) for name in names]
        self.outputs = {"captured": array.captured}
        for column, words in enumerate(array.words):
            normalizer = normalizer_class(config)(config)
            rounder = Rounder(config.formats, normalizer.significand_bits(config))
            self.submodules += normalizer, rounder
            self.comb += [
                *(target.eq(word) for target, word in zip(normalizer.words, words, strict=True)),
                rounder.number.eq(normalizer.number),
                rounder.format.eq(len(config.formats) - 1),
            ]
            self.outputs[f"d{column}"] = rounder.code


@pytest.mark.parametrize("accumulator, bits", [("exact", 0), *(("e5m10", bits) for bits in (0, 1, 11, 24))])
def test_tiles_follow_each_other_without_a_pause(accumulator, bits):
    """Tiles with C and idle cycles between their steps; a capture comes with the first step of the next tile."""
    config = AcceleratorConfig(
        rows=2,
        columns=3,
        operand_formats=("e4m3fn", "e5m2"),
        result_formats=("e5m10",),
        accumulator=accumulator,
        stochastic_chain=bits > 0,
    )
    bench = _ArrayBench(config)
    dut = Dut(bench, f"array_{accumulator}_{bits > 0}", bench.inputs, bench.outputs)
    rng = np.random.default_rng(11)
    formats = [config.operands[i] for i in (0, 1, 1)]
    rounding = Stochastic(bits, seed=5, step=6, tensor=7) if bits else Rounding.NEAREST_EVEN
    tiles, results = 20, []
    # The key is there before it is taken over.
    cycles = [{}] * ChainRandom.KEY_CYCLES + [{"take": 1}]
    for _ in range(tiles):
        row, column, k = 2 * int(rng.integers(4)), 3 * int(rng.integers(4)), int(rng.integers(1, 12))
        shapes = ((row + 2, k), (k, column + 3), (row + 2, column + 3))
        a, b, c = (random_codes(rng, f, shape) for f, shape in zip(formats, shapes, strict=True))
        d = gemm(
            *(a, b, c),
            a_format=formats[0],
            b_format=formats[1],
            c_format=formats[2],
            d_format=config.formats[-1],
            accumulator=Exact() if config.exact else Chain(config.chain_format, rounding),
            engine="reference",
        )
        results.append(d[row:, column:])
        steps = [{"load_c": 1, "rows": 1 << i} | {f"c{j}": c[row + i, column + j] for j in range(3)} for i in range(2)]
        for step in range(k):
            codes = {f"a{i}": a[row + i, step] for i in range(2)} | {f"b{j}": b[step, column + j] for j in range(3)}
            steps.append({"rows": 3, "tile_ends": step == k - 1} | codes)
        for index, step in enumerate(steps):
            cycles += [{"rows": 3}] * int(rng.integers(2))
            place = {"row": row, "column": column}
            cycles.append(step | place | {"step": 1, "first": index == 0, "capture": index == 0})
    cycles += [{"capture": 1}, *[{}] * 12]
    latency = 1 + OuterProductArray.latency(config)
    captures = [i for i, cycle in enumerate(cycles) if cycle.get("capture")]
    for i in captures:
        cycles[i + latency - 1] = cycles[i + latency - 1] | {"shift": 1}
    inputs = {name: [cycle.get(name, 0) for cycle in cycles] for name in bench.inputs}
    inputs |= {"a_format": 0, "b_format": 1, "c_format": 1}
    if bits:
        inputs |= {"key": rounding.key, "chain_random_bits": bits}
    out = dut.run(**inputs)
    assert list(np.flatnonzero(out["captured"])) == [i + latency for i in captures]
    rows = np.stack([out[f"d{j}"] for j in range(3)], axis=1)
    for tile, expected in enumerate(results):
        first = captures[tile + 1] + latency + normalizer_class(config).LATENCY
        assert np.array_equal(rows[first : first + 2], expected), f"tile {tile}"


def _each_result(config):
    return range(len(config.formats))


@pytest.mark.parametrize("seed", range(4))
def test_random_sums(bed, seed):
    rng = np.random.default_rng(seed)
    operands = bed.config.operands
    for _ in range(12):
        a_index, b_index = (int(i) for i in rng.integers(len(operands), size=2))
        shape = (20, int(rng.integers(1, 24)))
        a, b = random_codes(rng, operands[a_index], shape), random_codes(rng, operands[b_index], shape)
        bed.check(a, b, a_index, b_index, int(rng.integers(len(bed.config.formats))))


def _row(number_format, *values):
    return number_format.encode(np.array([values], dtype=float))


def test_cancellation_leaves_what_is_small(bed):
    f = bed.config.operands[0]
    big, small = f.max, f.min_subnormal
    for d_index in _each_result(bed.config):
        a = _row(f, big, small, -big, small, big, -big)
        b = _row(f, big, small, big, 1.0, 1.0, 1.0)
        bed.check(a, b, 0, 0, d_index)


def test_signs_of_zero(bed):
    f = bed.config.operands[0]
    for d_index in _each_result(bed.config):
        for values in itertools.product((0.0, -0.0, 1.0, -1.0), repeat=3):
            bed.check(_row(f, *values), _row(f, 1.0, 1.0, 1.0), 0, 0, d_index)
            bed.check(_row(f, *values), _row(f, -1.0, 0.0, 1.0), 0, 0, d_index)


def test_infinities_and_nan_stick(bed):
    for index, f in enumerate(bed.config.operands):
        specials = [np.nan] * f.has_nan + [np.inf, -np.inf] * f.has_inf + [0.0, f.max, -1.0]
        for d_index in _each_result(bed.config):
            rows = np.array(list(itertools.product(specials, repeat=2)))
            rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
            a, b = f.encode(rows), f.encode(rows[:, [1, 2, 0]])
            bed.check(a, b, index, index, d_index)


def test_ties_and_subnormals(bed):
    """Sums just at, above and below half a unit in the last place of the result, at 1 and among its subnormals."""
    rng = np.random.default_rng(7)
    f = bed.config.operands[0]
    for d_index, d in enumerate(bed.config.formats):
        for base in (1.0, d.min_normal, d.min_subnormal):
            half = base * 2.0**-d.precision
            parts = np.array([base, half, half / 2, -half / 2, half / 4, -half, base / 2, -base])
            rows = rng.choice(parts, (40, 5))
            exponents = np.frexp(rows)[1] // 2
            with np.errstate(over="ignore", under="ignore"):
                a, b = f.encode(np.ldexp(rows, -exponents)), f.encode(np.ldexp(1.0, exponents))
            bed.check(a, b, 0, 0, d_index)


def test_a_tie_is_broken_by_the_least_bit_there_is(bed):
    """A large product, half a unit in its last place, and the least product: added, missing, or subtracted."""
    for index, f in enumerate(bed.config.operands):
        top = int(np.frexp(f.max)[1]) - 1
        for d_index, d in enumerate(bed.config.formats):
            half = 2 * top - d.precision
            b = _row(f, 2.0**top, 2.0 ** (half // 2), f.min_subnormal)
            for least in (f.min_subnormal, 0.0, -f.min_subnormal):
                bed.check(_row(f, 2.0**top, 2.0 ** (half - half // 2), least), b, index, index, d_index)


def test_the_exact_register_holds_65536_of_the_largest_products():
    config = CONFIGS["exact"]
    bench = _Bench(config)
    bed = _Bed(config, Dut(bench, "accumulator_exact", bench.inputs, bench.outputs))
    f = config.operands[1]
    largest = np.full((1, 65_536), f.encode(f.max))
    d_index = config.formats.index(parse_format("e8m23"))
    for sign, rest in ((largest, largest), (largest, largest | 0x80)):
        got = bed.sums(sign, rest, 1, 1, d_index)[0]
        expected = 65_536 * f.max * f.max * (-1 if rest[0, 0] & 0x80 else 1)
        assert got == config.formats[d_index].encode(expected)
