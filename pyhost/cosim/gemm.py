"""Matrix products of random operands on the accelerator, compared with the golden model."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyhost.cosim.launch import Progress, launch, silent
from pyhost.cosim.record import check_writable, record
from pyhost.formats import Format, parse_format
from pyhost.job import GemmJob
from pyhost.plan.calls import Gemm, Kernel, Operand, Plan
from pyhost.plan.tensors import Tensor
from pyhost.profile.result import Result

__all__ = ["run_gemm"]


def run_gemm(
    job: GemmJob,
    *,
    target: str = "verilator",
    toolchain: str = "zig",
    progress: Progress = silent,
    runs_dir: str | Path | None = "runs",
) -> Result:
    """Run `job.product.jobs` products of the same random operands, each into a D of its own.

    Operands are standard normal, rounded to their formats; `seed` decides them. Errors as in `pyhost.run`.
    """
    check_writable(runs_dir)
    started = time.perf_counter()
    product = job.product
    rng = np.random.Generator(np.random.PCG64(product.seed))
    a_rows, b_rows = product.transpose[0] == "N", product.transpose[1] == "N"
    a = Tensor("a", (product.m, product.k) if a_rows else (product.k, product.m), parse_format(product.a))
    b = Tensor("b", (product.k, product.n) if b_rows else (product.n, product.k), parse_format(product.b))
    c = None if product.c is None else Tensor("c", (product.m, product.n), parse_format(product.c))
    kernels = tuple(
        Kernel(
            f"gemm{number}",
            Gemm(
                m=product.m,
                n=product.n,
                k=product.k,
                a=Operand.rows(a, a.shape[1], k_minor=a_rows),
                b=Operand.rows(b, b.shape[1], k_minor=not b_rows),
                c=c,
                d=Tensor(f"d{number}", (product.m, product.n), parse_format(product.d)),
                scale=product.scale,
                overflow=product.overflow,
            ),
        )
        for number in range(1, product.jobs + 1)
    )
    inputs = tuple(tensor for tensor in (a, b, c) if tensor is not None)
    plan = Plan(kernels, inputs, ())
    codes = {tensor.name: _normal(rng, tensor.shape, tensor.format) for tensor in inputs if tensor.format}
    launched = launch(job, plan, target=target, toolchain=toolchain, progress=progress, stall=product.stall)
    with launched.session as session:
        outcome = session.step(codes)
        console = session.console
    result = Result(
        job=job,
        target=target,
        bit_exact=outcome.bit_exact,
        mismatches=outcome.mismatches or (),
        kernels=outcome.kernels,
        totals=outcome.totals,
        environment=launched.environment,
        seconds=launched.seconds([outcome], time.perf_counter() - started),
    )
    if runs_dir is None:
        return result
    return record(result, Path(runs_dir), f"gemm-{target}", {**codes, **outcome.tensors}, console)


def _normal(rng: np.random.Generator, shape: tuple[int, ...], format_: Format) -> NDArray[np.unsignedinteger]:
    return format_.encode(rng.standard_normal(shape))
