"""When what happens: each chunk is loaded, issued and, at its tile's end, stored, as soon as what it waits for allows.

Times are cycles. Every stage handles its items in order, one a cycle at most, so each event's time is the latest of a
few earlier ones plus constants of `pyhost.timing`. All that a chunk waits for belongs to itself or to chunks before it:
one pass over the chunks finds all times, where every write is known before the reads that it goes ahead of.
"""

# mypy: disable-error-code="no-untyped-call, no-untyped-def"

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyhost import timing
from pyhost.formats.jit import kernel

__all__ = ["ADDEND", "MASK", "WINDOW", "A", "B", "C", "D", "Machine", "read", "release", "run", "write"]

A, B, C, ADDEND, MASK, D = range(6)

_AXIS = np.dtype([(name, np.int64) for name in ("start", "step", "tap", "dilation", "unit", "extent")])
WINDOW = np.dtype(
    [
        *((name, np.int64) for name in ("used", "k_minor", "size", "address")),
        *((name, np.int64) for name in ("run", "taps", "major_x", "major_y", "stride_n")),
        ("x", _AXIS),
        ("y", _AXIS),
    ]
)
"""An operand's window. used: 1 if it is loaded. size: bytes of an element. start, step, tap: positions; address,
stride_n, unit, extent: bytes. Others: see `pyhost.plan.calls.Operand`."""

STATE = np.dtype(
    [
        (name, np.int64)
        for name in (
            # The loader: when it looks at the next chunk; when the last segment was walked and had its address; when
            # the last beat was cut from it, when its word was asked for, and when its slots were written.
            *("look", "walked", "located", "cut", "asked", "kept"),
            *("beats", "reads"),  # how many there were
            # The memory port: when the last command went to the chip, when the next is taken, when a read's data come;
            # the bank, the direction, and the refreshes so far.
            *("issued", "free", "data", "bank", "writing", "refreshes"),
            # The issuer: when it can take the next step, and the cycles that it waited.
            *("step", "wait_a", "wait_b"),
            # The store: when the results before are taken; when all words have left it.
            *("taken", "stored"),
            # Writes: how many there were, how many of them before the last read, how many of D.
            *("writes", "passed", "words"),
        )
    ]
)


class Machine(NamedTuple):
    """The accelerator's state between two chunks."""

    state: NDArray[np.void]  # one record of STATE
    kept: NDArray[np.int64]  # of the last BEATS_IN_FLIGHT beats: when their slots were written
    head: NDArray[np.int64]  # of the rings of A and B: steps ever claimed
    tail: NDArray[np.int64]  # and free again
    free: NDArray[np.int64]  # for each step of the rings: when what was there last was no longer needed
    claims: NDArray[np.int64]  # of the pads of C, addend and mask: tiles ever claimed
    free_pads: NDArray[np.int64]  # [pad, tile modulo 2]: the same for each half of the pads
    writes: NDArray[np.int64]  # when words to be written were there
    written: NDArray[np.int64]  # and which
    pages: NDArray[np.int64]  # the row, counted over all banks, that is open in each bank of SDRAM

    @classmethod
    def of(cls, depth: int, writes: int) -> "Machine":
        """After reset; for so many writes."""
        return cls(
            np.zeros(1, STATE),
            np.zeros(timing.BEATS_IN_FLIGHT, np.int64),
            np.zeros(2, np.int64),
            np.zeros(2, np.int64),
            np.zeros((2, depth), np.int64),
            np.zeros(5, np.int64),
            np.zeros((5, 2), np.int64),
            np.zeros(writes, np.int64),
            np.zeros(writes, np.int64),
            np.full(timing.SDRAM_BANKS, -1),
        )


@kernel
def _command(machine: Any, memory: Any, cycle: Any, word: Any, is_write: Any) -> Any:
    """When the port takes a command for `word` that is there in `cycle`; it goes to the chip in `state.issued`.

    Commands keep their order, so what one of them waits for delays the next.
    """
    state = machine.state[0]
    cycle = max(cycle, state.free)
    issued = cycle
    page = word // memory.page_words
    bank = page % timing.SDRAM_BANKS
    if bank != state.bank:
        issued = max(issued, state.issued + memory.bank)
    if machine.pages[bank] < 0:
        issued += memory.activate
    elif machine.pages[bank] != page:
        issued += memory.row
    if is_write != state.writing:
        issued += memory.to_write if is_write else memory.to_read
    if issued // memory.period != state.refreshes:
        issued += memory.refresh
    machine.pages[bank], state.bank, state.writing = page, bank, is_write
    state.refreshes = issued // memory.period
    state.issued = issued
    state.free = issued + 1
    return cycle


