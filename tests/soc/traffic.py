"""Random traffic on the ports of a main memory, against a bytearray."""

from collections import deque

from litex.soc.interconnect import wishbone


def wishbone_traffic(bus, memory, rng, operations, words):
    """Single reads and writes of `words`, and incrementing bursts of both; `memory` is what they should find."""
    for _ in range(operations):
        length = rng.choice([1, 1, 2, 8])
        first = rng.randrange(words.start, words.stop - length + 1)
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

    def __init__(self, port, memory, rng, operations, words, *, together=1.0, gaps=0.0):
        """together: probability that data that may be offered is offered; gaps: that no command is."""
        self.port, self.memory, self.rng, self.words = port, memory, rng, words
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
                command = (rng.choice(self.words), write)
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
