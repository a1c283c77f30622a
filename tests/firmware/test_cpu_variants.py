"""The firmware on CPUs other than the default one: no multiplier, no caches, no counter of instructions."""

import numpy as np
import pytest

from pyhost.cosim.build import build_firmware, build_soc
from pyhost.cosim.hardware import Hardware
from pyhost.cosim.machine import Machine
from pyhost.formats import parse_format
from pyhost.golden import Chain, Exact
from pyhost.golden.step import execute
from pyhost.plan.calls import Gemm, Kernel, Matrix, Operand, Plan, Relu, Sgd, SoftmaxCrossEntropy
from pyhost.plan.tensors import Tensor
from pyhost.targets.base import Limit
from pyhost.targets.elf import ElfImage
from pyhost.targets.verilator import VerilatorTarget

pytestmark = pytest.mark.hardware

SEED = 65537
MAIN_RAM = 1 << 20
E4M3, E5M2, F32 = parse_format("e4m3fn"), parse_format("e5m2"), parse_format("e8m23")
ROWS, CLASSES, INPUTS = 4, 5, 12


def small_step():
    """A plan with the software product, soft-float and integers; and codes of its inputs."""
    rng = np.random.default_rng(SEED)
    x, w = Tensor("x", (ROWS, INPUTS), E4M3), Tensor("w", (INPUTS, CLASSES), E5M2)
    logits, active = Tensor("logits", (ROWS, CLASSES), F32), Tensor("active", (ROWS, CLASSES), E5M2)
    labels, loss = Tensor("labels", (ROWS,), None), Tensor("loss", (ROWS,), F32)
    gradient = Tensor("gradient", (ROWS, CLASSES), F32)
    master, velocity = Tensor("master", (ROWS, CLASSES), F32), Tensor("velocity", (ROWS, CLASSES), F32)
    a, b = Operand.rows(x, INPUTS, k_minor=True), Operand.rows(w, CLASSES, k_minor=False)
    calls = {
        "product": Gemm(m=ROWS, n=CLASSES, k=INPUTS, a=a, b=b, d=Matrix.rows(logits, CLASSES)),
        "relu": Relu(x=logits, y=active, overflow="saturate"),
        "loss": SoftmaxCrossEntropy(
            logits=logits,
            labels=labels,
            gradient=gradient,
            loss=loss,
            rows=ROWS,
            classes=CLASSES,
            overflow="ieee",
            scale=0.25,
        ),
        "update": Sgd(
            weight=master, velocity=velocity, gradient=gradient, learning_rate=0.1, momentum=0.9, overflow="ieee"
        ),
    }
    plan = Plan(tuple(Kernel(name, call) for name, call in calls.items()), (x, w, labels), (master, velocity))
    codes = {t.name: t.format.encode(rng.normal(size=t.shape)) for t in (x, w, master, velocity)}
    codes["labels"] = rng.integers(0, CLASSES, ROWS).astype(np.uint32)
    return plan, codes


@pytest.mark.parametrize("cpu", ["minimal", "standard"])
def test_same_bits(cpu):
    print(f"seed {SEED}")
    artefacts = build_soc(Hardware(cpu=cpu, main_ram=MAIN_RAM))
    image = ElfImage(build_firmware(artefacts))
    plan, codes = small_step()
    for accumulator in (Exact(), Chain(F32), Chain(E5M2)):
        with VerilatorTarget(artefacts.library) as target:
            end = 0x4000_0000 + MAIN_RAM
            limit = Limit(cycles=20_000_000)
            machine = Machine(target, image, plan, accumulator=accumulator, formats=(), memory_end=end, limit=limit)
            machine.write(codes, (*plan.inputs, *plan.state))
            step = machine.run()
            result = machine.read(plan.tensors)
        for name, expected in execute(plan, codes, accumulator=accumulator).items():
            assert (result[name] == expected).all(), (accumulator, name)
        assert all(record.cycles > 0 and record.instructions is None for record in step.kernels)
        assert step.cycles >= sum(record.cycles for record in step.kernels)
