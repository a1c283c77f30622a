"""The first stage: reads a job's descriptor from memory, checks it, and holds it while its operands are loaded."""

from collections.abc import Iterable

from migen import FSM, Case, Cat, If, Module, Mux, NextState, NextValue, Record, Signal

from accel_rtl.bits import index_bits
from accel_rtl.config import AcceleratorConfig, element_bytes
from accel_rtl.registers import DESCRIPTOR, WORD_BITS, ErrorCode, Flag
from accel_rtl.store import SCALE_LIMIT
from accel_rtl.tiles import DIMENSION_BITS, Shape, shape_layout
from accel_rtl.window import PHASE_BITS, window_layout

__all__ = ["JobReader", "job_layout"]

ALIGNMENT = 16
"""Descriptors and records lie at multiples of it, whatever the port's width."""

RECORD_BYTES = 48
RANDOM_BITS_LIMIT = 24
WORD_BYTES = WORD_BITS // 8


def job_layout(config: AcceleratorConfig) -> list[tuple]:
    """What issuer, array, store and record need of a job."""
    operand, any_format = config.operand_index_bits, index_bits(len(config.formats))
    return [
        ("shape", shape_layout(config)),
        ("record", WORD_BITS),  # bytes from main memory's start
        ("error", index_bits(max(ErrorCode) + 1)),
        ("a_resident", 1),
        ("b_resident", 1),
        ("a_format", operand),
        ("b_format", operand),
        ("has_c", 1),
        ("c_format", operand),
        ("d_address", WORD_BITS),  # bytes from main memory's start
        ("d_pitch", WORD_BITS),
        ("d_size", 2),
        ("d_format", any_format),
        ("saturate", 1),
        ("scale", (SCALE_LIMIT.bit_length() + 1, True)),
        ("mode", 2),
        ("random_bits", 5),
        ("random_key", WORD_BITS),
        ("relu", 1),
        ("has_addend", 1),
        ("addend_format", any_format),
        ("has_mask", 1),
        ("mask_format", any_format),
        ("chain_random_bits", 5),
        ("chain_random_key", WORD_BITS),
    ]


