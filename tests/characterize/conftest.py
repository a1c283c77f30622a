"""Standard cells and tools of the characterisation, where they are installed."""

import shutil
from pathlib import Path

import pytest

from pyhost.errors import BuildError

OSU018 = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")


@pytest.fixture(scope="session")
def osu018():
    pytest.importorskip("liberty", reason="liberty-parser is not installed")
    if not OSU018.exists():
        pytest.skip("qflow-tech-osu018 is not installed")
    return OSU018


@pytest.fixture(scope="session")
def yosys():
    pytest.importorskip("liberty", reason="liberty-parser is not installed")
    from scripts.characterize.netlist import find_yosys

    try:
        return find_yosys()
    except BuildError as error:
        pytest.skip(str(error))


def tool(name):
    """A fixture: the program `name`, or a test skipped."""

    @pytest.fixture(scope="session", name=name)
    def found():
        path = shutil.which(name)
        return path or pytest.skip(f"{name} is not installed")

    return found


iverilog, sta = tool("iverilog"), tool("sta")
