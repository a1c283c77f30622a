"""What Renode is told of the SoC, against copies that were read and found right.

FLOATSOC_WRITE_GOLDEN=1 writes them anew.
"""

import json
import os
from pathlib import Path

import pytest

from pyhost.cosim.hardware import AcceleratorHardware
from pyhost.targets.renode.model import configuration
from pyhost.targets.renode.platform import PERIPHERALS, platform, script

GOLDEN = Path(__file__).with_name("golden")
MODEL = Path("/cache/libaccelerator.so")
HARDWARE = AcceleratorHardware(
    rows=8, columns=8, operand_formats=("e4m3fn", "e5m2"), result_formats=("e8m23", "e4m3fn", "e5m2")
)
CHAIN = AcceleratorHardware(
    rows=3,
    columns=5,
    operand_formats=("posit8", "bf16"),
    accumulator="e5m10",
    depth=64,
    port_bits=64,
    stochastic_chain=True,
)


def check(name, text):
    if os.environ.get("FLOATSOC_WRITE_GOLDEN"):
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


def registers(**names):
    return {
        f"{peripheral}_{register}": {"addr": base + offset, "size": 1}
        for peripheral, (base, found) in names.items()
        for register, offset in found.items()
    }


@pytest.fixture
def soc(tmp_path):
    """The description of the default job's SoC, as far as anybody looks."""
    bases = {"accelerator": 0xF000_0000, "cpu_bus": 0xF000_0800, "cycle_counter": 0xF000_1000, "uart": 0xF000_1800}
    csr = {
        "csr_bases": bases,
        "csr_registers": registers(
            accelerator=(bases["accelerator"], {"submit": 0, "status": 4, "completed": 8, "error": 12}),
            cycle_counter=(bases["cycle_counter"], {"latch": 0, "value": 4}),
        ),
        "constants": {
            "config_cpu_type_vexriscv": None,
            "config_cpu_variant_full": None,
            "config_csr_data_width": 32,
            "config_clock_frequency": 100_000_000,
        },
        "memories": {
            "main_ram": {"base": 0x4000_0000, "size": 4 << 20, "type": "cached"},
            "csr": {"base": 0xF000_0000, "size": 0x10000, "type": "io"},
        },
    }
    (tmp_path / "csr.json").write_text(json.dumps(csr))
    return tmp_path


def test_platform(soc):
    check("floatsoc.repl", platform(soc, MODEL, (1, 15, 3), soc))


def test_platform_of_a_renode_that_buffers_characters(soc):
    old, new = (platform(soc, MODEL, version, soc) for version in ((1, 15, 3), (1, 16)))
    assert new.replace("uart:\n    txFifoCapacity: 0\n\n", "") == old


def test_platform_without_an_accelerator(soc):
    with_it, without = (platform(soc, model, (1, 15), soc) for model in (MODEL, None))
    assert with_it.startswith(without)
    assert "FloatsocAccelerator" in with_it.removeprefix(without)


def test_registers_are_where_the_soc_has_them(soc):
    csr = json.loads((soc / "csr.json").read_text())
    csr["csr_bases"]["accelerator"] = 0xF000_2000
    for offset, name in enumerate(("error", "completed", "submit", "status")):
        csr["csr_registers"][f"accelerator_{name}"]["addr"] = 0xF000_2000 + 4 * offset
    (soc / "csr.json").write_text(json.dumps(csr))
    text = platform(soc, MODEL, (1, 15), soc)
    assert "accelerator: Miscellaneous.FloatsocAccelerator @ sysbus 0xf0002000\n" in text
    assert "    submit: 8\n    status: 12\n    completed: 4\n    error: 0\n" in text


def test_script():
    text = script(Path("/scratch/floatsoc.repl"), Path("/scratch/console-1"), 0x4000_0000)
    check("floatsoc.resc", text.replace(str(PERIPHERALS), "/package/peripherals.cs"))


@pytest.mark.parametrize("name, hardware, stochastic", [("exact.h", HARDWARE, True), ("chain.h", CHAIN, False)])
def test_configuration_of_the_model(name, hardware, stochastic):
    check(name, configuration(hardware, stochastic=stochastic))
