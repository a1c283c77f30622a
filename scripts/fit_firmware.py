"""Fit the firmware's cost model to runs of the RTL: writes pyhost/golden/cycles/firmware.json.

    python scripts/fit_firmware.py            the whole set, some minutes; builds the SoC where that is missing
    python scripts/fit_firmware.py --check    compare the fits with other seeds, and write nothing

Costs are least squares of the relative error, with coefficients that are not negative, over the features of a kernel;
for each kind and for all formats that occur. Needs scipy.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import nnls

from pyhost.cosim.run import plan_of, run
from pyhost.datasets import load_dataset
from pyhost.golden.cycles import firmware
from pyhost.job import Job

OUTPUT = Path(firmware.__file__).with_name("firmware.json")

ACCELERATED = [
    {"network.model": model, "network.batch": batch, "training.seed": seed}
    for model, batch in (
        ("cnn-digits", 1),
        ("cnn-digits", 8),
        ("mlp-digits", 4),
        ("mlp-digits", 16),
        ("linear-digits", 8),
    )
    for seed in (1, 2)
]
"""The default accelerator and formats."""

FORMATS = ("e4m3fn", "e5m2", "e5m10", "e8m7", "posit8", "e8m23")
ALONE = [
    {
        "accelerator.enabled": False,
        "accelerator.accumulator": accumulator,
        "network.model": "mlp-digits",
        "network.batch": batch,
        "training.seed": batch,
        **{f"formats.{name}": format_ for name in ("activation", "weight", "gradient")},
    }
    for format_ in FORMATS
    for accumulator in (("exact", "e8m23") if format_ != "e8m23" else ("e8m23",))
    for batch in (2, 5)
] + [
    {"accelerator.enabled": False, "network.model": "cnn-digits", "network.batch": 1, "accelerator.accumulator": each}
    for each in ("exact", "e8m23")
]
"""Without an accelerator, in other formats."""


class Measured(NamedTuple):
    """What a kernel cost; bus_words: 32-bit words on the CPU's buses."""

    cycles: int
    instructions: int
    bus_words: int


def samples(changes: list[dict[str, object]]) -> Iterator[tuple[str, str, dict[str, float], Measured]]:
    """(kind or "job", signature, features, what was measured) of each kernel of the jobs."""
    for number, change in enumerate(changes, 1):
        job = Job().with_changes(change)
        print(f"{number} of {len(changes)}: {change}", file=sys.stderr)
        result = run(job, runs_dir=None)
        assert result.bit_exact
        plan = plan_of(job, load_dataset(job.training.data))
        for kernel, cost in zip(plan.kernels, result.kernels, strict=True):
            assert cost.cycles is not None and cost.instructions is not None and cost.cpu_bus is not None
            measured = Measured(cost.cycles, cost.instructions, cost.cpu_bus.reads + cost.cpu_bus.writes)
            if cost.accelerator is not None:
                yield "job", "", {"one": 1, "cycles": cost.accelerator.cycles}, measured
            else:
                formats = firmware.signature(kernel.call, job.accelerator.accumulator)
                yield kernel.kind, formats, firmware.features(kernel.call), measured


def fit(rows: list[tuple[dict[str, float], Measured]]) -> dict[str, Any]:
    """Coefficients that minimise the relative error, and that error."""
    names = list(rows[0][0])
    counts = np.array([[row[0][name] for name in names] for row in rows], float)
    coefficients = {}
    for what in Measured._fields:
        measured = np.array([getattr(row[1], what) for row in rows], float)
        weights = 1 / np.maximum(measured, 1)
        coefficients[what] = nnls(counts * weights[:, None], measured * weights)[0]
    errors = np.abs(counts @ coefficients["cycles"] / np.array([row[1].cycles for row in rows]) - 1)
    return {
        **{
            what: {name: float(f"{value:.6g}") for name, value in zip(names, found, strict=True) if value}
            for what, found in coefficients.items()
        },
        "samples": len(rows),
        "error": float(f"{errors.max():.3g}"),
        "rms": float(f"{np.sqrt((errors**2).mean()):.3g}"),
    }


def know_no_better(of_kind: dict[str, Any]) -> None:
    """A fit through as many samples as it has coefficients has no residual: its error is the worst of its kind."""
    trusted = [fit for fit in of_kind.values() if fit["samples"] > len(fit["cycles"])]
    for found in of_kind.values():
        if found not in trusted and trusted:
            found |= {each: max(fit[each] for fit in trusted) for each in ("error", "rms")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="Compare with seeds 11 and 12 of the default formats.")
    if parser.parse_args().check:
        check()
        return
    rows = defaultdict(lambda: defaultdict(list))
    for kind, formats, counts, measured in samples(ACCELERATED + ALONE):
        rows[kind][formats].append((counts, measured))
    job = fit(rows.pop("job")[""])
    kinds = {
        kind: {formats: fit(each) for formats, each in sorted(of_kind.items())}
        for kind, of_kind in sorted(rows.items())
    }
    for of_kind in kinds.values():
        know_no_better(of_kind)
    document = {
        "schema": 1,
        "cpu": "full",
        "memory": "sram",
        "source": "scripts/fit_firmware.py: the default SoC, verilated; firmware by zig",
        "job": job,
        "kinds": kinds,
    }
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n")
    print(f"wrote {OUTPUT}")


def check() -> None:
    """Largest and typical error by kind over seeds that were not fitted."""
    errors = defaultdict(list)
    changes = [{**change, "training.seed": seed} for change in ACCELERATED[::2] for seed in (11, 12)]
    table = firmware.fits()
    for kind, formats, counts, measured in samples(changes):
        known = table.job if kind == "job" else table.kinds[kind][formats]
        predicted = sum(known.cycles[name] * count for name, count in counts.items())
        errors[kind].append(predicted / measured.cycles - 1)
    for kind, found in sorted(errors.items()):
        print(f"{kind:24} {len(found):4} kernels, {min(found):+.1%} to {max(found):+.1%}")


if __name__ == "__main__":
    main()