@kernel
def read(machine: Any, memory: Any, cycle: Any, word: Any) -> Any:
    """When the port takes a read of `word` that is asked for from `cycle` on; its data come in `state.data`.

    Writes go first: all that there are until then are known.
    """
    state = machine.state[0]
    ahead = 0
    while (
        state.passed < state.writes and machine.writes[state.passed] <= max(cycle, state.free) and ahead < memory.burst
    ):
        taken = _command(machine, memory, machine.writes[state.passed], machine.written[state.passed], True)
        ahead += taken >= cycle
        state.passed += 1
    cycle = _command(machine, memory, cycle, word, False)
    state.data = state.issued + timing.COMMAND + memory.read
    state.reads += 1
    return cycle


@kernel
def write(machine: Any, cycle: Any, word: Any) -> None:
    """The next word to be written is there in `cycle`."""
    state = machine.state[0]
    machine.writes[state.writes], machine.written[state.writes] = cycle, word
    state.writes += 1


@kernel
def _place(axis: Any, major: Any, minor: Any) -> Any:
    """Bytes from the axis' start to its position, and whether that is a position of the tensor.

    Major and minor go each their own way in whole units; a hole has the address that they meet at.
    """
    ahead, behind = axis.start + major * axis.step, minor * axis.tap
    phase = ahead % axis.dilation
    units = (ahead - phase) // axis.dilation - -behind // axis.dilation
    return units * axis.unit, phase == -behind % axis.dilation


