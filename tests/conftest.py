"""Fixtures that several folders of tests share."""

import shutil

import pytest


@pytest.fixture(scope="session")
def riscv_gcc():
    """The RISC-V GCC, where a user has installed it."""
    compiler = shutil.which("riscv64-unknown-elf-gcc")
    if compiler is None:
        pytest.skip("riscv64-unknown-elf-gcc is not installed: apt install gcc-riscv64-unknown-elf")
    return compiler
