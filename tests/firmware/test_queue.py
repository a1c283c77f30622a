"""Jobs in the accelerator's queue: how the executor fills it, what it records, and what it does when one fails."""

import ctypes

import pytest

from pyhost.formats import parse_format
from pyhost.golden import Exact
from pyhost.golden.step import execute
from pyhost.plan.calls import Convert, Gemm, Kernel, Matrix, Operand, Plan
from pyhost.plan.tensors import Tensor

E4M3, F32 = parse_format("e4m3fn"), parse_format("e8m23")
X = Tensor("x", (2, 2), E4M3)
CODES = {"x": E4M3.encode([[1.0, -2.0], [0.25, 3.0]])}
SOME_COUNT = 0xFFFFFFFD  # the accelerator's count of jobs wraps on the way
OVERRUN, OPERAND = 1, 7


def product(number):
    """x * x -> d{number}."""
    d = Tensor(f"d{number}", (2, 2), F32)
    a, b = Operand.rows(X, 2, k_minor=True), Operand.rows(X, 2, k_minor=False)
    return Kernel(d.name, Gemm(m=2, n=2, k=2, a=a, b=b, d=Matrix.rows(d, 2)))


def copy(number):
    """d{number} -> y{number}."""
    d, y = Tensor(f"d{number}", (2, 2), F32), Tensor(f"y{number}", (2, 2), E4M3)
    return Kernel(y.name, Convert(x=d, y=y, overflow="ieee"))


@pytest.fixture
def run(native_accelerator):
    """run(*kernels, errors={job: code}): the tensors after a plan, and what the golden model says."""

    def execute_both(*kernels, errors=None):
        native_accelerator.library.model_reset(SOME_COUNT)
        codes = (ctypes.c_uint32 * 64).in_dll(native_accelerator.library, "model_errors")
        for job, code in (errors or {}).items():
            codes[job] = code
        plan = Plan(kernels, (X,), ())
        after = native_accelerator.execute(plan, CODES, accumulator=Exact())
        assert ctypes.c_uint32.in_dll(native_accelerator.library, "model_overrun").value == 0
        return after, execute(plan, CODES, accumulator=Exact())

    return execute_both


def most_waiting(native):
    return ctypes.c_uint32.in_dll(native.library, "model_most_waiting").value


@pytest.mark.parametrize("jobs", [1, 3, 4, 5, 20])
def test_jobs_fill_the_queue_and_each_has_its_record(run, native_accelerator, jobs):
    after, expected = run(*map(product, range(jobs)))
    assert native_accelerator.state == "STATE_DONE"
    assert most_waiting(native_accelerator) == min(jobs, 4)
    assert native_accelerator.records["on_accelerator"].tolist() == [1] * jobs
    assert native_accelerator.records["job"]["counters"]["busy"].tolist() == list(range(jobs))
    assert all((after[name] == codes).all() for name, codes in expected.items())


def test_other_kernels_wait_for_every_job(run, native_accelerator):
    kernels = [product(0), product(1), copy(1), product(2), copy(0), copy(2)]
    after, expected = run(*kernels)
    assert native_accelerator.records["on_accelerator"].tolist() == [1, 1, 0, 1, 0, 0]
    assert all((after[name] == codes).all() for name, codes in expected.items())


@pytest.mark.parametrize("failing", [0, 2, 6])
def test_a_job_that_fails_ends_the_plan_after_all_that_were_submitted(run, native_accelerator, failing):
    """A later failure, of a job that was in the queue already, does not hide the first."""
    run(*map(product, range(7)), copy(0), errors={failing: OPERAND, failing + 1: OVERRUN})
    assert (native_accelerator.state, native_accelerator.error) == ("STATE_FAILED", "ERROR_ACCELERATOR")
    assert native_accelerator.mailbox["accelerator_error"][0] == OPERAND
    assert native_accelerator.mailbox["current"][0] == failing
    complete = native_accelerator.records["job"]["counters"]["busy"][: failing + 1].tolist()
    assert complete == list(range(failing + 1))


def test_a_failed_plan_leaves_the_next_one_unharmed(run, native_accelerator):
    run(product(0), product(1), errors={0: OPERAND})
    after, expected = run(product(0), copy(0))
    assert native_accelerator.state == "STATE_DONE"
    assert native_accelerator.mailbox["accelerator_error"][0] == 0
    assert all((after[name] == codes).all() for name, codes in expected.items())