class JobReader(Module):
    """A job from its descriptor's address to its last load.

    =============== ========= ===================================================================
    signal          direction meaning
    =============== ========= ===================================================================
    queued          in        a descriptor waits, at byte address `descriptor`
    take            out       it is taken
    read_*          in, out   a word is asked for, see `MemoryMaster`; only while no other read is under way
    may_read        in        no other read is under way
    data_valid      in        the oldest word asked for is in `data`
    busy            out       there is a job, or its descriptor is being read
    valid           out       the job is checked: all that follows is valid
    next            in        the job is no longer needed
    job             out       record of `job_layout`
    after           out       nothing may be read before all earlier jobs are complete
    windows         out       of A and B, records of `window_layout`
    matrices        out       C, addend, mask: address, size, pitch
    used            out       operands that must be loaded
    forget          in        nothing of the jobs before is in the scratchpads
    =============== ========= ===================================================================

    What takes long to find out has registers on its way: from words that come early, as k and D's do, to the cycle
    behind the last one, in which the mistakes are found.
    """

    def __init__(self, config: AcceleratorConfig, memory_base: int, memory_bytes: int) -> None:
        self.queued = Signal()
        self.descriptor = Signal(WORD_BITS)
        self.take = Signal()
        self.may_read = Signal()
        self.read_valid = Signal()
        self.read_ready = Signal()
        self.read_address = Signal(index_bits(memory_bytes // config.port_bytes))
        self.data_valid = Signal()
        self.data = Signal(config.port_bits)
        self.busy = Signal()
        self.valid = Signal()
        self.next = Signal()
        self.job = job = Record(job_layout(config))
        self.after = Signal()
        self.windows = [Record(window_layout()) for _ in "ab"]
        self.matrices = [Record([("address", WORD_BITS), ("size", 2), ("pitch", WORD_BITS)]) for _ in range(3)]
        self.used = Signal(5)
        self.forget = Signal()

        ###

        word = {name: Signal(WORD_BITS, name=f"job_{name}") for name in DESCRIPTOR}
        self._fetch(config, memory_base, memory_bytes, word)
        sizes = {name: self._size(config, word[f"{name}_format"]) for name in ("a", "b", "c", "d", "addend", "mask")}
        self._describe(config, memory_base, word, sizes)
        for operand, window in zip("ab", self.windows, strict=True):
            self.comb += window.size.eq(sizes[operand])
            for name, width in window.layout:
                if isinstance(width, list):
                    self.comb += [getattr(getattr(window, name), f).eq(word[f"{operand}_{name}_{f}"]) for f, _ in width]
                elif name != "size":
                    self.comb += getattr(window, name).eq(word[f"{operand}_{name}"])
        for name, matrix in zip(("c", "addend", "mask"), self.matrices, strict=True):
            self.comb += [
                matrix.address.eq(word[f"{name}_address"]),
                matrix.size.eq(sizes[name]),
                matrix.pitch.eq(word[f"{name}_pitch"]),
            ]
        error = self._check(config, memory_base, memory_bytes, word, sizes)
        self.comb += self.used.eq(Cat(~job.a_resident, ~job.b_resident, job.has_c, job.has_addend, job.has_mask))
        self.comb += If(self.unread, job.error.eq(ErrorCode.DESCRIPTOR)).Else(job.error.eq(error))

        # What the job before left in the scratchpads.
        left = Record([("valid", 1), ("m", DIMENSION_BITS), ("n", DIMENSION_BITS), ("k", DIMENSION_BITS)])
        a_format, b_format = Signal(WORD_BITS), Signal(WORD_BITS)
        same_k = Signal()
        self.comb += [
            same_k.eq(left.valid & (left.k == job.shape.k)),
            self.resident_missing.eq(
                (
                    job.a_resident
                    & ~(same_k & job.shape.a_stays & (left.m == job.shape.m) & (a_format == word["a_format"]))
                )
                | (
                    job.b_resident
                    & ~(same_k & job.shape.b_stays & (left.n == job.shape.n) & (b_format == word["b_format"]))
                )
            ),
        ]
        self.sync += [
            If(
                self.next & (job.error == ErrorCode.NONE),
                left.valid.eq(1),
                left.m.eq(job.shape.m),
                left.n.eq(job.shape.n),
                left.k.eq(job.shape.k),
                a_format.eq(word["a_format"]),
                b_format.eq(word["b_format"]),
            ),
            If(self.forget, left.valid.eq(0)),
        ]

    def _fetch(self, config: AcceleratorConfig, memory_base: int, memory_bytes: int, word: dict[str, Signal]) -> None:
        """Read the descriptor, word by word of the port; it is valid two cycles after the last."""
        names, per_word = list(word), config.port_bits // WORD_BITS
        count = len(names) // per_word
        size = len(names) * WORD_BYTES
        assert count * per_word == len(names), "the descriptor is a whole number of port words"
        start = Signal(WORD_BITS)
        asked, received = Signal(max=count + 1), Signal(max=count + 1)
        self.unread = Signal()
        self.submodules.state = state = FSM(reset_state="IDLE")
        offset = Signal(WORD_BITS)
        self.comb += offset.eq(self.descriptor - memory_base)
        state.act(
            "IDLE",
            If(
                self.queued & self.may_read,
                self.take.eq(1),
                NextValue(start, offset),
                NextValue(asked, 0),
                NextValue(received, 0),
                NextState("FETCH"),
                NextValue(self.unread, 0),
                If(
                    (self.descriptor[: index_bits(ALIGNMENT)] != 0) | (offset > memory_bytes - size),
                    NextValue(self.unread, 1),
                    NextState("VALID"),
                ),
            ),
        )
        state.act(
            "FETCH",
            self.busy.eq(1),
            self.read_valid.eq(asked != count),
            If(self.read_valid & self.read_ready, NextValue(asked, asked + 1)),
            If(
                self.data_valid,
                NextValue(received, received + 1),
                If(received == count - 1, NextState("CHECK")),
            ),
        )
        state.act("CHECK", self.busy.eq(1), NextState("VALID"))
        state.act("VALID", self.busy.eq(1), self.valid.eq(1), If(self.next, NextState("IDLE")))
        self.comb += self.read_address.eq(start[config.port_bytes.bit_length() - 1 :] + asked)
        parts = [self.data[WORD_BITS * i : WORD_BITS * (i + 1)] for i in range(per_word)]
        self.sync += If(
            state.ongoing("FETCH") & self.data_valid,
            Case(
                received,
                {i: [word[names[i * per_word + j]].eq(part) for j, part in enumerate(parts)] for i in range(count)},
            ),
        )

    def _size(self, config: AcceleratorConfig, index: Signal) -> Signal:
        """log2 of the bytes of an element of the format that `index` names."""
        size = Signal(2)
        choices = {i: size.eq(element_bytes(f).bit_length() - 1) for i, f in enumerate(config.formats)}
        self.comb += Case(index, choices)
        return size

    def _describe(self, config: AcceleratorConfig, memory_base: int, word: dict, sizes: dict) -> None:
        """`job` and `after`, but for the error."""
        job = self.job
        self.submodules.shape = shape = Shape(config)
        early = ("m", "n", "k")
        derived = [name for name, *_ in job.shape.layout if name not in early]
        self.sync += [getattr(job.shape, name).eq(getattr(shape, name)) for name in derived]
        narrow = Signal()
        high = word["scale"][len(job.scale) - 1 :]
        same = ("a_format", "b_format", "c_format", "d_format", "d_pitch", "addend_format", "mask_format")
        same += ("random_bits", "random_key", "chain_random_bits", "chain_random_key")
        self.comb += [
            *(getattr(part, name).eq(word[name]) for part in (shape, job.shape) for name in early),
            *(getattr(job, name).eq(word[name]) for name in same),
            job.record.eq(word["record"] - memory_base),
            job.a_resident.eq(word["flags"][Flag.A_RESIDENT]),
            job.b_resident.eq(word["flags"][Flag.B_RESIDENT]),
            job.has_c.eq(word["c_address"] != 0),
            job.d_address.eq(word["d_address"] - memory_base),
            job.d_size.eq(sizes["d"]),
            job.saturate.eq(word["overflow"] != 0),
            # Compared as bits: LiteX writes negative constants as unsigned ones.
            narrow.eq((high == 0) | (high == (1 << len(high)) - 1)),
            job.scale.eq(Mux(narrow, word["scale"], Mux(high[-1], -SCALE_LIMIT, SCALE_LIMIT))),
            job.mode.eq(word["rounding"]),
            job.relu.eq(word["flags"][Flag.RELU]),
            job.has_addend.eq(word["addend_address"] != 0),
            job.has_mask.eq(word["mask_address"] != 0),
            self.after.eq(word["flags"][Flag.AFTER]),
        ]

    def _check(self, config: AcceleratorConfig, memory_base: int, memory_bytes: int, word: dict, sizes: dict) -> Signal:
        """The first of the mistakes, a cycle after the words."""

        def misaligned(operand: str, *fields: str) -> Signal:
            low = Signal(2)
            value = 0
            for field in fields:
                value = word[f"{operand}_{field}"] | value
            self.comb += low.eq(value)
            return ((sizes[operand] >= 1) & low[0]) | ((sizes[operand] >= 2) & low[1])

        job = self.job
        self.resident_missing = Signal()
        first, error = Signal(len(job.error)), Signal(len(job.error))
        operands, formats = len(config.operands), len(config.formats)
        high = (1 << DIMENSION_BITS) - 1
        last_row = Signal(DIMENSION_BITS + WORD_BITS)
        row_bytes, end = Signal(DIMENSION_BITS + 2), Signal(DIMENSION_BITS + WORD_BITS + 2)
        self.comb += row_bytes.eq(job.shape.n << job.d_size)
        self.sync += [
            last_row.eq((job.shape.m - 1)[:DIMENSION_BITS] * job.d_pitch),
            end.eq(job.d_address + last_row + row_bytes),
        ]
        strides = [f"{axis}_{field}" for axis in "xy" for field in ("start", "step", "tap", "unit")]
        stochastic = 2
        random_wrong = [
            (word["rounding"] > stochastic),
            (word["rounding"] == stochastic)
            & ((word["random_bits"] == 0) | (word["random_bits"] > RANDOM_BITS_LIMIT) | (not config.stochastic)),
            word["chain_random_bits"] > (RANDOM_BITS_LIMIT if config.stochastic_chain else 0),
        ]
        mistakes = {
            ErrorCode.RECORD: [
                word["record"][: index_bits(ALIGNMENT)] != 0,
                job.record > memory_bytes - RECORD_BYTES,
            ],
            ErrorCode.DIMENSION: [(word[name] == 0) | (word[name] > high) for name in "mnk"],
            ErrorCode.FORMAT: [
                word["a_format"] >= operands,
                word["b_format"] >= operands,
                job.has_c & (word["c_format"] >= operands),
                word["d_format"] >= formats,
                job.has_addend & (word["addend_format"] >= formats),
                job.has_mask & (word["mask_format"] >= formats),
            ],
            ErrorCode.ROUNDING: random_wrong,
            ErrorCode.WINDOW: [
                *(
                    (word[f"{o}_{field}"] == 0) | (word[f"{o}_{field}"] > high)
                    for o in "ab"
                    for field in ("run", "taps", "major_x", "major_y")
                ),
                *(
                    (word[f"{o}_{axis}_dilation"] >= 1 << PHASE_BITS)
                    | (word[f"{o}_{axis}_{phase}_phase"] >= word[f"{o}_{axis}_dilation"])
                    for o in "ab"
                    for axis in "xy"
                    for phase in ("start", "step", "tap")
                ),
            ],
            ErrorCode.ALIGNMENT: [
                *(misaligned(o, "address", "stride_n", *strides) for o in "ab"),
                *(job.has_c & misaligned("c", "address", "pitch"), misaligned("d", "address", "pitch")),
                job.has_addend & misaligned("addend", "address", "pitch"),
                job.has_mask & misaligned("mask", "address", "pitch"),
            ],
            ErrorCode.RESULT: [end > memory_bytes, (job.shape.m != 1) & (job.d_pitch < row_bytes)],
            ErrorCode.RESIDENT: [self.resident_missing],
        }
        chain = None
        for code, conditions in mistakes.items():
            wrong = Signal(name=f"wrong_{code.name.lower()}")
            self.comb += wrong.eq(_any(conditions))
            chain = If(wrong, first.eq(code)) if chain is None else chain.Elif(wrong, first.eq(code))
        self.comb += chain
        self.sync += error.eq(first)
        return error


def _any(conditions: Iterable) -> Signal:
    result = 0
    for condition in conditions:
        result = condition | result
    return result
