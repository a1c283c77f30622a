"""Traces, by the SQL of Perfetto's own trace processor: against result.json, and what the command refuses."""

import errno
import json
import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

import pyhost.profile.trace
from pyhost.job import Job
from pyhost.profile import AcceleratorCounters, KernelResult, Result, Totals, TrainResult
from pyhost.profile.result import Energy, EnergyPart
from tests.pyhost.trace_processor import Sql

WAITS = ("wait_a", "wait_b", "wait_store")
MHZ = 250.0


def a_product(random_, index):
    """A job of the accelerator, of which the firmware hears a few cycles late, or early for the one before."""
    parts = {name: random_.randrange(50) for name in WAITS} | {"busy": random_.randrange(200, 5000)}
    counters = AcceleratorCounters(
        **parts,
        cycles=sum(parts.values()),
        dma_beats=random_.randrange(2000),
        macs=random_.randrange(10**9),
        bus_wait=3,
    )
    return KernelResult(
        index=index,
        name=f"layer{index}.forward",
        kind="gemm",
        shape=(8, 4, 16),
        macs=512,
        cycles=counters.cycles + (130 if index == 0 else random_.randrange(-30, 30)),
        predicted_cycles=counters.cycles,
        accelerator=counters,
        energy_pj={"array": 100.5, "leakage": 20.25, "total": 120.75},
        bit_exact=True,
    )


def a_kernel(random_, index):
    energy = {"cpu": 3.5 * index, "total": 3.5 * index}
    return KernelResult(
        index=index,
        name=f"loss{index}",
        kind="sgd",
        shape=(7,),
        macs=0,
        cycles=random_.randrange(10**6),
        energy_pj=energy,
    )


