"""A job as the core sees it: a copy of the registers, checked, with what follows from them."""

from migen import Case, If, Module, Mux, Record, Signal

from accel_rtl.config import AcceleratorConfig, element_bytes
from accel_rtl.registers import PARAMETERS, WORD_BITS, ErrorCode
from accel_rtl.store import SCALE_LIMIT
from accel_rtl.tiles import DIMENSION_BITS
from accel_rtl.window import OPERANDS, window_layout

__all__ = ["Job", "SerialMultiplier"]

RUN_LIMIT = 1 << 28
"""A run in bytes must fit 32 bits."""


class SerialMultiplier(Module):
    """product = multiplier * multiplicand modulo 2^bits, one bit of the multiplier a cycle, until none is left.

    ============ ========= ==============================
    signal       direction meaning
    ============ ========= ==============================
    start        in        take the factors
    multiplier   in        `multiplier_bits` bits, unsigned
    multiplicand in        32 bits
    product      out       `bits` bits, once `ready`
    ready        out       through
    ============ ========= ==============================
    """

    def __init__(self, multiplier_bits: int, bits: int) -> None:
        self.start = Signal()
        self.multiplier = Signal(multiplier_bits)
        self.multiplicand = Signal(WORD_BITS)
        self.product = Signal(bits)
        self.ready = Signal()

        ###

        left, term = Signal(multiplier_bits), Signal(bits)
        self.comb += self.ready.eq(left == 0)
        self.sync += If(
            self.start,
            left.eq(self.multiplier),
            term.eq(self.multiplicand),
            self.product.eq(0),
        ).Elif(
            ~self.ready,
            If(left[0], self.product.eq(self.product + term)),
            left.eq(left >> 1),
            term.eq(term << 1),
        )


