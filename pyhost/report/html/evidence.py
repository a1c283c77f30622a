"""What a run directory holds beside its result: tensors, and what the golden model says of their rounding."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyhost.cosim.launch import accumulator_of
from pyhost.cosim.replay import beginning
from pyhost.errors import FloatsocError, JobError
from pyhost.profile.activity import FILE, Activity, read_activity
from pyhost.profile.result import Result, TrainResult
from pyhost.profile.tensors import TensorProfile, profile_tensors, rounding_errors

__all__ = ["Evidence", "gather"]


@dataclass(frozen=True)
class Evidence:
    """Profiles of tensors; where something of them is not known, `missing` says why, in a sentence each.

    activity: what the accelerator did cycle by cycle, where that was recorded.
    """

    tensors: tuple[TensorProfile, ...]
    missing: tuple[str, ...]
    activity: Activity | None = None


def gather(result: Result | TrainResult) -> Evidence:
    """Reads what there is, and runs the golden model again. JobError for a file that cannot be read."""
    tensors, missing = _numbers(result)
    directory = result.directory
    activity = read_activity(directory) if directory and (directory / FILE).exists() else None
    return Evidence(tensors, missing, activity)


def _numbers(result: Result | TrainResult) -> tuple[tuple[TensorProfile, ...], tuple[str, ...]]:
    """A training run keeps the tensors of its last step, but not what that started from: their errors are not known."""
    try:
        plan, before = beginning(result.job)
    except FloatsocError as error:
        return (), (f"The tensors cannot be shown: {error}.",)
    recorded = _tensors(result)
    if recorded is None:
        return (), ("The run directory has no tensors.npz: what the tensors held is not known.",)
    for tensor in plan.tensors:
        if tensor.name in recorded and recorded[tensor.name].shape != tensor.shape:
            raise JobError(
                f"{result.directory}: {tensor.name} has shape {recorded[tensor.name].shape} in tensors.npz, and in the "
                f"plan of result.json {tensor.shape}: they are of two runs"
            )
    if isinstance(result, TrainResult):
        told = "These are the tensors of the last step. What it started from is not recorded, so that what rounding "
        return profile_tensors(plan.tensors, recorded, {}), (f"{told}cost is not known.",)
    errors = rounding_errors(plan, before, accumulator=accumulator_of(result.job))
    missing: tuple[str, ...] = ()
    if result.bit_exact is False:
        missing = ("Counts are of the target's tensors, rounding errors of the golden model's, which differ here.",)
    return profile_tensors(plan.tensors, {**before, **recorded}, errors), missing


def _tensors(result: Result | TrainResult) -> Mapping[str, NDArray[np.unsignedinteger]] | None:
    if result.directory is None:
        return None
    path = result.directory / "tensors.npz"
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive.items())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise JobError(f"{path}: damaged, or not an .npz archive: {error}") from error
