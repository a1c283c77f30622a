"""All that was recorded of a step: where the CPU's cycles went, and what the accelerator and the buses did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyhost.profile.activity import Activity, activity_of
from pyhost.profile.functions import FunctionProfile, Span, profile_functions
from pyhost.targets.elf import ElfImage
from pyhost.targets.recording import Recording

__all__ = ["StepProfile", "profile_step"]


@dataclass(frozen=True)
class StepProfile:
    """Of one step, from its start to its end."""

    functions: FunctionProfile
    activity: Activity

    def write(self, directory: Path, name: str) -> None:
        """The files of a run directory that docs/profile.md describes; `name` is the run's."""
        self.functions.write(directory, name)
        self.activity.write(directory)


def profile_step(recording: Recording, kernels: Sequence[Span], cycles: int, image: ElfImage) -> StepProfile:
    """What a recording says of the step of `cycles` that begins at its first moment."""
    return StepProfile(profile_functions(recording, kernels, cycles, image), activity_of(recording, cycles))
