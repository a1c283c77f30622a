"""The golden cycle model against the accelerator's RTL: every counter of every job, exactly, on static RAM."""

from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

from accel_rtl import AcceleratorConfig
from accel_rtl.array import OuterProductArray
from accel_rtl.random import Mix, WriteBackRandom
from accel_rtl.registers import DESCRIPTOR, ErrorCode, Flag
from accel_rtl.store import Store
from pyhost import timing
from pyhost.formats import Format, Stochastic, parse_format
from pyhost.golden import Exact
from pyhost.golden.cycles import Prediction, Sizes, predict
from pyhost.golden.cycles.tiles import Shape
from pyhost.plan.calls import Gemm, Kernel, Matrix, Operand, Plan
from pyhost.plan.convolution import Convolution
from pyhost.plan.pack import FormatTable, pack_kernels
from pyhost.plan.tensors import Placement, Tensor, place
from tests.rtl.device import MEMORY_BASE, RESERVED, Device
from tests.rtl.windows import operand, random_window

pytestmark = [pytest.mark.hardware, pytest.mark.slow]

DATA_BYTES = 1 << 19
SEED = 20261124
CONFIGS = {
    "8x8_exact": AcceleratorConfig(rows=8, columns=8, operand_formats=("e4m3fn", "e5m10")),
    "2x4_chain": AcceleratorConfig(
        rows=2, columns=4, operand_formats=("e4m3fn", "e5m10"), accumulator="e5m10", depth=64, stochastic=False
    ),
    "3x5_narrow": AcceleratorConfig(
        rows=3,
        columns=5,
        operand_formats=("e4m3fn",),
        result_formats=("e8m23",),
        depth=32,
        port_bits=64,
        stochastic=False,
    ),
}
WIDE = "8x8_exact"


@cache
def _device(name: str) -> Device:
    """What takes longer to compile than to run is not optimised."""
    return Device(CONFIGS[name], DATA_BYTES + RESERVED, "-O1" if name == WIDE else "-O0")


def _struct(*fields: str | tuple) -> np.dtype:
    return np.dtype([field if isinstance(field, tuple) else (field, np.int64) for field in fields])


_MATRIX = _struct("address", "format", "pitch")
_AXIS = _struct(
    *("start", "start_phase", "step", "step_phase", "tap", "tap_phase", "dilation", "unit", "extent"),
)
_OPERAND = _struct(
    *("address", "format", "k_minor", "run", "taps", "major_x", "major_y", "stride_n"), ("x", _AXIS), ("y", _AXIS)
)
_GEMM = _struct(
    *DESCRIPTOR[:12],
    *((name, _MATRIX) for name in ("c", "d", "addend", "mask")),
    *((name, _OPERAND) for name in "ab"),
)


