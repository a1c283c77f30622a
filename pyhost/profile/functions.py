"""Where the CPU's cycles went: by kernel, and in it by the functions that called each other.

A stack is what was under way in a cycle, outermost first: the kernel, then functions, inlined ones among them. A
function's own cycles (self) are those in which it was the innermost.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pyhost.errors import TargetError
from pyhost.profile.result import FunctionCycles
from pyhost.targets.elf import ElfImage
from pyhost.targets.recording import Recording

__all__ = ["BETWEEN", "FunctionProfile", "Span", "profile_functions"]

BETWEEN = "between kernels"
"""In the place of a kernel: the executor's own work."""

_SPEEDSCOPE_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


@dataclass(frozen=True)
class Span:
    """A kernel from cycle `begin` up to, not including, cycle `end` of the step."""

    name: str
    begin: int
    end: int


@dataclass(frozen=True)
class FunctionProfile:
    """Cycles by stack; their sum is `cycles`, those of the step."""

    stacks: Mapping[tuple[str, ...], int]

    @property
    def cycles(self) -> int:
        """Of the whole step."""
        return sum(self.stacks.values())

    @cached_property
    def functions(self) -> tuple[FunctionCycles, ...]:
        """Every function, the one with the most cycles of its own first; a recursive one counts once."""
        own: Counter[str] = Counter()
        total: Counter[str] = Counter()
        for (_, *frames), cycles in self.stacks.items():
            own[frames[-1]] += cycles
            total.update(dict.fromkeys(frames, cycles))
        return tuple(
            FunctionCycles(name=name, self_cycles=own[name], total_cycles=total[name])
            for name in sorted(total, key=lambda n: (-own[n], -total[n], n))
        )

    def collapsed(self) -> str:
        """A line a stack, `kernel;function;function cycles`, as Brendan Gregg's flamegraph.pl reads it."""
        return "".join(f"{';'.join(stack)} {cycles}\n" for stack, cycles in sorted(self.stacks.items()))

    def speedscope(self, name: str) -> str:
        """A document of speedscope's file format, with a profile whose unit is none: cycles.

        Stacks are in the order of the kernels. https://github.com/jlfwong/speedscope/wiki/Importing-from-custom-sources
        """
        frames = {frame: i for i, frame in enumerate(dict.fromkeys(f for stack in self.stacks for f in stack))}
        document = {
            "$schema": _SPEEDSCOPE_SCHEMA,
            "name": name,
            "exporter": f"floatsoc {version('floatsoc')}",
            "shared": {"frames": [{"name": frame} for frame in frames]},
            "profiles": [
                {
                    "type": "sampled",
                    "name": f"{name}, cycles",
                    "unit": "none",
                    "startValue": 0,
                    "endValue": self.cycles,
                    "samples": [[frames[frame] for frame in stack] for stack in self.stacks],
                    "weights": list(self.stacks.values()),
                }
            ],
        }
        return json.dumps(document, separators=(",", ":")) + "\n"

    def write(self, directory: Path, name: str) -> None:
        """`profile.speedscope.json` and `profile.collapsed.txt`."""
        (directory / "profile.speedscope.json").write_text(self.speedscope(name))
        (directory / "profile.collapsed.txt").write_text(self.collapsed())


def profile_functions(recording: Recording, kernels: Sequence[Span], cycles: int, image: ElfImage) -> FunctionProfile:
    """Every cycle of a step, by kernel and function.

    `kernels` are in order and do not overlap; a step begins at the recording's first moment and takes `cycles`. Raises
    TargetError if the recording and the kernels do not belong together.
    """
    moments = recording.moments.astype(np.int64)
    starts = moments - moments[0] if len(moments) else moments
    boundaries = {bound for kernel in kernels for bound in (kernel.begin, kernel.end)} | {cycles}
    if not boundaries <= set(starts.tolist()):
        raise TargetError("the recording does not fit the step: a kernel begins or ends at no moment of it")
    owner = np.full(len(starts), len(kernels))
    for index, kernel in enumerate(kernels):
        owner[(starts >= kernel.begin) & (starts < kernel.end)] = index

    samples = recording.samples[starts[recording.samples["epoch"]] < cycles]
    keys = np.stack([owner[samples["epoch"]], samples["call"], samples["pc"]], axis=1)
    places, inverse = np.unique(keys, axis=0, return_inverse=True)
    counts = np.zeros(len(places), np.int64)
    np.add.at(counts, inverse.reshape(-1), samples["cycles"].astype(np.int64))

    callers = _Callers(recording, image)
    stacks: Counter[tuple[int, tuple[str, ...]]] = Counter()
    for (kernel_index, call, pc), count in zip(places.tolist(), counts.tolist(), strict=True):
        stacks[kernel_index, (*callers.of(call), *image.functions_at(pc))] += count
    names = [*(kernel.name for kernel in kernels), BETWEEN]
    return FunctionProfile({(names[index], *frames): stacks[index, frames] for index, frames in sorted(stacks)})


class _Callers:
    """Names of the functions that are under way when a call happens, outermost first."""

    def __init__(self, recording: Recording, image: ElfImage) -> None:
        self._calls = recording.calls.tolist()
        self._image = image
        self._known: dict[int, tuple[str, ...]] = {0: ()}

    def of(self, call: int) -> tuple[str, ...]:
        if call not in self._known:
            caller, return_address = self._calls[call]
            self._known[call] = (*self.of(caller), *self._image.functions_at(return_address - 4))
        return self._known[call]
