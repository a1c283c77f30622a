"""The accelerator that Renode gets, against the golden model: the jobs, and the mistakes in jobs, that try the RTL."""

from functools import cache

import numpy as np
import pytest

from accel_rtl.registers import ErrorCode, Flag
from pyhost.formats import parse_format
from pyhost.golden import gemm
from tests.rtl import test_accelerator as rtl
from tests.rtl.device import MEMORY_BASE, RESERVED
from tests.rtl.jobs import random_job
from tests.targets.renode.models import ModelDevice

SEED = 1618


@cache
def _model(name: str) -> ModelDevice:
    return ModelDevice(rtl.CONFIGS[name], rtl.MEMORY_BYTES)


@pytest.fixture(scope="module", params=rtl.CONFIGS)
def model(request):
    return _model(request.param)


@pytest.fixture(scope="module")
def exact_8x8():
    return _model("8x8_exact")


def _good_job(model, seed):
    _run(model, random_job(np.random.default_rng(seed), model.config, rtl.DATA_BYTES, largest=12))


def _run(model, job):
    model.data[:] = job.before
    record = model.run(job.descriptor).record
    assert record.error == ErrorCode.NONE, job.description
    macs = job.descriptor["m"] * job.descriptor["n"] * job.descriptor["k"]
    assert record.counters["macs_low"] | record.counters["macs_high"] << 32 == macs
    wrong = np.flatnonzero(model.data != job.after)
    assert not wrong.size, f"{wrong.size} bytes differ, the first at {wrong[0]:#x}: {job.description}"


@pytest.mark.parametrize("seed", range(SEED, SEED + 4))
def test_random_jobs(model, seed):
    """Every window, format, rounding and kind of write-back; the whole memory is compared."""
    rng = np.random.default_rng(seed)
    for _ in range(20):
        _run(model, random_job(rng, model.config, rtl.DATA_BYTES, largest=30))


@pytest.mark.parametrize("k", [1, 255, 1023, 1024, 1025, 2049, 65_535])
def test_any_k(model, k):
    rtl.test_any_k(model, k)


@pytest.mark.parametrize("change, code", rtl.MALFORMED, ids=lambda value: str(value) if isinstance(value, dict) else "")
def test_a_malformed_job_ends_with_its_code_and_writes_nothing(exact_8x8, change, code):
    _good_job(exact_8x8, seed=4)
    before = exact_8x8.data.copy()
    outcome = exact_8x8.run(rtl._matrices(8, 8, 8, d_format=2, d_size=2) | change)
    assert (outcome.record.error, outcome.error) == (code, code)
    np.testing.assert_array_equal(exact_8x8.data, before)
    exact_8x8.clear_error()
    _good_job(exact_8x8, seed=3)


@pytest.mark.parametrize("name, change", rtl.NOT_GENERATED)
def test_a_rounding_that_was_not_generated_is_refused(name, change):
    model = _model(name)
    job = random_job(np.random.default_rng(6), model.config, rtl.DATA_BYTES, largest=12)
    model.data[:] = job.before
    outcome = model.run(job.descriptor | change)
    assert (outcome.record.error, outcome.error) == (ErrorCode.ROUNDING, ErrorCode.ROUNDING)
    np.testing.assert_array_equal(model.data, job.before)
    model.clear_error()
    _run(model, job)


@pytest.mark.parametrize("record", [MEMORY_BASE + 8, MEMORY_BASE - 16, rtl.END - 32, 0])
def test_a_record_that_is_nowhere_is_not_written(exact_8x8, record):
    before = exact_8x8.bytes.copy()
    outcome = exact_8x8.run(rtl._matrices(8, 8, 8, d_format=2, d_size=2) | {"record": record})
    assert outcome.error == ErrorCode.RECORD
    np.testing.assert_array_equal(exact_8x8.data, before[:-RESERVED])


@pytest.mark.parametrize("descriptor", [MEMORY_BASE + 4, MEMORY_BASE - 64, rtl.END - 64, 0, 0xFFFF_FFF0])
def test_a_descriptor_that_is_nowhere(exact_8x8, descriptor):
    before = exact_8x8.data.copy()
    outcome = exact_8x8.run(rtl._matrices(8, 8, 8, d_format=2, d_size=2) | {"descriptor": descriptor})
    assert outcome.error == ErrorCode.DESCRIPTOR
    np.testing.assert_array_equal(exact_8x8.data, before)


