"""The address generator: an operand's window becomes segments of neighbours, segments become aligned beats."""

from dataclasses import dataclass

from migen import Case, Cat, If, Module, Mux, Record, Signal

from accel_rtl.bits import index_bits
from accel_rtl.config import AcceleratorConfig, element_bytes
from accel_rtl.tiles import DIMENSION_BITS
from pyhost import timing

__all__ = ["OPERANDS", "PHASE_BITS", "CursorAction", "WindowWalker", "beat_layout", "plain_matrix", "window_layout"]

OPERANDS = ("a", "b", "c", "addend", "mask")
WALKED = OPERANDS[:2]
"""Operands that have cursors; the others begin each fill at their address."""
ADDRESS_BITS = 32
PHASE_BITS = 6
"""Of a dilation and of phases below it."""
SIZE_BITS = 2
"""Of log2 of an element's bytes, which are 4 at most."""


class CursorAction:
    """What becomes of a cursor at the end of a fill."""

    STAY, ADVANCE, RESET = range(3)


def _axis_layout() -> list[tuple[str, int]]:
    """`struct axis` of firmware/plan.h."""
    return [
        ("start", ADDRESS_BITS),
        ("start_phase", PHASE_BITS),
        ("step", ADDRESS_BITS),
        ("step_phase", PHASE_BITS),
        ("tap", ADDRESS_BITS),
        ("tap_phase", PHASE_BITS),
        ("dilation", PHASE_BITS),
        ("unit", ADDRESS_BITS),
        ("extent", ADDRESS_BITS),
    ]


def window_layout() -> list[tuple]:
    """`struct operand` of firmware/plan.h, its words cut to the bits that are used; size is log2 of its bytes."""
    return [
        ("address", ADDRESS_BITS),
        ("size", SIZE_BITS),
        ("k_minor", 1),
        ("run", DIMENSION_BITS),
        ("taps", DIMENSION_BITS),
        ("major_x", DIMENSION_BITS),
        ("major_y", DIMENSION_BITS),
        ("stride_n", ADDRESS_BITS),
        ("x", _axis_layout()),
        ("y", _axis_layout()),
    ]


def plain_matrix(window: Record, address: Signal, size: Signal, pitch: Signal) -> list:
    """Statements that make `window` a row-major matrix at byte `address`, rows `pitch` bytes apart, k along major."""
    axis = {name: 0 for name, _ in _axis_layout()} | {"dilation": 1, "extent": 1 << (ADDRESS_BITS - 1)}
    counts = {"k_minor": 0, "run": (1 << DIMENSION_BITS) - 1, "taps": 1, "major_x": 1, "major_y": 1}
    return [
        window.address.eq(address),
        window.size.eq(size),
        window.stride_n.eq(pitch),
        *(getattr(window, name).eq(value) for name, value in counts.items()),
        *(getattr(part, name).eq(value) for part in (window.x, window.y) for name, value in axis.items()),
    ]


# Where a walk is. Along major, position = bytes / unit * dilation + phase; along minor, position = bytes / unit *
# dilation - phase. So the sum of both is a position of the tensor if and only if the phases are equal, and then it is
# the sum of the bytes. What is `left` counts down to 1.
_PLACE = [
    ("across", ADDRESS_BITS),
    ("across_phase", PHASE_BITS),
    ("down", ADDRESS_BITS),
    ("down_phase", PHASE_BITS),
]
_MAJOR = [("x_left", DIMENSION_BITS), ("y_left", DIMENSION_BITS), ("image", ADDRESS_BITS), *_PLACE]
_MINOR = [("run_left", DIMENSION_BITS), ("taps_left", DIMENSION_BITS), *_PLACE]


def _target_layout(config: AcceleratorConfig) -> list[tuple[str, int]]:
    """Where a segment's first element goes: line and position count from the start of the fill."""
    return [
        ("operand", index_bits(len(OPERANDS))),
        ("tag", tag_bits(config)),
        ("size", SIZE_BITS),
        ("k_minor", 1),
        ("line", config.depth.bit_length()),
        ("position", config.depth.bit_length()),
        ("last", 1),
    ]


