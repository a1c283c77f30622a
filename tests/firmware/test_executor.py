"""What the executor does with plans that it cannot run, and what it leaves in the mailbox and the records."""

import numpy as np
import pytest

from accel_rtl.registers import ErrorCode
from pyhost.formats import parse_format
from pyhost.golden import Chain, Exact
from pyhost.plan.calls import BiasGradient, Convert, Gemm, Kernel, Matrix, MaxPool, Operand, Plan, SoftmaxCrossEntropy
from pyhost.plan.tensors import Tensor
from pyhost.targets.diagnosis import ACCELERATOR_ERRORS

EXACT = Exact()
F32, E4M3 = parse_format("e8m23"), parse_format("e4m3fn")
X, Y, Z = (Tensor(name, (4,), format_) for name, format_ in (("x", F32), ("y", E4M3), ("z", F32)))
CODES = {"x": F32.encode([1.0, -2.0, 0.3, 448.0])}
PLAN = Plan(
    (
        Kernel("first", Convert(x=X, y=Y, overflow="ieee")),
        Kernel("second", Convert(x=Y, y=Z, overflow="ieee")),
    ),
    (X,),
    (),
)
MATRIX = Tensor("m", (2, 2), E4M3)
PRODUCT = Gemm(
    m=2,
    n=2,
    k=2,
    a=Operand.rows(MATRIX, 2, k_minor=True),
    b=Operand.rows(MATRIX, 2, k_minor=False),
    d=Matrix.rows(Tensor("d", (2, 2), F32), 2),
)


def run(native, edit=lambda kernels, mailbox: None, plan=PLAN, before=CODES, accumulator=EXACT):
    after = native.execute(plan, before, accumulator=accumulator, edit=edit)
    return native.state, native.error, int(native.mailbox["current"][0]), after


def test_a_plan_runs_to_its_end(native):
    state, error, current, after = run(native)
    assert (state, error, current) == ("STATE_DONE", "ERROR_NONE", len(PLAN.kernels))
    assert F32.decode(after["z"]).tolist() == [1.0, -2.0, 0.3125, 448.0]
    assert (native.records["on_accelerator"] == 0).all()


def test_an_empty_plan_is_done_at_once(native):
    def edit(kernels, mailbox):
        mailbox["kernel_count"] = 0

    assert run(native, edit)[:2] == ("STATE_DONE", "ERROR_NONE")


def test_a_mailbox_without_a_plan(native):
    def edit(kernels, mailbox):
        mailbox["plan_magic"] = 0x12345678

    state, error, _, after = run(native, edit)
    assert (state, error) == ("STATE_FAILED", "ERROR_PLAN_MAGIC")
    assert (after["y"] == 0xA5).all()  # nothing was written


@pytest.mark.parametrize("kind", [0, 10, 0xFFFFFFFF])
def test_unknown_kind_stops_the_plan_there(native, kind):
    def edit(kernels, mailbox):
        kernels["kind"][1] = kind

    state, error, current, after = run(native, edit)
    assert (state, error, current) == ("STATE_FAILED", "ERROR_KERNEL_KIND", 1)
    assert E4M3.decode(after["y"]).tolist() == [1.0, -2.0, 0.3125, 448.0]
    assert (after["z"] == 0xA5A5A5A5).all()


@pytest.mark.parametrize("index", [2, 15, 16, 0xFFFFFFFF])
def test_a_format_that_is_not_in_the_table(native, index):
    def edit(kernels, mailbox):
        kernels["convert"]["y"]["format"][0] = index

    assert run(native, edit)[:3] == ("STATE_FAILED", "ERROR_FORMAT", 0)


def test_a_malformed_entry_of_the_table(native):
    def edit(kernels, mailbox):
        mailbox["formats"]["fraction_bits"][0, 1] = 99

    assert run(native, edit)[:3] == ("STATE_FAILED", "ERROR_FORMAT", 0)


