"""`floatsoc report --html`: what it writes, says and refuses."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tests.pyhost.conftest import floatsoc  # noqa: F401
from tests.report.results import golden, kernels, record, result, trained, wrong

pytestmark = pytest.mark.usefixtures("floatsoc")


@pytest.fixture
def run_dir(tmp_path):
    return record(result(), tmp_path / "run")


def lines(text):
    return [line for line in text.splitlines() if line.startswith("floatsoc: ")]


def test_the_page_is_written_and_its_name_said(floatsoc, run_dir, tmp_path):  # noqa: F811
    page = tmp_path / "page.html"
    status, out, err = floatsoc("report", run_dir, "--html", page)
    assert (status, out) == (0, f"written to {page}\n")
    assert lines(err) == []
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert "12,800" in text


def test_json_and_a_page_at_once(floatsoc, run_dir, tmp_path):  # noqa: F811
    status, out, _ = floatsoc("report", run_dir, "--json", "--html", tmp_path / "page.html")
    assert (status, json.loads(out)["totals"]["cycles"]) == (0, 12_800)


def test_a_mismatch_makes_the_status(floatsoc, tmp_path):  # noqa: F811
    directory = record(wrong(), tmp_path / "run")
    assert floatsoc("report", directory, "--html", tmp_path / "page.html", "-q")[0] == 1


@pytest.mark.parametrize("what", [golden(), trained(), trained(0), result(kernels=()), result(energy=False)])
def test_results_of_every_kind_have_a_page(floatsoc, tmp_path, what):  # noqa: F811
    page = tmp_path / "page.html"
    status, _, err = floatsoc("report", record(what, tmp_path / "run"), "--html", page)
    assert (status, lines(err)) == (0, [])
    assert page.stat().st_size > 1000


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("result.json", b"", "not a result of schema 1"),
        ("result.json", b'{"schema": 2}', "not a result of schema 1"),
        ("tensors.npz", b"PK\x03\x04", "damaged, or not an .npz archive"),
        ("activity.npz", b"", "damaged or no activity.npz"),
    ],
)
def test_files_that_cannot_be_read_take_one_line(floatsoc, run_dir, tmp_path, name, content, message):  # noqa: F811
    (run_dir / name).write_bytes(content)
    page = tmp_path / "page.html"
    status, out, err = floatsoc("report", run_dir, "--html", page)
    assert (status, out) == (2, "")
    (line,) = lines(err)
    assert name in line
    assert message in line
    assert not page.exists()


def test_a_truncated_result_takes_one_line(floatsoc, run_dir, tmp_path):  # noqa: F811
    text = (run_dir / "result.json").read_bytes()
    (run_dir / "result.json").write_bytes(text[: len(text) // 2])
    status, _, err = floatsoc("report", run_dir, "--html", tmp_path / "page.html")
    assert (status, len(lines(err))) == (2, 1)


def test_truncated_tensors_take_one_line(floatsoc, tmp_path):  # noqa: F811
    directory = record(result(), tmp_path / "run", {"loss": np.zeros(4, np.uint32)})
    whole = (directory / "tensors.npz").read_bytes()
    for length in range(1, len(whole), 37):
        (directory / "tensors.npz").write_bytes(whole[:length])
        status, _, err = floatsoc("report", directory, "--html", tmp_path / "page.html")
        assert (status, len(lines(err))) == (2, 1), length


def test_tensors_of_another_run_are_refused(floatsoc, tmp_path):  # noqa: F811
    directory = record(result(), tmp_path / "run", {"loss": np.zeros(5, np.uint32)})
    status, _, err = floatsoc("report", directory, "--html", tmp_path / "page.html")
    assert status == 2
    assert "they are of two runs" in lines(err)[0]


@pytest.mark.parametrize("place", ["", "nowhere/page.html", "run/result.json"])
def test_places_that_are_none_for_a_page(floatsoc, run_dir, tmp_path, place):  # noqa: F811
    before = (run_dir / "result.json").read_bytes()
    status, _, err = floatsoc("report", run_dir, "--html", tmp_path / place)
    assert status == 2
    assert len(lines(err)) == 1
    assert (run_dir / "result.json").read_bytes() == before


def test_jobs_that_began_before_their_kernels_are_no_crash(floatsoc, tmp_path):  # noqa: F811
    first, *others = kernels()
    early = result(kernels=(replace(first, cycles=10), *others))
    status, _, err = floatsoc("report", record(early, tmp_path / "run"), "--html", tmp_path / "page.html")
    assert (status, lines(err)) == (0, [])


def test_charts_are_imported_for_a_page_alone():
    """They take a second."""
    check = "import sys, pyhost.cli.program; print(*sys.modules.keys() & {'altair', 'jinja2', 'vl_convert'})"
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout == "\n"
