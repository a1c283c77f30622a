"""What can be generated and what cannot: the messages, the widths, and registers named as firmware knows them."""

import json
import re
from pathlib import Path

import pytest

from accel_rtl import Accelerator, AcceleratorConfig, AcceleratorConfigError
from accel_rtl.registers import COUNTERS, DESCRIPTOR, RECORD_WORDS
from accel_rtl.window import PHASE_BITS
from pyhost.errors import FloatsocError
from pyhost.formats import FormatError
from pyhost.job.products import LARGEST_STRIDE

PLAN = Path(__file__).parents[2] / "firmware" / "plan.h"


def _config(**fields):
    return AcceleratorConfig(**{"rows": 2, "columns": 2, "operand_formats": ("e4m3fn",)} | fields)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"rows": 0}, "rows of the array is 0; it may be 1 to 32"),
        ({"columns": 33}, "columns of the array is 33; it may be 1 to 32"),
        ({"columns": "8"}, "columns of the array is '8'; it may be 1 to 32"),
        ({"depth": 100}, "depth is 100; it may be a power of two from 32 to 8192"),
        ({"port_bits": 32}, "port_bits is 32; it may be 64 or 128"),
        ({"operand_formats": ()}, "operand_formats is empty; name at least one format, such as e4m3fn"),
        ({"operand_formats": ("e8m23",)}, "an exact accumulator of e8m23 needs 617 bits, at most 256 are built; "),
        (
            {"stochastic_chain": True},
            "stochastic_chain is set, but an exact accumulator rounds no step; use a chain such as e8m23",
        ),
        ({"result_formats": tuple(f"e5m{n}" for n in range(3, 20))}, "18 formats are too many; at most 16"),
    ],
)
def test_what_cannot_be_generated_says_why(fields, message):
    with pytest.raises(AcceleratorConfigError, match=f"^{re.escape(message)}"):
        _config(**fields)


@pytest.mark.parametrize("field", ["operand_formats", "result_formats"])
def test_a_name_that_is_no_format(field):
    with pytest.raises(FormatError, match="'e4m3ieee'"):
        _config(**{field: ("e4m3ieee",)})


def test_json_gives_the_configuration_back():
    config = _config(
        result_formats=("fp16",),
        accumulator="bf16",
        depth=64,
        port_bits=64,
        stochastic=False,
        stochastic_chain=True,
    )
    assert AcceleratorConfig.from_json(config.to_json()) == config
    assert AcceleratorConfig.from_json('{"rows": 2, "columns": 2, "operand_formats": ["e4m3fn"]}') == _config()


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "is not JSON"),
        ("[]", "not an object"),
        ('{"rows": 2}', "lacks columns, operand_formats"),
        (json.dumps({"row": 2}), "unknown field 'row'; known: rows, columns, "),
    ],
)
def test_json_that_is_no_configuration(text, message):
    with pytest.raises(FloatsocError, match=message):
        AcceleratorConfig.from_json(text)


def test_formats_are_listed_once_operands_first():
    config = _config(operand_formats=("fp8_e5m2", "e4m3fn", "e5m2"), result_formats=("e5m10", "e4m3fn", "fp16"))
    assert [f.name for f in config.formats] == ["e5m2", "e4m3fn", "e5m10"]
    assert [f.name for f in config.operands] == ["e5m2", "e4m3fn"]


@pytest.mark.parametrize(
    "formats, limbs", [(("e4m3fn",), 2), (("e5m2",), 3), (("e4m3fn", "e5m2"), 3), (("e5m10",), 4), (("e6m9",), 6)]
)
def test_limbs_of_an_exact_accumulator(formats, limbs):
    config = _config(operand_formats=formats)
    assert config.limbs == limbs
    # By the values themselves: the largest sum, in units of the least product.
    unit = 2 * min(f.unit_exponent for f in config.operands)
    needed = (65_536 * max(f.max for f in config.operands) ** 2 / 2.0**unit).hex()
    assert int(needed.split("p")[1]) + 1 + 1 <= 32 * limbs


@pytest.mark.parametrize(
    "fields",
    [
        {"rows": 1, "columns": 1},
        {"rows": 5, "columns": 1, "operand_formats": ("e8m23",), "accumulator": "e8m23"},
        {"rows": 1, "columns": 3, "operand_formats": ("e2m1fn",), "result_formats": ("e8m23",)},
        {"rows": 2, "columns": 2, "operand_formats": ("e4m3b200", "e3m2fn"), "accumulator": "e4m3fnuz"},
    ],
)
def test_shapes_and_lists_at_the_edge_can_be_built(fields):
    Accelerator(_config(**fields), 1 << 16)


@pytest.mark.parametrize("memory_bytes", [0, 12, 1 << 33])
def test_memory_is_whole_words(memory_bytes):
    with pytest.raises(AcceleratorConfigError, match="must be multiples of 16"):
        Accelerator(_config(), memory_bytes)


def _fields(struct: str) -> list[str]:
    """Names of the words of a struct in plan.h, in order, those of structs within it with their names in front."""
    body = re.search(rf"struct {struct} {{(.*?)}}", PLAN.read_text(), re.DOTALL)[1]
    words = []
    for kind, names in re.findall(r"(u?int32_t|struct \w+) ([^;]*);", re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)):
        inner = _fields(kind.removeprefix("struct ")) if kind.startswith("struct") else None
        for name in (name.strip() for name in names.split(",")):
            words += [f"{name}_{field}" for field in inner] if inner else [name]
    return words


def test_descriptors_and_records_are_the_structs_of_the_firmware():
    assert _fields("gemm") == list(DESCRIPTOR)
    assert _fields("accelerator_counters") == list(COUNTERS)
    record = _fields("job_record")
    assert record[:-1] == ["error", *(f"counters_{name}" for name in COUNTERS)]
    assert len(record) - 1 + int(re.search(r"reserved\[(\d+)\]", PLAN.read_text())[1]) == RECORD_WORDS


@pytest.mark.parametrize("side, bits, tiles", [(8, 128, 2), (8, 64, 1), (4, 128, 4), (3, 64, 3)])
def test_panels_are_as_wide_as_a_memory_word(side, bits, tiles):
    assert _config(port_bits=bits).panel_tiles(side) == tiles
    assert _config(port_bits=bits, operand_formats=("e5m10",)).panel_tiles(2 * side) == -(-tiles // 4)


def test_convolutions_have_strides_that_hardware_counts_in_its_phases():
    assert LARGEST_STRIDE == 2**PHASE_BITS - 1