def test_unused_entries_of_the_table_may_be_anything(native):
    def edit(kernels, mailbox):
        mailbox["formats"]["fraction_bits"][0, 7] = 99

    assert run(native, edit)[0] == "STATE_DONE"


@pytest.mark.parametrize("field", ["m", "n", "k"])
def test_a_product_of_nothing(native, field):
    def edit(kernels, mailbox):
        kernels["gemm"][field][0] = 0

    plan = Plan((Kernel("product", PRODUCT),), (), ())
    assert run(native, edit, plan, {})[:2] == ("STATE_FAILED", "ERROR_ARGUMENT")


@pytest.mark.parametrize("operand", ["a", "b"])
@pytest.mark.parametrize("field", ["run", "taps", "major_x", "major_y"])
def test_a_window_of_nothing(native, operand, field):
    def edit(kernels, mailbox):
        kernels["gemm"][operand][field][0] = 0

    plan = Plan((Kernel("product", PRODUCT),), (), ())
    assert run(native, edit, plan, {})[:2] == ("STATE_FAILED", "ERROR_ARGUMENT")


@pytest.mark.parametrize("matrix", ["a", "b", "c", "d", "addend", "mask"])
def test_a_product_in_no_format(native, matrix):
    def edit(kernels, mailbox):
        kernels["gemm"][matrix]["format"][0] = 9
        kernels["gemm"][matrix]["address"][0] = kernels["gemm"]["d"]["address"][0]

    plan = Plan((Kernel("product", PRODUCT),), (), ())
    assert run(native, edit, plan, {})[:2] == ("STATE_FAILED", "ERROR_FORMAT")


@pytest.mark.parametrize(("accumulator", "index"), [(2, 0), (1, 9)])
def test_no_accumulator(native, accumulator, index):
    def edit(kernels, mailbox):
        mailbox["accumulator"] = accumulator
        mailbox["accumulator_format"] = index

    plan = Plan((Kernel("product", PRODUCT),), (), ())
    assert run(native, edit, plan, {}, Chain(F32))[:2] == ("STATE_FAILED", "ERROR_ACCUMULATOR")


def test_sizes_that_must_not_be_zero(native):
    row, channel = Tensor("row", (1, 4), E4M3), Tensor("channel", (4,), E4M3)
    image, pooled = Tensor("image", (1, 2, 2, 1), E4M3), Tensor("pooled", (1, 1, 1, 1), E4M3)
    pool = MaxPool(x=image, y=pooled, images=1, height=2, width=2, channels=1, window=0)
    bias = BiasGradient(gradient=row, bias_gradient=channel, channels=0, overflow="ieee", scale=1.0)
    for call in (bias, pool):
        plan = Plan((Kernel("kernel", call),), (), ())
        assert run(native, plan=plan, before={})[:2] == ("STATE_FAILED", "ERROR_ARGUMENT")


@pytest.mark.parametrize(("classes", "label"), [(4, 4), (4, 0xFFFFFFFF), (1025, 0), (0, 0)])
def test_a_label_that_is_no_class_and_too_many_classes(native, classes, label):
    logits, labels = Tensor("z", (2, max(classes, 1)), F32), Tensor("labels", (2,), None)
    call = SoftmaxCrossEntropy(
        logits=logits,
        labels=labels,
        gradient=Tensor("g", logits.shape, F32),
        loss=Tensor("loss", (2,), F32),
        rows=2,
        classes=classes,
        overflow="ieee",
        scale=1.0,
    )
    before = {"z": np.zeros(logits.shape, np.uint32), "labels": np.array([0, label], np.uint32)}
    plan = Plan((Kernel("loss", call),), (), ())
    assert run(native, plan=plan, before=before)[:2] == ("STATE_FAILED", "ERROR_ARGUMENT")


def test_error_codes_mean_the_same_in_firmware_hardware_and_messages(native):
    codes = {name.removeprefix("ACCELERATOR_"): code for name, code in native.enum("accelerator_error").items()}
    assert codes == {code.name: code.value for code in ErrorCode}
    assert set(codes) - {"NONE"} == set(ACCELERATOR_ERRORS)
