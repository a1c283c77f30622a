"""Jobs: the file in the README is the default job, and whatever is wrong is said with its place."""

import json
import re
import tomllib
from math import frexp
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_rtl.config import AcceleratorConfig, AcceleratorConfigError
from pyhost.cosim.launch import hardware_of
from pyhost.errors import JobError
from pyhost.job import ConvolutionJob, GemmJob, Job, convolution_job, gemm_job, load_job, parse_change
from pyhost.job.models import EXACT_ACCUMULATOR_LIMIT, exact_accumulator_bits
from soc.config import SocConfig

DOCUMENTED = re.search(r"```toml\n(.*?)```", (Path(__file__).parents[2] / "README.md").read_text(), re.DOTALL)[1]


@pytest.fixture
def job_file(tmp_path, monkeypatch):
    """Writes a job file into the current directory and returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(text):
        (tmp_path / "job.toml").write_text(text)
        return "job.toml"

    return write


def problems(path=None, changes=None):
    with pytest.raises(JobError) as caught:
        load_job(path, changes)
    return str(caught.value).splitlines()


def test_the_file_in_the_readme_is_the_default_job(job_file):
    assert load_job(job_file(DOCUMENTED)) == load_job(job_file("")) == load_job() == Job()
    keys = {table: set(content) for table, content in tomllib.loads(DOCUMENTED).items()}
    assert keys == {table: set(content) for table, content in Job().to_dict().items()}


def test_a_job_survives_json():
    job = Job().with_changes({"accelerator.rows": 4, "formats.gradient": "e4m3fn", "soc.main_ram": "8 MiB"})
    assert Job.model_validate(json.loads(json.dumps(job.to_dict()))) == job
    assert job.to_dict()["soc"]["main_ram"] == "8 MiB"


def test_equal_jobs_are_one_key():
    assert len({Job(), load_job(), Job().with_changes({"accelerator.rows": 8})}) == 1
    assert Job() != Job().with_changes({"accelerator.rows": 4})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[soc]\ncpu = 'fulll'", 'job.toml:2: soc.cpu = "fulll": did you mean full? allowed: minimal, lite'),
        ("[soc]\nmain_ram = '4 MB'", 'job.toml:2: soc.main_ram = "4 MB": a size is a whole number and a unit'),
        ("[soc]\nmain_ram = '3 MiB'", "job.toml:2: soc.main_ram = "),
        ("[soc]\nmemory = 'dram'", 'job.toml:2: soc.memory = "dram": did you mean sdram? allowed: sram, sdram'),
        ("[accelerator]\ndepth = 100", "job.toml:2: accelerator.depth = 100: must be a power of two from 32 to 8192"),
        ("[accelerator]\ndepth = 16", "job.toml:2: accelerator.depth = 16: must be greater than or equal to 32"),
        ("[accelerator]\nport_bits = 32", "job.toml:2: accelerator.port_bits = 32: "),
        (
            "[accelerator]\nrow = 8",
            "job.toml:2: accelerator.row: unknown key; did you mean rows? allowed: enabled, rows",
        ),
        ("[accelerator]\nrows = 0", "job.toml:2: accelerator.rows = 0: must be greater than or equal to 1"),
        ("[accelerator]\nrows = true", "job.toml:2: accelerator.rows = true: must be a whole number"),
        ("[accelerator]\nenabled = 1", "job.toml:2: accelerator.enabled = 1: must be true or false"),
        ("[accelerator]\n\nformats = ['e4m3', 'e5m2', 'e5m2']", "job.toml:3: accelerator.formats"),
        ("[accelerator]\nformats = ['e4m3fn', 'e5m2', 'e5m2']", "e5m2 is listed more than once"),
        ("[accelerator]\nformats = []", "job.toml:2: accelerator.formats = []: must have at least 1"),
        ("[accelerator]\nformats = ['e9m9']", "'e9m9' is not a format"),
        ("[accelerator]\nformats = ['e4m3fm', 'e5m2']", "'e4m3fm' is not a format"),
        (
            "[accelerator]\naccumulator = 'exakt'",
            "is not a format: no family of formats has such names; allowed: exact",
        ),
        ("[network]\nmodel = 'cnn-digit'", 'job.toml:2: network.model = "cnn-digit": did you mean cnn-digits?'),
        ("[network]\nbatch = 0", "job.toml:2: network.batch = 0"),
        ("[formats]\noverflow = 'clip'", 'job.toml:2: formats.overflow = "clip": allowed: saturate, ieee'),
        (
            "[formats]\nweight = 'e5m10'",
            "job.toml:2: formats.weight: e5m10 is not among accelerator.formats (e4m3fn, e5m2)",
        ),
        ("[formats]\nweight = 7", "job.toml:2: formats.weight = 7: must be a string, in quotes"),
        ("[training]\ndata = 'digit'", 'job.toml:2: training.data = "digit": no such file'),
        ("[training]\noptimizer = 'adam'", 'job.toml:2: training.optimizer = "adam": allowed: sgd'),
        ("[training]\nlearning_rate = -1", "job.toml:2: training.learning_rate = -1: must be greater than 0"),
        ("[training]\nlearning_rate = inf", "job.toml:2: training.learning_rate = inf"),
        ("[training]\nloss_scale = 3.0", "job.toml:2: training.loss_scale = 3.0: must be a power of two"),
        ("[training]\nmomentum = 1.0", "job.toml:2: training.momentum = 1.0: must be less than 1"),
        ("[netwrk]\nbatch = 1", "job.toml:1: netwrk: unknown table; did you mean network? allowed: soc"),
        ("soc = 3", "job.toml:1: soc = 3: must be a table, [soc]"),
        ("[soc]\ncpu = full", "job.toml:2: not valid TOML"),
        ("[soc]\ncpu = 'full", "job.toml:2: not valid TOML"),
        ("soc.cpu = 'none'", "job.toml:1: soc.cpu"),
    ],
)
def test_a_mistake_is_named_with_its_line(job_file, line, expected):
    found = problems(job_file(line))
    assert len(found) == 1
    assert expected in found[0]


def test_every_mistake_is_named_at_once(job_file):
    found = problems(job_file("[soc]\ncpu = 'x'\n[network]\nbatch = 'y'\nmodle = 1\n[training]\nseed = -1\n"))
    assert [line.split(": ")[0] for line in found] == ["job.toml:2", "job.toml:4", "job.toml:5", "job.toml:7"]


def test_a_missing_or_unreadable_file_is_named(tmp_path):
    assert "no such job file" in problems(tmp_path / "none.toml")[0]
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in problems(tmp_path / "binary.toml")[0]
    assert str(tmp_path) in problems(tmp_path)[0]


def test_changes_win_over_the_file(job_file):
    path = job_file("[accelerator]\nrows = 99\n")
    assert load_job(path, {"accelerator.rows": 2}).accelerator.rows == 2
    assert problems(path, {"network.batch": 0})[1].startswith("--set network.batch = 0: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accelerator.rows=4", ("accelerator.rows", 4)),
        ("accelerator.enabled=false", ("accelerator.enabled", False)),
        ("accelerator.accumulator=e8m23", ("accelerator.accumulator", "e8m23")),
        ("soc.main_ram=8 MiB", ("soc.main_ram", "8 MiB")),
        ('accelerator.formats=["e5m2"]', ("accelerator.formats", ["e5m2"])),
        ("training.learning_rate=1e-2", ("training.learning_rate", 0.01)),
    ],
)
def test_changes_are_toml_or_strings(text, expected):
    assert parse_change(text) == expected


@pytest.mark.parametrize("text", ["rows=4", "accelerator.rows", "a.b.c=1", "=4"])
def test_malformed_changes_are_refused(text):
    with pytest.raises(JobError, match="expected TABLE"):
        parse_change(text)


def test_names_of_formats_become_canonical():
    job = load_job(None, {"formats.result": "fp16", "accelerator.accumulator": "bf16"})
    assert (job.formats.result, job.accelerator.accumulator) == ("e5m10", "e8m7")


def test_without_an_accelerator_any_format_will_do():
    job = load_job(None, {"accelerator.enabled": False, "formats.activation": "e5m10"})
    assert job.formats.activation == "e5m10"


def test_data_is_found_beside_the_job_file(tmp_path, monkeypatch):
    (tmp_path / "job.toml").write_text("[training]\ndata = 'images.npz'\n")
    (tmp_path / "images.npz").touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert load_job(tmp_path / "job.toml").training.data == str(tmp_path / "images.npz")


@pytest.mark.parametrize("extent", [1, 5, 32])
def test_extents_that_the_job_allows_can_be_generated(extent):
    job = load_job(None, {"accelerator.rows": extent, "accelerator.columns": extent})
    AcceleratorConfig(rows=job.accelerator.rows, columns=extent, operand_formats=job.accelerator.formats)


@pytest.mark.parametrize("extent", [0, 33])
def test_extents_that_cannot_be_generated_are_refused(extent):
    problems(None, {"accelerator.rows": extent})
    with pytest.raises(AcceleratorConfigError):
        AcceleratorConfig(rows=extent, columns=8, operand_formats=("e4m3fn",))


@pytest.mark.parametrize(
    ("size", "allowed"), [("32 KiB", False), ("64 KiB", True), ("256 MiB", True), ("1 GiB", False)]
)
def test_memories_are_those_that_the_soc_can_have(size, allowed):
    if allowed:
        SocConfig(main_ram=load_job(None, {"soc.main_ram": size}).soc.main_ram)
    else:
        problems(None, {"soc.main_ram": size})


@given(
    st.lists(
        st.sampled_from(["e4m3fn", "e5m2", "e5m10", "e6m3", "e2m1fn", "e3m4b-20", "e8m7", "posit8", "binary8p4se"]),
        min_size=1,
        unique=True,
    )
)
def test_the_exact_accumulator_is_as_wide_as_the_hardware_says(names):
    bits = exact_accumulator_bits(names)
    if bits <= EXACT_ACCUMULATOR_LIMIT:
        assert AcceleratorConfig(rows=1, columns=1, operand_formats=tuple(names)).register_bits == bits
    else:
        with pytest.raises(AcceleratorConfigError):
            AcceleratorConfig(rows=1, columns=1, operand_formats=tuple(names))


@pytest.mark.parametrize(("depth", "port_bits"), [(32, 64), (8192, 128)])
def test_depths_and_ports_that_the_job_allows_can_be_generated(depth, port_bits):
    job = load_job(None, {"accelerator.depth": depth, "accelerator.port_bits": port_bits})
    AcceleratorConfig.from_json(json.dumps(json.loads(hardware_of(job).to_json())["accelerator"]))


def test_a_loss_scale_is_an_exact_power_of_two():
    assert frexp(load_job(None, {"training.loss_scale": 1024}).training.loss_scale) == (0.5, 11)


def product(**changes):
    return {"m": 2, "n": 3, "k": 4, **changes}


def test_a_product_uses_the_default_hardware_where_it_can():
    assert gemm_job(product(b="fp8_e5m2")).accelerator == Job().accelerator
    assert gemm_job(product()).result_formats == Job().result_formats
    assert gemm_job(product(c="bf16", d="e5m10"), {"accumulator": "e8m23"}).accelerator.formats == ("e4m3fn", "e8m7")
    other = gemm_job(product(a="e5m10", d="e5m10"))
    assert other.accelerator.formats == ("e5m10", "e4m3fn")
    assert other.result_formats == ("e5m10",)
    assert GemmJob.model_validate(other.to_dict()) == other


@pytest.mark.parametrize("name", ["posit8", "posit16es1", "binary8p3se", "e2m1fn"])
def test_products_take_every_family_that_the_accelerator_knows(name):
    job = gemm_job(product(a=name, d=name), {"accumulator": "e8m23"})
    assert json.loads(hardware_of(job).to_json())["accelerator"]["operand_formats"] == [name, "e4m3fn"]


@pytest.mark.parametrize("name", ["posit17", "unum2x2", "mx(e4m3fn,32)"])
def test_products_refuse_what_the_accelerator_does_not_know(name):
    with pytest.raises(JobError, match=r"--a = .*(hardware and firmware know|single values)"):
        gemm_job(product(a=name))


@pytest.mark.parametrize(("rounding", "needed"), [("nearest_even", False), ("stochastic:3", True)])
def test_a_chain_that_rounds_stochastically_has_the_hardware_for_it(rounding, needed):
    job = gemm_job(product(rounding="stochastic:5", chain_rounding=rounding), {"accumulator": "e8m23"})
    described = json.dumps(json.loads(hardware_of(job).to_json())["accelerator"])
    assert AcceleratorConfig.from_json(described).stochastic_chain is needed


def test_no_other_job_has_it():
    chain = {"accumulator": "e8m23"}
    for job in (
        load_job(None, {"accelerator.accumulator": "e8m23"}),
        convolution_job(convolution(rounding="stochastic:5"), chain),
        gemm_job(product()),
    ):
        assert hardware_of(job).accelerator.stochastic_chain is False


def test_a_product_can_have_more_memory():
    assert gemm_job(product(), soc={"main_ram": "8 MiB"}).soc.main_ram == 8 << 20
    with pytest.raises(JobError, match='--main-ram = "3 MiB": must be a power of two'):
        gemm_job(product(), soc={"main_ram": "3 MiB"})


@pytest.mark.parametrize(
    ("changes", "accelerator", "expected"),
    [
        ({"m": 0}, {}, "M = 0: "),
        ({"a": "e99"}, {}, '--a = "e99": '),
        ({}, {"rows": 33}, "--rows = 33: "),
        ({"transpose": "NX"}, {}, '--transpose = "NX": allowed: NN, NT, TN, TT'),
        ({"stall": 1.0}, {}, "--stall = 1.0: "),
        ({"rounding": "up"}, {}, '--rounding = "up": allowed: nearest_even, toward_zero, stochastic:R'),
        ({"rounding": "stochastic:25"}, {}, '--rounding = "stochastic:25": allowed: '),
        ({"rounding": "stochastic"}, {}, '--rounding = "stochastic": allowed: '),
        ({"bias": "e8m23", "accumulate": True}, {}, "--accumulate: a product has one addend"),
        ({"chain_rounding": "toward_zero"}, {"accumulator": "e8m23"}, "--chain-rounding: a chain rounds"),
        ({"chain_rounding": "stochastic:3"}, {}, "--chain-rounding: nothing is rounded in an exact accumulator"),
        ({}, {"port_bits": 32}, "--port-bits = 32: "),
    ],
)
def test_a_product_names_the_argument_that_is_wrong(changes, accelerator, expected):
    with pytest.raises(JobError) as caught:
        gemm_job(product(**changes), accelerator)
    assert str(caught.value).startswith(expected)


def test_matrices_of_the_write_back_are_formats_of_the_hardware():
    job = gemm_job(product(d="e5m10", bias="bf16", mask="e4m3"))
    assert job.result_formats == ("e5m10", "e8m7", "e4m3")
    assert gemm_job(product(mask="e4m3fn", bias="e8m23")).result_formats == Job().result_formats


def convolution(**changes):
    return {"images": 2, "height": 6, "width": 5, "channels": 4, "filters": 8, **changes}


def test_a_convolution_survives_json():
    job = convolution_job(convolution(gradient="e5m2", stride=2, groups=4), {"rows": 4})
    assert ConvolutionJob.model_validate(json.loads(json.dumps(job.to_dict()))) == job
    assert job.accelerator.formats == Job().accelerator.formats


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"images": 0}, "IMAGES = 0: "),
        ({"groups": 3}, "--groups: does not divide 4 channels and 8 filters"),
        ({"kernel": 6}, "--kernel: a window of 6x6 does not fit 6x5 with 0 of padding"),
        ({"dilation": 3}, "--kernel: a window of 7x7 does not fit"),
        ({"weight": "e9"}, '--weight = "e9": '),
        ({"stride": 64}, "--stride = 64: must be less than or equal to 63"),
    ],
)
def test_a_convolution_names_the_argument_that_is_wrong(changes, expected):
    with pytest.raises(JobError) as caught:
        convolution_job(convolution(**changes))
    assert str(caught.value).startswith(expected)
