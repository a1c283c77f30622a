"""Plans of matrix products alone, on random operands: run on the accelerator, compared with the golden model."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pyhost.cosim.launch import Progress, launch
from pyhost.cosim.record import check_writable, record
from pyhost.job import ConvolutionJob, GemmJob
from pyhost.plan.calls import Kernel, Plan
from pyhost.plan.tensors import Tensor
from pyhost.profile.result import Result, Totals

__all__ = ["run_products"]


def run_products(
    job: GemmJob | ConvolutionJob,
    kernels: Iterable[Kernel],
    inputs: Iterable[Tensor],
    *,
    name: str,
    uncounted: int = 0,
    target: str,
    toolchain: str,
    progress: Progress,
    runs_dir: str | Path | None,
) -> Result:
    """Run `kernels` on standard normal `inputs`, rounded to their formats, in one plan.

    The job's seed decides the inputs. The first `uncounted` kernels are compared, but not part of the result's kernels
    and totals. name: of the run directory. Errors as in `pyhost.run`.
    """
    check_writable(runs_dir)
    started = time.perf_counter()
    rng = np.random.Generator(np.random.PCG64(job.setting.seed))
    plan = Plan(tuple(kernels), tuple(inputs), ())
    codes = {
        tensor.name: tensor.format.encode(rng.standard_normal(tensor.shape)) for tensor in plan.inputs if tensor.format
    }
    launched = launch(job, plan, target=target, toolchain=toolchain, progress=progress, stall=job.setting.stall)
    with launched.session as session:
        outcome = session.step(codes)
        console = session.console
    counted = outcome.kernels[uncounted:]
    cycles = [kernel.cycles for kernel in counted if kernel.cycles is not None]
    result = Result(
        job=job,
        target=target,
        bit_exact=outcome.bit_exact,
        mismatches=outcome.mismatches or (),
        kernels=counted,
        totals=Totals.of(counted, cycles=sum(cycles) if cycles else None, elements=session.elements),
        environment=launched.environment,
        seconds=launched.seconds([outcome], time.perf_counter() - started),
    )
    if runs_dir is None:
        return result
    return record(result, Path(runs_dir), f"{name}-{target}", {**codes, **outcome.tensors}, console)
