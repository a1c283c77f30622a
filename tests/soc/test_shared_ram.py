"""Main RAM with one port: random traffic of the CPU and the accelerator at once against a bytearray."""

import random

import pytest
from litex.gen.sim import run_simulation
from migen import Module

from accel_rtl.port import MemoryPort
from soc.shared_ram import SharedRam
from tests.soc.traffic import PortTraffic, wishbone_traffic

SIZE = 1024  # bytes: the CPU's side works on the first half, the accelerator's on the second
HALF = SIZE // 2


class Dut(Module):
    def __init__(self, width):
        self.port = width and MemoryPort((SIZE // (width // 8) - 1).bit_length(), width)
        self.submodules.ram = SharedRam(SIZE, port=self.port)


@pytest.fixture
def rng(request):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.mark.parametrize("width", [64, 128])
@pytest.mark.parametrize("together", [1, 0.5])
def test_both_masters_at_once(rng, width, together):
    dut, memory = Dut(width), bytearray(SIZE)
    words = range(HALF // (width // 8), SIZE // (width // 8))
    traffic = PortTraffic(dut.port, memory, rng, 150, words, together=together, gaps=0.2)
    bus = wishbone_traffic(dut.ram.bus, memory, rng, 150, range(HALF // 4))
    run_simulation(dut, [bus, traffic.run()])


@pytest.mark.parametrize("width", [64, 128])
def test_a_command_a_cycle_while_the_cpu_is_silent(rng, width):
    dut, memory = Dut(width), bytearray(SIZE)
    traffic = PortTraffic(dut.port, memory, rng, 150, range(SIZE // (width // 8)), together=1, gaps=0)
    run_simulation(dut, [traffic.run()])
    assert traffic.cycles == traffic.operations
    assert set(traffic.latencies) == {1}


def test_the_cpu_alone(rng):
    dut, memory = Dut(None), bytearray(SIZE)
    run_simulation(dut, [wishbone_traffic(dut.ram.bus, memory, rng, 200, range(SIZE // 4))])


@pytest.mark.parametrize("width", [64, 128])
def test_the_cpu_is_served_at_once_while_the_accelerator_asks_without_end(width):
    dut = Dut(width)
    done, waits = [], []

    def accelerator():
        yield dut.port.cmd.valid.eq(1)
        while not done:
            yield

    def cpu():
        bus = dut.ram.bus
        for word in range(32):
            yield bus.adr.eq(word)
            yield bus.we.eq(word % 2)
            yield bus.sel.eq(15)
            yield bus.cyc.eq(1)
            yield bus.stb.eq(1)
            yield
            cycles = 1
            while not (yield bus.ack):
                yield
                cycles += 1
            waits.append(cycles)
        done.append(True)

    run_simulation(dut, [cpu(), accelerator()])
    assert set(waits) == {2}


def test_both_see_what_the_other_wrote():
    dut = Dut(64)

    def process():
        bus, port = dut.ram.bus, dut.port
        yield from bus.write(0, 0x11111111)
        yield from bus.write(1, 0x22222222)
        yield port.cmd.valid.eq(1)
        yield
        while not (yield port.cmd.ready):
            yield
        yield port.cmd.valid.eq(0)
        yield
        assert (yield port.rdata.valid)
        assert (yield port.rdata.data) == 0x22222222_11111111
        yield port.cmd.valid.eq(1)
        yield port.cmd.we.eq(1)
        yield port.wdata.valid.eq(1)
        yield port.wdata.data.eq(0xDDCCBBAA << 32)
        yield port.wdata.we.eq(0xF0)
        yield
        yield port.cmd.valid.eq(0)
        yield port.wdata.valid.eq(0)
        yield
        assert (yield from bus.read(1)) == 0xDDCCBBAA
        assert (yield from bus.read(0)) == 0x11111111

    run_simulation(dut, [process()])
