"""One training step of a job on a target, compared with the golden model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyhost.cosim.joules import with_energy
from pyhost.cosim.launch import Progress, Where, launch, silent
from pyhost.cosim.record import check_writable, record
from pyhost.cosim.session import Fault, Outcome
from pyhost.datasets import Dataset, load_dataset
from pyhost.energy import DEFAULT, Technology, load_technology
from pyhost.errors import JobError
from pyhost.formats import parse_format
from pyhost.job import Job, load_job
from pyhost.plan.calls import Plan
from pyhost.plan.lowering import lower
from pyhost.plan.models import MODELS
from pyhost.profile.result import Result

__all__ = ["mean_loss", "plan_inputs", "plan_of", "run"]

Codes = NDArray[np.unsignedinteger]


def run(
    job: str | Path | Job | None = None,
    *,
    target: str = "verilator",
    port: str | None = None,
    baud: int | None = None,
    toolchain: str = "zig",
    progress: Progress = silent,
    baseline: bool = False,
    runs_dir: str | Path | None = "runs",
    faults: Sequence[Fault] = (),
    profile: bool = False,
    technology: str | Path = DEFAULT,
) -> Result:
    """Run one training step of `job` and compare every output of every kernel with the golden model.

    job: a TOML file, a `Job`, or None for the default job.
    target: "verilator", "renode", "fpga" or "golden".
    port, baud: of the target "fpga", a serial port or "sim" (docs/fpga.md), and its bits a second.
    toolchain: of the firmware, "zig" or "gcc".
    baseline: run the job once more without the accelerator; that becomes `result.baseline`.
    runs_dir: where the run directory is written; None for nowhere.
    faults: bits to flip in the target's memory before the step, to see them found.
    profile: record every cycle of the step (not of the baseline): docs/profile.md. `result.functions` says where the
    CPU's cycles went, the run directory has the rest.
    technology: what energies are computed for, a name of `pyhost.energy.technologies` or a JSON file.

    The first call for a hardware configuration builds it, later ones take it from the cache. Raises JobError,
    BuildError or TargetError (pyhost.errors).
    """
    job = job if isinstance(job, Job) else load_job(job)
    where = Where(target=target, port=port, baud=baud)
    if baseline and target == "fpga" and not where.simulated:
        raise JobError("a board has one SoC: for a baseline build another, of the job with accelerator.enabled=false")
    check_writable(runs_dir)
    prices = load_technology(technology)
    result, outcome, console = _step(job, where, toolchain, progress, faults, prices, profile)
    if baseline:
        progress("once more without the accelerator")
        alone = job.with_changes({"accelerator.enabled": False})
        result = replace(result, baseline=_step(alone, where, toolchain, progress, (), prices)[0])
    if runs_dir is None:
        return result
    return record(result, Path(runs_dir), f"{job.network.model}-{target}", outcome.tensors, console, outcome.profile)


def _step(
    job: Job,
    where: Where,
    toolchain: str,
    progress: Progress,
    faults: Sequence[Fault],
    technology: Technology,
    profile: bool = False,
) -> tuple[Result, Outcome, str]:
    """One step: its result, what it left, and the console."""
    started = time.perf_counter()
    data = load_dataset(job.training.data)
    plan = plan_of(job, data)
    inputs = plan_inputs(job, plan, data, 0)
    for fault in faults:
        fault.tensor_of(plan)  # what cannot be planted is not worth a build
    launched = launch(job, plan, where=where, toolchain=toolchain, progress=progress, recorded=profile)
    with launched.session as session:
        outcome = session.step(inputs, faults=faults)
        console = session.console
        memory = session.memory
    result = Result(
        job=job,
        target=where.target,
        bit_exact=outcome.bit_exact,
        mismatches=outcome.mismatches or (),
        kernels=outcome.kernels,
        totals=outcome.totals,
        loss=mean_loss(outcome.tensors),
        memory=memory,
        functions=outcome.profile.functions.functions if outcome.profile else None,
        environment=launched.environment,
        seconds=launched.seconds([outcome], time.perf_counter() - started),
    )
    return with_energy(result, plan, technology, launched.predictions), outcome, console


def plan_of(job: Job, data: Dataset) -> Plan:
    """The plan of one step of `job` on images like those of `data`. Raises JobError where they do not fit."""
    return lower(
        MODELS[job.network.model],
        formats=job.formats,
        training=job.training,
        batch=job.network.batch,
        image=data.image,
        classes=data.classes,
    )


def plan_inputs(job: Job, plan: Plan, data: Dataset, step: int) -> Mapping[str, Codes]:
    """Codes of the batch of step `step`: images in the activation format, labels as integers."""
    pixels, labels = data.batch(job.network.batch, step, job.training.seed)
    activation = parse_format(job.formats.activation)
    images, targets = plan.inputs
    return {images.name: activation.encode(pixels), targets.name: labels}


def mean_loss(tensors: Mapping[str, Codes]) -> float:
    """Mean of the batch's losses, which are binary32, in binary64."""
    return float(parse_format("e8m23").decode(tensors["loss"]).mean())
