"""A board of Python on a pseudo-terminal, written from the protocol's documentation alone."""

import os
import pty
import select
import struct
import threading
import tty
import zlib
from contextlib import suppress

from tests.soc.packets import READ, WRITE, frame

BASE, SIZE = 0x4000_0000, 1 << 16
PAGE = 0xE000_0000
IDENTIFIER = 0x0123_4567_89AB_CDEF


class FakeBoard:
    """Answers requests as soc/bridge.py says. `mangle(data)` is what becomes of bytes in either direction."""

    def __init__(self, *, identifier=IDENTIFIER, magic=b"fSoC", version=1, mangle=lambda data: data):
        self.memory = bytearray(SIZE)
        self.page = bytearray(512)
        struct.pack_into("<4sIQIIII", self.page, 0, magic, version << 16 | 256, identifier, BASE, SIZE, 50_000_000, 256)
        struct.pack_into("<I", self.page, 32, 1)
        self.written = []  # (address, size)
        self.mangle = mangle
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.port = os.ttyname(self.slave)
        self.ended = threading.Event()
        self.unplug = threading.Event()
        self.thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        with suppress(OSError):
            os.close(self.master)
            os.close(self.slave)

    def _serve(self):
        received = b""
        while not self.ended.is_set():
            if self.unplug.is_set():
                os.close(self.slave)
                os.close(self.master)
                return
            if not select.select([self.master], [], [], 0.02)[0]:
                continue
            received += self.mangle(os.read(self.master, 4096))
            *contents, received = received.split(b"\x7e")
            for content in contents:
                if answer := self._answer(content.replace(b"\x7d\x5e", b"\x7e").replace(b"\x7d\x5d", b"\x7d")):
                    os.write(self.master, self.mangle(frame(answer)))

    def _answer(self, content):
        if len(content) < 12 or zlib.crc32(content[:-4]) != struct.unpack("<I", content[-4:])[0]:
            return None
        operation, _number, count, address = struct.unpack("<BBHI", content[:8])
        operation, enables, data = operation & 15, operation >> 4, content[8:-4]
        space, start = (self.memory, address - BASE) if address < PAGE else (self.page, address - PAGE)
        head = content[:4]
        if operation == READ:
            return head + space[start : start + 4 * count]
        self.written.append((address, 4 * count))
        for i, byte in enumerate(data if operation == WRITE else data * count):
            if enables >> i % 4 & 1:
                space[start + i] = byte
        return head


class Talker:
    """Something on a pseudo-terminal that says what it likes, whatever is asked: `say()` returns its next words."""

    def __init__(self, say):
        self.say = say

    def __enter__(self):
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._talk)
        self.thread.start()
        return os.ttyname(self.slave)

    def _talk(self):
        while not self.ended.wait(0.005):
            with suppress(BlockingIOError):
                os.read(self.master, 4096)
            if words := self.say():
                with suppress(BlockingIOError):
                    os.write(self.master, words)

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        os.close(self.master)
        os.close(self.slave)
