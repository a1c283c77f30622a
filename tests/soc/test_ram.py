"""Main RAM: random traffic on both ports at once against a bytearray, with and without stalls."""

import random
from collections import deque

import pytest
from litex.gen.sim import run_simulation
from litex.soc.interconnect import wishbone
from migen import Module, Signal

from accel_rtl.port import MemoryPort
from soc.ram import MainRam, StallGenerator

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
    """A master of the port: random commands, each write's data offered with its command or later."""

    def __init__(self, port, memory, rng, operations, *, together, gaps):
        """together: probability that data that may be offered is offered; gaps: that no command is."""
        self.port, self.memory, self.rng = port, memory, rng
        self.operations, self.together, self.gaps = operations, together, gaps
        self.latencies = []
        self.cycles = 0  # until the last command and data were accepted

    def run(self):
        port, rng, size = self.port, self.rng, len(self.port.wdata.we)
        left = self.operations
        command = None  # offered: word, and data and enables of a write
        writes, offered = deque(), False  # data of commands offered or accepted; the first is offered
        reads = deque()  # of accepted commands: cycle, data
        now = 0
        while left or command or writes or reads:
            if command is None and left and rng.random() >= self.gaps:
                left -= 1
                write = (rng.randbytes(size), rng.getrandbits(size)) if rng.random() < 0.5 else None
                command = (rng.randrange(HALF // size, SIZE // size), write)
                if write:
                    writes.append(write)
            offered = offered or (bool(writes) and rng.random() < self.together)
            yield port.cmd.valid.eq(command is not None)
            if command is not None:
                yield port.cmd.address.eq(command[0])
                yield port.cmd.we.eq(command[1] is not None)
            yield port.wdata.valid.eq(offered)
            if offered:
                yield port.wdata.data.eq(int.from_bytes(writes[0][0], "little"))
                yield port.wdata.we.eq(writes[0][1])
            yield

            now += 1
            if (yield port.rdata.valid):
                cycle, data = reads.popleft()
                assert (yield port.rdata.data).to_bytes(size, "little") == data
                self.latencies.append(now - cycle)
            if command is not None and (yield port.cmd.ready):
                word, write = command
                if write:
                    store(self.memory, size * word, *write)
                else:
                    reads.append((now, bytes(self.memory[size * word : size * (word + 1)])))
                command = None
                self.cycles = now
            if offered and (yield port.wdata.ready):
                assert len(writes) > (command is not None and command[1] is not None)  # not before its command
                writes.popleft()
                offered = False
                self.cycles = now


def simulate(width, rng, *, stall=0, together=0.6, gaps=0.3, operations=100):
    dut = Dut(width, stall)
    memory = bytearray(SIZE)
    traffic = PortTraffic(dut.port, memory, rng, operations, together=together, gaps=gaps)
    processes = {"sys": wishbone_traffic(dut.ram.bus, memory, rng, operations), "accelerator": traffic.run()}
    run_simulation(dut, processes, clocks=CLOCKS)
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