class Job(Module):
    """The job that runs; firmware may write the registers of the next one meanwhile.

    =============== ========= ===================================================================
    signal          direction meaning
    =============== ========= ===================================================================
    registers       in        a word for each of `PARAMETERS`
    latch           in        copy the registers
    prepare         in        the cycle after: begin to check
    ready           out       checked: the outputs are valid
    error           out       an `ErrorCode`
    m, n, k         out       dimensions
    scale, saturate out       of write-back; scale within +-SCALE_LIMIT
    has_c           out       C is the first addend
    formats         out       of A, B and C
    windows         out       of A, B and C, records of `window_layout`
    d_address       out       of D, in bytes from the start of main memory
    d_size          out       log2 of the bytes of D's element
    d_pitch,
    d_format        out       of D
    =============== ========= ===================================================================
    """

    def __init__(self, config: AcceleratorConfig, memory_base: int, memory_bytes: int) -> None:
        self.registers = {name: Signal(WORD_BITS, name=f"register_{name}") for name in PARAMETERS}
        self.latch = Signal()
        self.prepare = Signal()
        self.ready = Signal()
        self.error = Signal(max=max(ErrorCode) + 1)
        self.m, self.n, self.k = (Signal(DIMENSION_BITS) for _ in range(3))
        self.scale = Signal((SCALE_LIMIT.bit_length() + 1, True))
        self.saturate = Signal()
        self.has_c = Signal()
        self.formats = [Signal(config.operand_index_bits) for _ in OPERANDS]
        self.windows = [Record(window_layout()) for _ in OPERANDS]
        self.d_address = Signal(WORD_BITS)
        self.d_size = Signal(2)
        self.d_pitch = Signal(WORD_BITS)
        self.d_format = Signal(WORD_BITS)

        ###

        word = {name: Signal(WORD_BITS, name=f"job_{name}") for name in PARAMETERS}
        self.sync += If(self.latch, *(word[name].eq(self.registers[name]) for name in PARAMETERS))
        sizes = {name: self._size(config.formats, word[f"{name}_format"]) for name in "abcd"}

        narrow = Signal()
        high = word["scale"][len(self.scale) - 1 :]
        self.comb += [
            *(getattr(self, dimension).eq(word[dimension]) for dimension in "mnk"),
            *(
                number_format.eq(word[f"{name}_format"])
                for name, number_format in zip(OPERANDS, self.formats, strict=True)
            ),
            # Compared as bits: LiteX writes negative constants as unsigned ones.
            narrow.eq((high == 0) | (high == (1 << len(high)) - 1)),
            self.scale.eq(Mux(narrow, word["scale"], Mux(high[-1], -SCALE_LIMIT, SCALE_LIMIT))),
            self.saturate.eq(word["overflow"] != 0),
            self.has_c.eq(word["c_address"] != 0),
            self.d_address.eq(word["d_address"] - memory_base),
            self.d_size.eq(sizes["d"]),
            self.d_pitch.eq(word["d_pitch"]),
            self.d_format.eq(word["d_format"]),
        ]

        multipliers = []
        for operand, window in zip("ab", self.windows, strict=False):
            multipliers.append(self._window(operand, window, word, sizes[operand]))
        self._addend_window(self.windows[2], word, sizes["c"])
        rows = SerialMultiplier(DIMENSION_BITS, DIMENSION_BITS + WORD_BITS)
        self.submodules.rows = rows
        self.comb += [
            rows.start.eq(self.prepare),
            rows.multiplier.eq(self.m - 1),
            rows.multiplicand.eq(self.d_pitch),
            self.ready.eq(rows.ready & multipliers[0].ready & multipliers[1].ready),
        ]
        self._check(config, memory_bytes, word, sizes, rows.product)

    def _size(self, formats, index: Signal) -> Signal:
        """log2 of the bytes of an element of the format that `index` names."""
        size = Signal(2)
        choices = {i: size.eq(element_bytes(f).bit_length() - 1) for i, f in enumerate(formats)}
        self.comb += Case(index, choices)
        return size

    def _window(self, operand: str, window: Record, word: dict, size: Signal) -> SerialMultiplier:
        """The window of A or B; its origin is known once the multiplier is ready."""
        padding = SerialMultiplier(WORD_BITS, WORD_BITS)
        self.submodules += padding
        same = ("major_x", "major_y", "stride_x", "stride_y", "stride_n", "pad_x", "pad_y", "width", "height")
        self.comb += [
            padding.start.eq(self.prepare),
            padding.multiplier.eq(word[f"{operand}_pad_y"]),
            padding.multiplicand.eq(word[f"{operand}_stride_y"]),
            window.origin.eq(word[f"{operand}_address"] - padding.product - word[f"{operand}_pad_x"]),
            window.size.eq(size),
            window.k_minor.eq(word[f"{operand}_k_minor"] != 0),
            window.run.eq(word[f"{operand}_run"] << size),
            *(getattr(window, field).eq(word[f"{operand}_{field}"]) for field in same),
        ]
        return padding

    def _addend_window(self, window: Record, word: dict, size: Signal) -> None:
        """C as an operand of m lines, one below the other, of n neighbours, along which the columns run as k does."""
        self.comb += [
            window.origin.eq(word["c_address"]),
            window.size.eq(size),
            window.k_minor.eq(1),
            window.run.eq(self.n << size),
            window.major_x.eq(1),
            window.major_y.eq(self.m),
            window.stride_y.eq(word["c_pitch"]),
            window.width.eq(window.run),
            window.height.eq(self.m),
        ]

    def _check(self, config: AcceleratorConfig, memory_bytes: int, word: dict, sizes: dict, rows_bytes: Signal) -> None:
        """`error`: the first of the mistakes."""

        def misaligned(size: Signal, names: str) -> Signal:
            low = Signal(2)
            value = 0
            for name in names.split():
                value = word[name] | value
            self.comb += low.eq(value)
            return ((size >= 1) & low[0]) | ((size >= 2) & low[1])

        dimension, number_format, window, alignment, result = (Signal() for _ in range(5))
        row_bytes, end = Signal(DIMENSION_BITS + 2), Signal(DIMENSION_BITS + WORD_BITS + 2)
        operands, formats = len(config.operands), len(config.formats)
        low, high = 1, (1 << DIMENSION_BITS) - 1
        self.comb += [
            dimension.eq(_any((word[name] < low) | (word[name] > high) for name in "mnk")),
            number_format.eq(
                (word["a_format"] >= operands)
                | (word["b_format"] >= operands)
                | (self.has_c & (word["c_format"] >= operands))
                | (word["d_format"] >= formats)
            ),
            window.eq(
                _any((word[f"{o}_{field}"] == 0) for o in "ab" for field in ("run", "major_x", "major_y"))
                | _any(word[f"{o}_run"] >= RUN_LIMIT for o in "ab")
            ),
            alignment.eq(
                _any(
                    misaligned(sizes[o], f"{o}_address {o}_stride_x {o}_stride_y {o}_stride_n {o}_pad_x") for o in "ab"
                )
                | (self.has_c & misaligned(sizes["c"], "c_address c_pitch"))
                | misaligned(sizes["d"], "d_address d_pitch")
            ),
            row_bytes.eq(self.n << self.d_size),
            end.eq(self.d_address + rows_bytes + row_bytes),
            result.eq((end > memory_bytes) | ((self.m != 1) & (self.d_pitch < row_bytes))),
            If(dimension, self.error.eq(ErrorCode.DIMENSION))
            .Elif(number_format, self.error.eq(ErrorCode.FORMAT))
            .Elif(window, self.error.eq(ErrorCode.WINDOW))
            .Elif(alignment, self.error.eq(ErrorCode.ALIGNMENT))
            .Elif(result, self.error.eq(ErrorCode.RESULT)),
        ]


def _any(conditions) -> Signal:
    result = 0
    for condition in conditions:
        result = condition | result
    return result
