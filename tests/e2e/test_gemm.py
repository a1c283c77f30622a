"""`floatsoc gemm` and `conv`: products alone through firmware and accelerator."""

import itertools

import numpy as np
import pytest

from pyhost.cosim.convolution import run_convolution
from pyhost.cosim.gemm import run_gemm
from pyhost.errors import TargetError
from pyhost.formats import Stochastic, parse_format
from pyhost.golden import Exact, gemm
from pyhost.job import convolution_job, gemm_job
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
    assert counters.macs == 64**3
    assert counters.busy == 64**3 // 64
    assert counters.busy + counters.wait_a + counters.wait_b + counters.wait_store == counters.cycles
    assert result.totals.utilization == pytest.approx(64**3 / 64 / counters.cycles)
    assert counters.cycles < result.totals.cycles


def test_queued_and_resident_products_hide_their_loads(tmp_path):
    cold = run_gemm(product(40, 48, 64), runs_dir=tmp_path)
    queued = run_gemm(product(40, 48, 64, jobs=6), runs_dir=tmp_path)
    resident = run_gemm(product(40, 48, 64, jobs=2, resident=True), runs_dir=tmp_path)
    assert cold.bit_exact is queued.bit_exact is resident.bit_exact is True
    assert len(queued.kernels) == 6 and len(resident.kernels) == 2  # what warms up is not counted
    assert cold.totals.utilization < queued.totals.utilization
    assert cold.totals.utilization < resident.totals.utilization
    loads = [result.kernels[0].accelerator.dma_beats for result in (cold, resident)]
    assert loads[0] - loads[1] == (40 * 64 + 48 * 64) // 16  # words of 16 bytes: A and B
    assert queued.totals.accelerator.macs == 6 * 40 * 48 * 64


def test_what_is_declared_resident_and_was_not_left_is_refused(tmp_path):
    """Two row panels of A, but B is longer than what the scratchpads hold."""
    with pytest.raises(TargetError, match=r"ERROR_ACCELERATOR \(accelerator error 8, RESIDENT: .*kernel 1 is gemm1"):
        run_gemm(product(16, 40, 4000, resident=True), runs_dir=tmp_path)


@pytest.mark.parametrize("rounding", ["nearest_even", "toward_zero", "stochastic:1", "stochastic:24"])
def test_write_back(rounding, tmp_path):
    """Everything at once, against the golden model and, for one job, against NumPy's own words."""
    settings = {"rounding": rounding, "relu": True, "bias": "e8m23", "mask": "e4m3fn", "d": "e5m2", "scale": -2}
    result = run_gemm(product(21, 18, 30, jobs=2, **settings), runs_dir=tmp_path)
    assert result.bit_exact is True, result.mismatches
    tensors = tensors_of(result)
    e4m3, e5m2, f32 = (parse_format(name) for name in ("e4m3fn", "e5m2", "e8m23"))
    assert (tensors["d1"] == 0).sum() > 21 * 18 / 2  # half of what is left after ReLU is masked
    masked = e4m3.decode(tensors["mask"]) <= 0
    assert (tensors["d1"][masked] == 0).all()
    if rounding == "toward_zero":
        sums = e4m3.decode(tensors["a"]) @ e4m3.decode(tensors["b"]) / 4
        wide = sums.astype(np.float32).astype(np.float64) + f32.decode(tensors["bias"])
        expected = e5m2.encode(np.where(masked, 0.0, np.maximum(wide, 0)) + 0.0, "toward_zero")
        assert (tensors["d1"] == expected).all()


def test_stochastic_rounding_is_drawn_for_each_job(tmp_path):
    result = run_gemm(product(30, 30, 30, d="e5m2", jobs=2, rounding="stochastic:8", seed=11), runs_dir=tmp_path)
    assert result.bit_exact is True, result.mismatches
    tensors = tensors_of(result)
    e4m3, e5m2 = parse_format("e4m3fn"), parse_format("e5m2")
    assert (tensors["d1"] != tensors["d2"]).any()
    for number in (1, 2):
        rounding = Stochastic(8, seed=11, tensor=number)
        formats = {"a_format": e4m3, "b_format": e4m3, "d_format": e5m2}
        expected = gemm(tensors["a"], tensors["b"], **formats, accumulator=Exact(), rounding=rounding)
        assert (tensors[f"d{number}"] == expected).all()


def test_steps_of_a_chain_are_rounded_stochastically(hardware_of_its_own, tmp_path):
    """On hardware that only such a job gets."""
    table = {"m": 9, "n": 7, "k": 30, "d": "e5m10", "rounding": "stochastic:8", "chain_rounding": "stochastic:5"}
    result = run_gemm(gemm_job(table, {"rows": 2, "columns": 2, "accumulator": "e5m10"}), runs_dir=tmp_path)
    assert result.bit_exact is True, result.mismatches


def test_jobs_that_accumulate_wait_for_each_other(tmp_path):
    """Small integers: d5 = d0 + 5 a b exactly, with stalls that would let an early read see too little."""
    result = run_gemm(product(9, 10, 70, jobs=5, accumulate=True, stall=0.3), runs_dir=tmp_path)
    assert result.bit_exact is True, result.mismatches
    tensors = tensors_of(result)
    assert len({tensors[f"d{number}"].tobytes() for number in range(6)}) == 6


@pytest.mark.parametrize("stall", [0.0, 0.3])
@pytest.mark.parametrize(
    "settings",
    [
        {"padding": 1},
        {"padding": 2, "kernel": 5, "stride": 2, "dilation": 2, "groups": 2},
        {"groups": 4, "stride": 3},
        {"kernel": 1, "stride": 2},
    ],
)
def test_convolutions(settings, stall, tmp_path):
    shape = {"images": 2, "height": 11, "width": 10, "channels": 4, "filters": 8}
    job = convolution_job({**shape, "gradient": "e5m2", "stall": stall, **settings})
    result = run_convolution(job, runs_dir=tmp_path)
    assert result.bit_exact is True, result.mismatches
    groups = settings.get("groups", 1)
    assert [kernel.name.partition(".")[0] for kernel in result.kernels] == [
        name for name in ("forward", "weight_gradient", "input_gradient") for _ in range(groups)
    ]


def test_long_and_wide_products_are_cut_up(tmp_path):
    """Rows that do not all fit the scratchpad, with and without columns that do, and k beyond half of it."""
    for shape in ((300, 20, 200), (200, 300, 150), (20, 24, 3000), (1, 700, 9)):
        result = run_gemm(product(*shape, b="e5m2"), runs_dir=tmp_path)
        assert result.bit_exact is True, (shape, result.mismatches)


def test_formats_mix(tmp_path):
    for a, b in itertools.product(("e4m3fn", "e5m2"), repeat=2):
        result = run_gemm(product(9, 9, 9, a=a, b=b, d="e5m2", overflow="saturate"), runs_dir=tmp_path)
        assert result.bit_exact is True, result.mismatches
