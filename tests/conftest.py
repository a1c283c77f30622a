"""Fixtures that several folders of tests share."""

import shutil
import signal
from pathlib import Path

import pytest

_HARDWARE = ("e2e", "rtl", "soc")
"""Folders whose tests build or simulate hardware."""


def pytest_collection_modifyitems(items):
    """Mark whole folders, so that no test in them can be forgotten."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).parts[0] in _HARDWARE:
            item.add_marker(pytest.mark.hardware)


@pytest.fixture(scope="session")
def riscv_gcc():
    """The RISC-V GCC, where a user has installed it."""
    compiler = shutil.which("riscv64-unknown-elf-gcc")
    if compiler is None:
        pytest.skip("riscv64-unknown-elf-gcc is not installed: apt install gcc-riscv64-unknown-elf")
    return compiler


def pytest_configure():
    """Take Ctrl-C seriously even in the background of a shell, which ignores it, as would every process we start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
