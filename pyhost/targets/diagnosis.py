"""What to tell the user when a program does not get where it should: all on one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pyhost.targets.base import Target
    from pyhost.targets.elf import ElfImage

__all__ = ["ACCELERATOR_ERRORS", "console_tail", "fault", "position"]

_CONSOLE_LENGTH = 200

# The RISC-V Instruction Set Manual, Volume II: Privileged Architecture, table of mcause values.
_TRAP_CAUSES = {
    0: "instruction address misaligned",
    1: "instruction access fault",
    2: "illegal instruction",
    3: "breakpoint",
    4: "load address misaligned",
    5: "load access fault",
    6: "store address misaligned",
    7: "store access fault",
    11: "environment call",
}


ACCELERATOR_ERRORS = {
    "OVERRUN": "a job was submitted while the queue was full",
    "DIMENSION": "M, N or K is 0 or more than 65,535",
    "FORMAT": "a matrix has a format that the accelerator was not generated for",
    "WINDOW": "a window of A or B has an extent, dilation or phase that does not exist",
    "ALIGNMENT": "an address, stride or pitch is no multiple of its element's bytes",
    "RESULT": "D does not lie in main memory, or its rows overlap",
    "OPERAND": "a read left main memory",
    "RESIDENT": "an operand is declared resident that the job before did not leave",
    "RECORD": "the record of the job lies where it cannot be written",
    "DESCRIPTOR": "the job lies where it cannot be read",
    "ROUNDING": "a rounding that the accelerator was not generated for",
}
"""Names in enum accelerator_error of firmware/plan.h, and what they mean."""


def fault(target: Target) -> str | None:
    """What went wrong, by the firmware's account or the bus's, or None while nothing has."""
    mailbox = _mailbox(target)
    if mailbox is None or target.image is None:
        return None
    states = target.image.enum("state")
    if mailbox["state"] == states["STATE_TRAP"]:
        cause = int(mailbox["trap_cause"])
        where = target.image.function_at(int(mailbox["trap_pc"]))
        what = _TRAP_CAUSES.get(cause, f"trap {cause:#x}")
        return f"{what} at {where}, value {int(mailbox['trap_value']):#010x}, {_kernel(mailbox)}"
    if mailbox["state"] == states["STATE_FAILED"]:
        names = {value: name for name, value in target.image.enum("plan_error").items()}
        error = names.get(int(mailbox["error"]), int(mailbox["error"]))
        if mailbox["accelerator_error"]:
            error = f"{error} ({_accelerator_error(target.image, int(mailbox['accelerator_error']))})"
        return f"{error}, {_kernel(mailbox)}"
    if target.bus_error:
        return f"a load or store went where nothing is; since then the program got to {position(target)}"
    return None


def position(target: Target) -> str:
    """Where the program is: function and line, and the kernel it is in."""
    parts = []
    if target.program_counter is not None and target.image is not None:
        parts.append(f"{target.image.function_at(target.program_counter)}")
    mailbox = _mailbox(target)
    if mailbox is not None and target.image is not None:
        running = mailbox["state"] == target.image.enum("state")["STATE_RUNNING"]
        parts.append(_kernel(mailbox) if running else "no kernel running")
    return ", ".join(parts) or "position unknown"


def console_tail(target: Target) -> str:
    """The end of what the program printed, to be appended to a message; empty if it printed nothing."""
    text = target.console.strip()
    return f"; console: {text[-_CONSOLE_LENGTH:]!r}" if text else ""


def _accelerator_error(image: ElfImage, code: int) -> str:
    names = {value: name.removeprefix("ACCELERATOR_") for name, value in image.enum("accelerator_error").items()}
    name = names.get(code)
    return f"accelerator error {code}, {name}: {ACCELERATOR_ERRORS[name]}" if name else f"accelerator error {code}"


def _kernel(mailbox: Any) -> str:
    return f"kernel {int(mailbox['current'])}"


def _mailbox(target: Target) -> Any | None:
    """The firmware's mailbox as it is now, or None for a program without one."""
    if target.image is None or not target.image.has_symbol("mailbox"):
        return None
    dtype = target.image.layout("mailbox").dtype
    return np.frombuffer(target.read(target.image.symbol("mailbox"), dtype.itemsize), dtype)[0]
