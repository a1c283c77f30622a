"""Results: arithmetic, files, and what a terminal of 80 columns shows."""

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from pyhost.errors import JobError
from pyhost.job import Job, convolution_job, gemm_job
from pyhost.profile import (
    AcceleratorCounters,
    KernelResult,
    Mismatch,
    Number,
    Result,
    Seconds,
    Step,
    Totals,
    TrainResult,
    read_result,
    speedups,
)
from pyhost.report import show


def kernels(*, on_accelerator=True):
    """A product of 8 x 4 x 16 = 512 multiply-adds in 100 cycles (64 while the job ran), or 5,120; and an update."""
    counters = AcceleratorCounters(cycles=64, busy=16, wait_a=20, wait_b=12, wait_store=16, dma_beats=40, bus_wait=3)
    return (
        KernelResult(
            index=0,
            name="dense1.forward",
            kind="gemm",
            shape=(8, 4, 16),
            macs=512,
            cycles=100 if on_accelerator else 5120,
            accelerator=counters if on_accelerator else None,
            bit_exact=True,
        ),
        KernelResult(
            index=1, name="dense1.weight.update", kind="sgd", shape=(16, 4), macs=0, cycles=1300, bit_exact=True
        ),
    )


def result(*, on_accelerator=True, **changes):
    measured = kernels(on_accelerator=on_accelerator)
    elements = 64 if on_accelerator else 0
    fields = {
        "job": Job() if on_accelerator else Job().with_changes({"accelerator.enabled": False}),
        "target": "verilator",
        "bit_exact": True,
        "kernels": measured,
        "totals": Totals.of(measured, cycles=1500 if on_accelerator else 6500, elements=elements),
        "loss": 2.25,
        "seconds": Seconds(build=0.0, load=0.1, run=2.0, golden=0.5, total=2.7, simulated_cycles_per_second=1.5e6),
        "environment": {"python": "3.11", "verilator": None},
    }
    return Result(**{**fields, **changes})


def wrong():
    mismatch = Mismatch(
        kernel="dense1.forward",
        kernel_index=0,
        tensor="dense1.product",
        format="e8m23",
        index=(7, 3),
        expected=Number(0x3F800000, 1.0),
        actual=Number(0x7FC00000, math.nan),
        different=13,
        elements=32,
    )
    first, second = kernels()
    return result(bit_exact=False, mismatches=(mismatch,), kernels=(replace(first, bit_exact=False), second))


def shown(what, *, encoding="utf-8", width=80):
    """The lines that a console of this width shows."""
    buffer = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    show(what, Console(file=buffer, width=width, highlight=False))
    buffer.flush()
    return buffer.buffer.getvalue().decode(encoding).splitlines()


def test_totals_are_sums_and_ratios():
    totals = result().totals
    assert totals.macs == 512
    assert totals.macs_per_cycle == 512 / 1500
    assert totals.utilization == 512 / (64 * 64) == result().kernels[0].utilization(64)
    assert result().kernels[0].macs_per_cycle == 5.12


def test_what_is_not_known_is_none():
    totals = Totals.of([replace(kernel, accelerator=None) for kernel in kernels()], cycles=None, elements=64)
    assert (totals.cycles, totals.macs_per_cycle, totals.utilization, totals.predicted_cycles) == (None,) * 4
    assert kernels()[1].macs_per_cycle is None
    assert kernels()[1].utilization(64) is None


def test_the_file_has_the_documented_keys_and_null_for_unknown():
    plain = json.loads(result().to_json())
    documented = "schema floatsoc_version job target bit_exact mismatches totals kernels environment seconds"
    assert set(documented.split()) <= plain.keys()
    kernel = plain["kernels"][0]
    documented = "index name kind shape macs cycles predicted_cycles instructions accelerator energy_pj bit_exact"
    assert set(documented.split()) <= kernel.keys()
    assert {"busy", "wait_a", "wait_b", "wait_store", "dma_beats", "bus_wait"} <= kernel["accelerator"].keys()
    assert kernel["instructions"] is None
    assert plain["kernels"][1]["accelerator"] is None
    assert plain["totals"].keys() == {
        *("cycles", "macs", "macs_per_cycle", "utilization", "accelerator", "cpu_bus"),
        *("energy_pj", "energy_interval_pj", "predicted_cycles"),
    }
    assert plain["seconds"].keys() == {"build", "load", "run", "golden", "total", "simulated_cycles_per_second"}


def test_every_key_is_documented():
    text = (Path(__file__).parents[2] / "docs" / "results.md").read_text()
    plain = json.loads(wrong().to_json())
    trained = json.loads(TrainResult(job=Job(), target="golden", bit_exact=None, steps=()).to_json())
    kernel = plain["kernels"][0]
    tables = (plain, trained, plain["totals"], plain["seconds"], plain["mismatches"][0], kernel, kernel["accelerator"])
    for key in {key for table in tables for key in table}:
        assert f"`{key}`" in text


@pytest.mark.parametrize(
    "written",
    [
        result(),
        result(baseline=result(on_accelerator=False)),
        result(job=gemm_job({"m": 8, "n": 4, "k": 16}, {"rows": 4}), loss=None),
    ],
)
def test_a_result_survives_its_file(written):
    assert Result.from_json(written.to_json()) == written


def test_nan_survives_in_valid_json():
    text = wrong().to_json()
    json.loads(text, parse_constant=pytest.fail)
    assert math.isnan(Result.from_json(text).mismatches[0].actual.value)


def test_a_result_stays_readable_when_its_data_has_gone(tmp_path):
    data = tmp_path / "data.npz"
    data.touch()
    text = result(job=Job().with_changes({"training.data": str(data)})).to_json()
    data.unlink()
    assert Result.from_json(text).job.training.data == str(data)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', '{"steps": []}'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(JobError, match=r"result\.json: not a result of schema 1"):
        read_result(tmp_path)


