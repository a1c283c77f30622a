"""The way of an operand into the array: segments and beats of a window."""

import numpy as np
import pytest
from migen import Module, Signal

from accel_rtl.config import AcceleratorConfig
from accel_rtl.window import OPERANDS, CursorAction, WindowWalker, plain_matrix
from tests.rtl.dut import Dut
from tests.rtl.windows import NOTHING, Axis, Window, random_window

pytestmark = [pytest.mark.hardware, pytest.mark.slow]

BASE = 1 << 20
STAY, ADVANCE, RESET = CursorAction.STAY, CursorAction.ADVANCE, CursorAction.RESET
CONTROLS = ("operand", "tag", "lines", "count", "major_action", "minor_action", "beat_ready")


class Walker:
    """The walker, A and B behind one window, the others behind one plain matrix; starts when it is idle and told to."""

    def __init__(self, port_bits):
        self.port_bytes = port_bits // 8
        self.slots = self.port_bytes
        config = AcceleratorConfig(
            rows=4,
            columns=6,
            operand_formats=("e4m3fn", "e5m10", "e8m23"),
            accumulator="e8m23",
            depth=64,
            port_bits=port_bits,
        )
        self.depth = config.depth
        module = Module()
        module.submodules.walker = walker = WindowWalker(config)
        window = Window(0, 1, Axis(), Axis()).words(0, 0, 1)
        shared, matrix = walker.windows[0], [Signal(32) for _ in range(3)]
        go = Signal()
        module.comb += [
            walker.windows[1].eq(shared),
            *(plain_matrix(other, *matrix) for other in walker.windows[2:]),
            walker.start.eq(go & walker.idle),
        ]
        inputs = {f"window_{name}": getattr(shared, name) for name in (*window, "size") if name not in "format x y"}
        for axis in "xy":
            inputs |= {f"window_{axis}_{name}": getattr(getattr(shared, axis), name) for name in window[axis]}
        inputs |= dict(zip(("matrix_address", "matrix_size", "matrix_pitch"), matrix, strict=True))
        inputs |= {name: getattr(walker, name) for name in CONTROLS} | {"go": go}
        outputs = {f"beat_{name}": getattr(walker.beat, name) for name, _ in walker.beat.layout}
        outputs |= {"idle": walker.idle, "beat_valid": walker.beat_valid, "started": walker.start}
        self.dut = Dut(module, f"walker{port_bits}", inputs, outputs)

    def run(self, window=None, size=1, when=True, **inputs):
        """Outputs of `Dut.run`, and the beats taken, as dictionaries; `window` is there in cycles `when`."""
        log2 = size.bit_length() - 1
        if window is not None:
            for name, value in window.words(BASE, 0, size).items():
                parts = {f"_{part}": number for part, number in value.items()} if name in "xy" else {"": value}
                inputs |= {f"window_{name}{part}": when * (number & 0xFFFF_FFFF) for part, number in parts.items()}
            del inputs["window_format"]
            inputs["window_size"] = when * log2
        inputs["matrix_size"] = log2
        out = self.dut.run(**inputs)
        taken = np.flatnonzero((out["beat_valid"] & np.asarray(inputs["beat_ready"], np.uint64)) != 0)
        beats = [{name.removeprefix("beat_"): int(values[i]) for name, values in out.items()} for i in taken]
        return out, beats

    def fill(self, rng, lines, count, actions, window=None, size=1, operand="b", **inputs):
        """Elements of one fill, {(line, position): byte address or NOTHING}, and its beats; any reader."""
        cycles = 40 + 12 * lines * count
        ready = rng.integers(0, 2, cycles) if rng.integers(2) else np.ones(cycles, int)
        tag = int(rng.integers(2 * self.depth))
        controls = {"operand": OPERANDS.index(operand), "tag": tag, "lines": lines, "count": count}
        controls |= dict(zip(("major_action", "minor_action"), actions, strict=True))
        first = np.arange(cycles) == 0
        # What matters is there with `start`; afterwards the ports show the next fill.
        controls = {name: np.where(first, value, rng.integers(64, size=cycles)) for name, value in controls.items()}
        out, beats = self.run(window, size, first, go=first, beat_ready=ready, **controls, **inputs)
        assert beats[-1]["last"] and not any(beat["last"] for beat in beats[:-1])
        assert out["idle"][-1] and not out["beat_valid"][-1]
        seen = {}
        for beat in beats:
            assert (beat["operand"], beat["tag"], 1 << beat["size"]) == (OPERANDS.index(operand), tag, size)
            assert bool(beat["read"]) == bool(beat["inside"])
            assert beat["mask"] and beat["mask"] >> self.slots // size == 0
            assert beat["inside"] & ~beat["mask"] == 0
            for slot in range(self.slots // size):
                if beat["mask"] >> slot & 1:
                    place = (beat["line"], (beat["position"] + slot) % (2 * self.depth))
                    assert place not in seen
                    address = self.port_bytes * beat["word"] + slot * size
                    seen[place] = address if beat["inside"] >> slot & 1 else NOTHING
        return seen, beats


@pytest.fixture(scope="module", params=[64, 128])
def walker(request):
    return Walker(request.param)


def addresses(window, majors, minors, size):
    indices = window.indices(majors, minors)
    return np.where(indices == NOTHING, NOTHING, BASE + indices * size)


@pytest.mark.parametrize("seed", range(60))
def test_fills_cover_a_window_piece_by_piece(walker, seed):
    """Two matrices are filled in tiles of lines and of neighbours, the cursors going on, staying and returning."""
    rng = np.random.default_rng(seed)
    size = int(rng.choice([1, 2, 4]))
    majors, minors = (int(n) for n in rng.integers(1, 24, 2))
    window, _ = random_window(rng, majors, minors, int(rng.integers(2)))
    expected = addresses(window, majors, minors, size)

    def pieces():
        lines, count = (int(n) for n in rng.integers(1, 12, 2))
        for major in range(0, majors, lines):
            for minor in range(0, minors, count):
                piece = expected[major : major + lines, minor : minor + count]
                row_ends, all_ends = minor + count >= minors, major + lines >= majors
                across = (RESET if all_ends else ADVANCE) if row_ends else STAY
                yield piece, (across, RESET if row_ends else ADVANCE)

    turns = {"a": pieces(), "b": pieces()}
    while turns:
        operand = str(rng.choice(list(turns)))
        piece, actions = next(turns[operand], (None, None))
        if piece is None:
            del turns[operand]
            continue
        seen, _ = walker.fill(rng, *piece.shape, actions, window, size, operand)
        assert seen == {place: int(address) for place, address in np.ndenumerate(piece)}, f"seed {seed}, {window}"


@pytest.mark.parametrize("operand", ["c", "addend", "mask"])
def test_a_plain_matrix_begins_at_its_address(walker, operand):
    rng = np.random.default_rng(7)
    for size in (1, 2, 4):
        lines, count, pitch = (int(n) for n in rng.integers(1, 9, 3))
        address = BASE + int(rng.integers(64)) * size
        place = {"matrix_address": address, "matrix_pitch": pitch * size}
        seen, _ = walker.fill(rng, lines, count, (ADVANCE, ADVANCE), size=size, operand=operand, **place)
        assert seen == {(i, j): address + (i * pitch + j) * size for i, j in np.ndindex(lines, count)}


def test_a_large_tensor_is_told_from_what_lies_before_it(walker):
    """Extents and offsets of many bytes: the ends of a row are found wherever they are."""
    rng = np.random.default_rng(3)
    far = 1 << 28
    for start, extent in ((-5, far), (-far, far), (far - 3, far), (far, far), (0, 9), (-60, 3), (-3, 40)):
        window = Window(1, 1 << 15, Axis(start=start, extent=extent), Axis())
        seen, _ = walker.fill(rng, 1, 64, (RESET, RESET), window)
        expected = addresses(window, 1, 64, 1)
        assert seen == {place: int(address) for place, address in np.ndenumerate(expected)}, (start, extent)


RATES = {
    "long lines": (Window(1, 1 << 15, Axis(step=1, pitch=64, extent=1 << 14), Axis(), major_x=1 << 15), 4, 64),
    "a beat a line": (Window(0, 8, Axis(step=1, pitch=64, extent=1 << 14), Axis(), major_x=1 << 15), 16, 8),
    "a beat a tap": (
        Window(1, 8, Axis(step=2, tap=1, pitch=16, extent=1 << 16), Axis(pitch=256), 3, 50, 50),
        4,
        24,
    ),
    "a beat a fill": (Window(0, 8, Axis(step=1, pitch=64, extent=1 << 14), Axis(), major_x=1 << 15), 1, 8),
}


@pytest.mark.parametrize("case", RATES)
def test_a_beat_a_cycle(walker, case):
    """Nothing is lost between segments and lines; between fills, a cycle if a single beat is the end of the first."""
    window, lines, count = RATES[case]
    controls = {"operand": 1, "lines": lines, "count": count, "major_action": ADVANCE, "minor_action": STAY}
    cycles = 1000
    ready = {"beat_ready": np.ones(cycles, int)}
    out, beats = walker.run(window, go=1, **controls, **ready)
    alone = sum(-(-min(window.run, count - e) // walker.port_bytes) for e in range(0, count, window.run)) * lines
    begins = np.flatnonzero(out["started"])
    valid = np.flatnonzero(out["beat_valid"])
    assert valid[0] == begins[0] + WindowWalker.LATENCY
    lost = case != "long lines"
    ends = np.flatnonzero([beat["last"] for beat in beats])
    assert (np.diff(ends) == alone).all() and len(ends) > 5
    assert (np.diff(valid[ends]) == alone + lost).all()
    # Leave it idle for the next test.
    walker.run(window, beat_ready=np.ones(200, int), **controls | {"major_action": RESET})
