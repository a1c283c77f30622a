"""The way of an operand into the array: segments and beats of a window, and the skewed scratchpad."""

import numpy as np
import pytest

from accel_rtl.config import AcceleratorConfig
from accel_rtl.scratchpad import Halves, Scratchpad
from accel_rtl.window import OPERANDS, CursorAction, WindowWalker
from tests.rtl.dut import Dut
from tests.rtl.jobs import PADDING, random_window

pytestmark = [pytest.mark.hardware, pytest.mark.slow]

CONFIG = AcceleratorConfig(
    rows=4, columns=6, operand_formats=("e4m3fn", "e5m10", "e8m23"), accumulator="e8m23", chunk=16
)
BASE = 1 << 20


@pytest.fixture(scope="module")
def walker():
    module = WindowWalker(CONFIG)
    window = module.windows[OPERANDS.index("b")]
    inputs = {f"window_{name}": getattr(window, name) for name, _ in window.layout}
    controls = ("start", "operand", "half", "lines", "count", "major_action", "minor_action", "beat_ready")
    inputs |= {name: getattr(module, name) for name in controls}
    outputs = {f"beat_{name}": getattr(module.beat, name) for name, _ in module.beat.layout}
    outputs |= {"idle": module.idle, "beat_valid": module.beat_valid}
    return Dut(module, "walker", inputs, outputs)


def _fill(walker, window, size, lines, count, actions, rng):
    """Beats of one fill, as dictionaries, with a reader that is ready in some cycles only."""
    cycles = 40 + 12 * lines * count
    ready = rng.integers(0, 2, cycles) if rng.integers(2) else np.ones(cycles, int)
    start = np.zeros(cycles, int)
    start[0] = 1
    registers = window.registers("b", 0, 0, size)
    fields = {name: registers[f"b_{name}"] for name in ("k_minor", "run", "major_x", "major_y", "height", "width")}
    fields |= {name: registers[f"b_{name}"] for name in ("stride_x", "stride_y", "stride_n", "pad_x", "pad_y")}
    fields["run"] *= size
    origin = BASE + window.offset * size - fields["pad_x"] - fields["pad_y"] * fields["stride_y"]
    fields |= {"origin": origin, "size": size.bit_length() - 1}
    out = walker.run(
        **{f"window_{name}": value & 0xFFFF_FFFF for name, value in fields.items()},
        start=start,
        operand=OPERANDS.index("b"),
        half=1,
        lines=lines,
        count=count,
        major_action=actions[0],
        minor_action=actions[1],
        beat_ready=ready,
    )
    taken = np.flatnonzero((out["beat_valid"] & ready.astype(np.uint64)) != 0)
    beats = [{name.removeprefix("beat_"): int(values[i]) for name, values in out.items()} for i in taken]
    assert beats[-1]["last"] and not any(beat["last"] for beat in beats[:-1])
    assert out["idle"][-1] and not out["beat_valid"][-1]
    return beats