def test_a_directory_without_a_result_is_refused(tmp_path):
    with pytest.raises(JobError, match="not a run directory"):
        read_result(tmp_path)


def test_frames_have_a_row_a_kernel():
    pytest.importorskip("pandas")
    frame = result().to_frame()
    assert list(frame["cycles"]) == [100, 1300]
    assert frame["accelerator.busy"][0] == 16


def test_speedups_are_of_kernels_of_the_same_name():
    found = speedups(result(), result(on_accelerator=False))
    assert [(row.name, row.factor) for row in found] == [("dense1.forward", 51.2), ("dense1.weight.update", 1.0)]


def test_both_runs_must_be_equal():
    assert result().equal is True
    assert result(baseline=result(on_accelerator=False, bit_exact=False)).equal is False
    assert result(bit_exact=None).equal is None


def test_a_result_says_what_matters_in_80_columns():
    lines = shown(result())
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 80
    assert lines[0] == "EXACT  2 kernels compared with the golden model: every bit equal"
    row = next(line for line in lines if line.startswith("dense1.forward")).split()
    assert row == ["dense1.forward", "100", "▎", "6.7%", "512", "5.12", "12%", "yes"]
    assert "1,500" in text
    assert "2.25" in text
    assert "1.50 million cycles simulated a second" in text


def test_a_result_needs_neither_unicode_nor_colour():
    lines = shown(wrong(), encoding="ascii")
    assert lines[0].startswith("NOT EQUAL")
    assert "#" in next(line for line in lines if line.startswith("dense1.weight.update"))
    assert max(map(len, lines)) <= 80


def test_a_mismatch_is_named_with_both_codes_and_values():
    lines = shown(wrong())
    start = next(i for i, line in enumerate(lines) if "dense1.forward (number 0)" in line)
    assert [" ".join(line.split()) for line in lines[start + 1 : start + 6]] == [
        "tensor dense1.product, e8m23",
        "differ 13 of 32 elements",
        "first [7, 3]",
        "expected code 0x3f800000, value 1.0",
        "actual code 0x7fc00000, value nan",
    ]
    assert lines[-2].split() == ["matrix", "products", "100", "▎", "6.7%", "512", "5.12", "12%"]
    assert lines[-1].split() == ["step", "1,500", "512", "0.341", "12%", "NO"]


def test_the_baseline_shows_both_counts_and_the_speedup():
    lines = shown(result(baseline=result(on_accelerator=False)))
    assert max(map(len, lines)) <= 80
    tail = [line.split() for line in lines[-6:]]
    assert ["dense1.forward", "5,120", "100", "51.2", "x"] in tail
    assert tail[-2:] == [["matrix", "products", "5,120", "100", "51.2", "x"], ["step", "6,500", "1,500", "4.3", "x"]]


def test_columns_without_content_are_left_out():
    bare = tuple(replace(kernel, cycles=None, accelerator=None) for kernel in kernels())
    text = "\n".join(shown(result(target="golden", kernels=bare, totals=Totals.of(bare, cycles=None, elements=0))))
    assert "share" not in text
    assert "array" not in text


def test_where_there_is_no_room_a_name_is_shortened():
    first, second = kernels()
    crowded = replace(result(), kernels=(replace(first, name="a_layer_of_a_rather_long_name.weight_gradient"), second))
    lines = shown(crowded, width=60)
    assert max(map(len, lines)) <= 60
    assert any(line.startswith("a_layer") and line.split()[1:3] == ["100", "▎"] for line in lines)


def test_a_long_training_shows_its_ends_and_fits():
    steps = tuple(
        Step(step=i, loss=2.0 / (i + 1), accuracy=0.5, cycles=123_456, bit_exact=True if i % 10 == 9 else None)
        for i in range(1000)
    )
    lines = shown(TrainResult(job=Job(), target="verilator", bit_exact=True, steps=steps))
    assert lines[0] == "EXACT  100 of 1,000 steps compared with the golden model: every bit equal"
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if line[:4].strip().isdecimal()][0::19] == ["0", "999"]


def test_jobs_of_a_product_show_what_the_array_waited_for():
    first, _ = kernels()
    second = replace(first, name="gemm2", predicted_cycles=60)
    jobs = (replace(first, name="gemm1", predicted_cycles=65), second)
    totals = Totals.of(jobs, cycles=150, elements=64)
    lines = shown(
        result(job=gemm_job({"m": 8, "n": 4, "k": 16, "jobs": 2}, {}), kernels=jobs, totals=totals, loss=None)
    )
    assert [line.split() for line in lines if line.startswith("gemm")] == [
        ["gemm1", "64", "65", "12.5%", "16", "20", "12", "16", "40", "3", "yes"],
        ["gemm2", "64", "60", "12.5%", "16", "20", "12", "16", "40", "3", "yes"],
    ]
    assert lines[-1].split() == ["total", "128", "125", "12.5%", "32", "40", "24", "32", "80", "6", "yes"]
    assert any("12.50% of its elements at work, 10.67% by the SoC's count" in line for line in lines)
    assert any(line.split()[:1] == ["product"] and "queued" in line for line in lines)


def test_a_convolution_shows_its_passes():
    first, _ = kernels()
    job = convolution_job(
        {"images": 1, "height": 8, "width": 8, "channels": 2, "filters": 4, "rounding": "stochastic:5"}
    )
    lines = shown(result(job=job, kernels=(replace(first, name="forward"),), loss=None))
    text = "\n".join(lines)
    assert "1 x 8 x 8 x 2 -> 4, kernel 3" in text
    assert "rounded stochastic:5" in text
    assert any(line.startswith("forward ") for line in lines)
