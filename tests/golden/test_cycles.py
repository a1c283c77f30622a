"""The golden cycle model by itself: counters that add up, traffic derived by hand, and what must never be faster."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest

from pyhost.formats import Stochastic, parse_format
from pyhost.golden.cycles import Prediction, predict
from pyhost.plan.calls import Axis, Convert, Gemm, Kernel, Matrix, Operand
from pyhost.plan.convolution import Convolution
from pyhost.plan.tensors import Placement, Tensor, place

BASE = 0x4000_0000
DESCRIPTOR_BYTES = 304


@dataclass(frozen=True)
class Hardware:
    """An 8x8 array of e4m3fn with results in e5m10."""

    rows: int = 8
    columns: int = 8
    operand_formats: tuple[str, ...] = ("e4m3fn",)
    result_formats: tuple[str, ...] = ("e5m10",)
    accumulator: str = "exact"
    depth: int = 2048
    port_bits: int = 128


def tensor(name, *shape, number_format="e4m3fn"):
    return Tensor(name, shape, parse_format(number_format))


def product(m, n, k, transpose="NN", name="d", **rest):
    rows = transpose[0] == "N", transpose[1] == "N"
    a = tensor("a", *((m, k) if rows[0] else (k, m)))
    b = tensor("b", *((k, n) if rows[1] else (n, k)))
    return Gemm(
        m=m,
        n=n,
        k=k,
        a=Operand.rows(a, a.shape[1], k_minor=rows[0]),
        b=Operand.rows(b, b.shape[1], k_minor=not rows[1]),
        d=Matrix.rows(tensor(name, m, n, number_format="e5m10"), n),
        **rest,
    )


def run(*calls, hardware=None, placement=None) -> tuple[Prediction | None, ...]:
    kernels = [Kernel(str(index), call) for index, call in enumerate(calls)]
    if placement is None:
        placement = place({t.name: t for k in kernels for t in k.tensors}.values(), BASE, BASE + (1 << 30))
    return predict(kernels, hardware or Hardware(), placement)


def cold(call, **rest) -> Prediction:
    (prediction,) = run(call, **rest)
    return prediction


@pytest.mark.parametrize("shape", [(64, 64, 64), (65, 67, 129), (3, 5, 3000), (1, 1, 1)])
@pytest.mark.parametrize("transpose", ["NN", "NT", "TN", "TT"])
def test_counters_add_up(shape, transpose):
    m, n, k = shape
    p = cold(product(m, n, k, transpose))
    assert p.macs == m * n * k
    assert p.busy == -(-m // 8) * -(-n // 8) * k
    assert p.cycles == p.busy + p.wait_a + p.wait_b + p.wait_store
    assert min(p.wait_a, p.wait_b, p.wait_store) >= 0


def test_each_row_of_c_is_a_step():
    bias = Matrix.row(tensor("c", 64))
    assert cold(product(24, 64, 10, c=bias)).busy == 3 * 8 * 10 + 24 * 8


def test_the_least_product():
    """1x1x1 by hand, each event with the cycle it happens in; the first that counts is 1."""
    valid = 19 + 2 + 2  # 19 words are asked for from cycle 1 on, data 2 cycles later; 2 more to check them
    a_complete = valid + 1 + 4 + 3 + 1  # the loader starts, its pipeline, a word on its way, and a cycle to be seen
    b_complete = a_complete + 2  # its fill starts when that of A has left the pipeline's first stage
    captured = b_complete + 1 + 1 + 3  # capture, scratchpads, decoders with their register, and sums
    drained = captured + 1 + 12 + 1 + 1  # picked, write-back, its word; and the cycle after
    p = cold(product(1, 1, 1))
    assert p == Prediction(
        macs=1,
        cycles=drained,
        busy=1,
        wait_a=a_complete - 1,
        wait_b=2,
        wait_store=drained - b_complete,
        dma_beats=22,
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (product(64, 64, 64), 256 + 256 + 512),
        (product(64, 64, 64, "TT"), 256 + 256 + 512),
        # A's 16 panels in three blocks of up to seven, so B three times.
        (product(256, 256, 256), 4096 + 3 * 4096 + 8192),
        # Two chunks of k: for each of 4 x 4 tiles, panels of 8 lanes. B's words hold 32 columns, of which 8 are used.
        (product(32, 32, 2000), 16 * 8 * 2000 // 16 + 16 * 2000 + 32 * 32 * 2 // 16),
        # Two rows of A of 9 bytes, the second in two words; nine of B of 3, one of them in two; two of D of 6.
        (product(2, 3, 9), 3 + 10 + 2),
        (product(64, 64, 64, c=Matrix.rows(tensor("c", 64, 64), 64)), 256 + 256 + 64 * 8 + 512),
        (product(64, 64, 64, addend=Matrix.row(tensor("c", 64))), 256 + 256 + 64 * 8 + 512),
    ],
)
def test_traffic(call, words):
    assert cold(call).dma_beats == DESCRIPTOR_BYTES // 16 + words


def test_padding_is_not_read():
    """Taps of a 3x3 window that lie in a 16x16 image: 16 in a direction for the middle one, 15 for the others."""
    convolution = Convolution(images=4, height=16, width=16, channels=16, filters=32, kernel=(3, 3), padding=(1, 1))
    x, w, y = tensor("x", 4, 16, 16, 16), tensor("w", 3, 3, 16, 32), tensor("y", 4, 16, 16, 32, number_format="e5m10")
    (forward,) = convolution.forward(x, w, y)
    p = cold(forward)
    assert p.dma_beats == 19 + 4 * (16 + 15 + 15) ** 2 + 9 * 16 * 2 + 4 * 16 * 16 * 32 * 2 // 16
    assert p.macs / (64 * p.cycles) > 0.9


def test_holes_are_not_read():
    """Pixels of 16 bytes with a hole after each: every second one of the window's is in memory."""
    pixels = Axis(step=1, dilation=2, pitch=16, extent=8)
    a = Operand(tensor=tensor("x", 8, 16), k_minor=True, run=16, major_x=16, x=pixels)
    assert cold(replace(product(16, 8, 16), a=a)).dma_beats == 19 + 8 + 16 + 16


