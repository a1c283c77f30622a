"""Commands that run something on a target: run, train, gemm."""

import json
from typing import TYPE_CHECKING, Any

import click

from pyhost.cli.options import Output, command, job_options, machine_options
from pyhost.job import gemm_job, load_job, parse_change
from pyhost.profile import Step
from pyhost.report.tables import facts

if TYPE_CHECKING:
    from pyhost.cosim.session import Fault

__all__ = ["gemm", "run", "train"]


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
@click.option("--list-models", is_flag=True, help="List the networks that network.model can name.")
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


@click.command(
    epilog="""\b
    Examples:
      floatsoc gemm 64 64 64
      floatsoc gemm 256 256 256 --a e5m2 --d e5m10 --accumulator e5m10
    """
)
@click.argument("m", type=int)
@click.argument("n", type=int)
@click.argument("k", type=int)
@click.option("--a", metavar="FORMAT", default="e4m3fn", show_default=True, help="Format of A.")
@click.option("--b", metavar="FORMAT", default="e4m3fn", show_default=True, help="Format of B.")
@click.option("--c", metavar="FORMAT", help="Format of an addend C; without it there is none.")
@click.option("--d", metavar="FORMAT", default="e8m23", show_default=True, help="Format of the result D.")
@click.option("--accumulator", metavar="ACC", default="exact", show_default=True, help="exact, or a chain's format.")
@click.option(
    "--transpose",
    metavar="TT",
    default="NN",
    show_default=True,
    help="NN, NT, TN or TT: T, that A or B lies transposed.",
)
@click.option("--scale", type=int, default=0, show_default=True, metavar="S", help="D is multiplied by 2^S.")
@click.option("--overflow", metavar="RULE", default="ieee", show_default=True, help="ieee or saturate.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the random operands and stalls.")
@click.option("--jobs", type=int, default=1, show_default=True, help="Products, one after the other.")
@click.option("--stall", type=float, default=0.0, show_default=True, metavar="P", help="Probability of a memory stall.")
@click.option("--rows", type=int, default=8, show_default=True, help="Rows of the array.")
@click.option("--columns", type=int, default=8, show_default=True, help="Columns of the array.")
@click.option("--main-ram", default="4 MiB", show_default=True, metavar="SIZE", help="Main memory.")
@machine_options
@command
def gemm(
    output: Output,
    /,
    rows: int,
    columns: int,
    main_ram: str,
    accumulator: str,
    target: str,
    toolchain: str,
    runs_dir: str,
    **product: Any,
) -> None:
    """Multiply random matrices, and compare bit for bit.

    M x K by K x N, on the accelerator alone: D = round(2^S * (C + A * B)). Shows cycles, how well the array was used,
    and what it waited for.
    """
    array = {"rows": rows, "columns": columns, "accumulator": accumulator}
    job = gemm_job(product, array, {"main_ram": main_ram})

    from pyhost.cosim.gemm import run_gemm

    with output.progress() as progress:
        result = run_gemm(job, target=target, toolchain=toolchain, progress=progress, runs_dir=runs_dir)
    output.deliver(result)
