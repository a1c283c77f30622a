"""The matrix product D = round_D( 2^scale * ( C + sum_k A[m,k] * B[k,n] ) ), codes in and codes out."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyhost.errors import FloatsocError
from pyhost.formats import Format, Rounding
from pyhost.golden import reference
from pyhost.golden.chain import chain as fast_chain
from pyhost.golden.exact import exact as fast_exact

__all__ = ["K_LIMIT", "Accumulator", "Chain", "Exact", "GoldenError", "gemm"]

K_LIMIT = 65_536
"""Most products an exact accumulator's guard bits are sized for."""

SCALE_LIMIT = 512
"""Largest |scale|: twice the exponent range of the widest format is never wanted."""


class GoldenError(FloatsocError):
    """Operands that do not fit each other, or a setting the golden model does not know."""


@dataclass(frozen=True)
class Exact:
    """A fixed-point register wide enough that nothing is lost: one rounding, at write-back.

    An exactly zero sum is +0. NaN and infinities are sticky: a NaN operand, infinity times zero, and infinities of
    both signs give NaN. At most `K_LIMIT` products.
    """


@dataclass(frozen=True)
class Chain:
    """acc = round(acc + a * b), one rounding a step, k ascending, in `format`, to nearest even.

    acc starts at +0; C, where there is one, is the first addend. Overflow goes to infinity, or NaN where the format
    has none; zeros have IEEE signs. Products are of the unrounded operands.
    """

    format: Format


Accumulator = Exact | Chain


def gemm(
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike | None = None,
    *,
    a_format: Format,
    b_format: Format,
    d_format: Format,
    c_format: Format | None = None,
    accumulator: Accumulator = Exact(),
    scale: int = 0,
    transpose: Literal["NN", "NT", "TN", "TT"] = "NN",
    overflow: Literal["ieee", "saturate"] = "ieee",
    rounding: Rounding = Rounding.NEAREST_EVEN,
    engine: Literal["fast", "reference"] = "fast",
) -> NDArray[np.unsignedinteger]:
    """D[m,n] = round_D( 2^scale * ( C[m,n] + sum over k, ascending, of A[m,k] * B[k,n] ) ).

    a: codes [M,K], or [K,M] where transpose[0] is 'T'; b: codes [K,N], or [N,K] where transpose[1] is 'T'; c: codes
    [M,N] in `c_format` (default: `d_format`). Returns codes [M,N] in `d_format`'s dtype. `overflow` and `rounding` are
    those of write-back. `engine="reference"` is the specification; "fast" gives the same bits.

    Raises GoldenError for shapes or settings that do not fit, FormatError for codes out of range.
    """
    if engine not in ("fast", "reference"):
        raise GoldenError(f"engine {engine!r} is neither 'fast' nor 'reference'")
    if overflow not in ("ieee", "saturate"):
        raise GoldenError(f"overflow {overflow!r} is neither 'ieee' nor 'saturate'")
    if not isinstance(scale, int | np.integer) or abs(scale) > SCALE_LIMIT:
        raise GoldenError(f"scale is an integer from -{SCALE_LIMIT} to {SCALE_LIMIT}, not {scale!r}")
    a_values, b_values = (
        _operand(name, codes, number_format, transposed)
        for name, codes, number_format, transposed in zip(
            "AB", (a, b), (a_format, b_format), _transposed(transpose), strict=True
        )
    )
    if a_values.shape[1] != b_values.shape[0]:
        raise GoldenError(f"A is {_shape(a_values)} and B is {_shape(b_values)} (rows x columns): K differs")
    c_values = None
    if c is not None:
        c_values = _operand("C", c, c_format or d_format, False)
        if c_values.shape != (a_values.shape[0], b_values.shape[1]):
            expected = f"{a_values.shape[0]}x{b_values.shape[1]}"
            raise GoldenError(f"C is {_shape(c_values)}, the product is {expected}")
    match accumulator:
        case Exact():
            if a_values.shape[1] > K_LIMIT:
                raise GoldenError(f"K is {a_values.shape[1]}: an exact accumulator takes at most {K_LIMIT} products")
            accumulate = fast_exact if engine == "fast" else reference.exact
            sums = accumulate(a_values, b_values, c_values, a_format, b_format, c_format or d_format)
        case Chain() if engine == "fast":
            sums = fast_chain(a_values, b_values, c_values, a_format, b_format, accumulator.format)
        case Chain():
            sums = reference.chain(a_values, b_values, c_values, accumulator.format)
        case _:
            raise GoldenError(f"accumulator is Exact() or Chain(format), not {accumulator!r}")
    return d_format.encode(reference.scaled(sums, int(scale)), rounding, saturate=overflow == "saturate")


def _transposed(transpose: str) -> tuple[bool, bool]:
    if transpose not in ("NN", "NT", "TN", "TT"):
        raise GoldenError(f"transpose {transpose!r} is none of 'NN', 'NT', 'TN', 'TT'")
    return transpose[0] == "T", transpose[1] == "T"


def _operand(name: str, codes: ArrayLike, number_format: Format, transposed: bool) -> NDArray[np.float64]:
    values = number_format.decode(codes)
    if values.ndim != 2:
        raise GoldenError(f"{name} is a matrix of codes, not an array of {values.ndim} dimensions")
    return values.T if transposed else values


def _shape(values: NDArray[np.float64]) -> str:
    return "x".join(map(str, values.shape))