def tag_bits(config: AcceleratorConfig) -> int:
    """Bits of a fill's tag: two positions in a scratchpad's ring."""
    return 2 * (index_bits(config.depth) + 1)


def beat_layout(config: AcceleratorConfig) -> list[tuple[str, int]]:
    """An aligned word and what its slots are: slot s has the bytes from s * element size on.

    word: byte address / `config.port_bytes`, as firmware counts addresses; read: some slot's element lies within the
    tensor; mask: slots that belong to the fill; inside: those of them that lie within the tensor, the others being +0;
    line, position: of slot 0, where position may lie before the fill: it is right modulo depth.
    """
    return [
        *_target_layout(config),
        ("word", ADDRESS_BITS - index_bits(config.port_bytes)),
        ("read", 1),
        ("mask", config.slots),
        ("inside", config.slots),
    ]


@dataclass(frozen=True)
class _Stage:
    """A register between two stages: `load` puts an item in, `valid` says that it is there, `taken` that it goes."""

    item: Record
    load: Signal
    valid: Signal
    taken: Signal

    @classmethod
    def of(cls, layout: list) -> "_Stage":
        return cls(Record(layout), Signal(), Signal(), Signal())

    @property
    def free(self):
        """The next item can come in."""
        return ~self.valid | self.taken

    @property
    def sync(self) -> list:
        return [If(self.taken, self.valid.eq(0)), If(self.load, self.valid.eq(1))]


