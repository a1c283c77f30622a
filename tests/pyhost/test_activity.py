"""The file with the accelerator's states and the traffic: what is written is read back, what is damaged is refused."""

from dataclasses import replace

import numpy as np
import pytest

from pyhost.errors import JobError, TargetError
from pyhost.profile.activity import FILE, STATES, Activity, activity_of, read_activity
from pyhost.targets.recording import CALL, RUN, SAMPLE, TRAFFIC, Recording

TRAFFIC_COUNTS = np.arange(3 * len(TRAFFIC), dtype=np.uint8).reshape(3, -1)


def recording(*runs):
    return Recording(
        moments=np.array([500], np.uint64),
        calls=np.zeros(1, CALL),
        samples=np.zeros(0, SAMPLE),
        runs=np.array(list(runs), RUN),
        traffic=TRAFFIC_COUNTS,
    )


ACTIVITY = activity_of(recording((0, 10), (1, 90), (2, 5), (1, 50), (0, 30)), 150)


def test_a_step_is_the_beginning_of_its_recording():
    assert list(ACTIVITY.runs()) == [(0, 10, "idle"), (10, 100, "busy"), (100, 105, "wait_a"), (105, 150, "busy")]
    assert [ACTIVITY.cycles_in(state) for state in STATES] == [10, 135, 5, 0, 0]
    assert ACTIVITY.dma_reads.tolist() == [0, 6, 12]
    assert ACTIVITY.cpu_busy.tolist() == [5, 11, 17]


@pytest.mark.parametrize("cycles", [100, 101, 104, 105])
def test_a_step_may_end_anywhere(cycles):
    activity = activity_of(recording((0, 10), (1, 90), (2, 5), (1, 50)), cycles)
    assert activity.length.sum() == activity.cycles == cycles
    assert (activity.length > 0).all()
    assert len(activity.dma_reads) == 2  # intervals of 64 cycles


def test_a_recording_that_ends_too_early_is_refused():
    with pytest.raises(TargetError, match="shorter than the step of 101 cycles"):
        activity_of(recording((0, 100)), 101)


def test_it_is_read_back_as_it_was_written(tmp_path):
    ACTIVITY.write(tmp_path)
    again = read_activity(tmp_path)
    for name in ("cycles", "interval", "state", "length", *TRAFFIC):
        assert np.array_equal(getattr(again, name), getattr(ACTIVITY, name)), name
    assert (again.state.dtype, again.length.dtype, again.dma_reads.dtype) == (np.uint8, np.uint32, np.uint8)


def test_a_run_without_a_profile_says_so(tmp_path):
    with pytest.raises(JobError, match="the run was not made with --profile"):
        read_activity(tmp_path)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, share):
    ACTIVITY.write(tmp_path)
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(JobError, match=f"^.*{FILE}: damaged"):
        read_activity(tmp_path)


def test_a_flipped_byte_is_found_or_does_not_matter(tmp_path):
    ACTIVITY.write(tmp_path)
    whole = (tmp_path / FILE).read_bytes()
    found = 0
    for place in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        (tmp_path / FILE).write_bytes(damaged)
        try:
            again = read_activity(tmp_path)
        except JobError:
            found += 1
        else:
            same = all(np.array_equal(getattr(again, name), getattr(ACTIVITY, name)) for name in ("state", *TRAFFIC))
            assert same, place
    assert found > len(whole) / 3 / 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": None}, "damaged: length missing"),
        ({"version": np.int64(2)}, "version 2; this floatsoc reads version 1"),
        ({"cycles": np.int64(151)}, "do not last 151 cycles"),
        ({"state": np.full(4, 5, np.uint8)}, "5 is no state"),
        ({"cpu_busy": np.zeros(2, np.uint8)}, "cpu_busy has 2 intervals, the step 3"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, change, message):
    ACTIVITY.write(tmp_path)
    with np.load(tmp_path / FILE) as archive:
        arrays = {name: array for name, array in (dict(archive) | change).items() if array is not None}
    np.savez(tmp_path / FILE, **arrays)
    with pytest.raises(JobError, match=message):
        read_activity(tmp_path)


def test_states_must_last_as_long_as_the_step():
    with pytest.raises(JobError, match="do not last 149 cycles"):
        replace(ACTIVITY, cycles=149)
    assert isinstance(replace(ACTIVITY), Activity)