def a_result():
    """A step whose jobs are queued in groups, and the same without the accelerator; new numbers in each run."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    random_ = random.Random(seed)
    kernels = tuple((a_kernel if index % 7 > 4 else a_product)(random_, index) for index in range(40))
    part = EnergyPart(name="array", picojoules=1.0, low=0.5, high=2.0, assumption="none", source="a test")
    energy = Energy(
        technology="t45", node_nm=45, voltage=0.9, clock_mhz=MHZ, parts=(part,), total_pj=1, low_pj=0, high_pj=2
    )
    result = Result(
        job=Job(),
        target="verilator",
        bit_exact=True,
        kernels=kernels,
        totals=Totals.of(kernels, cycles=sum(k.cycles for k in kernels) + 1000, elements=64),
        energy=energy,
    )
    alone = tuple(replace(k, cycles=10 * k.cycles, accelerator=None, energy_pj=None) for k in kernels)
    totals = Totals.of(alone, cycles=10 * result.totals.cycles, elements=0)
    job = Job().with_changes({"accelerator.enabled": False})
    return replace(result, baseline=replace(result, job=job, kernels=alone, totals=totals, energy=None))


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("run")
    (directory / "result.json").write_text(a_result().to_json())
    return directory


@pytest.fixture(scope="module")
def recorded(run_dir):
    """What the file says, read without the code under test."""
    return json.loads((run_dir / "result.json").read_text())


@pytest.fixture(scope="module")
def sql(run_dir, tmp_path_factory):
    path = tmp_path_factory.mktemp("traces") / "step.pftrace"
    pyhost.profile.trace.write_trace(run_dir, path)
    processor = Sql(path.read_bytes())
    yield processor
    processor.close()


def track(name, run="cnn-digits on verilator"):
    """A subquery: the ids of this track of a run."""
    parent = f"select id from track where name = '{run}'"
    return f"(select id from track where name = '{name}' and parent_id in ({parent}))"


def slices(sql, name, columns="name, ts, dur", **where):
    return sql(f"select {columns} from slice where track_id in {track(name, **where)} order by id")


def integral(sql, name):
    """The sum over time of a counter."""
    changes = f"select value, lead(ts) over (order by ts) - ts as dur from counter where track_id in {track(name)}"
    return sql(f"select sum(value * dur) from ({changes})")[0][0]


@pytest.mark.parametrize(
    "run", ["cnn-digits on verilator", "baseline, cnn-digits on verilator, without the accelerator"]
)
def test_the_kernels_are_those_of_the_result(sql, recorded, run):
    result = recorded["baseline"] if "baseline" in run else recorded
    kernels = result["kernels"]
    rows = slices(sql, "CPU kernels", run=run)
    assert [(name, cycles) for name, _, cycles in rows] == [(k["name"], k["cycles"]) for k in kernels]
    assert [start for _, start, _ in rows] == [sum(k["cycles"] for k in kernels[:i]) for i in range(len(kernels))]
    assert sql(f"select ts, dur from slice where name = '{run}'") == [(0, result["totals"]["cycles"])]


def test_jobs_last_what_the_accelerator_counted_and_share_no_cycle(sql, recorded):
    expected = [k for k in recorded["kernels"] if k["accelerator"]]
    rows = slices(sql, "accelerator jobs")
    assert [(name, cycles) for name, _, cycles in rows] == [(k["name"], k["accelerator"]["cycles"]) for k in expected]
    for (_, start, cycles), (_, following, _) in pairwise(rows):
        assert start + cycles <= following
    ends = {name: start + cycles for name, start, cycles in slices(sql, "CPU kernels")}
    late = [ends[name] - start - cycles for name, start, cycles in rows]
    assert min(late) >= 0
    assert late[-1] == 0


@pytest.mark.parametrize(
    ("counter", "name"),
    [("busy", "busy"), ("wait_a", "wait A"), ("wait_b", "wait B"), ("wait_store", "wait store")],
)
def test_what_the_array_did_is_named_as_sums(sql, recorded, counter, name):
    columns = "extract_arg(arg_set_id, 'debug.job'), dur, name"
    found = {job: cycles for job, cycles, state in slices(sql, "array", columns) if state == f"{name} (sum)"}
    expected = {k["name"]: k["accelerator"][counter] for k in recorded["kernels"] if k["accelerator"]}
    assert found == {name: cycles for name, cycles in expected.items() if cycles}


def test_the_counts_over_time_sum_to_beats_and_joules(sql, recorded):
    kernels = recorded["kernels"]
    beats = sum(k["accelerator"]["dma_beats"] for k in kernels if k["accelerator"])
    assert integral(sql, "DMA") == pytest.approx(beats)
    picojoules = sum(k["energy_pj"]["total"] for k in kernels)  # 1 mW for 1 cycle is 1000 / MHz pJ
    assert integral(sql, "power") * 1000 / MHZ == pytest.approx(picojoules)
    units = sql(f"select unit from counter_track where id in {track('DMA')} or id in {track('power')} order by name")
    assert units == [("beats/cycle",), ("mW",)]


def test_a_kernel_has_all_that_is_known_and_nothing_else(sql, recorded):
    kernel = next(k for k in recorded["kernels"] if k["accelerator"])
    where = f"select arg_set_id from slice where name = '{kernel['name']}' and track_id in {track('CPU kernels')}"
    found = dict(sql(f"select key, display_value from args where arg_set_id in ({where}) and key glob 'debug.*'"))
    assert found["debug.macs"] == "512"
    assert [found[f"debug.shape[{i}]"] for i in range(3)] == ["8", "4", "16"]
    assert found["debug.bit_exact"] == "true"
    assert found["debug.predicted_cycles"] == str(kernel["predicted_cycles"])
    assert float(found["debug.energy_pj.leakage"]) == 20.25
    assert all(found[f"debug.accelerator.{name}"] == str(n) for name, n in kernel["accelerator"].items())
    assert "debug.instructions" not in found


def test_the_trace_says_what_a_cycle_is_and_where_its_waits_are_from(sql):
    found = dict(
        sql("select key, display_value from args join slice using (arg_set_id) where name = 'cnn-digits on verilator'")
    )
    assert found["debug.time"] == "1 ns of the trace is 1 cycle of the SoC's clock"
    assert found["debug.waits"] == "sums of each job, drawn one after the other"


def test_the_trace_processor_finds_no_fault(sql):
    assert sql("select name from stats where severity in ('error', 'data_loss') and value > 0") == []


def test_the_command_says_what_it_wrote(floatsoc, run_dir, recorded):
    cycles = sum(kernel["cycles"] for kernel in recorded["kernels"])
    status, out, err = floatsoc("trace", run_dir, "-o", "step.pftrace")
    assert (status, err) == (0, "")
    assert out.startswith(f"40 kernels, {cycles:,} cycles (1 ns each); waits are sums")
    assert "step.pftrace: open it at https://ui.perfetto.dev" in out
    written = Path("step.pftrace").read_bytes()
    status, out, _ = floatsoc("trace", run_dir, "--json")
    assert (status, json.loads(out)["path"], json.loads(out)["cycles"]) == (0, f"{run_dir}/trace.pftrace", cycles)
    assert (run_dir / "trace.pftrace").read_bytes() == written
    assert floatsoc("trace", run_dir / "result.json", "-q", "-o", "again") == (0, "again\n", "")


def test_an_older_trace_is_replaced_or_left_whole(floatsoc, run_dir, monkeypatch):
    Path("older").write_text("older")
    floatsoc("trace", run_dir, "-o", "older")
    whole = Path("older").read_bytes()
    assert whole != b"older"

    def fill(file, tracks):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pyhost.profile.trace, "write_tracks", fill)
    assert floatsoc("trace", run_dir, "-o", "older") == (3, "", "floatsoc: older: No space left on device\n")
    assert Path("older").read_bytes() == whole
    assert [path.name for path in Path().iterdir()] == ["older"]


def with_cycles(cycles):
    """A result all of whose kernels took so many."""
    result = a_result()
    return replace(result, kernels=tuple(replace(kernel, cycles=cycles) for kernel in result.kernels)).to_json()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "not a run directory"),
        ("", "not a result of schema 1"),
        (a_result().to_json()[:2000], "not a result of schema 1"),
        (a_result().to_json().replace('"schema": 1', '"schema": 2'), "not a result of schema 1: schema"),
        (replace(a_result(), kernels=()).to_json(), "no kernel"),
        (with_cycles(None), "no cycles, which only a SoC counts"),
        (with_cycles(0), "more cycles than its kernels"),
        (
            TrainResult(job=Job(), target="golden", bit_exact=None, steps=()).to_json(),
            "training runs record no kernels",
        ),
    ],
    ids=["missing", "empty", "truncated", "other schema", "no kernels", "golden", "damaged", "training"],
)
def test_what_is_no_run_with_cycles_is_one_line_and_status_2(floatsoc, content, expected):
    Path("run").mkdir()
    if content is not None:
        Path("run/result.json").write_text(content)
    status, out, err = floatsoc("trace", "run", "-o", "step.pftrace")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert expected in err
    assert "run" in err
    assert not Path("step.pftrace").exists()


def test_a_trace_is_no_run(floatsoc, run_dir):
    floatsoc("trace", run_dir, "-o", "step.pftrace")
    Path("short.pftrace").write_bytes(Path("step.pftrace").read_bytes()[:1000])
    for file in ("step.pftrace", "short.pftrace"):
        status, out, err = floatsoc("trace", file)
        assert (status, out, len(err.splitlines())) == (2, "", 1)
        assert f"{file}: not a result of schema 1" in err


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("nowhere/step.pftrace", "nowhere: No such file or directory"),
        (".", "it is a directory"),
        ("/dev/null", "it is not a regular file"),
        ("file/step.pftrace", "Not a directory"),
        ("RUN/result.json", "it is a record of the run"),
    ],
)
def test_an_output_that_cannot_be_is_one_line_and_status_2(floatsoc, run_dir, output, expected):
    Path("file").touch()
    before = (run_dir / "result.json").read_bytes()
    status, out, err = floatsoc("trace", run_dir, "-o", output.replace("RUN", str(run_dir)))
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "cannot write" in err
    assert expected in err
    assert (run_dir / "result.json").read_bytes() == before
    assert Path("/dev/null").is_char_device()