@pytest.mark.parametrize("seed", range(20))
def test_words_that_windows_read(seed):
    """A word for each place where a line's run meets a memory word with an element of the tensor in it."""
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    m, k = (int(x) for x in rng.integers(1, 17, 2))
    x, y = (
        Axis(
            start=int(rng.integers(-5, 5)),
            step=int(rng.integers(-3, 4)),
            tap=int(rng.integers(-3, 4)),
            dilation=int(rng.integers(1, 4)),
            pitch=int(rng.integers(1, pitch)),
            extent=int(rng.integers(1, 9)),
        )
        for pitch in (7, 60)
    )
    elements, names = 2000, ("run", "taps", "major_x", "major_y")
    counts = {name: int(count) for name, count in zip(names, rng.integers(1, 6, 4), strict=True)}
    a = Operand(
        tensor=tensor("a", elements), k_minor=bool(rng.integers(2)), x=x, y=y, stride_n=37, offset=500, **counts
    )
    lines, minors = (m, k) if a.k_minor else (k, m)
    places = a.gather(np.arange(1, elements + 1, dtype=np.uint32), lines, minors).astype(int)
    start = BASE + 16 * int(rng.integers(100)) + int(rng.integers(16))
    words = {(v, u // a.run, (start + place - 1) // 16) for (v, u), place in np.ndenumerate(places) if place}
    call = replace(product(m, 1, k), a=a)
    placement = Placement({"a": start, "b": BASE, "d": BASE}, BASE)
    rest = cold(replace(product(m, 1, k), a=replace(call.a, x=Axis(extent=0))), placement=placement)
    assert cold(call, placement=placement).dma_beats == rest.dma_beats + len(words)


def test_resident_operands_are_not_read():
    call = product(64, 64, 64)
    _, last = run(call, replace(call, a_resident=True, b_resident=True))
    assert last.dma_beats == 19 + 512
    assert last.macs / (64 * last.cycles) > 0.99


def test_a_queue_hides_loads_and_stores():
    calls = [product(64, 64, 64, name=f"d{index}") for index in range(8)]
    first, *others = run(*calls)
    assert first.cycles < cold(calls[0]).cycles
    assert all(4096 < p.cycles < 4096 + 8 for p in others[:-1])
    assert others[-1].cycles == others[0].cycles + cold(calls[0]).wait_store - 1


def test_a_product_that_reads_a_result_waits_for_it():
    first = product(64, 64, 64, name="d0")
    dependent, free = product(64, 64, 64, name="d1", addend=first.d), tensor("other", 64, 64, number_format="e5m10")
    independent = replace(dependent, addend=Matrix.rows(free, 64))
    assert run(first, dependent)[1].cycles > run(first, independent)[1].cycles + 50


def test_other_kernels_have_no_prediction_and_drain_the_queue():
    call = product(16, 16, 16)
    d = call.d.tensor
    alone = cold(call)
    convert = Convert(x=d, y=tensor("y", 16, 16), overflow="ieee")
    first, none, last = run(call, convert, product(16, 16, 16, name="d2"))
    assert none is None
    assert first == alone
    assert last.cycles - alone.cycles in (0, 1), "what the first left in the scratchpads may be in the way for a cycle"


def test_a_new_random_key_delays_the_first_tile_alone():
    call = product(16, 16, 64)
    random = replace(call, rounding=Stochastic(8, 1, 2, 3))
    assert cold(random).cycles == cold(call).cycles
    short, short_random = product(8, 8, 8), replace(product(8, 8, 8), rounding=Stochastic(8, 1, 2, 3))
    assert cold(short_random).cycles == cold(short).cycles + 10
    assert abs(run(short_random, short_random)[1].cycles - run(short, short)[1].cycles) < 10


def test_longer_products_take_longer():
    cycles = [cold(product(40, 24, k)).cycles for k in range(16, 2000, 16)]  # rows of A are whole words
    steps = [later - earlier for earlier, later in pairwise(cycles)]
    assert min(steps) > 0
    assert np.median(steps) >= 15 * 16, "15 tiles, a cycle for each of 16 steps"


@pytest.mark.parametrize("shape", [(64, 64, 64), (20, 30, 700), (5, 5, 5)])
def test_less_hardware_is_never_faster(shape):
    call = product(*shape)
    best = cold(call)
    for worse in (Hardware(port_bits=64), Hardware(depth=64), Hardware(rows=4), Hardware(columns=4)):
        p = cold(call, hardware=worse)
        assert p.cycles >= best.cycles
        assert p.macs == best.macs


def test_the_accumulator_is_only_a_matter_of_depth():
    call = product(64, 64, 64)
    assert cold(call).cycles - cold(call, hardware=Hardware(accumulator="e5m10")).cycles == (1 + 4) - (3 + 1)