@pytest.mark.parametrize("seed", range(SEED, SEED + 10))
def test_random_descriptors_end_and_never_write_outside_d(exact_8x8, seed):
    rng = np.random.default_rng(seed)
    for _ in range(20):
        words = dict(random_job(rng, exact_8x8.config, rtl.DATA_BYTES, largest=20).descriptor)
        for name in rng.choice([n for n in words if n not in ("m", "n", "k")], int(rng.integers(1, 5))):
            words[str(name)] = int(rng.integers(1 << int(rng.integers(1, 33))))
        before = exact_8x8.data.copy()
        record = exact_8x8.run(words).record
        changed = np.flatnonzero(exact_8x8.data != before)
        if record.error == ErrorCode.NONE:
            size = exact_8x8.config.formats[words["d_format"]].dtype.itemsize
            rows, columns = np.arange(words["m"])[:, None], np.arange(words["n"] * size)
            own = words["d_address"] - MEMORY_BASE + rows * words["d_pitch"] + columns
            assert np.isin(changed, own).all(), words
        else:
            assert not changed.size, words


def test_a_resident_operand_is_the_one_that_was_loaded(exact_8x8):
    """Memory may have changed since: hardware does not look at it again."""
    rng = np.random.default_rng(SEED)
    m, n, k = 64, 48, 100
    exact_8x8.data[:] = rng.integers(0, 0x70, len(exact_8x8.data), dtype=np.uint8)
    job = rtl._matrices(m, n, k, d_format=2, d_size=2)
    a, b = exact_8x8.data[: m * k].reshape(m, k), exact_8x8.data[m * k : m * k + k * n].reshape(k, n)
    old_a, f, d_format = a.copy(), parse_format("e4m3fn"), parse_format("e5m10")
    assert exact_8x8.run(job).record.error == ErrorCode.NONE
    a[...], b[...] = rng.integers(0, 0x70, a.shape), rng.integers(0, 0x70, b.shape)
    assert exact_8x8.run(job | {"flags": 1 << Flag.A_RESIDENT}).record.error == ErrorCode.NONE
    place = job["d_address"] - MEMORY_BASE
    got = exact_8x8.data[place : place + 2 * m * n].view(np.uint16).reshape(m, n)
    np.testing.assert_array_equal(got, gemm(old_a, b, a_format=f, b_format=f, d_format=d_format))


@pytest.mark.parametrize("change", [{"m": 63}, {"k": 99}, {"a_format": 1}])
def test_another_operand_than_the_one_that_is_resident_is_refused(exact_8x8, change):
    exact_8x8.data[:] = 0
    job = rtl._matrices(64, 48, 100, d_format=2, d_size=2)
    assert exact_8x8.run(job).record.error == ErrorCode.NONE
    assert exact_8x8.run(job | change | {"flags": 1 << Flag.A_RESIDENT}).record.error == ErrorCode.RESIDENT


@pytest.mark.parametrize("m, k, error", [(256, 128, 0), (257, 128, 8), (32, 1024, 0), (33, 1024, 8), (1, 1025, 8)])
def test_what_is_too_large_for_a_scratchpad_does_not_stay(exact_8x8, m, k, error):
    """2,048 steps of 16 rows: accel_rtl/tiles.py."""
    exact_8x8.data[:] = 0
    job = rtl._matrices(m, 8, k, d_format=0, d_size=1)
    assert exact_8x8.run(job).record.error == ErrorCode.NONE
    assert exact_8x8.run(job | {"flags": 1 << Flag.A_RESIDENT}).record.error == error


def test_accumulation_in_place(exact_8x8):
    rtl.test_c_may_be_d(exact_8x8)


@pytest.mark.parametrize("rounding", ["nearest_even", "toward_zero"])
def test_a_weight_update(exact_8x8, rounding):
    rtl.test_a_weight_update_is_one_job(exact_8x8, rounding)


@pytest.mark.parametrize("scale", [512, 1023, 1024, (1 << 31) - 1, -512, -1023, -1024, -(1 << 31)])
def test_any_scale_is_as_good_as_a_large_one(exact_8x8, scale):
    rtl.test_any_scale_is_as_good_as_a_large_one(exact_8x8, scale)
