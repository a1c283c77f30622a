"""A Wishbone master at the end of a serial line: how a host loads a board, reads it and watches it."""

from litex.gen import LiteXModule
from litex.soc.interconnect import wishbone
from migen import FSM, READ_FIRST, Cat, If, Memory, Mux, NextState, NextValue, Signal

__all__ = ["BUFFER_WORDS", "FILL", "READ", "WRITE", "SerialBridge"]

READ, WRITE, FILL = 1, 2, 3
BUFFER_WORDS = 256
"""Words that a WRITE carries at most: two memory blocks of an iCE40, one of an ECP5."""

# RFC 1662, PPP in HDLC-like Framing: 4.2, what ends a frame and how a byte like these two is sent within one; C.3, the
# polynomial of the 32-bit FCS, least significant bit first, and what it comes to over a frame that is whole.
_FLAG, _ESCAPE, _ESCAPED = 0x7E, 0x7D, 0x20
_POLYNOMIAL, _GOOD = 0xEDB8_8320, 0xDEBB_20E3

_HEADER = 2  # words of a request before its data
_WHOLE = _HEADER + BUFFER_WORDS + 1  # words of the longest request


class SerialBridge(LiteXModule):
    """Does on `bus` (Wishbone, 32 bits, little endian) what requests from `phy` ask for, and answers each.

    Both directions carry frames as of RFC 1662: FLAG, bytes with FLAG and ESCAPE escaped, FLAG. A frame is words of 32
    bits, least significant byte first; the last is the CRC-32 of the bytes before (zlib's):

    | frame   | words                                                                  |
    |---------|------------------------------------------------------------------------|
    | request | head, address in bytes (a multiple of 4), data of WRITE or FILL, CRC   |
    | answer  | head of the request, data of READ, CRC                                 |

    | bits of the head | what                                                         |
    |------------------|--------------------------------------------------------------|
    | 0 to 3           | READ, WRITE or FILL                                          |
    | 4 to 7           | byte enables of WRITE and FILL                               |
    | 8 to 15          | a number that the host chooses, by which it knows the answer |
    | 16 to 31         | words to read, to write, or to fill with the one of data     |

    A request waits in a buffer until its length and CRC turn out right, or is forgotten: nothing is done by halves, and
    there is no answer. Whatever was lost or garbled, the next FLAG starts afresh, and a host that hears nothing
    asks again; doing a request twice does what doing it once does. The bridge is deaf while it answers.

    phy: LiteX's RS232PHY, or another pair of `source` and `sink`, whose bytes are 10 or more cycles apart.
    """

    def __init__(self, phy):
        self.bus = bus = wishbone.Interface(data_width=32, address_width=32, addressing="word")
        self.idle = Signal()  # it listens
        self.crc = crc = _Crc32()
        self.fsm = fsm = FSM(reset_state="RECEIVE")
        received, sent = phy.source, phy.sink

        buffer = Memory(32, BUFFER_WORDS)
        store = buffer.get_port(write_capable=True, mode=READ_FIRST)
        fetch = buffer.get_port(mode=READ_FIRST)
        self.specials += buffer, store, fetch

        word = Signal(32)
        place = Signal(2)  # of the byte under way in `word`
        escaped = Signal()
        words = Signal(max=_WHOLE + 2)  # of a request, so far; the last value stands for too many
        head = Signal(32)
        operation, enables, count = head[:4], head[4:8], head[16:]
        address = Signal(30)
        left = Signal(16)
        closing = Signal()  # the answer's CRC has been reached

        data = Signal(8)
        complete = Signal(32)
        expected = Signal(17)
        whole = Signal()
        self.comb += [
            data.eq(received.data ^ Mux(escaped, _ESCAPED, 0)),
            complete.eq(Cat(word[8:], data)),
            expected.eq(_HEADER + 1 + Mux(operation == WRITE, count, operation == FILL)),
            whole.eq(
                (crc.value == _GOOD) & (words == expected) & (words <= _WHOLE) & (place == 0) & ~escaped & (left != 0)
            ),
            store.adr.eq(words - _HEADER),
            store.dat_w.eq(complete),
            bus.adr.eq(address),
            bus.dat_w.eq(fetch.dat_r),
            bus.sel.eq(enables),
        ]
        restart = [NextValue(words, 0), NextValue(place, 0), NextValue(escaped, 0), crc.restart.eq(1)]

        fsm.act(
            "RECEIVE",
            self.idle.eq(1),
            received.ready.eq(~crc.busy),
            If(
                received.valid & ~crc.busy,
                If(
                    received.data == _FLAG,
                    *restart,
                    NextValue(fetch.adr, 0),
                    NextValue(closing, 0),
                    If(whole, If(operation == READ, NextState("BEGIN")).Else(NextState("FETCH"))),
                )
                .Elif(received.data == _ESCAPE, NextValue(escaped, 1))
                .Else(
                    NextValue(escaped, 0),
                    NextValue(word, complete),
                    NextValue(place, place + 1),
                    crc.data.eq(data),
                    crc.feed.eq(1),
                    If(
                        place == 3,
                        If(words <= _WHOLE, NextValue(words, words + 1)),
                        If(words == 0, NextValue(head, complete), NextValue(left, complete[16:])),
                        If(words == 1, NextValue(address, complete[2:])),
                        # The CRC of the longest request must not take the place of its first word.
                        store.we.eq((words >= _HEADER) & (words < _HEADER + BUFFER_WORDS)),
                    ),
                ),
            ),
        )
        fsm.act("FETCH", NextState("STORE"))
        fsm.act(
            "STORE",
            bus.cyc.eq(1),
            bus.stb.eq(1),
            bus.we.eq(1),
            If(
                bus.ack,
                NextValue(address, address + 1),
                NextValue(left, left - 1),
                NextValue(fetch.adr, fetch.adr + (operation == WRITE)),
                If(left == 1, NextState("BEGIN")).Else(NextState("FETCH")),
            ),
        )
        fsm.act(
            "BEGIN",
            sent.valid.eq(1),
            sent.data.eq(_FLAG),
            NextValue(word, head),
            If(sent.ready, NextState("SEND")),
        )
        fsm.act(
            "SEND",
            sent.valid.eq(~crc.busy),
            If(
                ((word[:8] == _FLAG) | (word[:8] == _ESCAPE)) & ~escaped,
                sent.data.eq(_ESCAPE),
                If(sent.ready & ~crc.busy, NextValue(escaped, 1)),
            ).Else(
                sent.data.eq(word[:8] ^ Mux(escaped, _ESCAPED, 0)),
                If(
                    sent.ready & ~crc.busy,
                    crc.data.eq(word[:8]),
                    crc.feed.eq(1),
                    NextValue(escaped, 0),
                    NextValue(word, word[8:]),
                    NextValue(place, place + 1),
                    If(place == 3, NextState("NEXT")),
                ),
            ),
        )
        fsm.act(
            "NEXT",
            If(closing, NextState("END"))
            .Elif((operation == READ) & (left != 0), NextState("LOAD"))
            .Elif(~crc.busy, NextValue(word, ~crc.value), NextValue(closing, 1), NextState("SEND")),
        )
        fsm.act(
            "LOAD",
            bus.cyc.eq(1),
            bus.stb.eq(1),
            If(
                bus.ack,
                NextValue(word, bus.dat_r),
                NextValue(address, address + 1),
                NextValue(left, left - 1),
                NextState("SEND"),
            ),
        )
        fsm.act(
            "END",
            sent.valid.eq(~crc.busy),
            sent.data.eq(_FLAG),
            If(sent.ready & ~crc.busy, *restart, NextState("RECEIVE")),
        )


class _Crc32(LiteXModule):
    """`value` takes in the 8 bits of `data`, one a cycle from the cycle after `feed` on; `restart` empties it."""

    def __init__(self):
        self.value = value = Signal(32, reset=0xFFFF_FFFF)
        self.data = Signal(8)
        self.feed = Signal()
        self.restart = Signal()
        self.busy = Signal()

        bits = Signal(8)
        left = Signal(4)
        self.comb += self.busy.eq(left != 0)
        self.sync += [
            If(self.busy, left.eq(left - 1), bits.eq(bits[1:])),
            If(self.busy, value.eq(value[1:] ^ Mux(value[0] ^ bits[0], _POLYNOMIAL, 0))),
            If(self.feed, bits.eq(self.data), left.eq(8)),
            If(self.restart, value.eq(value.reset)),
        ]
