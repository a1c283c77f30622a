"""The hash of stochastic rounding against its definition in pyhost.formats.stochastic."""

import numpy as np
import pytest
from migen import Module

from accel_rtl.random import Mix, Scramble, WriteBackRandom
from pyhost.formats.stochastic import WRITE_BACK, Stochastic, mix, scramble
from tests.rtl.dut import Dut

pytestmark = [pytest.mark.hardware, pytest.mark.slow]

LANES = 3


class _Bench(Module):
    def __init__(self) -> None:
        self.submodules.mix = mixer = Mix()
        self.submodules.scramble = scrambler = Scramble()
        self.submodules.random = random = WriteBackRandom(LANES)
        self.inputs = {"mix": mixer.word, "scramble": scrambler.word}
        self.inputs |= {name: getattr(random, name) for name in ("key", "start", "row", "column")}
        self.outputs = {"mixed": mixer.mixed, "scrambled": scrambler.scrambled, "ready": random.ready}
        self.outputs |= {f"word{lane}": word for lane, word in enumerate(random.words)}


@pytest.fixture(scope="module")
def dut():
    bench = _Bench()
    return Dut(bench, "random", bench.inputs, bench.outputs)


@pytest.fixture
def words():
    print("seed 1")
    return np.append(np.random.default_rng(1).integers(1 << 32, size=3000), [0, 1, (1 << 32) - 1, 1 << 31])


def test_mix(dut, words):
    got = dut.run(mix=np.append(words, np.zeros(Mix.LATENCY)))["mixed"][Mix.LATENCY :]
    np.testing.assert_array_equal(got, mix(words))


def test_scramble(dut, words):
    np.testing.assert_array_equal(dut.run(scramble=words)["scrambled"], scramble(words.astype(np.uint32)))


def test_words_of_two_jobs(dut):
    rng = np.random.default_rng(2)
    print("seed 2")
    groups, idle = 400, WriteBackRandom.LATENCY
    for seed in range(2):
        stochastic = Stochastic(bits=24, seed=seed, step=7, tensor=3)
        row, column = rng.integers(1 << 16, size=groups), rng.integers((1 << 16) - LANES, size=groups)
        begin = WriteBackRandom.START_CYCLES
        total = begin + groups + idle
        inputs = {"row": np.zeros(total), "column": np.zeros(total)}
        for name, values in {"row": row, "column": column}.items():
            inputs[name][begin : begin + groups] = values
        got = dut.run(key=stochastic.key, start=np.arange(total) == 0, **inputs)
        assert got["ready"][1:begin].sum() == 0 and got["ready"][begin:].all()
        after = slice(begin + idle, begin + idle + groups)
        rows, columns = stochastic.rows(1 << 16)[row], stochastic.columns(1 << 16)
        for lane in range(LANES):
            expected = scramble(scramble(rows + columns[column + lane]) + stochastic.depths(WRITE_BACK))
            np.testing.assert_array_equal(got[f"word{lane}"][after], expected)
