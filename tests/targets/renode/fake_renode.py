"""Stands in for Renode: its monitor on standard input and output, with the terminal's habits, and a memory.

Run for some time it "executes" instructions without a program. $FAKE_RENODE says what goes wrong, and when: words
FAULT@COMMAND, where COMMAND is part of a command's line.
"""

import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

VERSION = os.environ.get("FAKE_RENODE_VERSION", "1.15.3")
FAULTS = dict(word.split("@") for word in os.environ.get("FAKE_RENODE", "").split())
BASE, SIZE = 0x4000_0000, 1 << 16
STEP = 1_000_000


class RecoverableException(Exception):
    """What Renode's monitor reports in red, and survives."""


class Renode:
    """The commands, each a method named after its first word, and what they change."""

    def __init__(self):
        self.log = None
        self.clear()

    def clear(self):
        self.machine = None
        self.memory = bytearray(b"\xa5" * SIZE)
        self.instructions = 0
        self.pc = 0

    def do(self, line):
        """Run the commands of a line up to the first that fails; what they print."""
        for part in re.split(r";\s*(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", line):
            words = shlex.split(part)
            if not words or words[0].startswith("#"):
                continue
            for fault, where in FAULTS.items():
                if where in part:
                    getattr(self, f"fault_{fault}")(part)
            yield from self.run(words, part) or ()

    def run(self, words, line):
        match words:
            case ["echo", text]:
                return [text]
            case ["logFile", path, "true"]:
                self.log = Path(path[1:]).open("a", buffering=1)  # noqa: SIM115
            case ["include", path]:
                return self.include(Path(path[1:]))
            case ["Clear"]:
                self.clear()
            case ["mach", "create", name]:
                self.machine = name
            case ["machine", "LoadPlatformDescription", path]:
                self.platform = Path(path[1:]).read_text()
            case ["emulation", "SetGlobalAdvanceImmediately" | "SetGlobalQuantum", _]:
                pass
            case ["emulation", "RunFor", seconds]:
                self.run_for(float(seconds))
            case ["sysbus.cpu0", "PerformanceInMips", _]:
                pass
            case ["sysbus.cpu0", "PC"]:
                return [f"0x{self.pc:X}"]
            case ["sysbus.cpu0", "PC", value]:
                self.pc = int(value, 0)
            case ["sysbus.cpu0", "ExecutedInstructions"]:
                return [f"0x{self.instructions:016X}"]
            case ["sysbus.uart", "CreateFileBackend", path, "true"]:
                self.console = Path(path[1:]).open("x")  # noqa: SIM115
            case ["sysbus", "LoadBinary", path, address]:
                data = Path(path[1:]).read_bytes()
                start = int(address, 0) - BASE
                self.memory[start : start + len(data)] = data
            case ["dump_file", address, size, path]:
                start = int(address, 0) - BASE
                Path(path[1:]).write_bytes(self.memory[start : start + int(size)])
            case _:
                raise RecoverableException(f"No such command or device: {words[0]}")
        return []

    def include(self, path):
        if path.suffix == ".cs":
            assert "FloatsocAccelerator" in path.read_text()
            return
        for line in path.read_text().splitlines():
            yield from self.do(line)

    def run_for(self, seconds):
        """The program counts up the first word of memory, and prints a line."""
        if "halt" in FAULTS:
            return
        self.instructions += int(seconds * 100 * STEP)
        self.pc = BASE + 0x40
        self.memory[:4] = (int.from_bytes(self.memory[:4], "little") + 1).to_bytes(4, "little")
        self.console.write("tick\n")
        self.console.flush()

    def fault_crash(self, part):
        print(
            "Fatal error:\nSystem.NullReferenceException: Object reference not set\n  at Antmicro.Renode.Core",
            flush=True,
        )
        os.kill(os.getpid(), signal.SIGABRT)

    def fault_exit(self, part):
        sys.exit(3)

    def fault_hang(self, part):
        subprocess.run([sys.executable, "-c", "import time; time.sleep(1000)"])
        time.sleep(1000)

    def fault_refuse(self, part):
        raise RecoverableException("It is not the day for it.")

    def fault_garbage(self, part):
        sys.stdout.buffer.write(b"\x1b[31m\xff\xfe" + random.Random(1).randbytes(5000) + b"\x1b[0m\nend-1x\n done-\n")

    def fault_empty(self, part):
        raise StopIteration

    def fault_halt(self, part):
        self.log.write(
            "12:00:00.0000 [ERROR] cpu0: CPU abort [PC=0x00000000]: Trying to execute code outside RAM or ROM\n"
        )

    def fault_nowhere(self, part):
        self.log.write(
            "12:00 [WARNING] sysbus: [cpu0: 0x40000044] ReadDoubleWord from non existing peripheral at 0x5.\n"
        )


def main():
    if sys.argv[1:] == ["--version"]:
        print(f"Renode v{VERSION}.12345\n  build: abcdef-202411260000\n  build type: Release\n  runtime: Mono 4.0")
        return
    assert {"--console", "--plain", "--disable-xwt"} <= set(sys.argv[1:]), sys.argv
    (Path(os.environ["XDG_CONFIG_HOME"]) / "renode").mkdir(exist_ok=True)
    renode = Renode()
    out = sys.stdout
    out.write(f"Renode, version {VERSION}.12345 (abcdef-202411260000)\n\n\r\n\r")
    while True:
        out.write(f"({renode.machine or 'monitor'}) ")
        out.flush()
        line = sys.stdin.readline()
        if not line:
            return  # the shell ends with its input
        line = line.rstrip("\n")
        # The terminal breaks long lines, and moves the cursor about.
        out.write("\x1b[?25l" + " \r".join(line[i : i + 70] for i in range(0, len(line), 70)) + "\x1b[?25h\n\r")
        try:
            for said in renode.do(line):
                out.write(said + "\r\n")
        except RecoverableException as error:
            out.write(f"There was an error executing command '{line}'\r\n{error}\r\n")


if __name__ == "__main__":
    main()
