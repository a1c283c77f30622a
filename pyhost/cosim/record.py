"""Run directories: result.json, the tensors that the target computed, the console. Written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pyhost.errors import FloatsocError
from pyhost.profile.result import Result, TrainResult
from pyhost.profile.step import StepProfile

__all__ = ["check_writable", "record"]

AnyResult = TypeVar("AnyResult", Result, TrainResult)


def check_writable(runs: str | Path | None) -> None:
    """FloatsocError if `runs` cannot be written, before a long run is lost to it. Creates nothing; None is fine."""
    if runs is None:
        return
    runs = Path(runs)
    try:
        existing = next(path for path in (runs, *runs.parents) if path.exists())
        if not existing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(existing, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _unwritable(runs, error) from error


def record(
    result: AnyResult,
    runs: Path,
    name: str,
    tensors: Mapping[str, NDArray[np.unsignedinteger]],
    console: str,
    profile: StepProfile | None = None,
) -> AnyResult:
    """Write `result` to a new directory of `runs` and return it with that directory.

    The directory is called after `name` and the local time; it holds result.json, tensors.npz (codes by tensor name)
    and console.txt, the files of `profile` if there is one, and appears under its name only when it is complete.
    Raises FloatsocError if `runs` cannot be written.
    """
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    try:
        runs.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=runs))
        try:
            (work / "result.json").write_text(result.to_json(), encoding="utf-8")
            (work / "console.txt").write_text(console, encoding="utf-8")
            _write_tensors(work / "tensors.npz", tensors)
            if profile:
                profile.write(work, name)
            work.chmod(0o755)
            directory = _rename(work, runs, f"{name}-{stamp}")
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise _unwritable(runs, error) from error
    return replace(result, directory=directory)


def _unwritable(runs: Path, error: OSError) -> FloatsocError:
    return FloatsocError(f"cannot write the run directory in {runs}: {error.strerror or error}")


def _write_tensors(path: Path, tensors: Mapping[str, NDArray[np.unsignedinteger]]) -> None:
    """A compressed .npz: a zip archive of .npy files, which `numpy.load` opens."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, codes in tensors.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, codes, allow_pickle=False)


def _rename(work: Path, runs: Path, name: str) -> Path:
    """Give the directory its name, with a number if another run of the same second has it."""
    for number in range(1, 1000):
        directory = runs / (name if number == 1 else f"{name}-{number}")
        if not directory.exists():
            try:
                os.rename(work, directory)
            except FileExistsError:
                continue
            return directory
    raise OSError(f"{runs / name} and its successors exist already")
