"""Small combinational building blocks."""

from migen import Cat, Module, Mux, Signal

__all__ = ["Normalize", "index_bits"]


def index_bits(count: int) -> int:
    """Bits of an index below `count`, at least one."""
    return max(1, (count - 1).bit_length())


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
