"""The tables of a job file, and the job of a single matrix product."""

from collections.abc import Iterable, Iterator, Mapping
from math import frexp
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pyhost.job.fields import (
    AccumulatorName,
    ArrayExtent,
    ByteCount,
    DataSource,
    FormatName,
    FormatNames,
    Memory,
    ModelName,
    PowerOfTwo,
    TensorFormatName,
    binary_format,
    is_binary,
)
from pyhost.job.validate import CrossFieldError, merge, validate

__all__ = ["Accelerator", "Formats", "GemmJob", "Job", "Network", "Product", "Soc", "Training", "gemm_job"]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Soc(_Table):
    """[soc]: the processor and its memory."""

    cpu: Literal["minimal", "lite", "standard", "full"] = "full"
    main_ram: ByteCount = 4 * 2**20
    memory: Memory = "sram"


class Accelerator(_Table):
    """[accelerator]: an array of `rows` x `columns` processing elements; not built where it is not enabled."""

    enabled: bool = True
    rows: ArrayExtent = 8
    columns: ArrayExtent = 8
    formats: FormatNames = ("e4m3fn", "e5m2")
    accumulator: AccumulatorName = "exact"


class Network(_Table):
    """[network]: what is trained, on how many images a step."""

    model: ModelName = "cnn-digits"
    batch: int = Field(default=16, ge=1, le=65535)


class Formats(_Table):
    """[formats]: of tensors. `result` is that of products which firmware goes on working with.

    Hardware and firmware compute in binary formats; others, such as posits, are for `--target golden`.
    """

    activation: TensorFormatName = "e4m3fn"
    weight: TensorFormatName = "e4m3fn"
    gradient: TensorFormatName = "e5m2"
    result: TensorFormatName = "e8m23"
    master_weight: TensorFormatName = "e8m23"
    overflow: Literal["saturate", "ieee"] = "saturate"


class Training(_Table):
    """[training]: data, optimiser and the seed of everything random."""

    data: DataSource = "digits"
    optimizer: Literal["sgd"] = "sgd"
    learning_rate: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    loss_scale: PowerOfTwo = 1.0
    seed: int = Field(default=1, ge=0, lt=2**32)


EXACT_ACCUMULATOR_LIMIT = 256
"""Bits of the widest exact accumulator that the accelerator is generated with."""


def exact_accumulator_bits(formats: Iterable[str]) -> int:
    """Bits of a fixed-point accumulator in which no sum of 65,535 products and an addend of `formats` rounds.

    With 2^-b the least positive value and 2^t the leading bit of the largest one: 2 (b + t) + 2 precision + 16 + 1,
    that is the range of products, 16 bits of growth and the sign.
    """
    parsed = [binary_format(name) for name in formats]
    bottom = max(0, *(1 - frexp(format_.min_subnormal)[1] for format_ in parsed))
    top = max(0, *(frexp(format_.max)[1] - 1 for format_ in parsed))
    return 2 * (bottom + top) + 2 * max(format_.precision for format_ in parsed) + 17


class _Buildable(_Table):
    """What determines the hardware, whatever runs on it."""

    soc: Soc = Soc()
    accelerator: Accelerator = Accelerator()

    def _operands(self) -> Iterator[tuple[str, str]]:
        """(dotted name of the field, format) of everything that the accelerator must be able to read."""
        raise NotImplementedError

    @property
    def golden_only(self) -> dict[str, str]:
        """{dotted name of a field: format} of what hardware and firmware cannot compute in: all but binary formats."""
        return {}

    @model_validator(mode="after")
    def _check_hardware(self) -> Self:
        supported = self.accelerator.formats
        problems = [
            (name, f"{format_} is not among accelerator.formats ({', '.join(supported)}): add it or use one of them")
            for name, format_ in self._operands()
            if self.accelerator.enabled and format_ not in supported and name not in self.golden_only
        ]
        if self.accelerator.enabled:
            text = "is not a binary format: set accelerator.enabled = false and run with --target golden"
            problems += [(name, f"{format_} {text}") for name, format_ in self.golden_only.items()]
        if self.accelerator.accumulator == "exact" and not self.golden_only:
            operands = supported if self.accelerator.enabled else [format_ for _, format_ in self._operands()]
            bits = exact_accumulator_bits(operands)
            if bits > EXACT_ACCUMULATOR_LIMIT:
                text = (
                    f"exact accumulation of {', '.join(operands)} takes {bits} bits, {EXACT_ACCUMULATOR_LIMIT} at most"
                )
                problems.append(("accelerator.accumulator", f'{text}: use narrower formats or a chain like "e8m23"'))
        if problems:
            raise CrossFieldError(problems)
        return self

    def with_changes(self, changes: Mapping[str, object]) -> Self:
        """A copy with some fields changed, e.g. {'accelerator.enabled': False}; JobError if that makes no valid job."""
        return validate(type(self), merge(self.to_dict(), changes), str)

    def to_dict(self) -> dict[str, Any]:
        """Plain tables, as in a job file: what `result.json` records and `load_job` reads back."""
        return self.model_dump()


