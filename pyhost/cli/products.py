"""Commands that multiply random matrices on the accelerator alone: gemm, conv."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pyhost.cli.options import Output, command, machine_options, technology_option
from pyhost.job import convolution_job, gemm_job

__all__ = ["conv", "gemm"]

Function = TypeVar("Function", bound=Callable[..., Any])

_MACHINE = ("target", "port", "baud", "toolchain", "runs_dir", "technology")
_ACCELERATOR = ("accumulator", "rows", "columns", "depth", "port_bits")
_SOC = ("memory", "main_ram")


def _option(*names: str, **settings: Any) -> Callable[[Function], Function]:
    """An option that shows its default, where it has one."""
    return click.option(*names, show_default="default" in settings and not settings.get("is_flag"), **settings)


def _setting_options(function: Function) -> Function:
    """Write-back, hardware, operands and stalls: what products of every kind can say."""
    for option in reversed(
        (
            _option("--overflow", metavar="RULE", default="ieee", help="ieee or saturate."),
            _option(
                "--rounding",
                metavar="MODE",
                default="nearest_even",
                help="nearest_even, toward_zero or stochastic:R with R random bits.",
            ),
            _option("--accumulator", metavar="ACC", default="exact", help="exact, or a chain's format."),
            _option("--rows", type=int, default=8, help="Rows of the array."),
            _option("--columns", type=int, default=8, help="Columns of the array."),
            _option("--depth", type=int, default=2048, help="Steps along K that the scratchpads hold."),
            _option("--port-bits", type=int, default=128, help="Width of the memory port: 64 or 128."),
            _option("--memory", metavar="KIND", default="sram", help="Main memory: sram, or sdram with real timing."),
            _option("--main-ram", default="4 MiB", metavar="SIZE", help="Size of main memory."),
            _option("--seed", type=int, default=1, help="Of random operands, stochastic rounding and stalls."),
            _option("--stall", type=float, default=0.0, metavar="P", help="Probability of a memory stall."),
        )
    ):
        function = option(function)
    return function


def _split(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Options of the product, the accelerator, the SoC and the machine that runs them."""
    accelerator, soc, machine = (
        {name: options.pop(name) for name in names} for names in (_ACCELERATOR, _SOC, _MACHINE)
    )
    return options, accelerator, soc, machine


@click.command(
    epilog="""\b
    Examples:
      floatsoc gemm 64 64 64 --d e5m10
      floatsoc gemm 64 64 64 --d e5m10 --resident
      floatsoc gemm 64 64 64 --d e5m10 --jobs 32
      floatsoc gemm 256 256 256 --a e5m2 --accumulator e5m10 --rounding stochastic:8
    """
)
@click.argument("m", type=int)
@click.argument("n", type=int)
@click.argument("k", type=int)
@_option("--a", metavar="FORMAT", default="e4m3fn", help="Format of A.")
@_option("--b", metavar="FORMAT", default="e4m3fn", help="Format of B.")
@_option("--c", metavar="FORMAT", help="Format of C, where the sums start; without it they start at zero.")
@_option("--d", metavar="FORMAT", default="e8m23", help="Format of the result D.")
@_option("--transpose", metavar="TT", default="NN", help="NN, NT, TN or TT: T, that A or B lies transposed.")
@_option("--scale", type=int, default=0, metavar="S", help="The sums are multiplied by 2^S.")
@_option("--bias", metavar="FORMAT", help="Add a row in this format to each row of D.")
@_option("--accumulate", is_flag=True, help="Add the D of the job before; to the first a random one.")
@_option("--relu", is_flag=True, help="Negative elements of D become +0.")
@_option("--mask", metavar="FORMAT", help="D becomes +0 where a mask in this format is not positive.")
@_option(
    "--chain-rounding",
    metavar="MODE",
    default="nearest_even",
    help="Of each step of a chain: nearest_even or stochastic:R.",
)
@_option("--jobs", type=int, default=1, metavar="N", help="Products of the same operands, queued.")
@_option("--resident", is_flag=True, help="A first product, not counted, leaves A and B in the accelerator.")
@_setting_options
@technology_option
@machine_options
@command
def gemm(output: Output, /, **options: Any) -> None:
    """Multiply random matrices, and compare bit for bit.

    M x K by K x N, on the accelerator alone: D = round(2^S * (C + A * B) + addend). Shows cycles, how well the array
    was used, and what it waited for.

    One product is cold: its cycles run from its submission until D is complete, and everything has to be loaded. With
    --jobs the loads of a product hide behind the one before. With --resident nothing is loaded at all.
    """
    product, accelerator, soc, machine = _split(options)
    job = gemm_job(product, accelerator, soc)

    from pyhost.cosim.gemm import run_gemm

    with output.progress() as progress:
        result = run_gemm(job, progress=progress, **machine)
    output.deliver(result)


@click.command(
    epilog="""\b
    Examples:
      floatsoc conv 4 16 16 16 32 --padding 1 --result e5m10
      floatsoc conv 2 15 15 8 8 --kernel 5 --stride 2 --dilation 2 --groups 4
    """
)
@click.argument("images", type=int)
@click.argument("height", type=int)
@click.argument("width", type=int)
@click.argument("channels", type=int)
@click.argument("filters", type=int)
@_option("--kernel", type=int, default=3, help="Height and width of the kernel.")
@_option("--stride", type=int, default=1, help="In both directions.")
@_option("--padding", type=int, default=0, help="Zeros on every side.")
@_option("--dilation", type=int, default=1, help="Distance between the kernel's taps.")
@_option("--groups", type=int, default=1, help="Groups of channels and filters; each is a product of its own.")
@_option("--activation", metavar="FORMAT", default="e4m3fn", help="Format of X.")
@_option("--weight", metavar="FORMAT", default="e4m3fn", help="Format of W.")
@_option("--gradient", metavar="FORMAT", default="e4m3fn", help="Format of dY.")
@_option("--result", metavar="FORMAT", default="e8m23", help="Format of Y, dW and dX.")
@_setting_options
@technology_option
@machine_options
@command
def conv(output: Output, /, **options: Any) -> None:
    """Convolve random images, forwards and backwards, and compare bit for bit.

    Y from X and W, dW from X and dY, dX from dY and W, each as one job a group on the accelerator alone, which reads
    the windows itself. Shows cycles, how well the array was used, and what it waited for.
    """
    convolution, accelerator, soc, machine = _split(options)
    job = convolution_job(convolution, accelerator, soc)

    from pyhost.cosim.convolution import run_convolution

    with output.progress() as progress:
        result = run_convolution(job, progress=progress, **machine)
    output.deliver(result)
