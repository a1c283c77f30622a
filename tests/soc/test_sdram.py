"""Main memory in SDRAM: random traffic against a bytearray, coherence, and LiteDRAM's own model beside ours."""

import ctypes
import random

import pytest
from litedram.modules import MT41K128M16
from litedram.phy.model import SDRAM_VERBOSE_STD, SDRAMPHYModel
from litex.gen import LiteXModule
from migen import Cat, If, Signal

from accel_rtl.port import MemoryPort
from soc.sdram import Sdram
from tests.soc.traffic import PortTraffic, wishbone_traffic
from tests.soc.verilated import Verilated

SIZE = 1 << 16  # bytes: the CPU's side works on the first half, the accelerator's on the second
FREQUENCY = 100_000_000


class Dut(LiteXModule):
    """The memory; at 128 bits also what LiteDRAM's model makes of the same commands, and whether it agrees."""

    def __init__(self, width):
        self.port = MemoryPort((SIZE // (width // 8) - 1).bit_length(), width)
        self.stall = Signal(16)
        self.ram = Sdram(SIZE, FREQUENCY, port=self.port, stall=self.stall)
        self.words = Signal(32)  # read so far
        self.differs = Signal()
        if width == 128:
            self._compare()

    def _compare(self):
        controller = self.ram.controller
        chip = MT41K128M16(FREQUENCY, "1:4")
        chip.geom_settings.rowbits = controller.settings.geom.rowbits
        self.reference = SDRAMPHYModel(chip, data_width=16, clk_freq=FREQUENCY, verbosity=SDRAM_VERBOSE_STD)
        self.comb += controller.dfi.connect(self.reference.dfi, omit={"rddata", "rddata_valid"})
        ours, theirs = self.ram.model.dfi.phases, self.reference.dfi.phases
        valid = [phases[0].rddata_valid for phases in (ours, theirs)]
        data = [Cat(*(phase.rddata for phase in phases)) for phases in (ours, theirs)]
        self.sync += If(
            valid[0] | valid[1],
            self.words.eq(self.words + 1),
            If((valid[0] != valid[1]) | (data[0] != data[1]), self.differs.eq(1)),
        )

    def verilated(self):
        bus, port = self.ram.bus, self.port
        inputs = [bus.cyc, bus.stb, bus.we, bus.adr, bus.sel, bus.dat_w, bus.cti, self.stall]
        inputs += [port.cmd.valid, port.cmd.we, port.cmd.address, port.wdata.valid, port.wdata.data, port.wdata.we]
        outputs = [bus.ack, bus.err, bus.dat_r, self.words, self.differs]
        outputs += [port.cmd.ready, port.wdata.ready, port.rdata.valid, port.rdata.data]
        return Verilated(self, f"sdram{len(port.rdata.data)}", inputs, outputs)


@pytest.fixture(scope="module", params=[64, 128])
def dut(request):
    """With `memory`, what it holds, and `simulation`; both outlive a test."""
    dut = Dut(request.param)
    dut.memory = bytearray(SIZE)
    dut.simulation = dut.verilated()
    return dut


@pytest.fixture
def rng():
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.mark.parametrize("stall", [0, 32768])
def test_both_ports_at_once(dut, rng, stall, capfd):
    size = len(dut.port.wdata.we)
    port = PortTraffic(dut.port, dut.memory, rng, 3000, range(SIZE // 2 // size, SIZE // size), gaps=0.1)
    bus = wishbone_traffic(dut.ram.bus, dut.memory, rng, 500, range(SIZE // 8))

    def stalls():
        yield dut.stall.eq(stall)

    dut.simulation.run(stalls(), bus, port.run())
    ctypes.CDLL(None).fflush(None)
    assert "violation" not in capfd.readouterr().out  # LiteDRAM's model checks the chip's timing


def test_each_port_sees_what_the_other_has_been_told_is_written(dut, rng):
    bus, port = dut.ram.bus, dut.port
    size = len(port.wdata.we)
    words = [rng.randrange(SIZE // size) for _ in range(200)]
    values = [rng.getrandbits(32) for _ in words]
    turns = []

    def cpu():
        for word, value in zip(words, values, strict=True):
            yield from bus.write(size // 4 * word, value)
            turns.append("accelerator")
            while turns[-1] != "cpu":
                yield
            assert (yield from bus.read(size // 4 * word + 1)) == value ^ 0xFFFFFFFF
            dut.memory[size * word : size * word + 8] = (value | (value ^ 0xFFFFFFFF) << 32).to_bytes(8, "little")

    def accelerator():
        for word, value in zip(words, values, strict=True):
            while turns[-1:] != ["accelerator"]:
                yield
            yield from command(word, we=0)
            while not (yield port.rdata.valid):
                yield
            assert (yield port.rdata.data) & 0xFFFFFFFF == value
            yield port.wdata.valid.eq(1)
            yield port.wdata.data.eq((value ^ 0xFFFFFFFF) << 32)
            yield port.wdata.we.eq(0xF0)
            yield from command(word, we=1)
            while not (yield port.wdata.ready):
                yield
            yield port.wdata.valid.eq(0)
            turns.append("cpu")

    def command(word, we):
        yield port.cmd.address.eq(word)
        yield port.cmd.we.eq(we)
        yield port.cmd.valid.eq(1)
        yield
        while not (yield port.cmd.ready):
            yield
        yield port.cmd.valid.eq(0)
        yield

    dut.simulation.run(cpu(), accelerator())


def test_the_chip_answers_as_in_litedrams_model(dut, rng):
    seen = []

    def look():
        yield
        seen.extend([(yield dut.words), (yield dut.differs)])

    dut.simulation.run(look())
    words, differs = seen
    assert not differs
    assert words > 1000 or len(dut.port.rdata.data) == 64
