"""The stand-in for Renode with a processor: Unicorn runs the firmware on the platform that the target wrote.

Its peripherals do what peripherals.cs does, where the platform says, with the same library.
"""

import ctypes
import re
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # it is run as a program, away from the repository

import fake_renode
from unicorn import UC_ARCH_RISCV, UC_HOOK_BLOCK, UC_HOOK_INTR, UC_HOOK_MEM_UNMAPPED, UC_MODE_RISCV32, Uc
from unicorn.riscv_const import (
    UC_RISCV_REG_MCAUSE,
    UC_RISCV_REG_MEPC,
    UC_RISCV_REG_MTVEC,
    UC_RISCV_REG_PC,
)

FLUSH = 0x0000_500F  # VexRiscv's own instruction, which Renode's VexRiscv has and Unicorn has not
PAGE = 0x1000


class EmulatedRenode(fake_renode.Renode):
    def run(self, words, line):
        match words:
            case ["machine", "LoadPlatformDescription", path]:
                self.build(Path(path[1:]).read_text())
                return []
        return super().run(words, line)

    def build(self, text):
        """Make what the platform describes; entries of one name are one."""
        self.entries = {}
        for entry in re.split(r"\n(?=\S)", re.sub(r"(?m)^\s*$\n?", "", text)):
            head, *lines = entry.splitlines()
            name, _, kind = head.partition(":")
            found = self.entries.setdefault(name, {})
            if kind:
                found["address"] = int(re.search(r"sysbus (0x[0-9a-f]+)", kind)[1], 16) if "0x" in kind else None
            found |= {key.strip(): value.strip().strip('"') for key, _, value in (x.partition(":") for x in lines)}
        ram = self.entries["main_ram"]
        assert ram["segmentSize"] == ram["size"], "the memory is in pieces"
        self.base = ram["address"]
        self.bytes = (ctypes.c_uint8 * int(ram["size"], 0))()
        self.memory = memoryview(self.bytes).cast("B")
        self.executed = 0
        self.cpu = Uc(UC_ARCH_RISCV, UC_MODE_RISCV32)
        self.cpu.mem_map_ptr(self.base, len(self.memory), 7, ctypes.addressof(self.bytes))
        self.cpu.mmio_map(0xF000_0000, 0x10000, self.read, None, self.write, None)
        self.cpu.hook_add(UC_HOOK_BLOCK, self.block)
        self.cpu.hook_add(UC_HOOK_INTR, self.interrupt)
        self.cpu.hook_add(UC_HOOK_MEM_UNMAPPED, self.nowhere)
        self.latched = self.completed = self.error = 0
        if "accelerator" in self.entries:
            self.model = ctypes.CDLL(self.entries["accelerator"]["library"])
            size = ctypes.c_uint32(len(self.memory))
            self.model.accelerator_reset(self.bytes, ctypes.c_uint32(self.base), size)

    def peripheral(self, offset):
        """Name and offset of the peripheral at an address."""
        places = {
            n: e["address"] - 0xF000_0000 for n, e in self.entries.items() if (e.get("address") or 0) >= 0xF000_0000
        }
        for name, start in places.items():
            if start <= offset < start + 0x100:
                entry = self.entries[name]
                return (
                    name,
                    {int(v): k for k, v in entry.items() if str(v).isdecimal()}.get(offset - start),
                    offset - start,
                )
        return "", None, offset

    def read(self, cpu, offset, size, _):
        name, register, place = self.peripheral(offset)
        if name == "accelerator":
            return {"completed": self.completed, "error": self.error}.get(register, 0)
        if name == "cycle_counter":
            value = int(self.entries[name]["value"])
            return self.latched >> (32 if place == value else 0) & 0xFFFF_FFFF if place in (value, value + 4) else 0
        return 0

    def write(self, cpu, offset, size, value, _):
        name, register, place = self.peripheral(offset)
        if name == "accelerator" and register == "submit":
            self.error = self.model.accelerator_run(ctypes.c_uint32(value)) or self.error
            self.completed += 1
        elif name == "cycle_counter" and register == "latch":
            self.latched = self.executed
        elif name == "uart" and place == 0:
            self.console.write(chr(value & 0xFF))
            self.console.flush()

    def block(self, cpu, address, size, _):
        self.executed += size // 4
        if self.executed >= self.budget:
            cpu.emu_stop()

    def interrupt(self, cpu, cause, _):
        self.cause = cause
        cpu.emu_stop()

    def nowhere(self, cpu, access, address, size, value, _):
        self.log.write(f"12:00 [WARNING] sysbus: ReadDoubleWord from non existing peripheral at 0x{address:X}.\n")
        cpu.mem_map(address // PAGE * PAGE, PAGE)
        return True

    def run_for(self, seconds):
        self.budget = self.executed + int(seconds * 100 * fake_renode.STEP)
        while self.executed < self.budget:
            self.cause = None
            self.cpu.emu_start(self.pc, 0)
            self.pc = self.cpu.reg_read(UC_RISCV_REG_PC)
            if self.cause is not None:
                self.trap(self.pc - 4)  # Unicorn stands behind what it cannot execute
        self.instructions = self.executed

    def trap(self, place):
        start = place - self.base
        if int.from_bytes(self.memory[start : start + 4], "little") == FLUSH:
            return
        self.cpu.reg_write(UC_RISCV_REG_MEPC, place)
        self.cpu.reg_write(UC_RISCV_REG_MCAUSE, self.cause)
        self.pc = self.cpu.reg_read(UC_RISCV_REG_MTVEC)


if __name__ == "__main__":
    fake_renode.Renode = EmulatedRenode
    fake_renode.main()
