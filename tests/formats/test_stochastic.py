"""The hash behind stochastic rounding: pinned values, uniformity, independence, and what it does to a mean."""

import numpy as np
import pytest
from scipy import stats

from pyhost.formats import FormatError, Rounding, Stochastic, parse_format
from pyhost.formats.stochastic import WRITE_BACK, mix, scramble


def test_words_are_pinned() -> None:
    """Hardware and firmware implement these: a change here is a change of every stochastic result."""
    assert [hex(int(x)) for x in mix([0, 1, 0xDEADBEEF])] == ["0x0", "0x688990c0", "0xe628c683"]
    scrambled = scramble(np.array([0, 1, 0xDEADBEEF], dtype=np.uint32))
    assert [hex(int(x)) for x in scrambled] == ["0x0", "0x104a82c4", "0x92120ebc"]
    draws = Stochastic(8, seed=1, step=2, tensor=3)
    assert hex(int(draws.key)) == "0x3f8f8e9a"
    assert draws.draw(2, 3).tolist() == [[16, 106, 104], [121, 189, 247]]
    assert draws.draw(2, 3, k=7).tolist() == [[24, 43, 21], [37, 4, 2]]


def by_definition(bits: int, seed: int, step: int, tensor: int, i: int, j: int, k: int) -> int:
    wrap = 0xFFFFFFFF

    def mixed(x: int) -> int:
        x = (x ^ x >> 16) * 0x7FEB352D & wrap
        x = (x ^ x >> 15) * 0x846CA68B & wrap
        return x ^ x >> 16

    def scrambled(x: int) -> int:
        for right, left in ((16, 9), (14, 6), (11, 13)):
            x ^= x >> right
            x = x + (x << left) & wrap
        return x ^ x >> 15

    key = mixed(mixed(mixed(seed) + step & wrap) + tensor & wrap)
    row, column, depth = (mixed(mixed(key + n & wrap) + at & wrap) for n, at in ((1, i), (2, j), (3, k)))
    return scrambled(scrambled(row + column & wrap) + depth & wrap) >> (32 - bits)


def test_draw_is_the_definition() -> None:
    draws = Stochastic(13, seed=0xFFFFFFFF, step=0x12345678, tensor=9)
    for k in (0, 5, WRITE_BACK):
        drawn = draws.draw(3, 4, k)
        expected = [[by_definition(13, 0xFFFFFFFF, 0x12345678, 9, i, j, k) for j in range(4)] for i in range(3)]
        assert drawn.tolist() == expected


def test_random_integers_are_uniform_and_neighbours_independent() -> None:
    """Chi-square over many tensors: of single integers, of pairs along each axis, and of the corners of rectangles.

    Corners tell a sum or exclusive or of row and column words from a hash: there they cancel. Pairs along k fail where
    the scrambling has one addition less.
    """
    p_values = []
    bits = 8
    for seed in range(8):
        draws = Stochastic(bits, seed=seed, step=seed % 3, tensor=seed % 2)
        cube = np.stack([draws.draw(64, 64, k) for k in range(32)], axis=2).astype(np.int64)
        p_values.append(chi_square(cube, bits))
        high = cube >> (bits // 2)
        for axis in range(3):
            first = np.take(high, range(cube.shape[axis] - 1), axis)
            second = np.take(high, range(1, cube.shape[axis]), axis)
            p_values.append(chi_square(first << (bits // 2) | second, bits))
        for one, other in ((0, 1), (0, 2), (1, 2)):
            corners = [
                np.take(half, range(s, half.shape[other], 2), other) for half in halves(cube, one) for s in (0, 1)
            ]
            p_values.append(chi_square(corners[0] ^ corners[1] ^ corners[2] ^ corners[3], bits))
            p_values.append(chi_square((corners[0] - corners[1] - corners[2] + corners[3]) % (1 << bits), bits))
        next_step = Stochastic(bits, seed=seed, step=seed % 3 + 1, tensor=seed % 2).draw(64, 64).astype(np.int64)
        this_step = draws.draw(64, 64).astype(np.int64)
        p_values.append(chi_square((this_step - next_step) % 16, 4))
    assert min(p_values) > 1e-3 / len(p_values), f"smallest p {min(p_values)}"
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3


def halves(cube: np.ndarray, axis: int) -> list[np.ndarray]:
    return [np.take(cube, range(s, cube.shape[axis], 2), axis) for s in (0, 1)]


def chi_square(integers: np.ndarray, bits: int) -> float:
    return float(stats.chisquare(np.bincount(integers.ravel(), minlength=1 << bits)).pvalue)


@pytest.mark.parametrize("name", ["e5m2", "e4m3fn", "posit8"])
def test_the_mean_of_many_draws_is_the_value(name: str) -> None:
    number_format = parse_format(name)
    draws = Stochastic(12, seed=7)
    for x in (1.1, -0.3, 13.37, 0.0021):
        many = number_format.encode(
            np.full((128, 128), x), Rounding.STOCHASTIC, random=draws.draw(128, 128), random_bits=draws.bits
        )
        values = number_format.decode(many)
        assert len(np.unique(values)) == 2
        step = np.ptp(values)
        # Four standard deviations of the mean, and the bias of 12 bits.
        assert abs(values.mean() - x) < 4 * step / 2 / 128 + step * 2.0**-12


def test_errors() -> None:
    with pytest.raises(FormatError, match="1 to 24 random bits, not 25"):
        Stochastic(25, seed=1)
    with pytest.raises(FormatError, match="step of stochastic rounding is a 32-bit unsigned integer, not -1"):
        Stochastic(8, seed=1, step=-1)
    with pytest.raises(FormatError, match=r"1 to 24 random bits, not 8\.0"):
        Stochastic(8.0, seed=1)  # type: ignore[arg-type]
    with pytest.raises(FormatError, match=r"seed of stochastic rounding is a 32-bit unsigned integer, not 1\.5"):
        Stochastic(8, seed=1.5)  # type: ignore[arg-type]
    with pytest.raises(FormatError, match="random integers of 3 bits are 0 to 7, not 9"):
        parse_format("e5m2").encode([1.0], Rounding.STOCHASTIC, random=[9], random_bits=3)
    with pytest.raises(FormatError, match="random integers of 3 bits are 0 to 7, not -1"):
        parse_format("e5m2").encode([1.0], Rounding.STOCHASTIC, random=-1, random_bits=3)
    with pytest.raises(FormatError, match="an array of integers, not of float64"):
        parse_format("e5m2").encode([1.0], Rounding.STOCHASTIC, random=[0.5], random_bits=3)
    with pytest.raises(FormatError, match=r"in 1\.\.24, not 8\.5"):
        parse_format("e5m2").encode([1.0], Rounding.STOCHASTIC, random=[1], random_bits=8.5)  # type: ignore[arg-type]
    for name in ("e5m2", "mx(e5m2,32)"):
        with pytest.raises(FormatError, match=r"random of shape \(5,\) does not fit x of shape \(32,\)"):
            parse_format(name).encode(np.ones(32), Rounding.STOCHASTIC, random=np.zeros(5, int), random_bits=3)
    with pytest.raises(FormatError, match="rounding 'nearest' is none of nearest_even, nearest_away"):
        parse_format("e5m2").encode([1.0], "nearest")
    with pytest.raises(FormatError, match=r"needs 'random' and 'random_bits' in 1\.\.24, not no random"):
        parse_format("e5m2").encode([1.0], Rounding.STOCHASTIC)
