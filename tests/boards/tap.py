"""A model of an ECP5's JTAG port behind OpenOCD's remote-bitbang protocol: a programmer talks to it as to a board.

The states are those of IEEE 1149.1-2013, figure 6-1; the instructions and the status register those of FPGA-TN-02039
(ECP5 and ECP5-5G sysCONFIG). What arrives by LSC_BITSTREAM_BURST is kept, and looked at as the FPGA would: preamble,
IDCODE, end.
"""

import re
import socket
import threading

__all__ = ["CRC_ERROR", "DONE", "RemoteBitbang", "Tap"]

IDCODE_PUB, BYPASS, SAMPLE = 0xE0, 0xFF, 0x1C
ISC_ENABLE, ISC_ERASE, ISC_DISABLE = 0xC6, 0x0E, 0x26
LSC_INIT_ADDRESS, LSC_BITSTREAM_BURST = 0x46, 0x7A
LSC_READ_STATUS, LSC_CHECK_BUSY, USERCODE = 0x3C, 0xF0, 0xC0

DONE, ISC_ENABLED = 1 << 8, 1 << 9
NO_ERROR, ID_ERROR, ILLEGAL_COMMAND, CRC_ERROR, ERRORS = 0, 1 << 23, 2 << 23, 3 << 23, 7 << 23
PREAMBLE, VERIFY_ID, PROGRAM_DONE = b"\xff\xff\xbd\xb3", 0xE2, b"\x5e\x00\x00\x00"

# state: (next with TMS 0, next with TMS 1)
_STATES = {
    "Test-Logic-Reset": ("Run-Test/Idle", "Test-Logic-Reset"),
    "Run-Test/Idle": ("Run-Test/Idle", "Select-DR-Scan"),
    "Select-DR-Scan": ("Capture-DR", "Select-IR-Scan"),
    "Capture-DR": ("Shift-DR", "Exit1-DR"),
    "Shift-DR": ("Shift-DR", "Exit1-DR"),
    "Exit1-DR": ("Pause-DR", "Update-DR"),
    "Pause-DR": ("Pause-DR", "Exit2-DR"),
    "Exit2-DR": ("Shift-DR", "Update-DR"),
    "Update-DR": ("Run-Test/Idle", "Select-DR-Scan"),
    "Select-IR-Scan": ("Capture-IR", "Test-Logic-Reset"),
    "Capture-IR": ("Shift-IR", "Exit1-IR"),
    "Shift-IR": ("Shift-IR", "Exit1-IR"),
    "Exit1-IR": ("Pause-IR", "Update-IR"),
    "Pause-IR": ("Pause-IR", "Exit2-IR"),
    "Exit2-IR": ("Shift-IR", "Update-IR"),
    "Update-IR": ("Run-Test/Idle", "Select-DR-Scan"),
}
_LENGTHS = {IDCODE_PUB: 32, LSC_READ_STATUS: 32, USERCODE: 32, LSC_CHECK_BUSY: 8, ISC_ENABLE: 8, ISC_ERASE: 8}
_LENGTHS |= {SAMPLE: 208, LSC_INIT_ADDRESS: 1, ISC_DISABLE: 1, LSC_BITSTREAM_BURST: 1, BYPASS: 1}
_IR_BITS = 8


