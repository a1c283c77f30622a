"""How tensors use their formats, and what rounding to them cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pyhost.formats import BinaryFormat, Format, Rounding, ScalarFormat
from pyhost.golden.gemm import Accumulator, Exact
from pyhost.golden.step import execute, steps
from pyhost.plan.calls import BiasGradient, Call, Convert, Gemm, Kernel, Plan, Relu, SoftmaxCrossEntropy
from pyhost.plan.tensors import Tensor

__all__ = ["RoundingError", "TensorProfile", "profile_tensors", "rounding_errors"]

Codes = NDArray[np.unsignedinteger]
Values = NDArray[np.float64]

_REFERENCE: Final = BinaryFormat(8, 23, 127)
"""Stands for the values before rounding: binary32, the widest result there is."""

_MOST_PRECISION: Final = 16
"""Above it the reference's own rounding, 2^-24, is no longer small beside the format's."""


@dataclass(frozen=True, kw_only=True)
class RoundingError:
    """What rounding did to `elements` finite values: how many lay beyond the format's largest value (`saturated`),
    how many that were not zero became zero (`underflowed`), and sums of squares.
    """

    elements: int
    saturated: int
    underflowed: int
    error_squares: float
    value_squares: float

    @property
    def relative_rms(self) -> float | None:
        """Root of the errors' squares over the values' squares; None where all values are zero."""
        return float(np.sqrt(self.error_squares / self.value_squares)) if self.value_squares else None

    def __add__(self, other: RoundingError) -> RoundingError:
        return RoundingError(
            elements=self.elements + other.elements,
            saturated=self.saturated + other.saturated,
            underflowed=self.underflowed + other.underflowed,
            error_squares=self.error_squares + other.error_squares,
            value_squares=self.value_squares + other.value_squares,
        )

    @classmethod
    def of(cls, values: Values, rounded: Values, largest: float) -> RoundingError:
        """Of `values` and what they were `rounded` to; infinities and NaN among either have no error, only a side."""
        known = np.isfinite(values) & np.isfinite(rounded)
        return cls(
            elements=int(np.count_nonzero(~np.isnan(values))),
            saturated=int(np.count_nonzero(np.abs(values) > largest)),
            underflowed=int(np.count_nonzero((values != 0) & (rounded == 0))),
            error_squares=float(np.sum((values[known] - rounded[known]) ** 2)),
            value_squares=float(np.sum(values[known] ** 2)),
        )


@dataclass(frozen=True, kw_only=True)
class TensorProfile:
    """How a tensor's codes use its format.

    zeros, subnormals, largest (of the largest finite magnitude), infinite, nan, invalid (no code of the format):
    numbers of elements. exponents: elements by floor(log2 |value|), of the finite ones that are not zero.
    """

    name: str
    format: str
    shape: tuple[int, ...]
    elements: int
    zeros: int
    subnormals: int
    largest: int
    infinite: int
    nan: int
    invalid: int
    exponents: Mapping[int, int]
    span: tuple[int, int]
    """Exponents of the smallest and largest positive value of the format."""
    error: RoundingError | None = None

    @classmethod
    def of(cls, tensor: Tensor, codes: Codes) -> TensorProfile | None:
        """Of the codes of `tensor`; None for integers and for formats whose codes are no single values."""
        format_ = tensor.format
        if not isinstance(format_, ScalarFormat):
            return None
        flat = codes.reshape(-1)
        valid = flat.astype(np.uint64) < 1 << format_.bits
        values = format_.decode(flat[valid])
        magnitudes = np.abs(values)
        finite = np.isfinite(values)
        used, counts = np.unique(_exponent(magnitudes[finite & (magnitudes > 0)]), return_counts=True)
        return cls(
            name=tensor.name,
            format=format_.name,
            shape=tensor.shape,
            elements=tensor.count,
            zeros=int(np.count_nonzero(magnitudes == 0)),
            subnormals=int(np.count_nonzero((magnitudes > 0) & (magnitudes < format_.min_normal))),
            largest=int(np.count_nonzero(magnitudes == format_.max)),
            infinite=int(np.count_nonzero(np.isinf(values))),
            nan=int(np.count_nonzero(np.isnan(values))),
            invalid=int(np.count_nonzero(~valid)),
            exponents=dict(zip(used.tolist(), counts.tolist(), strict=True)),
            span=(int(_exponent(format_.min_subnormal)), int(_exponent(format_.max))),
        )


def _exponent(magnitudes: Values | float) -> NDArray[np.intp]:
    """floor(log2 x) of positive finite numbers, exactly."""
    return np.asarray(np.frexp(magnitudes)[1] - 1, np.intp)


def profile_tensors(
    tensors: Iterable[Tensor], codes: Mapping[str, Codes], errors: Mapping[str, RoundingError]
) -> tuple[TensorProfile, ...]:
    """The tensors of floating-point numbers whose codes are known, each with its rounding error where that is."""
    profiles = (TensorProfile.of(tensor, codes[tensor.name]) for tensor in tensors if tensor.name in codes)
    return tuple(replace(profile, error=errors.get(profile.name)) for profile in profiles if profile)


def rounding_errors(
    plan: Plan, before: Mapping[str, Codes], *, accumulator: Accumulator
) -> Mapping[str, RoundingError]:
    """By tensor, what rounding to its format did in a step of the golden model from `before` (inputs and state).

    Each kernel that rounds is run once more on the same operands with a binary32 result and exact sums: what the tensor
    holds is compared with that. So a chain's own roundings count. Left out are formats of more than 16 significant
    bits, for which binary32 is no reference, and the optimiser's tensors, which it reads and writes in place.
    """
    errors: dict[str, RoundingError] = {}
    memory = dict(before)
    kernels = zip(plan.kernels, steps(plan, memory, accumulator=accumulator), strict=True)
    operands = dict(memory)
    for kernel, _ in kernels:
        if (wide := _widened(kernel.call)) is not None:
            call, tensor = wide
            error = _error(kernel, call, tensor, operands, memory)
            errors[tensor.name] = errors[tensor.name] + error if tensor.name in errors else error
        operands = dict(memory)
    return errors


def _widened(call: Call) -> tuple[Call, Tensor] | None:
    """The call with a binary32 result, and the tensor that it would write; None where nothing is to be learned."""
    match call:
        case Gemm(d=d):
            tensor = d.tensor
            unrounded = replace(call, overflow="ieee", rounding=Rounding.NEAREST_EVEN)
            wide: Call = replace(unrounded, d=replace(d, tensor=_reference(tensor)))
        case Convert(y=tensor) | Relu(y=tensor):
            wide = replace(call, y=_reference(tensor))
        case BiasGradient(bias_gradient=tensor):
            wide = replace(call, bias_gradient=_reference(tensor))
        case SoftmaxCrossEntropy(gradient=tensor):
            wide = replace(call, gradient=_reference(tensor))
        case _:
            return None
    return (wide, tensor) if _narrow(tensor.format) else None


def _narrow(format_: Format | None) -> bool:
    return isinstance(format_, ScalarFormat) and format_.precision <= _MOST_PRECISION


def _reference(tensor: Tensor) -> Tensor:
    return Tensor(f"{tensor.name} before rounding", tensor.shape, _REFERENCE)


def _error(
    kernel: Kernel, wide: Call, tensor: Tensor, operands: Mapping[str, Codes], after: Mapping[str, Codes]
) -> RoundingError:
    """Of the part of `tensor` that the kernel writes."""
    assert isinstance(tensor.format, ScalarFormat)
    single = Plan((Kernel(kernel.name, wide),), (), ())
    results = execute(single, operands, accumulator=Exact())
    values = _REFERENCE.decode(results[_reference(tensor).name]).reshape(-1)
    rounded = tensor.format.decode(after[tensor.name]).reshape(-1)
    if isinstance(kernel.call, Gemm):
        written = kernel.call.d.index(kernel.call.m, kernel.call.n)
        values, rounded = values[written], rounded[written]
    return RoundingError.of(values, rounded, tensor.format.max)
