"""The serial bridge against a Python model of its packets, bit by bit on the line, whole and mutilated."""

import random
import struct

import numpy as np
import pytest
from litex.gen import LiteXModule
from litex.soc.cores.uart import RS232PHY, UARTPads
from migen import READ_FIRST, If, Memory, Signal

from soc.bridge import BUFFER_WORDS, SerialBridge
from tests.rtl.dut import Dut
from tests.soc.packets import CYCLES_PER_BIT, FILL, READ, WRITE, heard, request, unframe, waveform

WORDS = 512
IDLE = 4 * 10 * CYCLES_PER_BIT


class Bridged(LiteXModule):
    """The bridge on an RS232 line, and behind it a memory that answers when `slow` is 0."""

    def __init__(self):
        self.pads = UARTPads()
        self.slow = Signal()
        self.phy = RS232PHY(self.pads, CYCLES_PER_BIT * 1_000_000, 1_000_000)
        self.bridge = SerialBridge(self.phy)
        self.bus = bus = self.bridge.bus
        memory = Memory(32, WORDS)
        port = memory.get_port(write_capable=True, we_granularity=8, mode=READ_FIRST)
        self.specials += memory, port
        self.comb += [
            port.adr.eq(bus.adr),
            port.dat_w.eq(bus.dat_w),
            bus.dat_r.eq(port.dat_r),
            If(bus.ack & bus.we, port.we.eq(bus.sel)),
        ]
        self.sync += bus.ack.eq(bus.cyc & bus.stb & ~bus.ack & ~self.slow)


class Bench:
    """The device under test, the contents that its memory should have, and a seed that is printed."""

    def __init__(self, dut, seed):
        print(f"seed {seed}")
        self.dut = dut
        self.random = random.Random(seed)
        self.memory = bytearray(4 * WORDS)
        self.dut.run(rx=np.ones(IDLE))  # an output port has its reset value from the first clock on
        self.ask(request(FILL, 0, 0, WORDS, bytes(4)), time=6 * WORDS)

    def ask(self, line, time=0):
        """Contents of the frames that come back for `line`, within `time` cycles beside those that an answer takes."""
        size = 3 * (8 + 4 * BUFFER_WORDS) if time == 0 else 64
        rx = waveform(line, size * 10 * CYCLES_PER_BIT + time + IDLE)
        slow = np.frombuffer(self.random.randbytes(len(rx)), np.uint8) > 200
        got = self.dut.run(rx=rx, slow=slow)
        self.written = [
            (int(a) * 4, int(d), int(s))
            for a, d, s in zip(
                *(got[n][(got["ack"] & got["we"]).astype(bool)] for n in ("adr", "data", "sel")), strict=True
            )
        ]
        return unframe(heard(got["tx"]))

    def any_request(self):
        """A random request, what it should be answered, and the memory after it."""
        operation = self.random.choice((READ, WRITE, FILL))
        count = self.random.choice((1, 2, 3, 17, self.random.randint(1, BUFFER_WORDS), BUFFER_WORDS))
        first = 4 * self.random.randint(0, WORDS - count)
        enables = self.random.choice((15, 15, self.random.randint(0, 15)))
        number = self.random.randrange(256)
        words = {READ: 0, WRITE: count, FILL: 1}[operation]
        # Half of the bytes are ones that must be escaped.
        data = bytes(self.random.choice((0x7D, 0x7E, self.random.randrange(256))) for _ in range(4 * words))
        after = bytearray(self.memory)
        if operation != READ:
            for i, byte in enumerate(data if operation == WRITE else data * count):
                if enables >> i % 4 & 1:
                    after[first + i] = byte
        answer = struct.pack("<BBH", operation | enables << 4, number, count)
        if operation == READ:
            answer += self.memory[first : first + 4 * count]
        return request(operation, number, first, count, data, enables), answer, after

    def contents(self):
        """All of the memory, read through the bridge."""
        parts = (self.ask(request(READ, 1, 4 * i, BUFFER_WORDS))[0][4:] for i in range(0, WORDS, BUFFER_WORDS))
        return b"".join(parts)


