"""A result as one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from pyhost.errors import FloatsocError
from pyhost.files import replacing
from pyhost.profile.result import Result, TrainResult
from pyhost.report.html.evidence import gather
from pyhost.report.html.page import render
from pyhost.report.html.runtime import vega_script

__all__ = ["write_report"]

RECORDS: Final = frozenset({"result.json", "tensors.npz", "console.txt", "activity.npz"})
"""Files of a run directory that are no place for a page."""


def write_report(
    result: Result | TrainResult, path: Path, progress: Callable[[str], None] = lambda message: None
) -> None:
    """Write the page of `result` to `path`, whole or not at all.

    What the result's directory does not hold is left out, and the page says so. Raises JobError for a file of the
    directory that cannot be read, FloatsocError where `path` cannot be written.
    """
    if path.name in RECORDS and result.directory and path.resolve().parent == result.directory.resolve():
        raise FloatsocError(f"cannot write {path}: it is a record of the run; name another file")
    with replacing(path) as file:
        progress("looking at the tensors")
        evidence = gather(result)
        script = vega_script(progress)
        progress("drawing")
        file.write(render(result, evidence, script).encode())
