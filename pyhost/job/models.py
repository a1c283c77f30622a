"""The tables of a job file; what jobs of every kind have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from math import frexp
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pyhost.job.fields import (
    AccumulatorName,
    ArrayExtent,
    ByteCount,
    DataSource,
    Depth,
    FormatNames,
    ModelName,
    PowerOfTwo,
    TensorFormatName,
    hardware_format,
    is_golden_only,
)
from pyhost.job.validate import CrossFieldError, merge, validate

__all__ = ["Accelerator", "Buildable", "Formats", "Job", "Network", "Soc", "Table", "Training"]


class Table(BaseModel):
    """Frozen, and strict about keys and types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Soc(Table):
    """[soc]: the processor and its memory."""

    cpu: Literal["minimal", "lite", "standard", "full"] = "full"
    main_ram: ByteCount = 4 * 2**20
    memory: Literal["sram", "sdram"] = "sram"


class Accelerator(Table):
    """[accelerator]: an array of `rows` x `columns` processing elements; not built where it is not enabled.

    depth: steps along k that its scratchpads hold; port_bits: width of its port into main memory.
    """

    enabled: bool = True
    rows: ArrayExtent = 8
    columns: ArrayExtent = 8
    formats: FormatNames = ("e4m3fn", "e5m2")
    accumulator: AccumulatorName = "exact"
    depth: Depth = 2048
    port_bits: Literal[64, 128] = 128


class Network(Table):
    """[network]: what is trained, on how many images a step."""

    model: ModelName = "cnn-digits"
    batch: int = Field(default=16, ge=1, le=65535)


class Formats(Table):
    """[formats]: of tensors. `result` is that of products which firmware goes on working with.

    Hardware and firmware compute in binary formats, P3109's and posits of up to 16 bits; others are for
    `--target golden`.
    """

    activation: TensorFormatName = "e4m3fn"
    weight: TensorFormatName = "e4m3fn"
    gradient: TensorFormatName = "e5m2"
    result: TensorFormatName = "e8m23"
    master_weight: TensorFormatName = "e8m23"
    overflow: Literal["saturate", "ieee"] = "saturate"


class Training(Table):
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
    parsed = [hardware_format(name) for name in formats]
    bottom = max(0, *(1 - frexp(format_.min_subnormal)[1] for format_ in parsed))
    top = max(0, *(frexp(format_.max)[1] - 1 for format_ in parsed))
    return 2 * (bottom + top) + 2 * max(format_.precision for format_ in parsed) + 17


class Buildable(Table, ABC):
    """What determines the hardware, whatever runs on it."""

    soc: Soc = Soc()
    accelerator: Accelerator = Accelerator()

    @abstractmethod
    def _operands(self) -> Iterator[tuple[str, str]]:
        """(dotted name of the field, format) of everything that the accelerator must be able to read."""

    @property
    @abstractmethod
    def result_formats(self) -> tuple[str, ...]:
        """Formats of what the accelerator reads and writes at write-back."""

    @property
    def stochastic_chain(self) -> bool:
        """Whether the accelerator must be able to round each step of a chain stochastically."""
        return False

    @property
    def golden_only(self) -> dict[str, str]:
        """{dotted name of a field: format} of what hardware and firmware cannot compute in."""
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
            text = "is for the golden model alone: set accelerator.enabled = false and run with --target golden"
            problems += [(name, f"{format_} {text}") for name, format_ in self.golden_only.items()]
        if self.accelerator.accumulator == "exact" and self.accelerator.enabled:
            bits = exact_accumulator_bits(supported)
            if bits > EXACT_ACCUMULATOR_LIMIT:
                text = (
                    f"exact accumulation of {', '.join(supported)} takes {bits} bits, {EXACT_ACCUMULATOR_LIMIT} at most"
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


class Job(Buildable):
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
        return {name: format_ for name, format_ in formats.items() if is_golden_only(format_)}

    @property
    def result_formats(self) -> tuple[str, ...]:
        """Those of logits and weight gradients, of input gradients and of biases."""
        return tuple(dict.fromkeys((self.formats.result, self.formats.gradient, self.formats.master_weight)))
