"""Traces of runs recorded with --profile, by the SQL of Perfetto's trace processor: against states cycle by cycle."""

import json
import random
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pytest

from pyhost.job import Job
from pyhost.profile import AcceleratorCounters, KernelResult, Result, Totals, trace_activity
from pyhost.profile.trace import write_trace
from tests.pyhost.trace_processor import Sql

STATES = ("idle", "busy", "wait_a", "wait_b", "wait_store")
NAMES = {"busy": "busy", "wait A": "wait_a", "wait B": "wait_b", "wait store": "wait_store"}
TRAFFIC = ("dma_reads", "dma_writes", "bus_wait", "cpu_reads", "cpu_writes", "cpu_busy")
INTERVAL = 64


class Run:
    """A random step, cycle by cycle: jobs, alone and in queues, with idle cycles between; and its two records."""

    def __init__(self, random_):
        self.states, self.jobs, kernels = [], [], []
        for index in range(12):
            self.states += ["idle"] * random_.choice([0, 0, random_.randrange(400)])
            start = len(self.states)
            for _ in range(random_.randrange(5, 40)):
                self.states += [random_.choice(STATES[1:])] * random_.randrange(1, 60)
            self.jobs.append((f"gemm{index}", start, len(self.states)))
            counters = {name: self.states[start:].count(name) for name in STATES[1:]}
            late = random_.randrange(20)
            begin = kernels[-1].begin + kernels[-1].cycles + random_.randrange(3) if kernels else 0
            kernel = KernelResult(
                index=index,
                name=f"gemm{index}",
                kind="gemm",
                shape=(1, 1, 1),
                macs=1,
                begin=begin,
                cycles=len(self.states) + late - begin,
                accelerator=AcceleratorCounters(**counters, cycles=sum(counters.values())),
            )
            kernels.append(kernel)
        self.states += ["idle"] * (kernels[-1].begin + kernels[-1].cycles - len(self.states))
        self.traffic = {name: [random_.random() < 0.3 for _ in self.states] for name in TRAFFIC}
        totals = Totals.of(kernels, cycles=len(self.states), elements=64)
        self.result = Result(job=Job(), target="verilator", bit_exact=True, kernels=tuple(kernels), totals=totals)

    def record(self, directory):
        """result.json and, as docs/profile.md says, activity.npz."""
        directory.mkdir(exist_ok=True)
        (directory / "result.json").write_text(self.result.to_json())
        runs = [(STATES.index(state), len(list(cycles))) for state, cycles in groupby(self.states)]
        starts = range(0, len(self.states), INTERVAL)
        np.savez_compressed(
            directory / "activity.npz",
            version=np.int64(1),
            cycles=np.int64(len(self.states)),
            interval=np.int64(INTERVAL),
            state=np.array([state for state, _ in runs], np.uint8),
            length=np.array([length for _, length in runs], np.uint32),
            **{
                name: np.array([sum(events[i : i + INTERVAL]) for i in starts], np.uint8)
                for name, events in self.traffic.items()
            },
        )
        return directory


def a_run():
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return Run(random.Random(seed))


@pytest.fixture(scope="module")
def run():
    return a_run()


@pytest.fixture(scope="module")
def run_dir(run, tmp_path_factory):
    return run.record(tmp_path_factory.mktemp("run"))


def opened(run_dir, path):
    write_trace(run_dir, path)
    return Sql(path.read_bytes())


@pytest.fixture(scope="module")
def sql(run_dir, tmp_path_factory):
    processor = opened(run_dir, tmp_path_factory.mktemp("traces") / "step.pftrace")
    yield processor
    processor.close()


def slices(sql, track):
    where = f"select id from track where name = '{track}'"
    return sql(f"select slice.name, ts, dur from slice where track_id in ({where}) order by ts, id")


def samples(sql, track):
    where = f"select id from counter_track where name = '{track}'"
    return sql(f"select ts, value from counter where track_id in ({where}) order by ts")


def integral(rows):
    return sum(value * (following - start) for (start, value), (following, _) in pairwise(rows))


def test_jobs_are_where_they_were(sql, run):
    assert [(name, start, start + cycles) for name, start, cycles in slices(sql, "accelerator jobs")] == run.jobs