class Tap:
    """An ECP5 with this IDCODE. error: what its configuration ends with, such as CRC_ERROR."""

    def __init__(self, idcode, *, error=NO_ERROR):
        self.idcode, self.error = idcode, error
        self.state, self.instruction = "Test-Logic-Reset", IDCODE_PUB
        self.register, self.length = 0, 1  # what is being shifted, least significant bit first
        self.tdo = 1
        self.status = DONE  # what it started with works
        self.instructions, self.unknown = [], []
        self._burst = []

    @property
    def received(self):
        """The bytes of the bitstream, whose first bit comes first."""
        bits = b"".join(self._burst)
        whole = bits[: len(bits) // 8 * 8]
        return int(whole or b"0", 2).to_bytes(len(whole) // 8, "big")

    def falling(self):
        self.tdo = self.register & 1 if self.state.startswith("Shift") else 1

    def rising(self, tms, tdi):
        """One cycle: what the state asks for happens at the edge that leaves it."""
        if self.state in ("Shift-DR", "Shift-IR"):
            self.register = self.register >> 1 | tdi << (self.length - 1)
            if self.state == "Shift-DR" and self.instruction == LSC_BITSTREAM_BURST:
                self._burst.append(b"01"[tdi : tdi + 1])
        self.state = _STATES[self.state][tms]
        match self.state:
            case "Test-Logic-Reset":
                self.instruction = IDCODE_PUB
            case "Capture-IR":
                self.register, self.length = 0b01, _IR_BITS
            case "Update-IR":
                self.instruction = self.register
                self.instructions.append(self.instruction)
                self._execute()
            case "Capture-DR":
                self.length = _LENGTHS.get(self.instruction, 1)
                self.register = {IDCODE_PUB: self.idcode, LSC_READ_STATUS: self.status}.get(self.instruction, 0)
            case "Update-DR" if self.instruction == LSC_BITSTREAM_BURST:
                self._configure()

    def shift_burst(self, bits):
        """Many cycles in Shift-DR at once: the ASCII digits of TDI."""
        self._burst.append(bits)

    def _execute(self):
        match self.instruction:
            case code if code not in _LENGTHS:
                self.unknown.append(code)
            case code if code == ISC_ENABLE:
                self.status |= ISC_ENABLED
            case code if code == ISC_ERASE and self.status & ISC_ENABLED:
                self.status &= ~DONE
            case code if code == LSC_BITSTREAM_BURST:
                self._burst = []
            case code if code == ISC_DISABLE:
                self.status &= ~ISC_ENABLED

    def _configure(self):
        self.status &= ~ERRORS
        if not self.status & ISC_ENABLED or self.status & DONE:
            self.status |= ILLEGAL_COMMAND  # not enabled, or not erased
        else:
            self.status |= self.error or configured(self.received, self.idcode)


def configured(stream, idcode):
    """DONE, or the error of the configuration engine."""
    begin = stream.find(PREAMBLE)
    identity = stream.find(VERIFY_ID, begin + 4)
    if begin < 0 or identity < 0:
        return ILLEGAL_COMMAND
    if int.from_bytes(stream[identity + 4 : identity + 8], "big") != idcode:
        return ID_ERROR
    return DONE if PROGRAM_DONE in stream[-64:] else ILLEGAL_COMMAND


class RemoteBitbang:
    """A server on a free port of 127.0.0.1 that has one client at a time; `tap` is behind it."""

    def __init__(self, tap):
        self.tap = tap
        self.clients = 0
        self._level = 0  # of TCK
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._listener.close()
        self._thread.join(timeout=10)

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.clients += 1
            with client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while data := client.recv(1 << 16):
                    if not self._take(data, client):
                        break

    def _take(self, data, client):
        """Obey every byte of `data`; whether the client goes on."""
        position = 0
        while position < len(data):
            # The fast way: cycles that stay in Shift-DR, each a low and a high level of TCK.
            if self.tap.state == "Shift-DR" and self.tap.instruction == LSC_BITSTREAM_BURST and self._level:
                run = re.compile(rb"(?:0[4]|1[5])+").match(data, position)
                if run:
                    self.tap.shift_burst(run[0][::2])
                    position = run.end()
                    continue
            byte = data[position]
            position += 1
            if byte in b"01234567":
                value = byte - ord("0")
                tck, tms, tdi = value >> 2, value >> 1 & 1, value & 1
                if tck and not self._level:
                    self.tap.rising(tms, tdi)
                elif self._level and not tck:
                    self.tap.falling()
                self._level = tck
            elif byte == ord("R"):
                client.sendall(b"01"[self.tap.tdo : self.tap.tdo + 1])
            elif byte == ord("Q"):
                return False
        return True
