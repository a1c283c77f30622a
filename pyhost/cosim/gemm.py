"""One matrix product, or the same several times, on the accelerator: `floatsoc gemm`."""

from __future__ import annotations

from pathlib import Path

from pyhost.cosim.launch import Progress, Where, silent
from pyhost.cosim.products import run_products
from pyhost.cosim.roundings import rounding_of
from pyhost.energy import DEFAULT
from pyhost.formats import parse_format
from pyhost.job import GemmJob, Product
from pyhost.plan.calls import Gemm, Kernel, Matrix, Operand, Plan
from pyhost.plan.tensors import Tensor
from pyhost.profile.result import Result

__all__ = ["gemm_plan", "run_gemm"]


def run_gemm(
    job: GemmJob,
    *,
    target: str = "verilator",
    port: str | None = None,
    baud: int | None = None,
    toolchain: str = "zig",
    progress: Progress = silent,
    runs_dir: str | Path | None = "runs",
    technology: str | Path = DEFAULT,
) -> Result:
    """Run `job.product.jobs` products of the same random operands, each into a D of its own, through the queue.

    With `job.product.resident` one more comes first, which is compared but not counted. Errors as in `pyhost.run`.
    """
    return run_products(
        job,
        gemm_plan(job),
        name="gemm",
        uncounted=int(job.product.resident),
        where=Where(target=target, port=port, baud=baud),
        toolchain=toolchain,
        progress=progress,
        runs_dir=runs_dir,
        technology=technology,
    )


def gemm_plan(job: GemmJob) -> Plan:
    """The products of `job`, and the operands that they read."""
    inputs = _inputs(job.product)
    return Plan(tuple(_kernels(job.product, inputs)), tuple(inputs.values()), ())


def _inputs(product: Product) -> dict[str, Tensor]:
    """The tensors that a product reads: a, b and, where there are, c, bias, mask and d0, the first addend."""
    m, n, k = product.m, product.n, product.k
    tensors = {
        "a": ((m, k) if product.transpose[0] == "N" else (k, m), product.a),
        "b": ((k, n) if product.transpose[1] == "N" else (n, k), product.b),
        "c": ((m, n), product.c),
        "bias": ((n,), product.bias),
        "mask": ((m, n), product.mask),
        "d0": ((m, n), product.d if product.accumulate else None),
    }
    return {name: Tensor(name, shape, parse_format(format_)) for name, (shape, format_) in tensors.items() if format_}


def _kernels(product: Product, inputs: dict[str, Tensor]) -> list[Kernel]:
    m, n, k = product.m, product.n, product.k
    a, b, before = inputs["a"], inputs["b"], inputs.get("d0")
    kernels: list[Kernel] = []
    for number in range(1 - product.resident, product.jobs + 1):
        first = not kernels
        d = Tensor(f"d{number}" if number else "warm_up", (m, n), parse_format(product.d))
        addend = Matrix.row(inputs["bias"]) if product.bias else Matrix.rows(before, n) if before else None
        call = Gemm(
            m=m,
            n=n,
            k=k,
            a=Operand.rows(a, a.shape[1], k_minor=product.transpose[0] == "N"),
            b=Operand.rows(b, b.shape[1], k_minor=product.transpose[1] == "T"),
            c=Matrix.rows(inputs["c"], n) if product.c else None,
            d=Matrix.rows(d, n),
            addend=addend,
            mask=Matrix.rows(inputs["mask"], n) if product.mask else None,
            relu=product.relu,
            scale=product.scale,
            overflow=product.overflow,
            rounding=rounding_of(product.rounding, product.seed, number),
            a_resident=product.resident and not first,
            b_resident=product.resident and not first,
        )
        kernels.append(Kernel(f"gemm{number}" if number else "warm_up", call))
        before = d if product.accumulate else None
    return kernels
