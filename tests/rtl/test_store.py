"""The store alone: tiles of random sums against the golden write-back, with a memory and pads that come and go."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from migen import Module, Signal
from numpy.typing import NDArray

from accel_rtl.config import AcceleratorConfig, element_bytes
from accel_rtl.round import NEAREST_EVEN, STOCHASTIC, TOWARD_ZERO
from accel_rtl.store import SCALE_LIMIT, Store
from pyhost.formats import Rounding, Stochastic, parse_format
from pyhost.formats.stochastic import WRITE_BACK, scramble
from pyhost.golden import reference
from tests.rtl.dut import Dut
from tests.rtl.jobs import random_codes

pytestmark = [pytest.mark.hardware, pytest.mark.slow]

MEMORY_BYTES = 1 << 14
BINARY32 = parse_format("e8m23")
LIMB = (1 << 32) - 1


def _config(columns: int, *operands: str, results: tuple[str, ...] = (), accumulator: str = "exact", **more):
    return AcceleratorConfig(
        rows=more.pop("rows", 4),
        columns=columns,
        operand_formats=operands,
        result_formats=results,
        accumulator=accumulator,
        **more,
    )


CONFIGS = {
    "exact_8": _config(8, "e4m3fn", "e5m2", rows=8),
    "exact_wide_4": _config(4, "e5m10", "e4m3fn", results=("e8m23",)),
    "exact_3": _config(3, "e3m4", "e4m3fnuz", "e2m1fn", port_bits=64, stochastic=False),
    "exact_6": _config(6, "e4m3fn", "e5m10", results=("e8m7",), rows=3),
    "exact_posit": _config(4, "posit8", "e4m3fn", results=("binary8p4se", "posit16"), rows=2),
    "chain_8": _config(8, "e8m7", "e8m23", accumulator="e8m23", port_bits=64, rows=2),
    "chain_5": _config(5, "e5m2", results=("e8m23", "e5m10nosub"), accumulator="e5m10"),
}


class _Bench(Module):
    """The store with ports of 64 bits at most."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.submodules.store = store = Store(config, MEMORY_BYTES)
        halves = [Signal(64) for _ in range(config.port_bits // 64)]
        self.comb += [half.eq(store.write_data[64 * i : 64 * i + 64]) for i, half in enumerate(halves)]
        parameters = ("pitch", "size", "format", "saturate", "scale", "mode", "random_bits", "random_key", "relu")
        parameters += ("has_addend", "addend_format", "has_mask", "mask_format")
        self.parameters = {name: len(getattr(store, name)) for name in parameters}
        self.tile = {f"tile_{name}": bits for name, bits in store.tile.layout}
        self.words = [[f"words_{j}_{i}" for i in range(len(words))] for j, words in enumerate(store.words)]
        self.word_bits = [len(word) for word in store.words[0]]
        inputs = {name: getattr(store, name) for name in (*parameters, "captured", "side_ready", "write_ready")}
        inputs |= {f"tile_{name}": getattr(store.tile, name) for name, _ in store.tile.layout}
        inputs |= {f"{side}_{w}": code for side in ("addend", "mask") for w, code in enumerate(getattr(store, side))}
        for names, words in zip(self.words, store.words, strict=True):
            inputs |= dict(zip(names, words, strict=True))
        self.inputs = inputs
        outputs = ("shift", "taken", "side_row", "side_group", "write_valid", "write_address", "write_enables")
        self.outputs = {name: getattr(store, name) for name in (*outputs, "pressing", "idle")}
        self.outputs |= {f"data_{i}": half for i, half in enumerate(halves)}


@dataclass
class _Job:
    """A job's parameters, what its array holds, and what D must be."""

    parameters: dict[str, int]
    address: int
    m: int
    n: int
    words: NDArray[np.object_]  # [m, n] tuples
    addend: NDArray[np.integer]
    mask: NDArray[np.integer]
    codes: NDArray[np.unsignedinteger]
    first: tuple[int, int] = (0, 0)  # D's element in the corner, for the hash


@dataclass
class _Pace:
    """Probabilities: that a write is accepted, that the next results are there, that the pads are."""

    write: float = 1.0
    results: float = 1.0
    side: float = 1.0


@dataclass
class _Trace:
    """What happened when."""

    captured: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    offered: list[int] = field(default_factory=list)
    pressing: int = 0
    accepted: int = 0


class _Bed:
    def __init__(self, name: str) -> None:
        self.config = CONFIGS[name]
        self.bench = _Bench(self.config)
        self.dut = Dut(self.bench, f"store_{name}", self.bench.inputs, self.bench.outputs)

    def sums(self, rng: np.random.Generator, shape: tuple[int, int]) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
        """Words of random sums, and the sums as binary64 rounded to odd."""
        config = self.config
        words, values = np.empty(shape, object), np.empty(shape)
        if not config.exact:
            codes = random_codes(rng, config.chain_format, shape)
            values = config.chain_format.decode(codes)
            for place, code in np.ndenumerate(codes):
                words[place] = (int(code),)
            return words, values
        for place in np.ndindex(shape):
            a, b = (int(x) for x in rng.integers(0, config.register_bits - 1, 2))
            total = int(rng.choice([-1, 1])) * (1 << a) + int(rng.integers(-1, 2)) * (1 << b) + int(rng.integers(-2, 3))
            if rng.random() < 0.5:
                total = int.from_bytes(rng.bytes(32), "little", signed=True) >> (257 - int(rng.integers(1, a + 2)))
            if rng.random() < 0.1:
                total = int(rng.integers(-1, 2))
            total = max(min(total, (1 << (config.register_bits - 1)) - 1), -(1 << (config.register_bits - 1)) + 1)
            carries = [int(c) for c in rng.integers(2, size=config.limbs)]
            rest = total - sum(c << 32 * (j + 1) for j, c in enumerate(carries))
            limbs = [(rest >> 32 * j & LIMB) | c << 32 for j, c in enumerate(carries)]
            flags = int(rng.choice([0, 1, 2, 4, 6, 7], p=[0.9, *[0.02] * 5]))
            words[place] = (*limbs, flags)
            special = {0: 0.0, 2: np.inf, 4: -np.inf}.get(flags, np.nan)
            values[place] = special or reference.round_to_odd(total, config.accumulator_unit)
        return words, values

    def job(self, rng: np.random.Generator, **settings: int) -> _Job:
        """A random one; settings are parameters, `m`, `n`, `address` or `pitch` that are given."""
        config, formats = self.config, self.config.formats
        m, n = settings.pop("m", int(rng.integers(1, 14))), settings.pop("n", int(rng.integers(1, 20)))
        index, addend_index, mask_index = (int(i) for i in rng.integers(len(formats), size=3))
        bits = int(rng.integers(1, 25))
        parameters = {
            "format": index,
            "saturate": int(rng.integers(2)),
            "mode": int(rng.choice([NEAREST_EVEN, TOWARD_ZERO, STOCHASTIC][: 2 + config.stochastic])),
            "random_bits": bits,
            "random_key": int(rng.integers(1 << 32)),
            "relu": int(rng.integers(2)),
            "has_addend": int(rng.integers(2)),
            "addend_format": addend_index,
            "has_mask": int(rng.integers(4) == 0),
            "mask_format": mask_index,
        } | settings
        d_format = formats[parameters["format"]]
        words, values = self.sums(rng, (m, n))
        centre = int(np.frexp(np.median(np.abs(values[np.isfinite(values)]), keepdims=True))[1][0]) if m * n > 2 else 0
        parameters.setdefault(
            "scale", int(rng.choice([0, -centre, 5, SCALE_LIMIT, -SCALE_LIMIT], p=[0.3, 0.5, 0.1, 0.05, 0.05]))
        )
        size = element_bytes(d_format)
        pitch = size * int(rng.integers(n, n + 20))
        address = size * int(rng.integers(0, (MEMORY_BYTES - m * pitch) // size))
        parameters |= {"size": size.bit_length() - 1}
        parameters.setdefault("pitch", pitch)
        address = parameters.pop("address", address)
        first = (0, 0) if rng.random() < 0.5 else (int(rng.integers(60_000)), int(rng.integers(60_000)))

        addend, mask = random_codes(rng, formats[addend_index], (m, n)), random_codes(rng, formats[mask_index], (m, n))
        wide = reference.scaled(values, parameters["scale"])
        if parameters["has_addend"]:
            # Some cancel what they meet.
            near = formats[addend_index].encode(-BINARY32.round(wide), saturate=True)
            addend = np.where(rng.random((m, n)) < 0.3, near, addend)
            wide = reference.add(BINARY32.round(wide), formats[addend_index].decode(addend))
        mode = (Rounding.NEAREST_EVEN, Rounding.TOWARD_ZERO, Rounding.STOCHASTIC)[parameters["mode"]]
        more = {}
        if mode is Rounding.STOCHASTIC:
            draws = Stochastic(bits, seed=int(rng.integers(1 << 32)))
            parameters["random_key"] = int(draws.key)
            rows, columns = draws.rows(first[0] + m)[first[0] :], draws.columns(first[1] + n)[first[1] :]
            with np.errstate(over="ignore"):
                random = scramble(scramble(rows[:, None] + columns[None, :]) + draws.depths(WRITE_BACK))
            more = {"random": random >> np.uint32(32 - bits), "random_bits": bits}
        codes = d_format.encode(wide, mode, bool(parameters["saturate"]), **more)
        results = d_format.decode(codes)
        if parameters["relu"]:
            codes = np.where(np.signbit(results) & ~np.isnan(results), 0, codes)
        if parameters["has_mask"]:
            codes = np.where(formats[mask_index].decode(mask) <= 0, 0, codes)
        return _Job(parameters, address, m, n, words, addend, mask, codes.astype(d_format.dtype), first)

    def check(self, rng: np.random.Generator, jobs: list[_Job], pace: _Pace, what: str) -> list[_Trace]:
        """Run jobs after each other; memory is what it must be after each."""
        return [self._check_one(rng, job, pace, f"{what}, job {i}") for i, job in enumerate(jobs)]

    def _check_one(self, rng: np.random.Generator, job: _Job, pace: _Pace, what: str) -> _Trace:
        memory = rng.integers(0, 256, MEMORY_BYTES).astype(np.uint8)
        expected = memory.copy()
        row_bytes = job.codes.itemsize * job.n
        for i, row in enumerate(job.codes):
            start = job.address + i * job.parameters["pitch"]
            expected[start : start + row_bytes] = row.view(np.uint8)
        trace = self._run(rng, job, pace, memory)
        assert self._idle
        for place in np.flatnonzero(memory != expected)[:1].tolist():
            i, j = divmod(place - job.address, job.parameters["pitch"])
            j //= job.codes.itemsize
            inside = 0 <= i < job.m and 0 <= j < job.n
            raise AssertionError(
                f"{what} {job.parameters}: byte {place}, element {i}, {j} of {job.m}x{job.n} at {job.address}, is "
                f"{memory[place]:#x}, not {expected[place]:#x}"
                + (f"; words {job.words[i, j]}, addend {job.addend[i, j]}, mask {job.mask[i, j]}" if inside else "")
            )
        return trace

    def _run(self, rng: np.random.Generator, job: _Job, pace: _Pace, memory: NDArray[np.uint8]) -> _Trace:
        config, bench, trace = self.config, self.bench, _Trace()
        rows, columns, lanes = config.rows, config.columns, config.rounders
        tiles = [(i, j) for i in range(0, job.m, rows) for j in range(0, job.n, columns)]
        held, top, side_there, asked, offer = None, 0, False, None, None
        noise = rng.integers(0, 1 << 32, 4096).tolist()
        for cycle in range(20_000):
            # Whatever nobody may look at is noise.
            inputs = {name: noise[(7 * cycle + i) % 4096] for i, name in enumerate(bench.inputs)}
            captured = held is None and tiles and rng.random() < pace.results
            if captured:
                held, top = tiles.pop(0), 0
                trace.captured.append(cycle)
            if held is None or not side_there:
                side_there = held is not None and bool(rng.random() < pace.side)
            inputs |= {"captured": int(bool(captured)), "side_ready": int(side_there)}
            inputs["write_ready"] = int(rng.random() < pace.write)
            if held is not None:
                i, j = held
                extent = min(rows, job.m - i), min(columns, job.n - j)
                if captured:
                    place = job.address + i * job.parameters["pitch"] + (j << job.parameters["size"])
                    tile = (*extent, place, job.first[0] + i, job.first[1] + j)
                    inputs |= dict(zip(bench.tile, tile, strict=True))
                for column in range(extent[1]):
                    if top < extent[0]:
                        inputs |= dict(zip(bench.words[column], job.words[i + top, j + column], strict=True))
            if held is not None or not self._idle:
                inputs |= job.parameters
            if asked is not None:
                (i, j), row, group = asked
                for w in range(lanes):
                    m, n = i + row, j + group * lanes + w
                    if m < job.m and n < job.n:
                        inputs |= {f"addend_{w}": int(job.addend[m, n]), f"mask_{w}": int(job.mask[m, n])}
            out = {name: int(values[0]) for name, values in self.dut.run(**self._fit(inputs)).items()}

            asked = (held, out["side_row"], out["side_group"]) if held is not None else None
            now = tuple(out[name] for name in out if name.startswith(("write_address", "write_enables", "data")))
            if out["write_valid"]:
                assert offer in (None, now), "a word changed while it waited"
                trace.offered.append(cycle)
                offer = None if inputs["write_ready"] else now
                if inputs["write_ready"]:
                    self._write(memory, out)
                    trace.accepted += 1
            else:
                assert offer is None, "a word was withdrawn"
            trace.pressing += out["pressing"]
            self._idle = bool(out["idle"])
            assert not (self._idle and (held is not None or out["write_valid"])), "idle with work to do"
            if out["shift"]:
                top += 1
            if out["taken"]:
                assert held is not None, "taken twice"
                assert top == min(rows, job.m - held[0]), "taken before the last row"
                trace.taken.append(cycle)
                held, side_there = None, False
            if self._idle and not tiles and held is None:
                return trace
        raise AssertionError("the store does not become idle")

    _idle = True

    def _fit(self, inputs: dict[str, int]) -> dict[str, int]:
        return {name: value & ((1 << len(self.bench.inputs[name])) - 1) for name, value in inputs.items()}

    def _write(self, memory: NDArray[np.uint8], out: dict[str, int]) -> None:
        size = self.config.port_bytes
        data = np.array([out[f"data_{i}"] for i in range(size // 8)], np.uint64).view(np.uint8)
        start = out["write_address"] * size
        for byte in range(size):
            if out["write_enables"] >> byte & 1:
                memory[start + byte] = data[byte]


@pytest.fixture(scope="module", params=CONFIGS)
def bed(request):
    return _Bed(request.param)


@pytest.mark.parametrize("seed", range(3))
def test_random_jobs(bed, seed):
    rng = np.random.default_rng(seed)
    for _ in range(12):
        jobs = [bed.job(rng) for _ in range(2)]
        pace = _Pace(*rng.choice([1.0, 0.5, 0.1], 3))
        bed.check(rng, jobs, pace, f"seed {seed}")


def test_every_alignment(bed):
    """Rows of each length at each place in a word, one after the other without a gap."""
    rng = np.random.default_rng(11)
    for index, f in enumerate(bed.config.formats):
        size = element_bytes(f)
        for place in range(0, bed.config.port_bytes, size):
            n = int(rng.integers(1, 2 * bed.config.columns + 2))
            job = bed.job(rng, format=index, address=64 + place, m=bed.config.rows + 1, n=n, pitch=n * size)
            bed.check(rng, [job], _Pace(), f"seed 11, {f.name} at {place}")


def test_a_tile_takes_a_cycle_for_each_group(bed):
    """And one for each row whose last group straddles two words, and its first word appears `latency` cycles later."""
    rng = np.random.default_rng(12)
    config = bed.config
    for _ in range(8):
        m, n = int(rng.integers(1, config.rows + 1)), int(rng.integers(1, config.columns + 1))
        job = bed.job(rng, m=m, n=n, mode=NEAREST_EVEN)
        (trace,) = bed.check(rng, [job], _Pace(), "seed 12")
        size, lanes = job.codes.itemsize, config.rounders
        starts = [job.address + i * job.parameters["pitch"] for i in range(m)]
        last = (n - 1) // lanes * lanes
        straddling = [(s + last * size) % config.port_bytes + (n - last) * size > config.port_bytes for s in starts]
        (captured,), (taken,) = trace.captured, trace.taken
        assert taken - captured + 1 == m * -(-n // lanes) + sum(straddling[:-1])
        if n <= lanes:
            assert trace.offered[0] - captured == Store.latency(config)


def test_a_memory_that_takes_nothing_stops_the_store_and_loses_nothing(bed):
    rng = np.random.default_rng(13)
    job = bed.job(rng, m=40, n=1, mode=NEAREST_EVEN)
    (trace,) = bed.check(rng, [job], _Pace(write=0.02), "seed 13")
    assert trace.pressing > 0