class _Layouts:
    """The structs of firmware/plan.h with words of 64 bits, as `pack_kernels` asks for them."""

    def layout(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(dtype=_struct("kind", ("gemm", _GEMM)), size=0)

    def enum(self, name: str) -> dict[str, int]:
        return {
            "kernel_kind": {"KERNEL_GEMM": 1},
            "gemm_flags": {f"GEMM_{flag.name}": 1 << flag for flag in Flag},
            "overflow": {"OVERFLOW_IEEE": 0},
            "rounding": {"ROUNDING_NEAREST_EVEN": 0, "ROUNDING_STOCHASTIC": 2},
        }[name]


def _check(name: str, *calls: Gemm, placement: Placement | None = None) -> tuple[Prediction, ...]:
    """Run `calls` through the queue and compare all counters."""
    device = _device(name)
    kernels = tuple(Kernel(str(index), call) for index, call in enumerate(calls))
    plan = Plan(kernels, (), ())
    if placement is None:
        placement = place(plan.tensors, MEMORY_BASE, MEMORY_BASE + DATA_BYTES)
    table = FormatTable(device.config.formats)
    packed = pack_kernels(plan, placement, table, _Layouts(), accumulator=Exact(), records=0)
    words = np.ascontiguousarray(packed["gemm"]).view(np.int64).reshape(len(calls), -1)
    descriptors = [dict(zip(DESCRIPTOR, map(int, row), strict=True)) for row in words]
    for descriptor in descriptors:
        del descriptor["record"]
    device.reset()
    outcome = device.run(*descriptors)
    predictions = predict(kernels, device.config, placement)
    for call, record, prediction in zip(calls, outcome.records, predictions, strict=True):
        assert record.error == ErrorCode.NONE, call
        counters = record.counters
        counters["macs"] = counters.pop("macs_low") | counters.pop("macs_high") << 32
        del counters["bus_wait"]
        assert vars(prediction) == counters, call
    return predictions


def _product(m, n, k, transpose="NN", *, a="e4m3fn", d="e5m10", name="d", **rest) -> Gemm:
    number_format = parse_format(a)
    rows = transpose[0] == "N", transpose[1] == "N"
    left = Tensor("a", (m, k) if rows[0] else (k, m), number_format)
    right = Tensor("b", (k, n) if rows[1] else (n, k), number_format)
    return Gemm(
        m=m,
        n=n,
        k=k,
        a=Operand.rows(left, left.shape[1], k_minor=rows[0]),
        b=Operand.rows(right, right.shape[1], k_minor=not rows[1]),
        d=Matrix.rows(Tensor(name, (m, n), parse_format(d)), n),
        **rest,
    )


@pytest.mark.parametrize("transpose", ["NN", "NT", "TN", "TT"])
@pytest.mark.parametrize("shape", [(64, 64, 64), (256, 256, 256), (65, 67, 129)])
def test_products(shape, transpose):
    _check(WIDE, _product(*shape, transpose))


@pytest.mark.parametrize("shape", [(64, 64, 64), (256, 256, 256)])
def test_products_of_two_bytes(shape):
    _check(WIDE, _product(*shape, a="e5m10"))


@pytest.mark.parametrize("shape", [(1, 1, 1), (8, 8, 1), (9, 1, 2000), (24, 40, 1025), (16, 24, 3000)])
def test_products_of_extreme_shapes(shape):
    _check(WIDE, _product(*shape))


def test_resident_operands():
    product = _product(64, 64, 64)
    _, resident = _check(WIDE, product, replace(product, a_resident=True, b_resident=True))
    assert resident.dma_beats < 600, "descriptor and D alone"


@pytest.mark.parametrize("size", [64, 8])
def test_a_queue_of_products(size):
    _check(WIDE, *(_product(size, size, size, name=f"d{number}") for number in range(32)))


def test_products_that_wait_for_each_other():
    """Each product's addend is the result of the one before."""
    products = [_product(16, 16, 16, name="d0")]
    for number in range(1, 6):
        products.append(_product(16, 16, 16, name=f"d{number}", addend=products[-1].d))
    _check(WIDE, *products)


@pytest.mark.parametrize("direction", ["forward", "weight_gradient", "input_gradient"])
def test_convolutions(direction):
    """3x3 from 16x16x16 to 16x16x32, batch 4."""
    convolution = Convolution(images=4, height=16, width=16, channels=16, filters=32, kernel=(3, 3), padding=(1, 1))
    operands, result = parse_format("e4m3fn"), parse_format("e5m10")
    shapes = {"x": (4, 16, 16, 16), "w": (3, 3, 16, 32), "y": (4, 16, 16, 32)}
    names = {"forward": "xwy", "weight_gradient": "xyw", "input_gradient": "ywx"}[direction]
    tensors = [Tensor(x, shapes[x], result if index == 2 else operands) for index, x in enumerate(names)]
    _check(WIDE, *getattr(convolution, direction)(*tensors))


class _Jobs:
    """Random products of operands anywhere in memory: what lies there does not matter."""

    def __init__(self, rng: np.random.Generator, config: AcceleratorConfig) -> None:
        self._rng = rng
        self._config = config
        self.addresses: dict[str, int] = {}

    def queue(self) -> list[Gemm]:
        """One to four products, some of which use operands or results of the one before."""
        jobs = [self._job()]
        for _ in range(int(self._rng.integers(4)) if self._rng.random() < 0.5 else 0):
            last = jobs[-1]
            shape = Shape.of(last.m, last.n, last.k, Sizes.of(self._config))
            match self._rng.choice(["new", "resident", "result"]):
                case "resident":
                    job = replace(last, d=self._matrix(self._config.formats, last.m, last.n, repeats=False))
                    flags = {"a_resident": shape.a_stays, "b_resident": shape.b_stays}
                    jobs.append(replace(job, **{name: stays and self._chance(0.7) for name, stays in flags.items()}))
                case "result" if last.d.tensor.count >= (job := self._job()).n:
                    jobs.append(replace(job, addend=Matrix.row(last.d.tensor)))
                case _:
                    jobs.append(self._job())
        return jobs

    def _chance(self, probability: float) -> bool:
        return bool(self._rng.random() < probability)

    def _tensor(self, choice: tuple[Format, ...], elements: int) -> Tensor:
        number_format = choice[int(self._rng.integers(len(choice)))]
        tensor = Tensor(f"t{len(self.addresses)}", (elements,), number_format)
        size = tensor.dtype.itemsize
        self.addresses[tensor.name] = MEMORY_BASE + size * int(
            self._rng.integers(1 + (DATA_BYTES - tensor.nbytes) // size)
        )
        return tensor

    def _matrix(self, choice: tuple[Format, ...], m: int, n: int, *, repeats: bool = True) -> Matrix:
        if repeats and self._chance(0.3):
            return Matrix.row(self._tensor(choice, n))
        pitch = n + int(self._rng.integers(0, 5))
        return Matrix.rows(self._tensor(choice, m * pitch), pitch)

    def _operand(self, lanes: int, k: int) -> Operand:
        k_minor = int(self._rng.integers(2))
        window, elements = random_window(self._rng, *((lanes, k) if k_minor else (k, lanes)), k_minor)
        return operand(window, self._tensor(self._config.operands, elements))

    def _job(self) -> Gemm:
        config, rng = self._config, self._rng
        m, n, k = (int(x) for x in rng.integers(1, int(rng.choice([10, 40, 90])), 3))
        if self._chance(0.2):
            k = int(rng.integers(config.depth // 4, config.depth + 9))
            m, n = min(m, 40), min(n, 40)
        extra = {}
        if self._chance(0.4):
            extra["c"] = self._matrix(config.operands, m, n)
        for name in ("addend", "mask"):
            if self._chance(0.3):
                extra[name] = self._matrix(config.formats, m, n)
        if config.stochastic and self._chance(0.2):
            extra["rounding"] = Stochastic(8, *(int(word) for word in rng.integers(1 << 32, size=3)))
        return Gemm(
            m=m,
            n=n,
            k=k,
            a=self._operand(m, k),
            b=self._operand(n, k),
            d=self._matrix(config.formats, m, n, repeats=False),
            **extra,
        )


@pytest.mark.parametrize("name", CONFIGS)
def test_random_jobs(name):
    for seed in range(SEED, SEED + 67):
        print(f"seed {seed}")
        jobs = _Jobs(np.random.default_rng(seed), CONFIGS[name])
        queue = jobs.queue()
        _check(name, *queue, placement=Placement(jobs.addresses, MEMORY_BASE + DATA_BYTES))


def test_depths_are_those_of_the_blocks():
    """Where the RTL does not take them from `pyhost.timing` itself."""
    assert timing.MIX == Mix.LATENCY
    assert timing.RANDOM_KEY == WriteBackRandom.START_CYCLES


@pytest.mark.parametrize("name", CONFIGS)
def test_sizes_are_those_of_the_hardware(name):
    config, sizes = CONFIGS[name], Sizes.of(CONFIGS[name])
    assert (sizes.rounders, sizes.port_bytes) == (config.rounders, config.port_bytes)
    assert sizes.high == config.rows * config.panel_tiles(config.rows)
    assert sizes.wide == config.columns * config.panel_tiles(config.columns)
    assert (sizes.array, sizes.store) == (OuterProductArray.latency(config), Store.latency(config))