class Job(_Buildable):
    """One training step, and where it runs. `Job()` is the default job; hashable, equal when all fields are."""

    network: Network = Network()
    formats: Formats = Formats()
    training: Training = Training()

    def _operands(self) -> Iterator[tuple[str, str]]:
        for name in ("activation", "weight", "gradient"):
            yield f"formats.{name}", getattr(self.formats, name)

    @property
    def golden_only(self) -> dict[str, str]:
        names = ("activation", "weight", "gradient", "result", "master_weight")
        formats = {f"formats.{name}": getattr(self.formats, name) for name in names}
        return {name: format_ for name, format_ in formats.items() if not is_binary(format_)}

    @property
    def result_formats(self) -> tuple[str, ...]:
        """Formats that products are written in: forward and weight gradient, input gradient."""
        return tuple(dict.fromkeys((self.formats.result, self.formats.gradient)))


class Product(_Table):
    """[product]: D[m, n] = round_d(2^scale * (C[m, n] + sum over k of A[m, k] * B[k, n])), `jobs` times."""

    m: int = Field(ge=1, le=65535)
    n: int = Field(ge=1, le=65535)
    k: int = Field(ge=1, le=65535)
    a: FormatName = "e4m3fn"
    b: FormatName = "e4m3fn"
    c: FormatName | None = None
    d: FormatName = "e8m23"
    transpose: Literal["NN", "NT", "TN", "TT"] = "NN"
    scale: int = Field(default=0, ge=-126, le=127)
    overflow: Literal["saturate", "ieee"] = "ieee"
    jobs: int = Field(default=1, ge=1, le=1000)
    stall: float = Field(default=0.0, ge=0, lt=1)
    seed: int = Field(default=1, ge=0, lt=2**32)


class GemmJob(_Buildable):
    """Matrix products of random operands, on the accelerator alone."""

    product: Product

    def _operands(self) -> Iterator[tuple[str, str]]:
        for name in ("a", "b", "c"):
            if format_ := getattr(self.product, name):
                yield f"product.{name}", format_

    @property
    def result_formats(self) -> tuple[str, ...]:
        """The format of D; on the default job's accelerator those of its results, so that one hardware serves both."""
        usual = Job()
        same = self.accelerator.formats == usual.accelerator.formats and self.product.d in usual.result_formats
        return usual.result_formats if same else (self.product.d,)


def gemm_job(
    product: Mapping[str, object],
    accelerator: Mapping[str, object] | None = None,
    soc: Mapping[str, object] | None = None,
) -> GemmJob:
    """The job of a command line; JobError names the arguments (`M`, `--rows`) that are not as they may be.

    The accelerator's formats are those of the default job if they include those of A, B and C, else just these.
    """

    def subject(name: str) -> str:
        option = name.rpartition(".")[2].replace("_", "-")
        return option.upper() if option in ("m", "n", "k") else f"--{option}"

    wanted = validate(Product, dict(product), subject)
    usual, needed = Accelerator().formats, tuple(dict.fromkeys(name for name in (wanted.a, wanted.b, wanted.c) if name))
    formats = usual if set(needed) <= set(usual) else needed
    tables = {"product": dict(product), "accelerator": {**(accelerator or {}), "formats": formats}, "soc": soc or {}}
    return validate(GemmJob, tables, subject)
