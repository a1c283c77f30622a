"""Small combinational building blocks."""

from collections.abc import Mapping, Sequence

from migen import Case, Cat, Module, Mux, Signal

__all__ = ["Normalize", "constants", "index_bits", "select"]


def index_bits(count: int) -> int:
    """Bits of an index below `count`, at least one."""
    return max(1, (count - 1).bit_length())


def select(index: Signal, choices: Mapping[int, Sequence]) -> Case:
    """The statements choices[index]; other indices never come."""
    *others, last = choices.items()
    return Case(index, dict(others) | {"default": last[1]})


def constants(index: Signal, table: Mapping[int, Sequence[int]], signed: bool = False) -> tuple[list[Signal], Case]:
    """Signals with the values of table[index], and the statement that drives them.

    signed: all are; mixed with unsigned signals in one expression, Verilator 5.48 was seen to extend them wrongly.
    """
    signals = [
        Signal((max(1, *(value.bit_length() for value in column)) + signed, signed))
        for column in zip(*table.values(), strict=True)
    ]
    choices = {key: [s.eq(value) for s, value in zip(signals, row, strict=True)] for key, row in table.items()}
    return signals, select(index, choices)


class Normalize(Module):
    """normalised = value << count, where count is the number of leading zeros (of a value of 0: anything).

    =========== ========= ================================
    signal      direction meaning
    =========== ========= ================================
    value       in        `width` bits
    normalised  out       `width` bits, the top one set
    count       out       the shift, below `width`
    =========== ========= ================================
    """

    def __init__(self, width: int) -> None:
        self.value = Signal(width)
        self.normalised = Signal(width)
        self.count = Signal(index_bits(width))

        ###

        # A signal for each stage: bits of one signal that depend on each other look like a loop to simulators.
        stage, shifts = self.value, []
        for bit in reversed(range(len(self.count))):
            distance = 1 << bit
            empty = Signal()
            if distance < width:
                shifted = Signal(width)
                self.comb += [
                    empty.eq(stage[width - distance :] == 0),
                    shifted.eq(Mux(empty, stage << distance, stage)),
                ]
                stage = shifted
            shifts.insert(0, empty)
        self.comb += [self.count.eq(Cat(*shifts)), self.normalised.eq(stage)]
