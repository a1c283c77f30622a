"""What a SoC may be, and what is said of one that may not."""

import json
import subprocess
import sys

import pytest

from accel_rtl import AcceleratorConfigError
from soc.config import SocConfig, SocConfigError


def test_defaults_are_a_soc():
    config = SocConfig.from_json("{}")
    assert config == SocConfig()
    assert (config.cpu, config.main_ram, config.accelerator) == ("full", 4 << 20, None)


def test_the_accelerator_is_read_with_its_own_checks():
    accelerator = {"rows": 4, "columns": 8, "operand_formats": ["fp8_e4m3"], "accumulator": "fp32"}
    config = SocConfig.from_json(json.dumps({"cpu": "lite", "accelerator": accelerator}))
    assert config.accelerator.rows == 4
    assert config.accelerator.operand_formats == ("e4m3fn",)
    assert config.accelerator.accumulator == "e8m23"
    with pytest.raises(AcceleratorConfigError, match="columns"):
        SocConfig.from_json(json.dumps({"accelerator": accelerator | {"columns": 0}}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cpu": "tiny"}, "cpu 'tiny' is not one of minimal, lite, standard, full"),
        ({"memory": "flash"}, "memory 'flash' is not one of sram, sdram"),
        ({"main_ram": 3 << 20}, "main_ram 3145728 is not a power of two from 64 KiB to 256 MiB"),
        ({"main_ram": 1 << 15}, "main_ram 32768 is not a power of two"),
        ({"main_ram": 1 << 29}, "main_ram 536870912 is not a power of two"),
        ({"clock_frequency": 0}, "clock_frequency 0 is not positive"),
        ({"memory": "sdram", "clock_frequency": 50_000_000}, "clock_frequency 50000000 is not from 75 to 200 MHz"),
        ({"serial": {"baud": 0}}, "baud 0 is not positive"),
        ({"serial": {"identifier": 1 << 64}}, "identifier 0x10000000000000000 is not of 64 bits"),
        (
            {"clock_frequency": 12_000_000, "serial": {"baud": 4_000_000}},
            "baud 4000000 is more than 3000000, a quarter of the clock's frequency",
        ),
        ({"colour": "red"}, "unknown field 'colour'"),
    ],
)
def test_mistakes_are_named(values, message):
    with pytest.raises(SocConfigError, match=message):
        SocConfig.from_json(json.dumps(values))


def test_text_that_is_no_json():
    with pytest.raises(SocConfigError, match="not JSON"):
        SocConfig.from_json("{")


def test_the_generator_says_a_mistake_in_one_line(tmp_path):
    (tmp_path / "config.json").write_text('{"cpu": "tiny"}')
    run = subprocess.run(
        [sys.executable, "-m", "soc", "--config", tmp_path / "config.json", "--output", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr == "error: cpu 'tiny' is not one of minimal, lite, standard, full\n"
    assert not (tmp_path / "out").exists()
