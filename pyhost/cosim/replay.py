"""What a recorded job started from: its plan, and the codes in memory before its first kernel."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pyhost.cosim.convolution import convolution_plan
from pyhost.cosim.gemm import gemm_plan
from pyhost.cosim.products import product_inputs
from pyhost.cosim.run import plan_inputs, plan_of
from pyhost.datasets import load_dataset
from pyhost.job import ConvolutionJob, GemmJob, Job
from pyhost.plan.calls import Plan

__all__ = ["beginning"]


def beginning(job: Job | GemmJob | ConvolutionJob) -> tuple[Plan, Mapping[str, NDArray[np.unsignedinteger]]]:
    """The plan of `job` and its inputs and state before the first step, by name: all of it follows from the job.

    Raises JobError where the job's data are gone.
    """
    match job:
        case GemmJob() | ConvolutionJob():
            plan = gemm_plan(job) if isinstance(job, GemmJob) else convolution_plan(job)
            return plan, product_inputs(job, plan)
        case Job():
            data = load_dataset(job.training.data)
            plan = plan_of(job, data)
            return plan, {**plan.initial, **plan_inputs(job, plan, data, 0)}
