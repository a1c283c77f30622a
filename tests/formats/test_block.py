"""Microscaling blocks against gfloat and against the definition of OCP Microscaling Formats 1.0."""

import gfloat
import gfloat.formats
import numpy as np
import pytest

from pyhost.formats import BlockFormat, FormatError, Rounding, parse_format

SEED = 32
PEERS = {
    "mx(e4m3fn,32)": gfloat.formats.format_info_mxfp8_e4m3,
    "mx(e5m2,32)": gfloat.formats.format_info_mxfp8_e5m2,
    "mx(e3m2fn,32)": gfloat.formats.format_info_mxfp6_e3m2,
    "mx(e2m3fn,32)": gfloat.formats.format_info_mxfp6_e2m3,
    "mx(e2m1fn,32)": gfloat.formats.format_info_mxfp4_e2m1,
}


def block_format(name: str) -> BlockFormat:
    number_format = parse_format(name)
    assert isinstance(number_format, BlockFormat)
    return number_format


def data(count: int) -> np.ndarray:
    rng = np.random.default_rng(SEED)
    x = (
        rng.standard_normal((count, 32))
        * 2.0 ** rng.integers(-140, 120, (count, 1))
        * 2.0 ** rng.integers(-8, 1, (count, 32))
    )
    x[0] = 0.0
    x[1, 5:] = 0.0
    return x


@pytest.mark.parametrize("name", PEERS)
def test_encode_and_decode_agree_with_gfloat(name: str) -> None:
    """gfloat is given the scale of the standard; a block of theirs is the scale, then a code an element."""
    ours, theirs = block_format(name), PEERS[name]
    x = data(60)
    packed = ours.encode(x)
    assert packed.shape == (60, ours.block_bytes)
    values = ours.decode(packed)
    for row, block, back in zip(x, packed, values, strict=True):
        amax = np.abs(row).max()
        exponent = (
            -127 if amax == 0 else np.clip(np.floor(np.log2(amax)) - np.floor(np.log2(ours.element.max)), -127, 127)
        )
        scale = 2.0**exponent
        expected = list(gfloat.encode_block(theirs, scale, row / scale))
        assert block[0] == expected[0]
        stored = int.from_bytes(block[1:].tobytes(), "little")
        codes = [stored >> (i * ours.element.bits) & ((1 << ours.element.bits) - 1) for i in range(32)]
        assert codes == expected[1:], f"seed {SEED}"
        assert back.tolist() == list(gfloat.decode_block(theirs, expected)), f"seed {SEED}"


@pytest.mark.parametrize("name", PEERS)
def test_values_of_a_block_are_kept(name: str) -> None:
    ours = block_format(name)
    values = ours.decode(ours.encode(data(50)))
    assert np.array_equal(ours.decode(ours.encode(values, exact=True)), values)


def test_specials() -> None:
    fp4, fp8, e5m2 = (block_format(f"mx({name},32)") for name in ("e2m1fn", "e4m3fn", "e5m2"))
    x = np.ones(64)
    x[3], x[40] = np.nan, np.inf
    assert np.isnan(fp4.decode(fp4.encode(x))).all()
    values = fp8.decode(fp8.encode(x))
    assert np.flatnonzero(np.isnan(values)).tolist() == [3, *range(32, 64)]  # e4m3fn holds NaN, and no infinity
    values = e5m2.decode(e5m2.encode(x))
    assert np.isnan(values[3])
    assert values[40] == np.inf
    assert np.delete(values, [3, 40]).tolist() == [1.0] * 62
    assert e5m2.decode(e5m2.encode(x, saturate=True))[40] == 57344.0 * 2.0**-15


def test_stochastic_elements_take_the_random_integers_of_their_places() -> None:
    ours = block_format("mx(e2m1fn,32)")
    x = np.full((2, 32), 4.5)
    x[:, 0] = 6.0  # keeps the scale at 1
    random = np.zeros((2, 32), dtype=np.uint64)
    random[1, 7] = 15
    values = ours.decode(ours.encode(x, Rounding.STOCHASTIC, random=random, random_bits=4))
    assert values[1, 7] == 6.0
    assert np.count_nonzero(values == 4.0) == 61


@pytest.mark.parametrize("shape", [(0,), (0, 64), (2, 0)])
def test_no_values_are_no_blocks(shape: tuple[int, ...]) -> None:
    ours = block_format("mx(e2m1fn,32)")
    codes = ours.encode(np.ones(shape))
    assert codes.shape == (*shape[:-1], shape[-1] // 32 * ours.block_bytes)
    assert ours.decode(codes).shape == shape


def test_errors() -> None:
    ours = block_format("mx(e4m3fn,32)")
    with pytest.raises(FormatError, match=r"multiple of 32 values, not shape \(33,\)"):
        ours.encode(np.ones(33))
    with pytest.raises(FormatError, match="a multiple of 33 of them"):
        ours.decode(np.zeros(32, dtype=np.uint8))
    with pytest.raises(FormatError, match=r"mx\(e4m3fn,32\) does not hold 0\.3: it becomes 0\.3125"):
        ours.encode(np.full(32, 0.3), exact=True)
    for name, part in (
        ("mx(e8m7,32)", "element e8m7: it may have 8 bits and fewer"),
        ("mx(unum1x1,32)", "element unum1x1: it is no format of single values"),
        ("mx(e4m3,30)", "block size 30: a positive multiple of 8"),
        ("mx(e9,32)", "element 'e9': it is no format"),
    ):
        with pytest.raises(FormatError) as caught:
            parse_format(name)
        assert part in str(caught.value)
