"""The address generator: an operand's window becomes segments of neighbours, segments become aligned beats."""

from migen import Case, Cat, If, Module, Mux, Record, Signal

from accel_rtl.config import AcceleratorConfig
from accel_rtl.port import DATA_BYTES
from accel_rtl.tiles import DIMENSION_BITS

__all__ = ["OPERANDS", "CursorAction", "WindowWalker", "beat_layout", "window_layout"]

OPERANDS = ("a", "b", "c")
ADDRESS_BITS = 32


class CursorAction:
    """What becomes of a cursor at the end of a fill."""

    STAY, ADVANCE, RESET = range(3)


def window_layout() -> list[tuple[str, int]]:
    """`struct operand` of firmware/plan.h in bytes; origin = address - pad_y * stride_y - pad_x."""
    return [
        ("origin", ADDRESS_BITS),
        ("size", 2),  # log2 of the element's bytes
        ("k_minor", 1),
        ("run", ADDRESS_BITS),
        ("major_x", ADDRESS_BITS),
        ("major_y", ADDRESS_BITS),
        ("stride_x", ADDRESS_BITS),
        ("stride_y", ADDRESS_BITS),
        ("stride_n", ADDRESS_BITS),
        ("pad_x", ADDRESS_BITS),
        ("pad_y", ADDRESS_BITS),
        ("width", ADDRESS_BITS),
        ("height", ADDRESS_BITS),
    ]


# Where a walk is, along major and along minor; addresses and bytes, wrapping at 32 bits.
_MAJOR = [
    ("x", ADDRESS_BITS),
    ("y", ADDRESS_BITS),
    ("address_x", ADDRESS_BITS),  # of this line; of this row of lines; of this image
    ("address_y", ADDRESS_BITS),
    ("address_n", ADDRESS_BITS),
    ("horizontal", ADDRESS_BITS),
    ("vertical", ADDRESS_BITS),
]
_MINOR = [("element", ADDRESS_BITS), ("row", ADDRESS_BITS), ("row_address", ADDRESS_BITS)]


def _target_layout(config: AcceleratorConfig) -> list[tuple[str, int]]:
    """Where a segment's first element goes: line and position count from the start of the fill."""
    return [
        ("operand", 2),
        ("half", 1),
        ("size", 2),
        ("k_minor", 1),
        ("line", DIMENSION_BITS),
        ("position", DIMENSION_BITS),
        ("last", 1),
    ]


def beat_layout(config: AcceleratorConfig) -> list[tuple[str, int]]:
    """An aligned word and what its slots are: slot s has the bytes from s * element size on.

    word: byte address / 8, as firmware counts addresses; read: some slot's element lies within the tensor; mask: slots
    that belong to the fill; inside: slots that lie within the tensor, the others being +0; line, position: of slot 0.
    """
    slots = DATA_BYTES // config.element_sizes[0]
    return [
        *_target_layout(config),
        ("word", ADDRESS_BITS - 3),
        ("read", 1),
        ("mask", slots),
        ("inside", slots),
    ]


