"""Many training steps of a job on a target: losses, and equality with the golden model as often as asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyhost.cosim.launch import Progress, Where, launch, silent
from pyhost.cosim.record import check_writable, record
from pyhost.cosim.run import mean_loss, plan_inputs, plan_of
from pyhost.cosim.session import Outcome
from pyhost.datasets import load_dataset
from pyhost.errors import JobError
from pyhost.job import Job, load_job
from pyhost.plan.calls import Plan, SoftmaxCrossEntropy
from pyhost.plan.tensors import Tensor
from pyhost.profile.result import Step, TrainResult

__all__ = ["train"]


def train(
    job: str | Path | Job | None = None,
    *,
    steps: int,
    compare_every: int | None = 1,
    target: str = "verilator",
    port: str | None = None,
    baud: int | None = None,
    toolchain: str = "zig",
    progress: Progress = silent,
    stepped: Callable[[Step], None] = lambda step: None,
    runs_dir: str | Path | None = "runs",
) -> TrainResult:
    """Run `steps` training steps of `job`, each on its own batch, and stop at the first that differs from golden.

    compare_every: K compares each K-th step, None only the last; the last is always compared. `stepped` is called after
    each step. The other arguments are those of `run`, the errors too.
    """
    started = time.perf_counter()
    job = job if isinstance(job, Job) else load_job(job)
    if steps < 1:
        raise JobError(f"steps = {steps}: at least 1")
    if compare_every is not None and compare_every < 1:
        raise JobError(f"compare_every = {compare_every}: at least 1, or None for the last step alone")
    where = Where(target=target, port=port, baud=baud)
    check_writable(runs_dir)
    data = load_dataset(job.training.data)
    plan = plan_of(job, data)
    loss, logits, labels = _observed(plan)
    done: list[Step] = []
    outcomes: list[Outcome] = []
    launched = launch(job, plan, where=where, toolchain=toolchain, progress=progress)
    with launched.session as session:
        for number in range(steps):
            inputs = plan_inputs(job, plan, data, number)
            compared = number == steps - 1 or (compare_every is not None and (number + 1) % compare_every == 0)
            outcome = session.step(inputs, compared=compared, wanted=(loss, logits))
            outcomes.append(outcome)
            step = Step(
                step=number,
                loss=mean_loss(outcome.tensors),
                accuracy=_accuracy(outcome.tensors, logits, inputs[labels.name]),
                cycles=outcome.totals.cycles,
                bit_exact=outcome.bit_exact,
            )
            done.append(step)
            stepped(step)
            if outcome.mismatches:
                break
        console = session.console
        memory = session.memory
    verdicts = [step.bit_exact for step in done if step.bit_exact is not None]
    result = TrainResult(
        job=job,
        target=target,
        bit_exact=all(verdicts) if verdicts else None,
        mismatches=outcomes[-1].mismatches or (),
        steps=tuple(done),
        memory=memory,
        environment=launched.environment,
        seconds=launched.seconds(outcomes, time.perf_counter() - started),
    )
    if runs_dir is None:
        return result
    return record(result, Path(runs_dir), f"{job.network.model}-train-{target}", outcomes[-1].tensors, console)


def _observed(plan: Plan) -> tuple[Tensor, Tensor, Tensor]:
    """(loss, logits, labels) of the plan's loss."""
    call = next(kernel.call for kernel in plan.kernels if isinstance(kernel.call, SoftmaxCrossEntropy))
    return call.loss, call.logits, call.labels


def _accuracy(
    tensors: Mapping[str, NDArray[np.unsignedinteger]], logits: Tensor, labels: NDArray[np.unsignedinteger]
) -> float:
    """Share of the batch whose largest logit is the label's."""
    assert logits.format is not None
    return float((logits.format.decode(tensors[logits.name]).argmax(axis=1) == labels).mean())
