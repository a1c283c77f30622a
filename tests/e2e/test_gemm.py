"""`floatsoc gemm`: single products through firmware and accelerator."""

import itertools

import numpy as np
import pytest

from pyhost.cosim.gemm import run_gemm
from pyhost.formats import parse_format
from pyhost.job import gemm_job
from tests.e2e.runs import tensors_of


def product(m, n, k, **options):
    return gemm_job({"m": m, "n": n, "k": k, **options})


@pytest.mark.parametrize("transpose", ["NN", "NT", "TN", "TT"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (9, 17, 33), (16, 8, 300)])
def test_shapes_and_transpositions(shape, transpose, tmp_path):
    result = run_gemm(product(*shape, transpose=transpose, b="e5m2", seed=sum(shape)), runs_dir=tmp_path)
    assert result.bit_exact is True, result.mismatches


def test_against_float64(tmp_path):
    """e4m3fn operands, K = 20: every exact sum fits float64, so NumPy's product rounded once is the answer."""
    result = run_gemm(product(13, 11, 20, d="e8m23", scale=-3, seed=5), runs_dir=tmp_path)
    tensors = tensors_of(result)
    e4m3 = parse_format("e4m3fn")
    exact = e4m3.decode(tensors["a"]) @ e4m3.decode(tensors["b"]) / 8
    assert (tensors["d1"] == exact.astype(np.float32).view(np.uint32)).all()


def test_stalls_change_cycles_and_no_bit(tmp_path):
    calm = run_gemm(product(24, 20, 40), runs_dir=tmp_path)
    stalled = run_gemm(product(24, 20, 40, stall=0.4), runs_dir=tmp_path)
    assert stalled.bit_exact is True
    assert stalled.totals.cycles > calm.totals.cycles
    assert (tensors_of(calm)["d1"] == tensors_of(stalled)["d1"]).all()


def test_an_addend_comes_first_and_jobs_repeat(tmp_path):
    result = run_gemm(product(10, 10, 12, c="e4m3fn", jobs=3), runs_dir=tmp_path)
    assert result.bit_exact is True, result.mismatches
    tensors = tensors_of(result)
    assert (tensors["d1"] == tensors["d2"]).all() and (tensors["d1"] == tensors["d3"]).all()
    e4m3 = parse_format("e4m3fn")
    a, b, c = (e4m3.decode(tensors[name]) for name in "abc")
    assert (tensors["d1"] == (c + a @ b).astype(np.float32).view(np.uint32)).all()


def test_utilisation_is_what_the_counters_say(tmp_path):
    result = run_gemm(product(64, 64, 64), runs_dir=tmp_path)
    counters = result.kernels[0].accelerator
    assert counters.busy == 64**3 // 64
    assert counters.busy + counters.wait_a + counters.wait_b + counters.wait_store <= counters.cycles
    assert result.totals.utilization == pytest.approx(64**3 / 64 / counters.cycles)


def test_formats_mix(tmp_path):
    for a, b in itertools.product(("e4m3fn", "e5m2"), repeat=2):
        result = run_gemm(product(9, 9, 9, a=a, b=b, d="e5m2", overflow="saturate"), runs_dir=tmp_path)
        assert result.bit_exact is True, result.mismatches
