"""Types of a job's fields: what each accepts, in which words it refuses, and how it is written back."""

import re
from difflib import get_close_matches
from math import frexp, isfinite
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, ValidationInfo

from pyhost.errors import FloatsocError
from pyhost.formats import BinaryFormat, P3109Format, PositFormat, ScalarFormat, parse_format
from pyhost.formats.rounding import RANDOM_BITS_LIMIT

__all__ = [
    "AccumulatorName",
    "ArrayExtent",
    "ByteCount",
    "DataSource",
    "Depth",
    "Extent",
    "FormatName",
    "FormatNames",
    "ModelName",
    "PowerOfTwo",
    "ProductRounding",
    "TensorFormatName",
    "hardware_format",
    "is_golden_only",
    "nearest",
    "random_bits",
]

POSIT_LIMIT = 16
"""Bits of the widest posit that the accelerator knows."""

_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_DATA_SETS = ("digits", "fashion-mnist")


def nearest(given: object, allowed: list[str]) -> str:
    """What to say of a name that is not `allowed`: the one that was probably meant, and all of them."""
    near = get_close_matches(str(given), allowed, n=1)
    return f"{f'did you mean {near[0]}? ' if near else ''}allowed: {', '.join(allowed)}"


def _parse_size(given: object) -> object:
    if not isinstance(given, str):
        return given
    match = re.fullmatch(r"(\d+) *(B|KiB|MiB|GiB)", given.strip())
    if not match:
        raise ValueError(f'a size is a whole number and a unit, like "4 MiB"; units: {", ".join(_UNITS)}')
    return int(match[1]) * _UNITS[match[2]]


def _check_size(given: int) -> int:
    if not 2**16 <= given <= 2**28 or given.bit_count() != 1:
        raise ValueError("must be a power of two from 64 KiB to 256 MiB")
    return given


def _write_size(size: int) -> str:
    unit = next(unit for unit in reversed(_UNITS) if size % _UNITS[unit] == 0)
    return f"{size // _UNITS[unit]} {unit}"


def _scalar_format(name: str) -> ScalarFormat:
    """The format of that name; ValueError where there is none, or it is not of single values."""
    try:
        format_ = parse_format(name)
    except FloatsocError as error:
        raise ValueError(str(error)) from error
    if not isinstance(format_, ScalarFormat):
        raise ValueError("products need a format of single values, such as e4m3fn or posit16")
    return format_


def hardware_format(name: str) -> ScalarFormat:
    """The format of that name; ValueError where there is none, or hardware and firmware do not compute in it."""
    format_ = _scalar_format(name)
    posit = isinstance(format_, PositFormat) and format_.bits <= POSIT_LIMIT
    if not posit and not isinstance(format_, BinaryFormat | P3109Format):
        raise ValueError(f"hardware and firmware know binary formats, P3109's and posits of up to {POSIT_LIMIT} bits")
    return format_


def is_golden_only(name: str) -> bool:
    """Whether neither hardware nor firmware can compute in the format of that name."""
    try:
        hardware_format(name)
    except ValueError:
        return True
    return False


def _canonical_format(given: str) -> str:
    return hardware_format(given).name


def _canonical_tensor_format(given: str) -> str:
    return _scalar_format(given).name


def _check_accumulator(given: str) -> str:
    if given == "exact":
        return given
    try:
        format_ = _scalar_format(given)
    except ValueError as error:
        raise ValueError(f'{error}; allowed: exact, or the format of a chain, like "e8m23"') from error
    if not isinstance(format_, BinaryFormat):
        raise ValueError('allowed: exact, or the binary format of a chain, like "e8m23"')
    return format_.name


def _check_distinct(given: tuple[str, ...]) -> tuple[str, ...]:
    if repeated := next((name for name in given if given.count(name) > 1), None):
        raise ValueError(f"{repeated} is listed more than once")
    return given


def _check_power_of_two(given: float) -> float:
    if not (isfinite(given) and given > 0 and frexp(given)[0] == 0.5):
        raise ValueError("must be a power of two, like 1.0 or 1024.0, so that scaling is exact")
    return given


def _check_depth(given: int) -> int:
    if given.bit_count() != 1:
        raise ValueError("must be a power of two from 32 to 8192")
    return given


def _check_rounding(given: str) -> str:
    match = re.fullmatch(r"stochastic:(\d+)", given)
    if match and 1 <= int(match[1]) <= RANDOM_BITS_LIMIT:
        return given
    if match or given not in ("nearest_even", "toward_zero"):
        raise ValueError(
            f"allowed: nearest_even, toward_zero, stochastic:R with 1 to {RANDOM_BITS_LIMIT} random bits R"
        )
    return given


def random_bits(rounding: str) -> int:
    """R of stochastic:R, 0 of any other rounding."""
    return int(rounding.partition(":")[2] or 0)


def _check_model(given: str) -> str:
    from pyhost.plan.models import MODELS  # here: the plan's modules import this one's package

    if given not in MODELS:
        raise ValueError(nearest(given, list(MODELS)))
    return given


def _check_data(given: str, info: ValidationInfo) -> str:
    recorded = info.context and info.context.get("recorded")  # what has been run stays readable without its data
    if given not in _DATA_SETS and not recorded and not Path(given).exists():
        raise ValueError(f"no such file; allowed: {', '.join(_DATA_SETS)}, the path of an .npz or IDX file")
    return given


ByteCount = Annotated[int, BeforeValidator(_parse_size), AfterValidator(_check_size), PlainSerializer(_write_size)]
FormatName = Annotated[str, AfterValidator(_canonical_format)]
TensorFormatName = Annotated[str, AfterValidator(_canonical_tensor_format)]
FormatNames = Annotated[
    tuple[FormatName, ...], Field(strict=False, min_length=1, max_length=8), AfterValidator(_check_distinct)
]
AccumulatorName = Annotated[str, AfterValidator(_check_accumulator)]
ArrayExtent = Annotated[int, Field(ge=1, le=32)]
Extent = Annotated[int, Field(ge=1, le=65535)]
Depth = Annotated[int, Field(ge=32, le=8192), AfterValidator(_check_depth)]
PowerOfTwo = Annotated[float, AfterValidator(_check_power_of_two)]
ProductRounding = Annotated[str, AfterValidator(_check_rounding)]
ModelName = Annotated[str, AfterValidator(_check_model)]
DataSource = Annotated[str, AfterValidator(_check_data)]
