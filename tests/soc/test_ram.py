"""Main RAM: random traffic on both ports at once against a bytearray, with and without stalls."""

import random

import pytest
from litex.gen.sim import passive, run_simulation
from litex.soc.interconnect import wishbone
from migen import Module, Signal

from accel_rtl.port import MemoryPort
from soc.ram import MainRam, StallGenerator

SIZE = 512  # bytes: the CPU's side works on the first half, the accelerator's on the second
HALF = SIZE // 2
CLOCKS = {"sys": 10, "accelerator": 10}


class Dut(Module):
    def __init__(self, stall):
        self.port = MemoryPort(6)
        self.stall = Signal(16, reset=stall)
        self.submodules.ram = MainRam(SIZE, port=self.port, stall=self.stall)


@pytest.fixture
def rng(request):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


def wishbone_traffic(bus, memory, rng, operations):
    """Single reads and writes, and incrementing bursts of both."""
    for _ in range(operations):
        length = rng.choice([1, 1, 2, 8])
        first = rng.randrange(HALF // 4 - length + 1)
        write = rng.random() < 0.5
        for beat in range(length):
            word = first + beat
            data, select = rng.getrandbits(32), rng.getrandbits(4)
            last = beat == length - 1
            kind = wishbone.CTI_BURST_NONE if length == 1 else wishbone.CTI_BURST_INCREMENTING
            yield bus.cti.eq(wishbone.CTI_BURST_END if last and length > 1 else kind)
            yield bus.adr.eq(word)
            yield bus.we.eq(write)
            yield bus.sel.eq(select)
            yield bus.dat_w.eq(data)
            yield bus.cyc.eq(1)
            yield bus.stb.eq(1)
            yield
            while not (yield bus.ack):
                yield
            if write:
                store(memory, 4 * word, data.to_bytes(4, "little"), select)
            else:
                assert (yield bus.dat_r).to_bytes(4, "little") == memory[4 * word : 4 * word + 4]
        yield bus.cyc.eq(0)
        yield bus.stb.eq(0)
        for _ in range(rng.randrange(3)):
            yield


def store(memory, address, data, enables):
    for i, byte in enumerate(data):
        if enables >> i & 1:
            memory[address + i] = byte


class PortTraffic:
    """Commands on one process, write data and read data on processes of their own, as the port allows."""

    def __init__(self, port, memory, rng, operations):
        self.port, self.memory, self.rng, self.operations = port, memory, rng, operations
        self.writes, self.expected, self.latencies = [], [], []
        self.cycle = 0

    def commands(self):
        cmd = self.port.cmd
        for _ in range(self.operations):
            word = self.rng.randrange(HALF // 8, SIZE // 8)
            write = self.rng.random() < 0.5
            yield cmd.address.eq(word)
            yield cmd.we.eq(write)
            yield cmd.valid.eq(1)
            yield
            while not (yield cmd.ready):
                yield
            if write:
                data, enables = self.rng.randbytes(8), self.rng.getrandbits(8)
                self.writes.append((data, enables))
                store(self.memory, 8 * word, data, enables)
            else:
                self.expected.append((self.cycle, bytes(self.memory[8 * word : 8 * word + 8])))
            yield cmd.valid.eq(0)
            for _ in range(self.rng.choice([0, 0, 0, 2])):
                yield
        while self.writes or self.expected:
            yield

    @passive
    def write_data(self):
        wdata = self.port.wdata
        while True:
            yield wdata.valid.eq(0)
            if self.writes and self.rng.random() < 0.8:
                data, enables = self.writes[0]
                yield wdata.valid.eq(1)
                yield wdata.data.eq(int.from_bytes(data, "little"))
                yield wdata.we.eq(enables)
                yield
                while not (yield wdata.ready):
                    yield
                self.writes.pop(0)
            else:
                yield

    @passive
    def read_data(self):
        rdata = self.port.rdata
        while True:
            if (yield rdata.valid):
                issued, expected = self.expected.pop(0)
                assert (yield rdata.data).to_bytes(8, "little") == expected
                self.latencies.append(self.cycle - issued)
            self.cycle += 1
            yield


def simulate(stall, rng, operations=150):
    dut = Dut(stall)
    memory = bytearray(SIZE)
    traffic = PortTraffic(dut.port, memory, rng, operations)
    run_simulation(
        dut,
        {
            "sys": [wishbone_traffic(dut.ram.bus, memory, rng, operations)],
            "accelerator": [traffic.commands(), traffic.read_data(), traffic.write_data()],
        },
        clocks=CLOCKS,
    )
    return traffic


def test_both_ports_at_once(rng):
    traffic = simulate(0, rng)
    assert set(traffic.latencies) == {1}


@pytest.mark.parametrize("stall", [6554, 32768, 58982])
def test_stalls_change_timing_and_nothing_else(rng, stall):
    traffic = simulate(stall, rng)
    assert min(traffic.latencies) == 1
    assert max(traffic.latencies) > 1


def test_each_port_sees_what_the_other_wrote():
    dut = Dut(0)

    def cpu():
        bus = dut.ram.bus
        yield from bus.write(0, 0x44332211)
        yield from bus.write(1, 0x88776655)
        for _ in range(10):
            yield
        assert (yield from bus.read(3)) == 0xDDCCBBAA

    def accelerator():
        port = dut.port
        for _ in range(10):
            yield
        yield port.cmd.valid.eq(1)
        yield
        yield port.cmd.valid.eq(0)
        while not (yield port.rdata.valid):
            yield
        assert (yield port.rdata.data) == 0x8877665544332211
        yield port.cmd.valid.eq(1)
        yield port.cmd.we.eq(1)
        yield port.cmd.address.eq(1)
        yield
        yield port.cmd.valid.eq(0)
        yield port.wdata.valid.eq(1)
        yield port.wdata.data.eq(0xDDCCBBAA << 32)
        yield port.wdata.we.eq(0xF0)
        yield

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
