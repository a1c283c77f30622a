"""How tensors use formats and what rounding cost, against ml_dtypes and binary64."""

import ml_dtypes
import numpy as np
import pytest

from pyhost.formats import parse_format
from pyhost.golden.gemm import Chain, Exact
from pyhost.plan.calls import Convert, Gemm, Kernel, Matrix, Operand, Plan
from pyhost.plan.tensors import Tensor
from pyhost.profile.tensors import RoundingError, TensorProfile, profile_tensors, rounding_errors

E4M3 = parse_format("e4m3fn")
FP32 = parse_format("e8m23")


def codes(values, dtype=ml_dtypes.float8_e4m3fn):
    """Codes of values that the dtype holds, or their nearest, by ml_dtypes."""
    rounded = np.asarray(values, np.float32).astype(dtype)
    return rounded.view(np.uint8 if rounded.itemsize == 1 else np.uint32)


def test_a_profile_counts_what_codes_mean():
    values = [0.0, -0.0, 1.0, 1.875, -2.0, 448.0, -448.0, np.nan, 2.0**-9, 7 * 2.0**-9, 2.0**-6]
    profile = TensorProfile.of(Tensor("x", (11,), E4M3), codes(values))
    assert (profile.elements, profile.zeros, profile.subnormals, profile.largest) == (11, 2, 2, 2)
    assert (profile.nan, profile.infinite, profile.invalid) == (1, 0, 0)
    assert profile.exponents == {-9: 1, -7: 1, -6: 1, 0: 2, 1: 1, 8: 2}
    assert profile.span == (-9, 8)


def test_infinities_are_not_the_largest_value():
    profile = TensorProfile.of(Tensor("x", (3,), parse_format("e5m2")), np.array([0x7C, 0xFC, 0x7B], np.uint8))
    assert (profile.infinite, profile.largest, profile.exponents) == (2, 1, {15: 1})


def test_what_is_no_code_is_counted_and_not_decoded():
    six_bits = parse_format("e3m2fn")
    profile = TensorProfile.of(Tensor("x", (3,), six_bits), np.array([0xA5, 0x40, 0x00], np.uint8))
    assert (profile.invalid, profile.zeros) == (2, 1)


def test_integers_have_no_profile():
    assert profile_tensors([Tensor("labels", (2,), None)], {"labels": np.zeros(2, np.uint32)}, {}) == ()


def test_tensors_whose_codes_are_unknown_are_left_out():
    assert profile_tensors([Tensor("x", (2,), E4M3)], {}, {}) == ()


def converted(values, overflow):
    x, y = Tensor("x", (len(values),), FP32), Tensor("y", (len(values),), E4M3)
    plan = Plan((Kernel("y.convert", Convert(x=x, y=y, overflow=overflow)),), (x,), ())
    return rounding_errors(plan, {"x": np.asarray(values, np.float32).view(np.uint32)}, accumulator=Exact())["y"]


def test_saturation_and_underflow_of_a_conversion():
    error = converted([500.0, -1e6, 448.0, 1e-4, -1e-4, 0.0, 1.0], "saturate")
    assert (error.elements, error.saturated, error.underflowed) == (7, 2, 2)
    squares = 52.0**2 + (1e6 - 448) ** 2 + 2 * np.float64(np.float32(1e-4)) ** 2
    assert error.error_squares == pytest.approx(squares)


def test_what_overflows_to_nan_is_saturated_and_has_no_error():
    error = converted([500.0, 1.0625], "ieee")  # 1.0625 lies half way, and goes to 1
    assert (error.saturated, error.underflowed) == (1, 0)
    assert error.relative_rms == 0.0625 / 1.0625


def test_an_error_of_nothing_is_unknown():
    assert converted([0.0, 0.0], "saturate").relative_rms is None


@pytest.mark.parametrize("accumulator", [Exact(), Chain(parse_format("e8m23"))])
def test_a_product_is_compared_with_its_exact_sums(accumulator):
    seed = int(np.random.SeedSequence().entropy % 2**32)
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    m, n, k = 7, 5, 9
    a, b = codes(rng.standard_normal((m, k))), codes(30 * rng.standard_normal((k, n)))
    left, right, d = Tensor("a", (m, k), E4M3), Tensor("b", (k, n), E4M3), Tensor("d", (m, n), E4M3)
    call = Gemm(
        m=m,
        n=n,
        k=k,
        a=Operand.rows(left, k, k_minor=True),
        b=Operand.rows(right, n, k_minor=False),
        d=Matrix.rows(d, n),
        relu=True,
        overflow="saturate",
    )
    plan = Plan((Kernel("product", call),), (left, right), ())
    error = rounding_errors(plan, {"a": a, "b": b}, accumulator=accumulator)["d"]

    e4m3 = ml_dtypes.float8_e4m3fn
    sums = a.view(e4m3).astype(np.float64) @ b.view(e4m3).astype(np.float64)
    sums = np.where(sums < 0, 0.0, sums)
    rounded = np.minimum(sums, 448.0).astype(e4m3).astype(np.float64)
    assert error.elements == m * n
    assert error.saturated == np.count_nonzero(sums > 448)
    assert error.underflowed == np.count_nonzero((sums != 0) & (rounded == 0))
    expected = np.sqrt(np.sum((sums - rounded) ** 2) / np.sum(sums**2))
    assert error.relative_rms == pytest.approx(expected, rel=1e-5)


def test_a_chains_own_roundings_count():
    """1 + 3 * 2^-4 in steps: with a chain of three significant bits each addition of 2^-4 is lost to 1."""
    left, right, d = Tensor("a", (1, 4), E4M3), Tensor("b", (4, 1), E4M3), Tensor("d", (1, 1), E4M3)
    call = Gemm(
        m=1,
        n=1,
        k=4,
        a=Operand.rows(left, 4, k_minor=True),
        b=Operand.rows(right, 1, k_minor=False),
        d=Matrix.rows(d, 1),
    )
    plan = Plan((Kernel("product", call),), (left, right), ())
    before = {"a": codes([[1.0, 0.0625, 0.0625, 0.0625]]), "b": codes([[1.0]] * 4)}
    chain = Chain(parse_format("e5m2"))
    assert rounding_errors(plan, before, accumulator=chain)["d"].relative_rms == pytest.approx(0.1875 / 1.1875)
    assert rounding_errors(plan, before, accumulator=Exact())["d"].relative_rms == pytest.approx(0.0625 / 1.1875)


def test_errors_of_groups_add_up():
    one = RoundingError(elements=2, saturated=1, underflowed=0, error_squares=3.0, value_squares=50.0)
    two = RoundingError(elements=3, saturated=0, underflowed=2, error_squares=6.0, value_squares=50.0)
    both = one + two
    assert (both.elements, both.saturated, both.underflowed, both.relative_rms) == (5, 1, 2, 0.3)


def test_wide_results_have_no_reference():
    x, y = Tensor("x", (2,), FP32), Tensor("y", (2,), FP32)
    plan = Plan((Kernel("y.convert", Convert(x=x, y=y, overflow="ieee")),), (x,), ())
    assert rounding_errors(plan, {"x": np.zeros(2, np.uint32)}, accumulator=Exact()) == {}