class WindowWalker(Module):
    """Beats of one fill: `lines` lines of `count` neighbours, starting where this operand's cursors are.

    ============ ========= =======================================================================
    signal       direction meaning
    ============ ========= =======================================================================
    windows      in        a record of `window_layout` for A, B and C
    start        in        begin a fill; only while `idle`
    operand      in        index into `windows`
    half         in        passed on to the beats
    lines, count in        the fill's extent along major and minor
    major_action in        a `CursorAction`, of the cursor along major
    minor_action in        the same along minor
    idle         out       a fill can start
    beat         out       record of `beat_layout`
    beat_valid   out       `beat` is there
    beat_ready   in        and is taken
    ============ ========= =======================================================================

    Each operand has a cursor along major and one along minor, at the tensor's start after reset. A fill leaves them, or
    moves them behind what it has covered, or back to the start: so tiles and chunks follow each other without a
    multiplication. Three stages, each one item a cycle: segments (neighbours within one run), beats, and a register.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.windows = [Record(window_layout()) for _ in OPERANDS]
        self.start = Signal()
        self.operand = Signal(2)
        self.half = Signal()
        self.lines = Signal(DIMENSION_BITS)
        self.count = Signal(DIMENSION_BITS)
        self.major_action = Signal(2)
        self.minor_action = Signal(2)
        self.idle = Signal()
        self.beat = Record(beat_layout(config))
        self.beat_valid = Signal()
        self.beat_ready = Signal()

        ###

        # The fill under way: a copy of its window, its extent, and its place.
        window = Record(window_layout())
        walking = Signal()
        operand, half = Signal(2), Signal()
        major_action, minor_action = Signal(2), Signal(2)
        lines_left, line, count = (Signal(DIMENSION_BITS) for _ in range(3))
        left, position = Signal(ADDRESS_BITS), Signal(DIMENSION_BITS)  # bytes of the line; elements
        major, minor, minor_start = Record(_MAJOR), Record(_MINOR), Record(_MINOR)

        cursors = [(Record(_MAJOR), Record(_MINOR)) for _ in OPERANDS]
        fresh = [(Signal(reset=1), Signal(reset=1)) for _ in OPERANDS]
        self.comb += self.idle.eq(~walking)

        # Stage 1: a segment is what remains of the run, or of the line.
        segment_valid, segment_taken = Signal(), Signal()
        bytes_of_run, segment_bytes = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        step, run_ends, line_ends, fill_ends = Signal(), Signal(), Signal(), Signal()
        self.comb += [
            step.eq(walking & (~segment_valid | segment_taken)),
            bytes_of_run.eq(window.run - minor.element),
            segment_bytes.eq(Mux(left < bytes_of_run, left, bytes_of_run)),
            run_ends.eq(bytes_of_run <= left),
            line_ends.eq(left <= bytes_of_run),
            fill_ends.eq(line_ends & (lines_left == 1)),
        ]
        next_major, next_minor = Record(_MAJOR), Record(_MINOR)
        self.comb += [*self._advance_minor(window, minor, next_minor, segment_bytes, run_ends)]
        self.comb += [*self._advance_major(window, major, next_major)]

        for index, ((major_cursor, minor_cursor), (major_fresh, minor_fresh)) in enumerate(
            zip(cursors, fresh, strict=True)
        ):
            for action, cursor, is_fresh, behind in (
                (major_action, major_cursor, major_fresh, next_major),
                (minor_action, minor_cursor, minor_fresh, next_minor),
            ):
                self.sync += If(
                    step & fill_ends & (operand == index),
                    If(action == CursorAction.ADVANCE, cursor.eq(behind), is_fresh.eq(0)),
                    If(action == CursorAction.RESET, is_fresh.eq(1)),
                )

        self.sync += [
            If(
                step,
                If(
                    line_ends,
                    line.eq(line + 1),
                    lines_left.eq(lines_left - 1),
                    left.eq(count << window.size),
                    position.eq(0),
                    minor.eq(minor_start),
                    major.eq(next_major),
                ).Else(
                    left.eq(left - segment_bytes),
                    position.eq(position + (segment_bytes >> window.size)),
                    minor.eq(next_minor),
                ),
                If(fill_ends, walking.eq(0)),
            ),
            If(
                self.start,
                walking.eq(1),
                operand.eq(self.operand),
                half.eq(self.half),
                lines_left.eq(self.lines),
                line.eq(0),
                count.eq(self.count),
                position.eq(0),
                major_action.eq(self.major_action),
                minor_action.eq(self.minor_action),
                Case(
                    self.operand,
                    {
                        index: self._load(
                            self.windows[index], cursors[index], fresh[index], window, major, minor, minor_start, left
                        )
                        for index in range(len(OPERANDS))
                    },
                ),
            ),
        ]

        # Stage 2: the segment, one aligned word after another.
        target = Record(_target_layout(config))
        address, horizontal, remaining = (Signal(ADDRESS_BITS) for _ in range(3))
        width = Signal(ADDRESS_BITS)
        inside = Signal()
        beat_free = Signal()
        offset, room, covered = Signal(3), Signal(4), Signal(4)
        self.comb += [
            beat_free.eq(~self.beat_valid | self.beat_ready),
            offset.eq(address[:3]),
            room.eq(DATA_BYTES - offset),
            covered.eq(Mux(remaining < room, remaining, room)),
            segment_taken.eq(segment_valid & beat_free & (remaining <= room)),
        ]
        vertical = Signal(ADDRESS_BITS)
        self.comb += vertical.eq(major.vertical + minor.row)
        self.sync += [
            If(
                segment_valid & beat_free,
                address.eq(address + covered),
                horizontal.eq(horizontal + covered),
                remaining.eq(remaining - covered),
                target.position.eq(target.position + (covered >> target.size)),
            ),
            If(segment_taken, segment_valid.eq(0)),
            If(
                step,
                segment_valid.eq(1),
                address.eq(major.address_x + minor.row_address + minor.element),
                horizontal.eq(major.horizontal + minor.element),
                remaining.eq(segment_bytes),
                # A negative coordinate is a very large unsigned one.
                inside.eq(vertical < window.height),
                width.eq(window.width),
                target.operand.eq(operand),
                target.half.eq(half),
                target.size.eq(window.size),
                target.k_minor.eq(window.k_minor),
                target.line.eq(line),
                target.position.eq(position),
                target.last.eq(fill_ends),
            ),
        ]

        # Stage 3: which bytes of the word belong to the segment, and which of those lie within the tensor's row.
        ones, byte_mask, byte_inside = Signal(DATA_BYTES), Signal(DATA_BYTES), Signal(DATA_BYTES)
        self.comb += [ones.eq((1 << covered) - 1), byte_mask.eq(ones << offset)]
        for byte in range(DATA_BYTES):
            place = Signal(ADDRESS_BITS)
            self.comb += [
                place.eq(horizontal - offset + byte),
                byte_inside[byte].eq(byte_mask[byte] & inside & (place < width)),
            ]
        beat = self.beat
        self.sync += [
            If(self.beat_ready, self.beat_valid.eq(0)),
            If(
                segment_valid & beat_free,
                self.beat_valid.eq(1),
                beat.word.eq(address[3:]),
                beat.read.eq(byte_inside != 0),
                Case(
                    target.size,
                    {
                        size.bit_length() - 1: [
                            beat.mask.eq(Cat(*(byte_mask[b] for b in range(0, DATA_BYTES, size)))),
                            beat.inside.eq(Cat(*(byte_inside[b] for b in range(0, DATA_BYTES, size)))),
                        ]
                        for size in config.element_sizes
                    },
                ),
                beat.operand.eq(target.operand),
                beat.half.eq(target.half),
                beat.size.eq(target.size),
                beat.k_minor.eq(target.k_minor),
                beat.line.eq(target.line),
                beat.position.eq(target.position - (offset >> target.size)),
                beat.last.eq(target.last & segment_taken),
            ),
        ]

    @staticmethod
    def _advance_minor(window: Record, here: Record, there: Record, covered: Signal, run_ends: Signal) -> list:
        """`there` is behind a segment of `covered` bytes."""
        return [
            If(
                run_ends,
                there.element.eq(0),
                there.row.eq(here.row + 1),
                there.row_address.eq(here.row_address + window.stride_y),
            ).Else(
                there.eq(here),
                there.element.eq(here.element + covered),
            )
        ]

    @staticmethod
    def _advance_major(window: Record, here: Record, there: Record) -> list:
        """`there` is the line after `here`."""
        x, y, address_y, address_n = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS), Signal(ADDRESS_BITS), Signal(32)
        return [
            x.eq(here.x + 1),
            y.eq(here.y + 1),
            address_y.eq(here.address_y + window.stride_y),
            address_n.eq(here.address_n + window.stride_n),
            there.eq(here),
            If(
                x != window.major_x,
                there.x.eq(x),
                there.address_x.eq(here.address_x + window.stride_x),
                there.horizontal.eq(here.horizontal + window.stride_x),
            ).Else(
                there.x.eq(0),
                there.horizontal.eq(-window.pad_x),
                If(
                    y != window.major_y,
                    there.y.eq(y),
                    there.vertical.eq(here.vertical + 1),
                    there.address_y.eq(address_y),
                    there.address_x.eq(address_y),
                ).Else(
                    there.y.eq(0),
                    there.vertical.eq(-window.pad_y),
                    there.address_n.eq(address_n),
                    there.address_y.eq(address_n),
                    there.address_x.eq(address_n),
                ),
            ),
        ]

    def _load(
        self,
        source: Record,
        cursor: tuple[Record, Record],
        fresh: tuple[Signal, Signal],
        window: Record,
        major: Record,
        minor: Record,
        minor_start: Record,
        left: Signal,
    ) -> list:
        """Begin a fill: the window, and the places where its cursors are."""
        major_cursor, minor_cursor = cursor
        origin = [
            major.x.eq(0),
            major.y.eq(0),
            major.address_x.eq(source.origin),
            major.address_y.eq(source.origin),
            major.address_n.eq(source.origin),
            major.horizontal.eq(-source.pad_x),
            major.vertical.eq(-source.pad_y),
        ]
        start = [part.eq(0) for record in (minor, minor_start) for part in record.flatten()]
        return [
            window.eq(source),
            left.eq(self.count << source.size),
            If(fresh[0], *origin).Else(major.eq(major_cursor)),
            If(fresh[1], *start).Else(minor.eq(minor_cursor), minor_start.eq(minor_cursor)),
        ]
