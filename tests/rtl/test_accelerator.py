"""Whole jobs on the bare accelerator: the golden model's bits, whatever memory does, and nothing written besides."""

from functools import cache

import numpy as np
import pytest

from accel_rtl import AcceleratorConfig
from accel_rtl.registers import ErrorCode
from pyhost.formats import parse_format
from pyhost.golden import Chain, Exact, gemm
from tests.rtl.device import MEMORY_BASE, Device
from tests.rtl.jobs import Job, random_job

pytestmark = [pytest.mark.hardware, pytest.mark.slow]

MEMORY_BYTES = 1 << 18
DONE = 2
CONFIGS = {
    "8x8_exact": AcceleratorConfig(
        rows=8, columns=8, operand_formats=("e4m3fn", "e5m2"), result_formats=("e5m10", "e8m23")
    ),
    "4x4_chain": AcceleratorConfig(
        rows=4,
        columns=4,
        operand_formats=("e5m10", "e8m7", "e4m3fn"),
        result_formats=("e8m23",),
        accumulator="e8m23",
        chunk=32,
    ),
    "8x4_exact": AcceleratorConfig(
        rows=8,
        columns=4,
        operand_formats=("e5m10", "e4m3fnuz", "e2m3fn", "e3m4nosub"),
        result_formats=("e8m23", "e4m3fn", "e5m2nosub"),
        chunk=16,
    ),
    "3x5_chain": AcceleratorConfig(
        rows=3, columns=5, operand_formats=("e8m23", "e5m2"), result_formats=("e5m10",), accumulator="e5m10", chunk=16
    ),
}


@cache
def _device(name: str) -> Device:
    return Device(CONFIGS[name], MEMORY_BYTES)


@pytest.fixture(scope="module", params=CONFIGS)
def device(request):
    return _device(request.param)


@pytest.fixture(scope="module")
def exact_8x8():
    return _device("8x8_exact")


def _run(device: Device, job: Job, **how) -> None:
    """Run `job` and compare all of memory with what it should be."""
    device.bytes[:] = job.before
    outcome = device.run(job.registers, **how)
    assert (outcome.status, outcome.error) == (DONE, ErrorCode.NONE), job.description
    wrong = np.flatnonzero(device.bytes != job.after)
    assert not wrong.size, f"{wrong.size} bytes differ, the first at {wrong[0]:#x}: {job.description} {how}"
    counters = outcome.counters
    assert counters["cycles"] == outcome.cycles
    assert counters["cycles"] == sum(counters[name] for name in ("busy", "wait_a", "wait_b", "wait_store"))


@pytest.mark.parametrize("seed", range(12))
def test_random_jobs_with_random_stalls(device, seed):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        job = random_job(rng, device.config, MEMORY_BYTES)
        stall = float(rng.choice([0, 0.1, 0.5, 0.9]))
        _run(device, job, seed=seed, stall=stall, scribble=bool(rng.integers(2)))


