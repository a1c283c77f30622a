"""Plans of matrix products alone, on random operands: run on the accelerator, compared with the golden model."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyhost.cosim.joules import with_energy
from pyhost.cosim.launch import Progress, Where, launch
from pyhost.cosim.record import check_writable, record
from pyhost.energy import load_technology
from pyhost.job import ConvolutionJob, GemmJob
from pyhost.plan.calls import Plan
from pyhost.profile.result import Result, Totals

__all__ = ["product_inputs", "run_products"]

Codes = NDArray[np.unsignedinteger]


def run_products(
    job: GemmJob | ConvolutionJob,
    plan: Plan,
    *,
    name: str,
    uncounted: int = 0,
    where: Where,
    toolchain: str,
    progress: Progress,
    runs_dir: str | Path | None,
    technology: str | Path,
) -> Result:
    """Run `plan` on standard normal inputs, see `product_inputs`.

    The first `uncounted` kernels are compared, but not part of the result's kernels
    and totals. name: of the run directory. Errors as in `pyhost.run`.
    """
    check_writable(runs_dir)
    prices = load_technology(technology)
    started = time.perf_counter()
    codes = product_inputs(job, plan)
    launched = launch(job, plan, where=where, toolchain=toolchain, progress=progress, stall=job.setting.stall)
    with launched.session as session:
        outcome = session.step(codes)
        console = session.console
        memory = session.memory
    counted = outcome.kernels[uncounted:]
    cycles = [kernel.cycles for kernel in counted if kernel.cycles is not None]
    result = Result(
        job=job,
        target=where.target,
        bit_exact=outcome.bit_exact,
        mismatches=outcome.mismatches or (),
        memory=memory,
        kernels=counted,
        totals=Totals.of(counted, cycles=sum(cycles) if cycles else None, elements=session.elements),
        environment=launched.environment,
        seconds=launched.seconds([outcome], time.perf_counter() - started),
    )
    result = with_energy(result, plan, prices, launched.predictions)
    if runs_dir is None:
        return result
    return record(result, Path(runs_dir), f"{name}-{where.target}", {**codes, **outcome.tensors}, console)


def product_inputs(job: GemmJob | ConvolutionJob, plan: Plan) -> dict[str, Codes]:
    """Codes of the plan's inputs: standard normal numbers that the job's seed decides, rounded to their formats."""
    rng = np.random.Generator(np.random.PCG64(job.setting.seed))
    return {
        tensor.name: tensor.format.encode(rng.standard_normal(tensor.shape)) for tensor in plan.inputs if tensor.format
    }
