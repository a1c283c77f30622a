"""Jobs of matrix products alone, on random operands: one product, or those of a convolution."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, model_validator

from pyhost.job.fields import Extent, FormatName, ProductRounding, random_bits
from pyhost.job.models import Accelerator, Buildable, Job, Table
from pyhost.job.validate import CrossFieldError, validate

__all__ = [
    "LARGEST_STRIDE",
    "Convolution",
    "ConvolutionJob",
    "GemmJob",
    "Product",
    "ProductJob",
    "convolution_job",
    "gemm_job",
]

LARGEST_STRIDE = 63
"""Of a convolution: an input gradient has as many holes, less one, between pixels, which hardware counts in 6 bits."""


class _Setting(Table, ABC):
    """What products of every kind can say of their write-back, memory and operands."""

    overflow: Literal["saturate", "ieee"] = "ieee"
    rounding: ProductRounding = "nearest_even"
    stall: float = Field(default=0.0, ge=0, lt=1)
    seed: int = Field(default=1, ge=0, lt=2**32)

    @abstractmethod
    def operands(self) -> dict[str, str]:
        """{field: format} of what the accelerator multiplies."""

    @abstractmethod
    def results(self) -> tuple[str, ...]:
        """Formats of what it reads and writes at write-back."""


class Product(_Setting):
    """[product]: D[m, n] = round_d(2^scale * (C[m, n] + sum over k of A[m, k] * B[k, n]) + addend), `jobs` times.

    bias: format of a row that is added to each of D's. accumulate: add the D of the job before, the first a random one.
    relu, mask: at write-back. resident: one product more comes first and is not counted; the others find A and B in the
    accelerator. chain_rounding: of each step of a chain, nearest_even or stochastic:R.
    """

    m: Extent
    n: Extent
    k: Extent
    a: FormatName = "e4m3fn"
    b: FormatName = "e4m3fn"
    c: FormatName | None = None
    d: FormatName = "e8m23"
    bias: FormatName | None = None
    mask: FormatName | None = None
    accumulate: bool = False
    relu: bool = False
    transpose: Literal["NN", "NT", "TN", "TT"] = "NN"
    scale: int = Field(default=0, ge=-126, le=127)
    chain_rounding: ProductRounding = "nearest_even"
    jobs: int = Field(default=1, ge=1, le=1000)
    resident: bool = False

    def operands(self) -> dict[str, str]:
        """Those of A, B and C."""
        return {name: format_ for name in ("a", "b", "c") if (format_ := getattr(self, name))}

    def results(self) -> tuple[str, ...]:
        """Those of D, bias and mask."""
        return tuple(dict.fromkeys(name for name in (self.d, self.bias, self.mask) if name))

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if self.bias and self.accumulate:
            problems.append(("accumulate", "a product has one addend: leave out bias or accumulate"))
        if self.chain_rounding == "toward_zero":
            problems.append(("chain_rounding", "a chain rounds nearest_even or stochastic:R"))
        if problems:
            raise CrossFieldError(problems)
        return self


class Convolution(_Setting):
    """[convolution]: X[images, height, width, channels] with a square kernel, and both gradients.

    `filters` output channels; stride, padding and dilation are the same in both directions; groups divide channels and
    filters. activation, weight, gradient: formats of X, W and dY. result: of Y, dX and dW.
    """

    images: Extent
    height: Extent
    width: Extent
    channels: Extent
    filters: Extent
    kernel: Extent = 3
    stride: int = Field(default=1, ge=1, le=LARGEST_STRIDE)
    padding: int = Field(default=0, ge=0, le=65535)
    dilation: Extent = 1
    groups: Extent = 1
    activation: FormatName = "e4m3fn"
    weight: FormatName = "e4m3fn"
    gradient: FormatName = "e4m3fn"
    result: FormatName = "e8m23"

    def operands(self) -> dict[str, str]:
        """Those of X, W and dY."""
        return {name: getattr(self, name) for name in ("activation", "weight", "gradient")}

    def results(self) -> tuple[str, ...]:
        """That of Y, dX and dW."""
        return (self.result,)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.channels % self.groups or self.filters % self.groups:
            raise CrossFieldError([("groups", f"does not divide {self.channels} channels and {self.filters} filters")])
        window = (self.kernel - 1) * self.dilation + 1
        if window > min(self.height, self.width) + 2 * self.padding:
            text = (
                f"a window of {window}x{window} does not fit {self.height}x{self.width} with {self.padding} of padding"
            )
            raise CrossFieldError([("kernel", text)])
        return self


class ProductJob(Buildable):
    """Matrix products of random operands, on the accelerator alone."""

    @property
    @abstractmethod
    def setting(self) -> _Setting:
        """The table of what is multiplied."""

    def _operands(self) -> Iterator[tuple[str, str]]:
        table = type(self.setting).__name__.lower()
        for name, format_ in self.setting.operands().items():
            yield f"{table}.{name}", format_

    @property
    def result_formats(self) -> tuple[str, ...]:
        """Formats at write-back; on the default job's accelerator its own, so that one hardware serves both."""
        usual, needed = Job(), self.setting.results()
        same = self.accelerator.formats == usual.accelerator.formats
        return (
            usual.result_formats
            if same and set(needed) <= {*usual.result_formats, *self.accelerator.formats}
            else needed
        )


class GemmJob(ProductJob):
    """One matrix product, or the same several times."""

    product: Product

    @property
    def setting(self) -> Product:
        return self.product

    @property
    def stochastic_chain(self) -> bool:
        return random_bits(self.product.chain_rounding) > 0

    @model_validator(mode="after")
    def _check_chain(self) -> Self:
        if self.product.chain_rounding != "nearest_even" and self.accelerator.accumulator == "exact":
            text = 'nothing is rounded in an exact accumulator: use a chain like "e8m23"'
            raise CrossFieldError([("product.chain_rounding", text)])
        return self


class ConvolutionJob(ProductJob):
    """The forward pass of a convolution and both its gradients."""

    convolution: Convolution

    @property
    def setting(self) -> Convolution:
        return self.convolution


_Tables = Mapping[str, object]


def gemm_job(product: _Tables, accelerator: _Tables | None = None, soc: _Tables | None = None) -> GemmJob:
    """The job of a command line; JobError names the arguments (`M`, `--rows`) that are not as they may be.

    The accelerator's formats are those of the default job if they include those of A, B and C, else just these.
    """
    return _job(GemmJob, Product, product, accelerator, soc)


def convolution_job(
    convolution: _Tables, accelerator: _Tables | None = None, soc: _Tables | None = None
) -> ConvolutionJob:
    """The same for a convolution."""
    return _job(ConvolutionJob, Convolution, convolution, accelerator, soc)


_ARGUMENTS = ("m", "n", "k", "images", "height", "width", "channels", "filters")

AnyJob = TypeVar("AnyJob", bound=ProductJob)


def _job(
    kind: type[AnyJob], table: type[_Setting], values: _Tables, accelerator: _Tables | None, soc: _Tables | None
) -> AnyJob:
    def subject(name: str) -> str:
        option = name.rpartition(".")[2].replace("_", "-")
        return option.upper() if option in _ARGUMENTS else f"--{option}"

    needed = tuple(dict.fromkeys(validate(table, dict(values), subject).operands().values()))
    usual = Accelerator().formats
    formats = usual if set(needed) <= set(usual) else needed
    tables: dict[str, Any] = {
        table.__name__.lower(): dict(values),
        "accelerator": {**(accelerator or {}), "formats": formats},
        "soc": soc or {},
    }
    return validate(kind, tables, subject)
