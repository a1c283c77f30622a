"""The trace of a step that was recorded: every job has the states, in their number, that the accelerator counted."""

import pytest

from pyhost.cosim.run import run
from pyhost.profile.trace import write_trace
from tests.pyhost.trace_processor import Sql

STATES = {"busy": "busy", "wait A": "wait_a", "wait B": "wait_b", "wait store": "wait_store"}


@pytest.fixture(scope="module")
def recorded(small_job, tmp_path_factory):
    return run(small_job, profile=True, runs_dir=tmp_path_factory.mktemp("runs"))


def rows(sql, track):
    parent = f"select id from track where name = '{track}'"
    return sql(f"select name, ts, ts + dur as until from slice where track_id in ({parent}) order by ts")


def test_the_states_between_a_jobs_ends_are_those_it_counted(recorded, tmp_path):
    written = write_trace(recorded.directory, tmp_path / "step.pftrace")
    assert written.waits == "cycle by cycle, as recorded"
    sql = Sql(written.path.read_bytes())
    try:
        kernels, jobs, array = (rows(sql, track) for track in ("CPU kernels", "accelerator jobs", "array"))
    finally:
        sql.close()
    assert [(name, end - begin) for name, begin, end in kernels] == [(k.name, k.cycles) for k in recorded.kernels]
    places = {name: (begin, end) for name, begin, end in kernels}
    counted = {kernel.name: kernel.accelerator for kernel in recorded.kernels if kernel.accelerator}
    assert [name for name, _, _ in jobs] == list(counted)
    for name, begin, end in jobs:
        assert end <= places[name][1]
        inside = [each for each in array if begin <= each[1] and each[2] <= end]
        for state, counter in STATES.items():
            cycles = sum(until - since for found, since, until in inside if found == state)
            assert cycles == getattr(counted[name], counter), (name, state)
