"""Main RAM: random traffic on both ports at once against a bytearray, with and without stalls."""

import random

import pytest
from litex.gen.sim import run_simulation
from migen import Module, Signal

from accel_rtl.port import MemoryPort
from soc.ram import MainRam, StallGenerator
from tests.soc.traffic import PortTraffic, wishbone_traffic

SIZE = 1024  # bytes: the CPU's side works on the first half, the accelerator's on the second
HALF = SIZE // 2
CLOCKS = {"sys": 10, "accelerator": 10}
WIDTHS = [64, 128]


class Dut(Module):
    def __init__(self, width, stall=0):
        self.port = MemoryPort((SIZE // (width // 8) - 1).bit_length(), width)
        self.stall = Signal(16, reset=stall)
        self.submodules.ram = MainRam(SIZE, port=self.port, stall=self.stall)


@pytest.fixture
def rng(request):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


def simulate(width, rng, *, stall=0, together=0.6, gaps=0.3, operations=100):
    dut = Dut(width, stall)
    memory = bytearray(SIZE)
    words = range(HALF // (width // 8), SIZE // (width // 8))
    traffic = PortTraffic(dut.port, memory, rng, operations, words, together=together, gaps=gaps)
    bus = wishbone_traffic(dut.ram.bus, memory, rng, operations, range(HALF // 4))
    run_simulation(dut, {"sys": bus, "accelerator": traffic.run()}, clocks=CLOCKS)
    return traffic


@pytest.mark.parametrize("width", WIDTHS)
def test_both_ports_at_once(rng, width):
    simulate(width, rng)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_cycle_is_lost_between_reads_and_writes(rng, width):
    traffic = simulate(width, rng, together=1, gaps=0)
    assert traffic.cycles == traffic.operations
    assert set(traffic.latencies) == {1}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("stall", [6554, 32768, 58982])
def test_stalls_change_timing_and_nothing_else(rng, stall, width):
    assert max(simulate(width, rng, stall=stall).latencies) > 1


@pytest.mark.parametrize("width", WIDTHS)
def test_each_port_sees_what_the_other_wrote(width):
    dut = Dut(width)
    parts = width // 32
    turns = []  # who has had its turn

    def cpu():
        bus = dut.ram.bus
        for i in range(parts):
            yield from bus.write(i, 0x11111111 * (i + 1))
        turns.append("cpu")
        while len(turns) < 2:
            yield
        assert (yield from bus.read(2 * parts - 1)) == 0xDDCCBBAA

    def accelerator():
        port = dut.port
        while not turns:
            yield
        yield port.cmd.valid.eq(1)
        yield
        yield port.cmd.valid.eq(0)
        while not (yield port.rdata.valid):
            yield
        assert (yield port.rdata.data) == sum(0x11111111 * (i + 1) << 32 * i for i in range(parts))
        yield port.cmd.valid.eq(1)
        yield port.cmd.we.eq(1)
        yield port.cmd.address.eq(1)
        yield port.wdata.valid.eq(1)
        yield port.wdata.data.eq(0xDDCCBBAA << width - 32)
        yield port.wdata.we.eq(0xF << width // 8 - 4)
        yield
        assert (yield port.cmd.ready) and (yield port.wdata.ready)
        turns.append("accelerator")

    run_simulation(dut, {"sys": cpu(), "accelerator": accelerator()}, clocks=CLOCKS)


@pytest.mark.parametrize("stall", [0, 1 << 13, 1 << 15])
def test_stalls_come_with_the_probability_asked_for(stall):
    cycles = 4000
    held = [0, 0, 0]
    dut = StallGenerator(Signal(16, reset=stall), handshakes=3)

    def count():
        for _ in range(cycles):
            hold = yield dut.hold
            for i in range(3):
                held[i] += hold >> i & 1
            yield

    run_simulation(dut, {"accelerator": count()}, clocks={"accelerator": 10})
    # Five standard deviations of a binomial count; the generator has a fixed seed, so this cannot flicker.
    p = stall / 65536
    tolerance = 5 * (p * (1 - p) / cycles) ** 0.5
    assert all(abs(count / cycles - p) <= tolerance for count in held)