def _elements(beats, size):
    """{(line, position): byte address, or PADDING}, each exactly once."""
    seen = {}
    for beat in beats:
        assert (beat["operand"], beat["half"]) == (OPERANDS.index("b"), 1)
        assert bool(beat["read"]) == bool(beat["inside"])
        for slot in range(8 // size):
            if beat["mask"] >> slot & 1:
                place = (beat["line"], (beat["position"] + slot) & 0xFFFF)
                assert place not in seen
                inside = beat["inside"] >> slot & 1
                seen[place] = 8 * beat["word"] + slot * size if inside else PADDING
    return seen


@pytest.mark.parametrize("seed", range(30))
def test_fills_cover_a_window_piece_by_piece(walker, seed):
    """A matrix is filled in tiles of lines and of neighbours, the cursors going on, staying and returning."""
    rng = np.random.default_rng(seed)
    size = int(rng.choice([1, 2, 4]))
    majors, minors = (int(n) for n in rng.integers(1, 20, 2))
    lines, count = (int(n) for n in rng.integers(1, 8, 2))
    window, _ = random_window(rng, majors, minors, k_minor=1)
    expected = window.indices(majors, minors)
    expected = np.where(expected == PADDING, PADDING, BASE + expected * size)
    for major in range(0, majors, lines):
        for minor in range(0, minors, count):
            piece = expected[major : major + lines, minor : minor + count]
            row_ends, all_ends = minor + count >= minors, major + lines >= majors
            across = CursorAction.RESET if all_ends else CursorAction.ADVANCE
            actions = (
                across if row_ends else CursorAction.STAY,
                CursorAction.RESET if row_ends else CursorAction.ADVANCE,
            )
            seen = _elements(_fill(walker, window, size, *piece.shape, actions, rng), size)
            assert seen == {place: int(address) for place, address in np.ndenumerate(piece)}, f"seed {seed}, {window}"


def test_a_line_of_neighbours_takes_a_beat_a_cycle(walker):
    rng = np.random.default_rng(0)
    window, _ = random_window(rng, 1, 1, k_minor=1)
    window = type(window)(1, 64, 4, 1, 64, 0, 0, 0, 0, 256, 1)
    beats = _fill(walker, window, 1, 4, 64, (CursorAction.RESET, CursorAction.RESET), rng)
    assert len(beats) == 4 * 8


@pytest.fixture(scope="module", params=[(4, 16), (6, 16)], ids=["rows", "columns"])
def scratchpad(request):
    lanes, steps = request.param
    module = Scratchpad(CONFIG, lanes, steps)
    inputs = {"write": module.write, "read_half": module.read_half, "read_step": module.read_step}
    inputs |= {f"where_{name}": getattr(module.where, name) for name, _ in module.where.layout}
    inputs |= {f"slot{i}": slot for i, slot in enumerate(module.slots)}
    outputs = {f"lane{i}": lane for i, lane in enumerate(module.lanes)}
    return lanes, steps, len(module.slots), Dut(module, f"scratchpad{lanes}", inputs, outputs)


@pytest.mark.parametrize("seed", range(6))
def test_a_scratchpad_gives_back_what_beats_brought(scratchpad, seed):
    lanes, steps, slots, dut = scratchpad
    banks = CONFIG.banks(lanes)
    rng = np.random.default_rng(seed)
    content = rng.integers(0, 1 << 32, (2, lanes, steps))
    rows = []
    for half in range(2):
        along_k = int(rng.integers(2))
        outer, inner = (lanes, steps) if along_k else (steps, lanes)
        for line in range(outer):
            # Beats of all slots, the first and the last cut off, as an unaligned address makes them.
            for position in range(-int(rng.integers(slots)), inner, slots):
                row = {"write": 1, "where_half": half, "where_along_k": along_k, "where_mask": 0}
                row |= {
                    "where_rotate": (line + position) % banks,
                    "where_step": (position if along_k else line) % steps,
                }
                for slot in range(slots):
                    if 0 <= position + slot < inner:
                        lane, step = (line, position + slot) if along_k else (position + slot, line)
                        row["where_mask"] |= 1 << slot
                        row[f"slot{slot}"] = int(content[half, lane, step])
                rows.append(row)
    rng.shuffle(rows)
    names = sorted({name for row in rows for name in row})
    dut.run(**{name: [row.get(name, 0xDEAD) for row in rows] for name in names})
    halves, order = np.repeat([0, 1], steps), rng.permutation(2 * steps)
    read_half, read_step = halves[order], np.tile(np.arange(steps), 2)[order]
    out = dut.run(read_half=read_half, read_step=read_step)
    got = np.stack([out[f"lane{i}"] for i in range(lanes)])
    # The codes of a step come in the cycle after.
    np.testing.assert_array_equal(got[:, 1:], content[read_half, :, read_step].T[:, :-1])


def test_halves_are_claimed_filled_read_and_released_in_turn():
    module = Halves()
    names = ("claim", "filled", "release")
    dut = Dut(
        module,
        "halves",
        {name: getattr(module, name) for name in names},
        {name: getattr(module, name) for name in ("free", "fill_half", "ready", "read_half")},
    )
    events = ["claim", "claim", "filled", "filled", "release", "claim", "release", "filled", "release", ""]
    out = dut.run(**{name: [event == name for event in events] for name in names})
    assert out["free"].tolist() == [1, 1, 0, 0, 0, 1, 0, 1, 1, 1]
    assert out["ready"].tolist() == [0, 0, 0, 1, 1, 1, 1, 0, 1, 0]
    assert out["fill_half"].tolist() == [0, 1, 0, 0, 0, 0, 1, 1, 1, 1]
    assert out["read_half"].tolist() == [0, 0, 0, 0, 0, 1, 1, 0, 0, 1]