def test_kernels_begin_where_they_did(sql, run):
    expected = [(kernel.name, kernel.begin, kernel.cycles) for kernel in run.result.kernels]
    assert slices(sql, "CPU kernels") == expected


def test_every_cycle_of_the_array_is_what_it_was(sql, run):
    states = ["idle"] * len(run.states)
    for name, start, cycles in slices(sql, "array"):
        states[start : start + cycles] = [NAMES[name]] * cycles
    assert states == run.states


@pytest.mark.parametrize(
    ("track", "events"),
    [
        ("DMA", ("dma_reads", "dma_writes")),
        ("DMA reads", ("dma_reads",)),
        ("DMA writes", ("dma_writes",)),
        ("DMA held up", ("bus_wait",)),
        ("CPU bus", ("cpu_reads", "cpu_writes")),
        ("CPU reads", ("cpu_reads",)),
        ("CPU writes", ("cpu_writes",)),
        ("CPU bus busy", ("cpu_busy",)),
    ],
)
def test_traffic_is_a_mean_of_each_interval(sql, run, track, events):
    rows = samples(sql, track)
    assert integral(rows) == pytest.approx(sum(sum(run.traffic[name]) for name in events))
    start, value = random.choice(rows[:-1])
    count = sum(sum(run.traffic[name][start : start + INTERVAL]) for name in events)
    assert value == pytest.approx(count / min(INTERVAL, len(run.states) - start))


def test_the_trace_says_that_it_is_exact(sql, run_dir, floatsoc):
    (about,) = sql("select display_value from args where key = 'debug.waits'")
    assert about == ("cycle by cycle, as recorded",)
    assert json.loads(floatsoc("trace", run_dir, "--json")[1])["waits"] == about[0]
    assert sql("select name from stats where severity in ('error', 'data_loss') and value > 0") == []


def test_too_many_slices_are_summed_over_windows(run, run_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(trace_activity, "_MOST_SLICES", 50)
    monkeypatch.setattr(trace_activity, "_MOST_SAMPLES", 20)
    sql = opened(run_dir, tmp_path / "step.pftrace")
    try:
        ((about,),) = sql("select display_value from args where key = 'debug.waits'")
        blocks, dma = slices(sql, "array"), samples(sql, "DMA")
        described = "extract_arg(source_arg_set_id, 'description')"
        ((means,),) = sql(f"select {described} from counter_track where name = 'DMA'")
    finally:
        sql.close()
    window = int(about.split()[3].replace(",", ""))
    assert about == f"sums of each {window:,} cycles, drawn one after the other"
    assert len(blocks) <= 50
    assert len(dma) <= 21
    assert integral(dma) == pytest.approx(sum(run.traffic["dma_reads"]) + sum(run.traffic["dma_writes"]))
    interval = int(means.removeprefix("mean of each ").removesuffix(" cycles"))
    for start, value in dma[:-1]:
        events = [sum(run.traffic[name][start : start + interval]) for name in ("dma_reads", "dma_writes")]
        assert value == pytest.approx(sum(events) / min(interval, len(run.states) - start))
    sums = {}
    for name, start, cycles in blocks:
        assert start // window == (start + cycles - 1) // window
        sums[start // window, NAMES[name.removesuffix(" (sum)")]] = cycles
    expected = {}
    for cycle, state in enumerate(run.states):
        if state != "idle":
            expected[cycle // window, state] = expected.get((cycle // window, state), 0) + 1
    assert sums == expected


def damaged(directory, name):
    path = directory / "activity.npz"
    whole = path.read_bytes()
    match name:
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(whole[: len(whole) // 2])
        case "corrupt":
            middle = len(whole) // 2
            path.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
        case "text":
            path.write_text("no archive")
        case "of another run":
            a_run().record(directory)
            (directory / "result.json").write_text(a_run().result.to_json())


@pytest.mark.parametrize("name", ["empty", "truncated", "corrupt", "text", "of another run"])
def test_a_damaged_activity_is_one_line_and_status_2(floatsoc, name):
    damaged(a_run().record(Path("run")), name)
    status, out, err = floatsoc("trace", "run")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "activity.npz" in err
    assert not Path("run/trace.pftrace").exists()
