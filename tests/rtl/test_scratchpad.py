"""Where operands wait for the array: skewed scratchpads, pads of tiles, and who owns which part of them."""

import numpy as np
import pytest
from migen import Module

from accel_rtl.config import AcceleratorConfig
from accel_rtl.loader import FillPort
from accel_rtl.scratchpad import Halves, Ring, Scratchpad, TilePad
from tests.rtl.dut import Dut

pytestmark = [pytest.mark.hardware, pytest.mark.slow]

CONFIG = AcceleratorConfig(
    rows=4, columns=6, operand_formats=("e4m3fn", "e5m10"), accumulator="e8m23", depth=32, port_bits=128
)


class Filled(Module):
    """A scratchpad of `side` lanes a tile, and what writes a beat to it."""

    def __init__(self, side):
        self.submodules.port = port = FillPort(CONFIG, CONFIG.banks(side), CONFIG.operand_bits)
        self.submodules.pad = pad = Scratchpad(CONFIG, side)
        self.comb += [pad.enables.eq(port.enables), pad.rotate.eq(port.rotate)]
        self.comb += [code.eq(value) for code, value in zip(pad.codes, port.codes, strict=True)]
        self.inputs = {"mask": port.mask, "rotate": port.rotate}
        self.inputs |= {name: getattr(pad, name) for name in ("step", "along_k", "read_step", "read_tile")}
        self.inputs |= {f"slot{i}": slot for i, slot in enumerate(port.slots)}
        self.outputs = {f"lane{i}": lane for i, lane in enumerate(pad.lanes)}


@pytest.fixture(scope="module", params=[CONFIG.rows, CONFIG.columns], ids=["rows", "columns"])
def scratchpad(request):
    module = Filled(request.param)
    return request.param, Dut(module, f"scratchpad{request.param}", module.inputs, module.outputs)


@pytest.mark.parametrize("along_k", [0, 1])
@pytest.mark.parametrize("seed", range(4))
def test_a_scratchpad_gives_back_what_beats_brought(scratchpad, seed, along_k):
    """Beats of all slots in any order, the first and the last of a line cut off, as an unaligned address makes them."""
    side, dut = scratchpad
    rng = np.random.default_rng(seed)
    lanes, slots, depth = side * CONFIG.panel_tiles(side), CONFIG.slots, CONFIG.depth
    content = rng.integers(0, 1 << CONFIG.operand_bits, (lanes, depth))
    outer, inner = (lanes, depth) if along_k else (depth, lanes)
    beats = []
    for line in range(outer):
        for position in range(-int(rng.integers(slots)), inner, slots):
            places = {slot: position + slot for slot in range(slots) if 0 <= position + slot < inner}
            beat = {"along_k": along_k, "mask": sum(1 << slot for slot in places)}
            beat |= {"rotate": (line + position) % CONFIG.banks(side), "step": (position if along_k else line) % depth}
            beat |= {f"slot{s}": content[(line, place) if along_k else (place, line)] for s, place in places.items()}
            beats.append(beat)
    rng.shuffle(beats)
    names = sorted({name for beat in beats for name in beat})
    dut.run(**{name: [beat.get(name, 0xDEAD) for beat in beats] for name in names})
    steps, tiles = (each.reshape(-1) for each in np.mgrid[:depth, : lanes // side])
    order = rng.permutation(len(steps))
    out = dut.run(read_step=steps[order], read_tile=tiles[order])
    got = np.stack([out[f"lane{i}"] for i in range(side)], axis=-1)
    expected = content.reshape(-1, side, depth)[tiles[order], :, steps[order]]
    assert np.array_equal(got[Scratchpad.LATENCY :], expected[: -Scratchpad.LATENCY]), seed


def test_a_pad_holds_two_tiles():
    rng = np.random.default_rng(5)
    module = TilePad(CONFIG, 16)
    inputs = {name: getattr(module, name) for name in ("enables", "row", "half", "read_row", "read_half")}
    inputs |= {f"code{i}": code for i, code in enumerate(module.codes)}
    dut = Dut(module, "tile_pad", inputs, {f"column{i}": column for i, column in enumerate(module.columns)})
    content = rng.integers(0, 1 << 16, (2, CONFIG.rows, CONFIG.columns))
    half, row, column = (each.reshape(-1) for each in np.mgrid[tuple(map(slice, content.shape))])
    order = rng.permutation(content.size)
    half, row, column = half[order], row[order], column[order]
    codes = {f"code{i}": content[half, row, i] for i in range(CONFIG.columns)}
    dut.run(enables=1 << column, row=row, half=half, **codes)
    out = dut.run(read_row=row, read_half=half)
    got = np.stack([out[f"column{i}"] for i in range(CONFIG.columns)], axis=-1)
    assert np.array_equal(got[TilePad.LATENCY :], content[half, row][: -TilePad.LATENCY])


def test_panels_of_a_ring_are_claimed_filled_read_and_released_in_turn():
    """Against positions that never wrap: at most `depth` steps are claimed, and ready is what was filled."""
    rng = np.random.default_rng(11)
    depth = 32
    module = Ring(depth)
    inputs = ("length", "claim", "fill", "filled", "end", "release", "released")
    outputs = ("room", "head", "ready")
    dut = Dut(module, "ring", *({name: getattr(module, name) for name in names} for names in (inputs, outputs)))
    ends = []  # positions behind the panels that are claimed and not yet filled
    tail = complete = head = 0
    given, expected = [], []
    for _ in range(5000):
        length, end = int(rng.integers(1, depth // 2 + 1)), int(rng.integers(tail + 1, tail + depth + 1))
        room = head - tail + length <= depth
        claim = room and bool(rng.integers(2))
        filled = ends.pop(0) if ends and rng.integers(2) else None
        released = int(rng.integers(tail, complete + 1)) if rng.integers(4) == 0 else None
        values = (length, claim, filled is not None, filled or 0, end, released is not None, released or 0)
        given.append([int(value) % (2 * depth) for value in values])
        expected.append((room, head % (2 * depth), complete >= end))
        if claim:
            head += length
            ends.append(head)
        complete = complete if filled is None else filled
        tail = tail if released is None else released
    assert tail > 40 * depth
    out = dut.run(**dict(zip(inputs, np.transpose(given), strict=True)))
    for index, name in enumerate(outputs):
        assert out[name].tolist() == [values[index] for values in expected], name


def test_halves_are_claimed_filled_read_and_released_in_turn():
    module = Halves()
    names = ("claim", "fill", "release")
    dut = Dut(
        module,
        "halves",
        {name: getattr(module, name) for name in names},
        {name: getattr(module, name) for name in ("room", "fill_half", "ready", "read_half")},
    )
    events = ["claim", "claim", "fill", "fill", "release", "claim", "release", "fill", "release", ""]
    out = dut.run(**{name: [event == name for event in events] for name in names})
    assert out["room"].tolist() == [1, 1, 0, 0, 0, 1, 0, 1, 1, 1]
    assert out["ready"].tolist() == [0, 0, 0, 1, 1, 1, 1, 0, 1, 0]
    assert out["fill_half"].tolist() == [0, 1, 0, 0, 0, 0, 1, 1, 1, 1]
    assert out["read_half"].tolist() == [0, 0, 0, 0, 0, 1, 1, 0, 0, 1]
