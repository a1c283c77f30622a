"""Operand scratchpads: skewed banks in two halves, one being filled while the other is read."""

from migen import READ_FIRST, If, Memory, Module, Mux, Record, Signal

from accel_rtl.bits import index_bits
from accel_rtl.config import AcceleratorConfig
from accel_rtl.port import DATA_BYTES

__all__ = ["Halves", "Scratchpad", "write_layout"]


def write_layout(config: AcceleratorConfig, lanes: int, steps: int) -> list[tuple[str, int]]:
    """Where the slots of a beat go. Slot s is element (lane, step + s) if `along_k`, else (lane + s, step).

    rotate is (lane + step) modulo the number of banks, for slot 0 (which may lie before the first element that counts).
    """
    return [
        ("half", 1),
        ("rotate", index_bits(config.banks(lanes))),
        ("step", index_bits(steps)),
        ("along_k", 1),
        ("mask", DATA_BYTES // config.element_sizes[0]),
    ]


class Halves(Module):
    """Who owns which half of a scratchpad: the loader claims and fills, the array reads and releases.

    ========== ========= ===========================================================
    signal     direction meaning
    ========== ========= ===========================================================
    free       out       a half can be claimed
    claim      in        the loader takes half `fill_half`
    fill_half  out       the half that the next claim takes
    filled     in        the oldest claimed half is complete
    ready      out       half `read_half` is complete
    read_half  out       the half that is read next, until its release
    release    in        the array is through with `read_half`
    ========== ========= ===========================================================
    """

    def __init__(self) -> None:
        self.free = Signal()
        self.claim = Signal()
        self.fill_half = Signal()
        self.filled = Signal()
        self.ready = Signal()
        self.read_half = Signal()
        self.release = Signal()

        ###

        claimed, complete = Signal(max=3), Signal(max=3)
        self.comb += [self.free.eq(claimed < 2), self.ready.eq(complete > 0)]
        self.sync += [
            claimed.eq(claimed + self.claim - self.release),
            complete.eq(complete + self.filled - self.release),
            If(self.claim, self.fill_half.eq(~self.fill_half)),
            If(self.release, self.read_half.eq(~self.read_half)),
        ]


class Scratchpad(Module):
    """`lanes` lanes by `steps` steps, twice. Element (lane i, step k) is in bank (i + k) mod banks, at address k.

    So neither the elements of a beat, be they neighbours along k or along lanes, nor the lanes of a step share a
    bank: a whole beat is written and a whole step is read each cycle.

    =========== ========= ==================================================================
    signal      direction meaning
    =========== ========= ==================================================================
    write       in        store the slots of `where.mask`
    where       in        record of `write_layout`
    slots       in        codes, one a slot
    read_half   in        half to be read
    read_step   in        step to be read
    lanes       out       codes, one a lane, the cycle after
    =========== ========= ==================================================================
    """

    def __init__(self, config: AcceleratorConfig, lanes: int, steps: int) -> None:
        layout = write_layout(config, lanes, steps)
        banks = config.banks(lanes)
        bank_bits, step_bits = index_bits(banks), index_bits(steps)
        slots = dict(layout)["mask"]
        self.write = Signal()
        self.where = where = Record(layout)
        self.slots = [Signal(config.operand_bits) for _ in range(slots)]
        self.read_half = Signal()
        self.read_step = Signal(step_bits)
        self.lanes = [Signal(config.operand_bits) for _ in range(lanes)]

        ###

        # Bank b stores slot (b - rotate): the slots, padded to the number of banks, rotated by `rotate`.
        codes = self._rotate([*self.slots, *[0] * (banks - slots)], where.rotate, config.operand_bits, -1)
        enables = self._rotate([*(where.mask[s] for s in range(slots)), *[0] * (banks - slots)], where.rotate, 1, -1)
        read_rotate = Signal(bank_bits)
        self.sync += read_rotate.eq(self.read_step[:bank_bits])
        stored = []
        for bank, (code, enable) in enumerate(zip(codes, enables, strict=True)):
            memory = Memory(config.operand_bits, 2 << step_bits)
            write_port = memory.get_port(write_capable=True, mode=READ_FIRST)
            read_port = memory.get_port(mode=READ_FIRST)
            self.specials += memory, write_port, read_port
            slot, step = Signal(bank_bits), Signal(step_bits)
            self.comb += [
                slot.eq(bank - where.rotate),
                step.eq(where.step + Mux(where.along_k, slot, 0)),
                write_port.adr[:step_bits].eq(step),
                write_port.adr[step_bits].eq(where.half),
                write_port.dat_w.eq(code),
                write_port.we.eq(self.write & enable),
                read_port.adr[:step_bits].eq(self.read_step),
                read_port.adr[step_bits].eq(self.read_half),
            ]
            stored.append(read_port.dat_r)
        rotated = self._rotate(stored, read_rotate, config.operand_bits, 1)
        self.comb += [lane.eq(code) for lane, code in zip(self.lanes, rotated, strict=False)]

    def _rotate(self, values: list, amount: Signal, width: int, direction: int) -> list:
        """values[(i + direction * amount) mod n] for each i, in log2 n stages."""
        count = len(values)
        for bit in range(len(amount)):
            distance = direction << bit
            stage = [Signal(width) for _ in values]
            self.comb += [
                stage[i].eq(Mux(amount[bit], values[(i + distance) % count], values[i])) for i in range(count)
            ]
            values = stage
        return values
