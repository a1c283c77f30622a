"""Whole jobs on the bare accelerator: the golden model's bits, whatever memory does, and nothing written besides."""

from functools import cache

import numpy as np
import pytest

from accel_rtl import AcceleratorConfig
from accel_rtl.registers import QUEUE_LIMIT, ErrorCode, Flag
from pyhost.formats import parse_format
from pyhost.golden import Chain, Exact, gemm
from tests.rtl.device import MEMORY_BASE, RESERVED, Device, JobRecord
from tests.rtl.jobs import Job, random_job

pytestmark = [pytest.mark.hardware, pytest.mark.slow]

DATA_BYTES = 1 << 18
MEMORY_BYTES = DATA_BYTES + RESERVED
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
        depth=64,
        stochastic_chain=True,
    ),
    "8x4_exact": AcceleratorConfig(
        rows=8,
        columns=4,
        operand_formats=("e5m10", "e4m3fnuz", "e2m3fn", "e3m4nosub"),
        result_formats=("e8m23", "e4m3fn", "e5m2nosub"),
        depth=32,
        port_bits=64,
    ),
    "3x4_posit": AcceleratorConfig(
        rows=3,
        columns=4,
        operand_formats=("posit8", "binary8p3se"),
        result_formats=("posit16", "e8m23", "binary8p4uf"),
        depth=64,
    ),
    "3x5_chain": AcceleratorConfig(
        rows=3,
        columns=5,
        operand_formats=("e8m23", "e5m2"),
        result_formats=("e5m10",),
        accumulator="e5m10",
        depth=32,
        stochastic=False,
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


def _check(record: JobRecord) -> None:
    assert record.error == ErrorCode.NONE
    counters = record.counters
    assert counters["cycles"] == sum(counters[name] for name in ("busy", "wait_a", "wait_b", "wait_store"))


def _run(device: Device, job: Job, **how) -> None:
    """Run `job` and compare all of memory with what it should be."""
    device.data[:] = job.before
    record = device.run(job.descriptor, **how).record
    assert record.error == ErrorCode.NONE, job.description
    _check(record)
    macs = job.descriptor["m"] * job.descriptor["n"] * job.descriptor["k"]
    assert record.counters["macs_low"] | record.counters["macs_high"] << 32 == macs
    wrong = np.flatnonzero(device.data != job.after)
    assert not wrong.size, f"{wrong.size} bytes differ, the first at {wrong[0]:#x}: {job.description} {how}"


@pytest.mark.parametrize("seed", range(13))
def test_random_jobs_with_random_stalls(device, seed):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        job = random_job(rng, device.config, DATA_BYTES)
        _run(device, job, seed=seed, stall=float(rng.choice([0, 0.1, 0.5, 0.9])))


@pytest.mark.parametrize("seed", range(6))
def test_a_queue_of_random_jobs(device, seed):
    """Jobs follow each other through the stages, each with memory of its own; the later ones do not wait."""
    rng = np.random.default_rng(seed)
    count = 6
    share = DATA_BYTES // count // 64 * 64
    jobs = [random_job(rng, device.config, share, largest=24) for _ in range(count)]
    descriptors = []
    for index, job in enumerate(jobs):
        moved = dict(job.descriptor)
        for name in ("a", "b", "c", "d", "addend", "mask"):
            if moved.get(f"{name}_address"):
                moved[f"{name}_address"] += index * share
        moved["flags"] |= int(rng.integers(2)) << Flag.AFTER
        descriptors.append(moved)
        device.data[index * share : (index + 1) * share] = job.before
    before = device.data.copy()
    outcome = device.run(*descriptors, seed=seed, stall=float(rng.choice([0, 0.3])))
    for index, (job, record) in enumerate(zip(jobs, outcome.records, strict=True)):
        _check(record)
        got = device.data[index * share : (index + 1) * share]
        wrong = np.flatnonzero(got != job.after)
        assert not wrong.size, f"seed {seed}, job {index}: {wrong.size} bytes differ: {job.description}"
    np.testing.assert_array_equal(device.data[count * share :], before[count * share :])
    # The clock runs a few cycles before the first job and after the last.
    assert 0 <= outcome.cycles - sum(record.counters["cycles"] for record in outcome.records) < 20 * count


def test_a_job_after_another_reads_what_that_one_wrote(exact_8x8):
    """D of the first is A of the second: exact products of small integers, so that NumPy's are the same."""
    device = exact_8x8
    rng = np.random.default_rng(3)
    size, f = 40, parse_format("e4m3fn")
    a, b = (rng.integers(-1, 2, (size, size)) * (rng.random((size, size)) < 0.3) for _ in range(2))
    place = [i * 2048 for i in range(4)]
    for start, values in ((place[0], a), (place[1], b)):
        device.data[start : start + size * size] = f.encode(values.astype(float)).reshape(-1)
    first = _matrices(size, size, size, d_format=0, d_size=1, places=place[:3])
    second = _matrices(size, size, size, d_format=0, d_size=1, places=(place[2], place[1], place[3]))
    for stall in (0, 0.5):
        for record in device.run(first, second | {"flags": 1 << Flag.AFTER}, stall=stall).records:
            _check(record)
        got = f.decode(device.data[place[3] : place[3] + size * size].reshape(size, size))
        product = np.clip(a @ b @ b, -448, 448)
        assert np.abs(a @ b).max() <= 16, "the first product is exact"
        np.testing.assert_array_equal(got, f.decode(f.encode(product.astype(float))))


def test_resident_operands_are_not_read_again(exact_8x8):
    device = exact_8x8
    rng = np.random.default_rng(8)
    m, n, k = 64, 48, 100
    for name, start in (("cold", 0), ("changed", 1)):
        device.data[:] = rng.integers(0, 0x70, len(device.data), dtype=np.uint8)
        job = _matrices(m, n, k, d_format=2, d_size=2)
        both = 1 << Flag.A_RESIDENT | 1 << Flag.B_RESIDENT
        outcome = device.run(job, job | {"flags": both}, job | {"flags": 1 << Flag.A_RESIDENT}, stall=0.1 * start)
        beats = [record.counters["dma_beats"] for record in outcome.records]
        d_words, descriptor = m * n * 2 // 16, 19
        a_words, b_words = m * -(-k // 16) + m // 4 * 3, k * n // 16  # three rows of four straddle a word more
        assert beats[1] == descriptor + d_words, name
        assert beats[2] == descriptor + d_words + b_words
        assert beats[0] >= descriptor + d_words + b_words + m * k // 16
        assert beats[0] <= descriptor + d_words + b_words + a_words
        f, d_format = parse_format("e4m3fn"), parse_format("e5m10")
        a, b = device.data[: m * k].reshape(m, k), device.data[m * k : m * k + k * n].reshape(k, n)
        place = job["d_address"] - MEMORY_BASE
        got = device.data[place : place + 2 * m * n].view(np.uint16).reshape(m, n)
        np.testing.assert_array_equal(got, gemm(a, b, a_format=f, b_format=f, d_format=d_format))


@pytest.mark.parametrize("k", [1, 255, 1023, 1024, 1025, 2049, 65_535])
def test_any_k(device, k):
    """One line of A and of B for all rows and columns (a step of 0), so that the longest fit."""
    config = device.config
    f, d_format = min(config.operands, key=lambda f: f.dtype.itemsize), config.formats[-1]
    rng = np.random.default_rng(k)
    a, b = (f.encode(rng.standard_normal(k)) for _ in range(2))
    place = {"a": 0, "b": -(-a.nbytes // 64) * 64}
    size, m, n = f.dtype.itemsize, config.rows + 1, config.columns + 2
    words = {"m": m, "n": n, "k": k}
    for operand, codes in (("a", a), ("b", b)):
        device.data[place[operand] : place[operand] + codes.nbytes] = codes.view(np.uint8)
        words |= _plain(operand, place[operand], 64, k, size, k_minor=1, format=config.operands.index(f))
        words[f"{operand}_x_step"] = 0
    d_place, pitch = DATA_BYTES - 4096, 16 * d_format.dtype.itemsize
    words |= {"d_address": MEMORY_BASE + d_place, "d_format": len(config.formats) - 1, "d_pitch": pitch}
    assert device.run(words).record.error == ErrorCode.NONE
    accumulator = Exact() if config.exact else Chain(config.chain_format)
    expected = gemm(a[None, :], b[:, None], a_format=f, b_format=f, d_format=d_format, accumulator=accumulator)[0, 0]
    for row in range(m):
        start = d_place + row * pitch
        got = device.data[start : start + n * d_format.dtype.itemsize].view(d_format.dtype)
        np.testing.assert_array_equal(got, expected)


def test_panels_are_read_once_where_they_fit(exact_8x8):
    """Words of a 64 x 64 x 64 product: the descriptor, A, B and D of two bytes, once each."""
    words = _matrices(64, 64, 64, d_format=2, d_size=2)
    assert exact_8x8.run(words).record.counters["dma_beats"] == 19 + 64 * 64 // 16 * (1 + 1 + 2)


def _plain(
    operand: str, place: int, rows: int, columns: int, size: int, *, k_minor: int, format: int = 0
) -> dict[str, int]:
    """Words of A or B: a row-major matrix."""
    pitch = columns * size
    words = {"address": MEMORY_BASE + place, "format": format, "k_minor": k_minor, "run": columns, "taps": 1}
    words |= {"major_x": rows, "major_y": 1, "x_step": pitch, "x_unit": pitch, "x_extent": rows * pitch}
    words |= {"x_dilation": 1, "y_dilation": 1, "y_unit": 1, "y_extent": 1}
    return {f"{operand}_{name}": word for name, word in words.items()}


def _matrices(m: int, n: int, k: int, *, d_format: int, d_size: int, places=None) -> dict[str, int]:
    """A plain product of row-major matrices of bytes, A and B, at the start of memory, D behind."""
    a, b, d = places or (0, m * k, -(-(m * k + k * n) // 16) * 16)
    words = {"m": m, "n": n, "k": k, "d_address": MEMORY_BASE + d, "d_format": d_format, "d_pitch": n * d_size}
    return words | _plain("a", a, m, k, 1, k_minor=1) | _plain("b", b, k, n, 1, k_minor=0)


def _good_job(device: Device, seed: int) -> None:
    """A job after something went wrong: it must be as right as ever."""
    _run(device, random_job(np.random.default_rng(seed), device.config, DATA_BYTES, largest=12))


END = MEMORY_BASE + MEMORY_BYTES
C_AT = {"c_address": MEMORY_BASE, "c_format": 0, "c_pitch": 8}
ADDEND_AT = {"addend_address": MEMORY_BASE, "addend_format": 0, "addend_pitch": 8}
MALFORMED = [
    ({"m": 0}, ErrorCode.DIMENSION),
    ({"n": 0}, ErrorCode.DIMENSION),
    ({"k": 0}, ErrorCode.DIMENSION),
    ({"m": 65_536}, ErrorCode.DIMENSION),
    ({"k": 0xFFFF_FFFF}, ErrorCode.DIMENSION),
    ({"a_format": 2}, ErrorCode.FORMAT),
    ({"b_format": 0x8000_0000}, ErrorCode.FORMAT),
    (C_AT | {"c_format": 2}, ErrorCode.FORMAT),
    (ADDEND_AT | {"addend_format": 4}, ErrorCode.FORMAT),
    ({"mask_address": MEMORY_BASE, "mask_format": 0xFFFF_FFFF}, ErrorCode.FORMAT),
    ({"d_format": 4}, ErrorCode.FORMAT),
    ({"rounding": 3}, ErrorCode.ROUNDING),
    ({"rounding": 2, "random_bits": 0}, ErrorCode.ROUNDING),
    ({"rounding": 2, "random_bits": 25}, ErrorCode.ROUNDING),
    ({"chain_random_bits": 8}, ErrorCode.ROUNDING),
    ({"a_run": 0}, ErrorCode.WINDOW),
    ({"a_taps": 0}, ErrorCode.WINDOW),
    ({"b_major_x": 0}, ErrorCode.WINDOW),
    ({"b_major_y": 0}, ErrorCode.WINDOW),
    ({"a_run": 1 << 31}, ErrorCode.WINDOW),
    ({"a_x_dilation": 0}, ErrorCode.WINDOW),
    ({"b_y_dilation": 64}, ErrorCode.WINDOW),
    ({"b_y_dilation": 3, "b_y_tap_phase": 3}, ErrorCode.WINDOW),
    ({"d_address": MEMORY_BASE + 4097}, ErrorCode.ALIGNMENT),
    ({"d_format": 3, "d_pitch": 34}, ErrorCode.ALIGNMENT),
    (ADDEND_AT | {"addend_format": 3, "addend_pitch": 2}, ErrorCode.ALIGNMENT),
    ({"d_pitch": 14}, ErrorCode.RESULT),
    ({"d_address": END - 126}, ErrorCode.RESULT),
    ({"d_address": MEMORY_BASE - 8}, ErrorCode.RESULT),
    ({"d_address": 0}, ErrorCode.RESULT),
    ({"d_pitch": 0xFFFF_FFF0}, ErrorCode.RESULT),
    ({"a_address": END - 63}, ErrorCode.OPERAND),
    ({"a_address": MEMORY_BASE - 1}, ErrorCode.OPERAND),
    ({"b_address": 0}, ErrorCode.OPERAND),
    ({"b_x_step": 1 << 20, "b_x_extent": 1 << 24}, ErrorCode.OPERAND),
    (C_AT | {"c_address": END - 8}, ErrorCode.OPERAND),
    (C_AT | {"c_address": 8}, ErrorCode.OPERAND),
    (ADDEND_AT | {"addend_address": END - 8}, ErrorCode.OPERAND),
    ({"mask_address": 8}, ErrorCode.OPERAND),
    ({"flags": 1 << Flag.A_RESIDENT}, ErrorCode.RESIDENT),
    ({"flags": 1 << Flag.B_RESIDENT}, ErrorCode.RESIDENT),
]


@pytest.mark.parametrize("change, code", MALFORMED, ids=lambda value: str(value) if isinstance(value, dict) else "")
def test_a_malformed_job_ends_with_its_code_and_writes_nothing(exact_8x8, change, code):
    device = exact_8x8
    _good_job(device, seed=4)  # of another shape, so that nothing of it can be resident
    before = device.data.copy()
    outcome = device.run(_matrices(8, 8, 8, d_format=2, d_size=2) | change, stall=0.3)
    assert (outcome.record.error, outcome.error) == (code, code)
    np.testing.assert_array_equal(device.data, before)
    device.clear_error()
    _good_job(device, seed=3)


NOT_GENERATED = [
    ("3x5_chain", {"chain_random_bits": 1}),
    ("3x5_chain", {"rounding": 2, "random_bits": 8}),
    ("4x4_chain", {"chain_random_bits": 25}),
]


@pytest.mark.parametrize("name, change", NOT_GENERATED)
def test_a_rounding_that_was_not_generated_is_refused(name, change):
    device = _device(name)
    job = random_job(np.random.default_rng(6), device.config, DATA_BYTES, largest=12)
    device.data[:] = job.before
    outcome = device.run(job.descriptor | change)
    assert (outcome.record.error, outcome.error) == (ErrorCode.ROUNDING, ErrorCode.ROUNDING)
    np.testing.assert_array_equal(device.data, job.before)
    device.clear_error()
    _run(device, job)


@pytest.mark.parametrize("record", [MEMORY_BASE + 8, MEMORY_BASE - 16, END - 32, 0])
def test_a_record_that_is_nowhere_is_not_written(exact_8x8, record):
    device = exact_8x8
    before = device.bytes.copy()
    outcome = device.run(_matrices(8, 8, 8, d_format=2, d_size=2) | {"record": record})
    assert outcome.error == ErrorCode.RECORD
    np.testing.assert_array_equal(device.data, before[:-RESERVED])
    _good_job(device, seed=3)


@pytest.mark.parametrize("descriptor", [MEMORY_BASE + 4, MEMORY_BASE - 64, END - 64, 0, 0xFFFF_FFF0])
def test_a_descriptor_that_is_nowhere(exact_8x8, descriptor):
    device = exact_8x8
    before = device.data.copy()
    outcome = device.run(_matrices(8, 8, 8, d_format=2, d_size=2) | {"descriptor": descriptor})
    assert outcome.error == ErrorCode.DESCRIPTOR
    np.testing.assert_array_equal(device.data, before)
    _good_job(device, seed=3)


def test_jobs_beyond_the_queue_are_forgotten(exact_8x8):
    """The core takes one at once; of the others as many wait as the queue holds."""
    device = exact_8x8
    device.data[:] = 0
    jobs = [_matrices(8, 8, 8, d_format=2, d_size=2, places=(0, 64, 256 * (i + 1))) for i in range(QUEUE_LIMIT + 4)]
    outcome = device.submit(*jobs, ends=QUEUE_LIMIT + 1, overrun=True)
    assert (outcome.completed, outcome.error) == (QUEUE_LIMIT + 1, ErrorCode.OVERRUN)
    errors = [record.error for record in outcome.records]
    assert errors == [0] * (QUEUE_LIMIT + 1) + [0xA5A5_A5A5] * 3, "no record of the others"
    device.clear_error()
    _good_job(device, seed=3)


def test_a_bad_job_leaves_its_neighbours_in_the_queue_alone(exact_8x8):
    device = exact_8x8
    rng = np.random.default_rng(2)
    device.data[:] = rng.integers(0, 0x70, len(device.data), dtype=np.uint8)
    places = [(0, 4096, 8192 * (i + 1)) for i in range(5)]
    jobs = [_matrices(20, 20, 20, d_format=2, d_size=2, places=place) for place in places]
    jobs[1] |= {"k": 0}
    jobs[3] |= {"b_address": END - 100}
    outcome = device.run(*jobs, stall=0.2)
    assert [record.error for record in outcome.records] == [0, ErrorCode.DIMENSION, 0, ErrorCode.OPERAND, 0]
    f, d_format = parse_format("e4m3fn"), parse_format("e5m10")
    a, b = device.data[:400].reshape(20, 20), device.data[4096:4496].reshape(20, 20)
    expected = gemm(a, b, a_format=f, b_format=f, d_format=d_format)
    for index in (0, 2, 4):
        start = places[index][2]
        np.testing.assert_array_equal(device.data[start : start + 800].view(np.uint16).reshape(20, 20), expected)
    device.clear_error()


def test_the_largest_d_that_fits(exact_8x8):
    device = exact_8x8
    words = _matrices(8, 8, 8, d_format=2, d_size=2) | {"d_address": END - RESERVED - 128}
    assert device.run(words).record.error == ErrorCode.NONE


@pytest.mark.parametrize("seed", range(20))
def test_random_descriptors_never_wedge_and_never_write_outside_d(exact_8x8, seed):
    """Good jobs with a few words replaced by anything: they end, what is not D stays, the next job is right."""
    device = exact_8x8
    rng = np.random.default_rng(seed)
    for _ in range(10):
        words = dict(random_job(rng, device.config, DATA_BYTES, largest=20).descriptor)
        for name in rng.choice([n for n in words if n not in ("m", "n", "k")], int(rng.integers(1, 5))):
            words[str(name)] = int(rng.integers(1 << int(rng.integers(1, 33))))
        before = device.data.copy()
        record = device.run(words, seed=seed, stall=float(rng.choice([0, 0.5]))).record
        size = device.config.formats[words["d_format"] % len(device.config.formats)].dtype.itemsize
        rows, columns = np.arange(words["m"])[:, None], np.arange(words["n"] * size)
        own = words["d_address"] - MEMORY_BASE + rows * words["d_pitch"] + columns
        changed = np.flatnonzero(device.data != before)
        if record.error in (ErrorCode.NONE, ErrorCode.OPERAND):
            assert np.isin(changed, own).all(), words
        else:
            assert not changed.size, words
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
    words = _matrices(m, n, k, d_format=1, d_size=1) | {"a_format": 1, "b_format": 1, "c_format": 1}
    words |= {"c_address": words["d_address"], "c_pitch": words["d_pitch"]}
    place = words["d_address"] - MEMORY_BASE
    for start, codes in ((0, a), (m * k, b), (place, c)):
        device.data[start : start + codes.size] = codes.reshape(-1)
    assert device.run(words, stall=0.2).record.error == ErrorCode.NONE
    expected = gemm(a, b, c, a_format=f, b_format=f, c_format=f, d_format=f)
    np.testing.assert_array_equal(device.data[place : place + m * n].reshape(m, n), expected)


@pytest.mark.parametrize("rounding", ["nearest_even", "toward_zero"])
def test_a_weight_update_is_one_job(exact_8x8, rounding):
    """W = W + 2^scale * X^T dY in place, W in binary32: the addend is D."""
    device = exact_8x8
    rng = np.random.default_rng(6)
    batch, m, n = 16, 40, 24
    x_format, dy_format, w_format = (parse_format(name) for name in ("e4m3fn", "e5m2", "e8m23"))
    x, dy = x_format.encode(rng.standard_normal((batch, m))), dy_format.encode(rng.standard_normal((batch, n)))
    w = w_format.encode(rng.standard_normal((m, n)))
    place = 4096
    for start, codes in ((0, x), (2048, dy), (place, w)):
        device.data[start : start + codes.nbytes] = codes.reshape(-1).view(np.uint8)
    words = {"m": m, "n": n, "k": batch, "scale": -5, "rounding": int(rounding == "toward_zero")}
    words |= _plain("a", 0, batch, m, 1, k_minor=0) | _plain("b", 2048, batch, n, 1, k_minor=0, format=1)
    for name in ("d", "addend"):
        fields = {"address": MEMORY_BASE + place, "format": 3, "pitch": 4 * n}
        words |= {f"{name}_{field}": word for field, word in fields.items()}
    assert device.run(words, stall=0.2).record.error == ErrorCode.NONE
    product = gemm(x.T, dy, a_format=x_format, b_format=dy_format, d_format=w_format, scale=-5)
    total = w_format.decode(product) + w_format.decode(w)  # exact in binary64: both are of moderate size
    expected = w_format.encode(total, rounding=rounding)
    np.testing.assert_array_equal(device.data[place : place + w.nbytes].view(np.uint32).reshape(m, n), expected)


@pytest.mark.parametrize("scale", [512, 1023, 1024, (1 << 31) - 1, -512, -1023, -1024, -(1 << 31)])
def test_any_scale_is_as_good_as_a_large_one(exact_8x8, scale):
    device = exact_8x8
    rng = np.random.default_rng(11)
    f, d_format = parse_format("e4m3fn"), parse_format("e8m23")
    a, b = (f.encode(rng.integers(-8, 9, (8, 8)) / 8) for _ in range(2))
    device.data[:64], device.data[64:128] = a.reshape(-1), b.reshape(-1)
    assert device.run(_matrices(8, 8, 8, d_format=3, d_size=4) | {"scale": scale}).record.error == ErrorCode.NONE
    expected = gemm(a, b, a_format=f, b_format=f, d_format=d_format, scale=max(-512, min(512, scale)))
    np.testing.assert_array_equal(device.data[128 : 128 + 256].view(np.uint32).reshape(8, 8), expected)
