"""A result as one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from pyhost.errors import FloatsocError
from pyhost.profile.result import Result, TrainResult
from pyhost.report.html.evidence import gather
from pyhost.report.html.page import render
from pyhost.report.html.runtime import vega_script

__all__ = ["write_report"]


def write_report(
    result: Result | TrainResult, path: Path, progress: Callable[[str], None] = lambda message: None
) -> None:
    """Write the page of `result` to `path`, whole or not at all.

    What the result's directory does not hold is left out, and the page says so. Raises JobError for a file of the
    directory that cannot be read, FloatsocError where `path` cannot be written.
    """
    if path.is_dir():
        raise FloatsocError(f"{path} is a directory: name the file to write")
    if not path.parent.is_dir():
        raise FloatsocError(f"{path}: there is no directory {path.parent}")
    progress("looking at the tensors")
    evidence = gather(result)
    script = vega_script(progress)
    progress("drawing")
    text = render(result, evidence, script)
    try:
        handle, work = tempfile.mkstemp(prefix=".unfinished-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(work, 0o644)
            os.replace(work, path)
        except BaseException:
            Path(work).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FloatsocError(f"{path}: cannot be written: {error.strerror or error}") from error
