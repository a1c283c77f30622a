"""Commands that run jobs from a file: run, train."""

import json
from typing import TYPE_CHECKING, Any

import click

from pyhost.cli.options import Output, command, job_options, machine_options, technology_option
from pyhost.job import load_job, parse_change
from pyhost.profile import Step
from pyhost.report.tables import facts

if TYPE_CHECKING:
    from pyhost.cosim.session import Fault

__all__ = ["run", "train"]


def _fault(text: str) -> "Fault":
    """The fault of TENSOR:INDEX:BIT."""
    from pyhost.cosim.session import Fault

    match text.split(":"):
        case [tensor, index, bit] if index.isdecimal() and bit.isdecimal():
            return Fault(tensor, int(index), int(bit))
    raise click.BadParameter(f"{text!r}; expected TENSOR:INDEX:BIT, like conv1.weight.master:5:30")


@click.command(
    epilog="""\b
    Examples:
      floatsoc run --baseline
      floatsoc run job.toml --set accelerator.accumulator=e8m23
      floatsoc run --flip conv1.weight.master:5:30
    """
)
@job_options
@click.option("--baseline", is_flag=True, help="Run once more without the accelerator, and show the speed-up.")
@click.option(
    "--flip",
    "faults",
    multiple=True,
    metavar="TENSOR:INDEX:BIT",
    callback=lambda context, parameter, values: tuple(map(_fault, values)),
    help="Flip a bit of an input or weight in the target's memory first, to see it found. Repeatable.",
)
@click.option(
    "--profile",
    is_flag=True,
    help="Record every cycle: functions, flame graph, the accelerator's states. See docs/profile.md.",
)
@click.option("--list-models", is_flag=True, help="List the networks that network.model can name.")
@technology_option
@machine_options
@command
def run(output: Output, /, job: str | None, changes: tuple[str, ...], list_models: bool, **options: Any) -> None:
    """Run one training step, and compare it bit for bit.

    Compares every kernel with the golden model and shows what it cost. Builds what is missing.

    Without a file the default job runs: a small CNN on digits, in FP8, on an 8 x 8 array.
    """
    if list_models:
        _list_models(output)
        return
    asked = load_job(job, dict(map(parse_change, changes)))

    from pyhost.cosim.run import run as run_job

    with output.progress() as progress:
        result = run_job(asked, progress=progress, **options)
    output.deliver(result)


def _list_models(output: Output) -> None:
    from pyhost.plan.models import MODELS

    descriptions = {name: model.description for name, model in MODELS.items()}
    if output.json:
        click.echo(json.dumps(descriptions, indent=1))
    else:
        output.console.print(facts(*descriptions.items()))


def _compare(context: click.Context, parameter: click.Parameter, value: str) -> int | None:
    """K of every:K; None for the last step alone."""
    word, _, number = value.partition(":")
    if value == "last":
        return None
    if word == "every" and number.isdecimal() and int(number) > 0:
        return int(number)
    raise click.BadParameter(f"{value!r}; allowed: every:K with a whole number K from 1, or last")


@click.command(
    epilog="""\b
    Examples:
      floatsoc train --steps 20
      floatsoc train job.toml --steps 500 --compare every:50
    """
)
@job_options
@click.option("--steps", type=click.IntRange(1, 1_000_000), required=True, metavar="N", help="How many steps.")
@click.option(
    "--compare",
    "compare_every",
    default="every:1",
    show_default=True,
    metavar="every:K|last",
    callback=_compare,
    help="Which steps are compared with the golden model; the last one always is.",
)
@machine_options
@command
def train(output: Output, /, job: str | None, changes: tuple[str, ...], **options: Any) -> None:
    """Train for many steps, and show loss and accuracy."""
    asked = load_job(job, dict(map(parse_change, changes)))

    from pyhost.cosim.train import train as train_job

    with output.progress() as progress:

        def stepped(step: Step) -> None:
            progress.reach(f"{step.step + 1} of {options['steps']} steps, loss {step.loss:.4f}")

        progress(f"training for {options['steps']} steps")
        result = train_job(asked, progress=progress, stepped=stepped, **options)
    output.deliver(result)