@kernel
def _fill(machine: Any, window: Any, sizes: Any, major: Any, lines: Any, minor: Any, count: Any) -> Any:
    """A fill of `lines` lines of `count` elements that starts in cycle `state.look`; returns when it can be used.

    Lines are cut into segments at the ends of runs, segments into beats at the ends of memory words; a beat is a word
    if an element of the tensor lies in it.
    """
    state = machine.state[0]
    state.walked = state.look
    for v in range(major, major + lines):
        line, x = v // window.major_x, v % window.major_x
        n, y = line // window.major_y, line % window.major_y
        u = minor
        while u < minor + count:
            tap, e = u // window.run, u % window.run
            row, column = tap // window.taps, tap % window.taps
            length = min(window.run - e, minor + count - u)
            across, inside_x = _place(window.x, x, column)
            down, inside_y = _place(window.y, y, row)
            across += e * window.size
            first = window.address + n * window.stride_n + down + across
            end = first + length * window.size
            inside_first, inside_end = first - min(across, 0), min(end, first + window.x.extent - across)
            if not (inside_x and inside_y and 0 <= down < window.y.extent):
                inside_end = inside_first
            state.walked = max(state.walked + 1, state.located)
            state.located = max(state.walked + 1, state.cut)
            cut = state.located
            for word in range(first // sizes.port_bytes, (end - 1) // sizes.port_bytes + 1):
                place, behind = word * sizes.port_bytes, (word + 1) * sizes.port_bytes
                cut = max(cut + 1, state.asked)
                slot = state.beats % timing.BEATS_IN_FLIGHT
                state.asked = max(cut + 1, machine.kept[slot] + 1)
                state.kept += 1
                if max(inside_first, place) < min(inside_end, behind):
                    state.asked = read(machine, sizes.memory, state.asked, word)
                    state.kept = max(state.kept, state.data + timing.ARRIVAL)
                else:
                    state.kept = max(state.kept, state.asked + timing.ARRIVAL)
                machine.kept[slot] = state.kept
                state.beats += 1
            state.cut = cut
            u += length
    return state.kept + timing.VISIBLE


@kernel
def _load(machine: Any, operand: Any, window: Any, sizes: Any, chunk: Any) -> Any:
    """The fill of what `chunk` needs of an operand, as soon as there is room; returns when it is complete."""
    state = machine.state[0]
    if operand <= B:
        head = machine.head[operand]
        room = machine.free[operand, (head + chunk.steps - 1) % sizes.depth]
        machine.head[operand] = head + chunk.steps
        if window.k_minor:
            major, lines, minor, count = chunk.lane[operand], chunk.lanes[operand], chunk.step, chunk.steps
        else:
            major, lines, minor, count = chunk.step, chunk.steps, chunk.lane[operand], chunk.lanes[operand]
    else:
        room = machine.free_pads[operand, machine.claims[operand] % 2]
        machine.claims[operand] += 1
        major, lines, minor, count = chunk.row, chunk.rows, chunk.column, chunk.columns
    state.look = max(state.look, state.walked + 1, room + timing.VISIBLE)
    return _fill(machine, window, sizes, major, lines, minor, count)


@kernel
def release(machine: Any, operand: Any, steps: Any, cycle: Any) -> None:
    """The oldest `steps` steps of a scratchpad are no longer needed after `cycle`."""
    for position in range(machine.tail[operand], machine.tail[operand] + steps):
        machine.free[operand, position % machine.free.shape[1]] = cycle
    machine.tail[operand] += steps


@kernel
def _release_pad(machine: Any, operand: Any, cycle: Any) -> None:
    """The last tile that was loaded into a pad is no longer needed after `cycle`."""
    machine.free_pads[operand, (machine.claims[operand] - 1) % 2] = cycle


@kernel
def _store(machine: Any, d: Any, sizes: Any, chunk: Any, cycle: Any) -> None:
    """The write-back of a tile that begins in `cycle`: a group of `rounders` elements a cycle, row by row.

    A group that reaches the end of a memory word, or of its row, brings a word. A row's last group that lies in two
    words brings both, which takes another cycle.
    """
    state = machine.state[0]
    group_bytes = sizes.rounders * d.size
    for row in range(chunk.row, chunk.row + chunk.rows):
        address = d.address + row * d.stride_n + chunk.column * d.size
        end = address + chunk.columns * d.size
        for start in range(address, end, group_bytes):
            behind = start % sizes.port_bytes + min(group_bytes, end - start)
            state.taken = cycle
            if behind >= sizes.port_bytes or start + group_bytes >= end:
                write(machine, cycle + sizes.store, start // sizes.port_bytes)
                state.words += 1
            cycle += 1
        if behind > sizes.port_bytes:
            write(machine, cycle + sizes.store, (end - 1) // sizes.port_bytes)
            state.words += 1
            cycle += 1
    state.stored = machine.writes[state.writes - 1] + 1


@kernel
def _wait(state: Any, ready: Any) -> Any:
    """The issuer waits until `ready`; returns for how many cycles."""
    waited = max(0, ready - state.step)
    state.step += waited
    return waited


@kernel
def run(machine: Any, windows: Any, chunks: Any, sizes: Any, switch: Any, key: Any) -> None:
    """All chunks of a job, from the cycles `state.look` and `state.step` on, of loader and issuer.

    switch: the first tile may end. key: cycles that its write-back waits for the hash of stochastic rounding.
    """
    state = machine.state[0]
    complete = np.zeros((2, chunks.size), np.int64)
    loaded = np.zeros(2, np.int64)
    ready = np.zeros(5, np.int64)
    for chunk in chunks:
        first = chunk.step == 0
        walked = state.walked
        for operand in (C, A, B, ADDEND, MASK):
            if operand <= B:
                panel = chunk.panel[operand]
                if windows[operand].used and panel == loaded[operand]:
                    complete[operand, panel] = _load(machine, operand, windows[operand], sizes, chunk)
                    loaded[operand] += 1
                ready[operand] = complete[operand, panel]
            elif windows[operand].used and (first if operand == C else chunk.last):
                ready[operand] = _load(machine, operand, windows[operand], sizes, chunk)
        state.look += 1
        # The place of a tile of C is known a cycle late where no fill comes with it.
        if chunk.last and windows[C].used and state.walked == walked:
            state.look += 1

        if first and windows[C].used:
            state.wait_a += _wait(state, ready[C])
            state.step += chunk.rows
            _release_pad(machine, C, state.step - 1)
        state.wait_a += _wait(state, ready[A])
        state.wait_b += _wait(state, ready[B])
        state.step += chunk.steps - 1
        if chunk.last:
            _wait(state, max(switch, state.taken) + timing.HANDOVER)
        last_step = state.step
        state.step += 1
        for operand in (A, B):
            if chunk.ends[operand]:
                release(machine, operand, chunk.steps, last_step)

        if chunk.last:
            captured = last_step + timing.CAPTURE + timing.SCRATCHPAD + sizes.array
            _store(machine, windows[D], sizes, chunk, max(captured + key, ready[ADDEND], ready[MASK]))
            key = 0
            for operand in (ADDEND, MASK):
                if windows[operand].used:
                    _release_pad(machine, operand, state.taken)