@pytest.mark.parametrize("k", [1, 255, 256, 257, 512, 513, 65_535])
def test_any_k(device, k):
    """One line of A and of B for all rows and columns (a stride of 0), so that the longest fit."""
    config = device.config
    f, d_format = min(config.operands, key=lambda f: f.dtype.itemsize), config.formats[-1]
    rng = np.random.default_rng(k)
    a, b = (f.encode(rng.standard_normal(k)) for _ in range(2))
    place = {"a": 0, "b": -(-a.nbytes // 64) * 64}
    size, m, n = f.dtype.itemsize, config.rows + 1, config.columns + 2
    registers = {"m": m, "n": n, "k": k}
    for operand, codes in (("a", a), ("b", b)):
        device.bytes[place[operand] : place[operand] + codes.nbytes] = codes.view(np.uint8)
        fields = {"k_minor": 1, "run": k, "major_x": 64, "major_y": 1, "width": k * size, "height": 1}
        fields |= {"address": MEMORY_BASE + place[operand], "format": config.operands.index(f)}
        registers |= {f"{operand}_{name}": value for name, value in fields.items()}
    d_place, pitch = MEMORY_BYTES - 4096, 16 * d_format.dtype.itemsize
    registers |= {"d_address": MEMORY_BASE + d_place, "d_format": len(config.formats) - 1, "d_pitch": pitch}
    outcome = device.run(registers)
    assert outcome.error == ErrorCode.NONE
    accumulator = Exact() if config.exact else Chain(config.chain_format)
    expected = gemm(a[None, :], b[:, None], a_format=f, b_format=f, d_format=d_format, accumulator=accumulator)[0, 0]
    for row in range(m):
        start = d_place + row * pitch
        got = device.bytes[start : start + n * d_format.dtype.itemsize].view(d_format.dtype)
        np.testing.assert_array_equal(got, expected)


def test_a_stays_for_all_column_tiles(exact_8x8):
    """Beats of a 64 x 64 x 64 product: A once, B once for each of 8 row tiles, D of two bytes once."""
    registers = _matrices(64, 64, 64, d_format=2, d_size=2)
    assert exact_8x8.run(registers).counters["dma_beats"] == 64 * 64 // 8 * (1 + 8 + 2)


def _matrices(m: int, n: int, k: int, *, d_format: int, d_size: int) -> dict[str, int]:
    """Registers of a plain product of row-major matrices of bytes, A and B, at the start of memory, D behind."""
    registers = {"m": m, "n": n, "k": k}
    for operand, address, rows, columns in (("a", 0, m, k), ("b", m * k, k, n)):
        fields = {"address": MEMORY_BASE + address, "k_minor": int(operand == "a"), "run": columns, "major_x": rows}
        fields |= {"major_y": 1, "stride_x": columns, "width": rows * columns, "height": 1}
        registers |= {f"{operand}_{name}": value for name, value in fields.items()}
    d_address = MEMORY_BASE + -(-(m * k + k * n) // 8) * 8
    return registers | {"d_address": d_address, "d_format": d_format, "d_pitch": n * d_size}


def _good_job(device: Device, seed: int) -> None:
    """A job after something went wrong: it must be as right as ever."""
    _run(device, random_job(np.random.default_rng(seed), device.config, MEMORY_BYTES, largest=12))


END = MEMORY_BASE + MEMORY_BYTES
MALFORMED = [
    ({"m": 0}, ErrorCode.DIMENSION),
    ({"n": 0}, ErrorCode.DIMENSION),
    ({"k": 0}, ErrorCode.DIMENSION),
    ({"m": 65_536}, ErrorCode.DIMENSION),
    ({"k": 0xFFFF_FFFF}, ErrorCode.DIMENSION),
    ({"a_format": 2}, ErrorCode.FORMAT),
    ({"b_format": 0x8000_0000}, ErrorCode.FORMAT),
    ({"c_address": MEMORY_BASE, "c_format": 2, "c_pitch": 8}, ErrorCode.FORMAT),
    ({"d_format": 4}, ErrorCode.FORMAT),
    ({"a_run": 0}, ErrorCode.WINDOW),
    ({"b_major_x": 0}, ErrorCode.WINDOW),
    ({"b_major_y": 0}, ErrorCode.WINDOW),
    ({"a_run": 1 << 31}, ErrorCode.WINDOW),
    ({"d_address": MEMORY_BASE + 4097}, ErrorCode.ALIGNMENT),
    ({"d_format": 3, "d_pitch": 34}, ErrorCode.ALIGNMENT),
    ({"d_pitch": 14}, ErrorCode.RESULT),
    ({"d_address": END - 126}, ErrorCode.RESULT),
    ({"d_address": MEMORY_BASE - 8}, ErrorCode.RESULT),
    ({"d_address": 0}, ErrorCode.RESULT),
    ({"d_pitch": 0xFFFF_FFF0}, ErrorCode.RESULT),
    ({"a_address": END - 63}, ErrorCode.OPERAND),
    ({"a_address": MEMORY_BASE - 1}, ErrorCode.OPERAND),
    ({"b_address": 0}, ErrorCode.OPERAND),
    ({"b_stride_x": 1 << 20}, ErrorCode.OPERAND),
    ({"c_address": END - 8, "c_format": 0, "c_pitch": 8}, ErrorCode.OPERAND),
    ({"c_address": 8, "c_format": 0, "c_pitch": 8}, ErrorCode.OPERAND),
]


@pytest.mark.parametrize("change, code", MALFORMED, ids=lambda value: str(value) if isinstance(value, dict) else "")
def test_a_malformed_job_ends_with_its_code_and_writes_nothing(exact_8x8, change, code):
    device = exact_8x8
    registers = _matrices(8, 8, 8, d_format=2, d_size=2) | change
    if change.get("b_stride_x"):
        registers["b_width"] = 1 << 24
    before = device.bytes.copy()
    outcome = device.run(registers, stall=0.3)
    assert (outcome.status, outcome.error) == (DONE, code)
    np.testing.assert_array_equal(device.bytes, before)
    _good_job(device, seed=3)


def test_the_largest_d_that_fits(exact_8x8):
    device = exact_8x8
    outcome = device.run(_matrices(8, 8, 8, d_format=2, d_size=2) | {"d_address": END - 128})
    assert outcome.error == ErrorCode.NONE


@pytest.mark.parametrize("seed", range(20))
def test_random_registers_never_wedge_and_never_write_outside_d(exact_8x8, seed):
    """Good jobs with a few registers replaced by anything: they end, what is not D stays, the next job is right."""
    device = exact_8x8
    rng = np.random.default_rng(seed)
    for _ in range(10):
        registers = dict(random_job(rng, device.config, MEMORY_BYTES, largest=20).registers)
        for name in rng.choice([n for n in registers if n not in ("m", "n", "k")], int(rng.integers(1, 5))):
            registers[str(name)] = int(rng.integers(1 << int(rng.integers(1, 33))))
        before = device.bytes.copy()
        outcome = device.run(registers, seed=seed, stall=float(rng.choice([0, 0.5])))
        size = device.config.formats[registers["d_format"] % len(device.config.formats)].dtype.itemsize
        rows, columns = np.arange(registers["m"])[:, None], np.arange(registers["n"] * size)
        own = registers["d_address"] - MEMORY_BASE + rows * registers["d_pitch"] + columns
        changed = np.flatnonzero(device.bytes != before)
        if outcome.error in (ErrorCode.NONE, ErrorCode.OPERAND):
            assert np.isin(changed, own).all(), registers
        else:
            assert not changed.size, registers
        _good_job(device, seed)


@pytest.mark.parametrize("cycles", [1, 2, 3, 5, 20, 40, 60, 90, 150, 300])
def test_a_reset_in_the_middle_leaves_nothing_behind(exact_8x8, cycles):
    device = exact_8x8
    device.interrupt(_matrices(24, 24, 24, d_format=2, d_size=2), cycles)
    _good_job(device, seed=cycles)


def test_c_may_be_d(exact_8x8):
    """Accumulation in place: D = D + A B, tile by tile."""
    device = exact_8x8
    rng = np.random.default_rng(5)
    m, n, k = 20, 19, 33
    f = parse_format("e5m2")
    a, b, c = (f.encode(rng.standard_normal(shape)) for shape in ((m, k), (k, n), (m, n)))
    registers = _matrices(m, n, k, d_format=1, d_size=1) | {"a_format": 1, "b_format": 1, "c_format": 1}
    registers |= {"c_address": registers["d_address"], "c_pitch": registers["d_pitch"]}
    place = registers["d_address"] - MEMORY_BASE
    for start, codes in ((0, a), (m * k, b), (place, c)):
        device.bytes[start : start + codes.size] = codes.reshape(-1)
    assert device.run(registers, stall=0.2).error == ErrorCode.NONE
    expected = gemm(a, b, c, a_format=f, b_format=f, c_format=f, d_format=f)
    np.testing.assert_array_equal(device.bytes[place : place + m * n].reshape(m, n), expected)


@pytest.mark.parametrize("scale", [512, 1023, 1024, (1 << 31) - 1, -512, -1023, -1024, -(1 << 31)])
def test_any_scale_is_as_good_as_a_large_one(exact_8x8, scale):
    device = exact_8x8
    rng = np.random.default_rng(11)
    f, d_format = parse_format("e4m3fn"), parse_format("e8m23")
    a, b = (f.encode(rng.integers(-8, 9, (8, 8)) / 8) for _ in range(2))
    device.bytes[:64], device.bytes[64:128] = a.reshape(-1), b.reshape(-1)
    registers = _matrices(8, 8, 8, d_format=3, d_size=4) | {"scale": scale}
    assert device.run(registers).error == ErrorCode.NONE
    expected = gemm(a, b, a_format=f, b_format=f, d_format=d_format, scale=max(-512, min(512, scale)))
    np.testing.assert_array_equal(device.bytes[128 : 128 + 256].view(np.uint32).reshape(8, 8), expected)