class WindowWalker(Module):
    """Beats of one fill: `lines` lines of `count` neighbours, starting where this operand's cursors are.

    ============ ========= =======================================================================
    signal       direction meaning
    ============ ========= =======================================================================
    windows      in        a record of `window_layout` for each of OPERANDS, looked at with `start`
    start        in        begin a fill; only while `idle`
    operand      in        index into `windows`
    tag          in        passed on to the beats
    lines, count in        the fill's extent along major and minor, 1 to `config.depth`
    major_action in        a `CursorAction`, of the cursor along major
    minor_action in        the same along minor
    idle         out       a fill can start
    busy         out       beats are still to come
    beat         out       record of `beat_layout`
    beat_valid   out       `beat` is there
    beat_ready   in        and is taken
    ============ ========= =======================================================================

    A and B have a cursor along major and one along minor, at the window's start after reset. A fill leaves them, moves
    them behind what it has covered, or back to the start: so tiles and chunks follow each other without a
    multiplication. The other operands begin where their `address` says.

    Stages, each of which does one item a cycle: segments (neighbours within one run), their addresses, beats, and a
    register. No cycle is lost between segments or lines, and one between fills if a single beat is the end of the
    first. The first beat comes `LATENCY` cycles after `start`.

    A window whose run, taps, major_x or major_y is 0 would never end; any other ends, whatever it contains.
    """

    LATENCY = timing.WALKER

    def __init__(self, config: AcceleratorConfig) -> None:
        fill_bits = config.depth.bit_length()
        self.windows = [Record(window_layout()) for _ in OPERANDS]
        self.start = Signal()
        self.operand = Signal(index_bits(len(OPERANDS)))
        self.tag = Signal(tag_bits(config))
        self.lines = Signal(fill_bits)
        self.count = Signal(fill_bits)
        self.major_action = Signal(2)
        self.minor_action = Signal(2)
        self.idle = Signal()
        self.busy = Signal()
        self.beat = Record(beat_layout(config))
        self.beat_valid = Signal()
        self.beat_ready = Signal()

        ###

        byte_bits = index_bits(config.port_bytes)
        length_bits = fill_bits + (1 << SIZE_BITS) - 2
        segment = _Stage.of(
            [
                ("target", _target_layout(config)),
                ("across", ADDRESS_BITS),
                ("row", ADDRESS_BITS),
                ("row_inside", 1),
                ("extent", ADDRESS_BITS),
                ("length", length_bits),
            ]
        )
        # What remains of a segment; its places count bytes from the start of the word that comes next.
        rest = _Stage.of(
            [
                ("target", _target_layout(config)),
                ("word", ADDRESS_BITS - byte_bits),
                ("first", byte_bits),
                ("ends", 1),  # it is the last word
                *((name, length_bits + 1) for name in ("end", "inside_first", "inside_end")),
            ]
        )
        self.comb += self.busy.eq(~self.idle | segment.valid | rest.valid | self.beat_valid)
        self._walk(segment)
        self._locate(segment, rest)
        self._cut(config, rest)

    def _walk(self, segment: _Stage) -> None:
        """Stage 1: a segment is what remains of the run, or of the line."""
        window = Record(window_layout())
        walking, step = Signal(), Signal()
        operand, tag = Signal.like(self.operand), Signal.like(self.tag)
        major_action, minor_action = Signal(2), Signal(2)
        lines_left, line, count, left = (Signal.like(self.count) for _ in range(4))
        major, minor = Record(_MAJOR), Record(_MINOR)
        next_major, next_minor = Record(_MAJOR), Record(_MINOR)
        run_ends, line_ends, fill_ends = Signal(), Signal(), Signal()
        self.comb += [
            self.idle.eq(~walking),
            step.eq(walking & segment.free),
            segment.load.eq(step),
            run_ends.eq(minor.run_left <= left),
            line_ends.eq(left <= minor.run_left),
            fill_ends.eq(line_ends & (lines_left == 1)),
            *self._advance_minor(window, minor, next_minor, left, run_ends),
            *self._advance_major(window, major, next_major),
        ]

        # Where the fill begins, and minor again with each line: where the cursor is, or at the start of the window.
        source, index = Record(window_layout()), Signal.like(operand)
        major_begin, minor_begin = Record(_MAJOR), Record(_MINOR)
        self.comb += [
            Case(self.operand, {number: source.eq(each) for number, each in enumerate(self.windows)}),
            index.eq(Mux(self.start, self.operand, operand)),
            major_begin.x_left.eq(source.major_x),
            major_begin.y_left.eq(source.major_y),
            major_begin.image.eq(source.address),
            *self._to_start(source, major_begin),
            minor_begin.run_left.eq(Mux(self.start, source.run, window.run)),
            minor_begin.taps_left.eq(Mux(self.start, source.taps, window.taps)),
        ]
        for begin, action, behind in ((major_begin, major_action, next_major), (minor_begin, minor_action, next_minor)):
            for number in range(len(WALKED)):
                cursor, away = Record(begin.layout), Signal()  # away: not at the start, but where the cursor says
                self.comb += If((index == number) & away, begin.eq(cursor))
                self.sync += If(
                    step & fill_ends & (operand == number),
                    If(action == CursorAction.ADVANCE, cursor.eq(behind), away.eq(1)),
                    If(action == CursorAction.RESET, away.eq(0)),
                )

        across, down, covered = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS), Signal(DIMENSION_BITS)
        item, target = segment.item, segment.item.target
        self.comb += [
            across.eq(major.across + minor.across),
            down.eq(major.down + minor.down),
            covered.eq(window.run - minor.run_left),
        ]
        self.sync += [
            segment.sync,
            If(
                step,
                target.operand.eq(operand),
                target.tag.eq(tag),
                target.size.eq(window.size),
                target.k_minor.eq(window.k_minor),
                target.line.eq(line),
                target.position.eq(count - left),
                target.last.eq(fill_ends),
                item.across.eq(across + (covered << window.size)),
                item.row.eq(major.image + down),
                # A position before the first is a very large unsigned one.
                item.row_inside.eq(
                    (down < window.y.extent)
                    & (major.across_phase == minor.across_phase)
                    & (major.down_phase == minor.down_phase)
                ),
                item.extent.eq(window.x.extent),
                item.length.eq(Mux(line_ends, left, minor.run_left) << window.size),
                If(
                    line_ends,
                    line.eq(line + 1),
                    lines_left.eq(lines_left - 1),
                    left.eq(count),
                    minor.eq(minor_begin),
                    major.eq(next_major),
                ).Else(
                    left.eq(left - minor.run_left),
                    minor.eq(next_minor),
                ),
                If(fill_ends, walking.eq(0)),
            ),
        ]

        self.sync += If(
            self.start,
            walking.eq(1),
            window.eq(source),
            operand.eq(self.operand),
            tag.eq(self.tag),
            lines_left.eq(self.lines),
            line.eq(0),
            count.eq(self.count),
            left.eq(self.count),
            major_action.eq(self.major_action),
            minor_action.eq(self.minor_action),
            major.eq(major_begin),
            minor.eq(minor_begin),
        )

    def _locate(self, segment: _Stage, rest: _Stage) -> None:
        """Stage 2: the segment's address, and which part of it lies within the tensor's row."""
        item, length_bits = segment.item, len(segment.item.length)
        address = Signal(ADDRESS_BITS)
        first = Signal.like(rest.item.first)
        negative = item.across[-1]
        before, behind = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS + 1)  # bytes to the row's first, and behind its last
        inside_first, inside_end = Signal(length_bits), Signal(length_bits)
        end = Signal.like(rest.item.end)

        def at_most(value: Signal) -> Mux:
            """`value`, or where it is longer than any segment, the largest number of so many bits."""
            return Mux(value[length_bits:ADDRESS_BITS] != 0, (1 << length_bits) - 1, value[:length_bits])

        self.comb += [
            address.eq(item.row + item.across),
            first.eq(address[: len(first)]),
            before.eq(0 - item.across),
            behind.eq(item.extent - Cat(item.across, negative)),
            inside_first.eq(Mux(negative, at_most(before), 0)),
            inside_end.eq(Mux(behind[-1], 0, at_most(behind))),
            end.eq(first + item.length),
            rest.load.eq(segment.valid & rest.free),
            segment.taken.eq(rest.load),
        ]
        self.sync += [
            rest.sync,
            If(
                rest.load,
                rest.item.target.eq(item.target),
                rest.item.target.position.eq(item.target.position - (first >> item.target.size)),
                rest.item.word.eq(address[len(first) :]),
                rest.item.first.eq(first),
                rest.item.end.eq(end),
                rest.item.ends.eq(end <= 1 << len(first)),
                rest.item.inside_first.eq(first + inside_first),
                rest.item.inside_end.eq(Mux(item.row_inside, first + inside_end, 0)),
            ),
        ]

    def _cut(self, config: AcceleratorConfig, rest: _Stage) -> None:
        """Stages 3 and 4: the segment, one aligned word after another, into the register that holds `beat`."""
        item, beat = rest.item, self.beat
        width, byte_bits = config.port_bytes, len(item.first)
        go = Signal()

        def below(place: Signal) -> Signal:
            """Bytes of the word before `place`."""
            result = Signal(width)
            further = place[byte_bits:] != 0 if len(place) > byte_bits else 0
            largest = (1 << byte_bits) - 1
            self.comb += result.eq(
                Cat(*(further | (place[:byte_bits] > byte if byte < largest else 0) for byte in range(width)))
            )
            return result

        def onwards(place: Signal) -> Mux:
            """`place` as the next word counts it."""
            return Mux(place[byte_bits:] == 0, 0, place - width)

        owned, inside = Signal(width), Signal(width)
        self.comb += [
            go.eq(rest.valid & (~self.beat_valid | self.beat_ready)),
            rest.taken.eq(go & item.ends),
            owned.eq(below(item.end) & ~below(item.first)),
            inside.eq(owned & below(item.inside_end) & ~below(item.inside_first)),
        ]
        sizes = sorted({element_bytes(number_format) for number_format in config.formats})
        self.sync += [
            If(self.beat_ready, self.beat_valid.eq(0)),
            If(
                go,
                self.beat_valid.eq(1),
                *(getattr(beat, name).eq(getattr(item.target, name)) for name, _ in _target_layout(config)),
                beat.last.eq(item.target.last & item.ends),
                beat.word.eq(item.word),
                beat.read.eq(inside != 0),
                Case(
                    item.target.size,
                    {
                        size.bit_length() - 1: [
                            beat.mask.eq(Cat(*(owned[byte] for byte in range(0, width, size)))),
                            beat.inside.eq(Cat(*(inside[byte] for byte in range(0, width, size)))),
                        ]
                        for size in sizes
                    },
                ),
            ),
            If(
                go & ~item.ends,
                item.word.eq(item.word + 1),
                item.target.position.eq(item.target.position + (width >> item.target.size)),
                item.first.eq(0),
                item.ends.eq(item.end <= 2 * width),
                *(place.eq(onwards(place)) for place in (item.end, item.inside_first, item.inside_end)),
            ),
        ]

    @staticmethod
    def _to_start(window: Record, there: Record) -> list:
        """`there` is at the first line of an image."""
        return [
            there.across.eq(window.x.start),
            there.across_phase.eq(window.x.start_phase),
            there.down.eq(window.y.start),
            there.down_phase.eq(window.y.start_phase),
        ]

    @staticmethod
    def _advance_major(window: Record, here: Record, there: Record) -> list:
        """`there` is the line after `here`."""

        def step(axis: Record, distance: Signal, phase: Signal, next_distance: Signal, next_phase: Signal) -> list:
            total = Signal(PHASE_BITS + 1)
            carry = total >= axis.dilation
            return [
                total.eq(phase + axis.step_phase),
                next_phase.eq(Mux(carry, total - axis.dilation, total)),
                next_distance.eq(distance + axis.step + Mux(carry, axis.unit, 0)),
            ]

        row_ends, image_ends = here.x_left == 1, here.y_left == 1
        return [
            there.eq(here),
            there.x_left.eq(here.x_left - 1),
            *step(window.x, here.across, here.across_phase, there.across, there.across_phase),
            If(
                row_ends,
                there.x_left.eq(window.major_x),
                there.across.eq(window.x.start),
                there.across_phase.eq(window.x.start_phase),
                there.y_left.eq(here.y_left - 1),
                *step(window.y, here.down, here.down_phase, there.down, there.down_phase),
                If(
                    image_ends,
                    there.y_left.eq(window.major_y),
                    there.down.eq(window.y.start),
                    there.down_phase.eq(window.y.start_phase),
                    there.image.eq(here.image + window.stride_n),
                ),
            ),
        ]

    @staticmethod
    def _advance_minor(window: Record, here: Record, there: Record, left: Signal, run_ends: Signal) -> list:
        """`there` is behind a segment that ends with the run, or `left` elements further in it."""

        def tap(axis: Record, distance: Signal, phase: Signal, next_distance: Signal, next_phase: Signal) -> list:
            borrow = phase < axis.tap_phase
            return [
                next_phase.eq(phase - axis.tap_phase + Mux(borrow, axis.dilation, 0)),
                next_distance.eq(distance + axis.tap + Mux(borrow, axis.unit, 0)),
            ]

        return [
            there.eq(here),
            there.run_left.eq(here.run_left - left),
            If(
                run_ends,
                there.run_left.eq(window.run),
                there.taps_left.eq(here.taps_left - 1),
                *tap(window.x, here.across, here.across_phase, there.across, there.across_phase),
                If(
                    here.taps_left == 1,
                    there.taps_left.eq(window.taps),
                    there.across.eq(0),
                    there.across_phase.eq(0),
                    *tap(window.y, here.down, here.down_phase, there.down, there.down_phase),
                ),
            ),
        ]
