"""A convolution on the accelerator, forward and both gradients: `floatsoc conv`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pyhost.cosim.launch import Progress, Where, silent
from pyhost.cosim.products import run_products
from pyhost.cosim.roundings import rounding_of
from pyhost.energy import DEFAULT
from pyhost.errors import JobError
from pyhost.formats import parse_format
from pyhost.job import ConvolutionJob
from pyhost.plan.calls import Kernel, Plan
from pyhost.plan.convolution import Convolution
from pyhost.plan.tensors import Tensor
from pyhost.profile.result import Result

__all__ = ["convolution_plan", "run_convolution"]


def run_convolution(
    job: ConvolutionJob,
    *,
    target: str = "verilator",
    port: str | None = None,
    baud: int | None = None,
    toolchain: str = "zig",
    progress: Progress = silent,
    runs_dir: str | Path | None = "runs",
    technology: str | Path = DEFAULT,
) -> Result:
    """Run Y from X and W, dW from X and dY, and dX from dY and W: a product for each group, all through the queue.

    X, W and dY are random. Errors as in `pyhost.run`.
    """
    return run_products(
        job,
        convolution_plan(job),
        name="conv",
        where=Where(target=target, port=port, baud=baud),
        toolchain=toolchain,
        progress=progress,
        runs_dir=runs_dir,
        technology=technology,
    )


def convolution_plan(job: ConvolutionJob) -> Plan:
    """The passes of `job`, and the operands that they read; JobError where an extent is too large."""
    asked = job.convolution
    convolution = Convolution(
        images=asked.images,
        height=asked.height,
        width=asked.width,
        channels=asked.channels,
        filters=asked.filters,
        kernel=(asked.kernel, asked.kernel),
        stride=(asked.stride, asked.stride),
        padding=(asked.padding, asked.padding),
        dilation=(asked.dilation, asked.dilation),
        groups=asked.groups,
    )
    x_shape = (asked.images, asked.height, asked.width, asked.channels)
    w_shape = (asked.kernel, asked.kernel, asked.channels // asked.groups, asked.filters)
    y_shape = (asked.images, *convolution.image, asked.filters)
    x = Tensor("x", x_shape, parse_format(asked.activation))
    w = Tensor("w", w_shape, parse_format(asked.weight))
    dy = Tensor("dy", y_shape, parse_format(asked.gradient))
    y, dw, dx = (
        Tensor(name, shape, parse_format(asked.result))
        for name, shape in (("y", y_shape), ("dw", w_shape), ("dx", x_shape))
    )
    passes = {
        "forward": convolution.forward(x, w, y),
        "weight_gradient": convolution.weight_gradient(x, dy, dw),
        "input_gradient": convolution.input_gradient(dy, w, dx),
    }
    kernels: list[Kernel] = []
    for name, calls in passes.items():
        for group, call in enumerate(calls, 1):
            kernel = Kernel(
                name if len(calls) == 1 else f"{name}.group{group}",
                replace(
                    call,
                    overflow=asked.overflow,
                    rounding=rounding_of(asked.rounding, asked.seed, len(kernels)),
                ),
            )
            for extent, what in zip(kernel.shape, ("rows", "columns", "terms"), strict=True):
                if extent > 65535:
                    raise JobError(f"{kernel.name}: a product with {extent:,} {what}; an extent can be 1 to 65,535")
            kernels.append(kernel)
    return Plan(tuple(kernels), (x, w, dy), ())