@pytest.fixture(scope="module")
def dut():
    top = Bridged()
    bus = top.bus
    inputs = {"rx": top.pads.rx, "slow": top.slow}
    outputs = {"tx": top.pads.tx, "ack": bus.ack, "we": bus.we, "adr": bus.adr, "data": bus.dat_w, "sel": bus.sel}
    return Dut(top, "bridge", inputs, outputs)


def test_requests_are_done_and_answered(dut):
    bench = Bench(dut, 1)
    for _ in range(40):
        line, answer, after = bench.any_request()
        assert bench.ask(line) == [answer]
        bench.memory = after
    assert bench.contents() == bench.memory


def test_a_write_is_seen_on_the_bus_as_it_was_asked_for(dut):
    bench = Bench(dut, 2)
    words = [bench.random.getrandbits(32) for _ in range(5)]
    bench.ask(request(WRITE, 7, 0x40, 5, struct.pack("<5I", *words), enables=6))
    assert bench.written == [(0x40 + 4 * i, word, 6) for i, word in enumerate(words)]


def test_the_longest_write_keeps_its_first_word(dut):
    bench = Bench(dut, 3)
    data = bench.random.randbytes(4 * BUFFER_WORDS)
    bench.ask(request(WRITE, 7, 0, BUFFER_WORDS, data))
    assert bench.contents()[: len(data)] == data


def _mutilate(line, source):
    """`line` with a byte lost, changed or doubled, or cut short, or two of these."""
    line = bytearray(line)
    for _ in range(source.randint(1, 2)):
        at = source.randrange(len(line))
        match source.randrange(4):
            case 0:
                del line[at]
            case 1:
                line[at] ^= 1 << source.randrange(8)
            case 2:
                line.insert(at, line[at])
            case 3:
                del line[max(at, 1) :]
    return bytes(line)


@pytest.mark.parametrize("seed", range(2))
def test_what_is_garbled_is_done_wholly_or_not_at_all_and_the_next_request_is_heard(dut, seed):
    bench = Bench(dut, 100 + seed)
    silent = 0
    for _ in range(40):
        line, answer, after = bench.any_request()
        answers = bench.ask(_mutilate(line, bench.random))
        if not answers:
            silent += 1
            assert not bench.written
            answers = bench.ask(b"\x7e")  # perhaps nothing but the last flag was lost
        assert answers in ([], [answer])
        if answers:
            bench.memory = after
        line, answer, after = bench.any_request()
        assert bench.ask(line) == [answer]
        bench.memory = after
    assert silent > 20
    assert bench.contents() == bench.memory


def test_noise_changes_nothing(dut):
    bench = Bench(dut, 4)
    noise = bytes(bench.random.choice((0x7D, 0x7E, bench.random.randrange(256))) for _ in range(20_000))
    assert bench.ask(noise) == []
    assert not bench.written
    line, answer, _ = bench.any_request()
    assert bench.ask(line) == [answer]


@pytest.mark.parametrize(
    "line",
    [
        request(WRITE, 1, 0, 0),
        request(READ, 1, 0, 0),
        request(READ, 1, 0, 1, bytes(4)),
        request(WRITE, 1, 0, 2, bytes(4)),
        request(WRITE, 1, 0, 1, bytes(8)),
        request(FILL, 1, 0, 2, bytes(8)),
        request(WRITE, 1, 0, BUFFER_WORDS + 1, bytes(4 * BUFFER_WORDS + 4)),
        request(WRITE, 1, 0, 1 << 15, bytes(4 << 15)),
        request(READ, 1, 0, 1)[:-1] + b"\x00\x7e",
    ],
    ids=["nothing", "read-nothing", "read-data", "short", "long", "fill-two", "over", "far-over", "tail"],
)
def test_a_request_of_another_length_than_it_says_is_not_done(dut, line):
    bench = Bench(dut, 5)
    assert bench.ask(line) == []
    assert not bench.written
    assert bench.ask(request(READ, 3, 0, 1)) == [struct.pack("<BBH", READ | 0xF0, 3, 1) + bytes(4)]
