"""The matrix product and its write-back, D = round_D( 2^scale * ( C + sum_k A[m,k] * B[k,n] ) ), codes in and out."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyhost.errors import FloatsocError
from pyhost.formats import BinaryFormat, Format, Rounding, ScalarFormat, Stochastic
from pyhost.golden import chain, exact, odd, reference

__all__ = ["K_LIMIT", "Accumulator", "Chain", "Exact", "GoldenError", "gemm"]

K_LIMIT = 65_536
"""Most products an exact accumulator's guard bits are sized for."""

SCALE_LIMIT = 512
"""Largest |scale|: it takes any format's smallest value beyond any format's largest, and back."""


_BINARY32 = BinaryFormat(8, 23, 127)

_DECIDING_BITS = 52
"""Significant bits of a sum rounded to odd, without the last one."""


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
    """acc = round(acc + a * b), one rounding a step, k ascending, in `format`, to nearest even or stochastic.

    acc starts at +0; C, where there is one, is the first addend. Overflow goes to infinity, or NaN where the format
    has none; zeros have IEEE signs. Products are of the unrounded operands. Stochastic steps draw their bits for the
    row and column of D and for k (`pyhost.formats.stochastic`).
    """

    format: Format
    rounding: Rounding | Stochastic = Rounding.NEAREST_EVEN


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
    rounding: Rounding | Stochastic | str = Rounding.NEAREST_EVEN,
    addend: ArrayLike | None = None,
    addend_format: Format | None = None,
    relu: bool = False,
    mask: ArrayLike | None = None,
    mask_format: Format | None = None,
    engine: Literal["fast", "reference"] = "fast",
) -> NDArray[np.unsignedinteger]:
    """D = round_D(wide), and what write-back makes of it, from

        sum  = C[m,n] + sum over k, ascending, of A[m,k] * B[k,n]         in the accumulator
        wide = 2^scale * sum                                             without an addend
        wide = round_binary32( 2^scale * sum ) + addend[m,n]             with one: exact, after rounding to nearest even

    a: codes [M,K], or [K,M] where transpose[0] is 'T'; b: codes [K,N], or [N,K] where transpose[1] is 'T'; c, addend,
    mask: codes [M,N], or [N] for one row that is repeated, in formats of their own (default: `d_format`). Returns codes
    [M,N] in `d_format`'s dtype. `overflow` and `rounding` (a mode, its name, or Stochastic) are those of write-back; a
    result of binary32 on the way to an addend overflows to infinity. relu: negative elements of D, -0 among them,
    become +0. mask: elements of D become +0 except where the mask is above zero or NaN. `engine="reference"` is the
    specification; "fast" gives the same bits.

    Raises GoldenError for shapes or settings that do not fit, FormatError for codes out of range.
    """
    if engine not in ("fast", "reference"):
        raise GoldenError(f"engine {engine!r} is neither 'fast' nor 'reference'")
    if overflow not in ("ieee", "saturate"):
        raise GoldenError(f"overflow {overflow!r} is neither 'ieee' nor 'saturate'")
    if not isinstance(scale, int | np.integer) or abs(scale) > SCALE_LIMIT:
        raise GoldenError(f"scale is an integer from -{SCALE_LIMIT} to {SCALE_LIMIT}, not {scale!r}")
    if not isinstance(relu, bool | np.bool_):
        raise GoldenError(f"relu is True or False, not {relu!r}")
    if transpose not in ("NN", "NT", "TN", "TT"):
        raise GoldenError(f"transpose {transpose!r} is none of 'NN', 'NT', 'TN', 'TT'")
    if not isinstance(rounding, Stochastic):
        rounding = Rounding.named(rounding)
    if rounding is Rounding.STOCHASTIC:
        raise GoldenError("stochastic rounding at write-back is Stochastic(bits, seed, ...): it needs to know its bits")
    fa, fb, fd = _scalar("A", a_format), _scalar("B", b_format), _scalar("D", d_format)
    fc = fd if c_format is None else _scalar("C", c_format)
    f_addend = fd if addend_format is None else _scalar("the addend", addend_format)
    f_mask = fd if mask_format is None else _scalar("the mask", mask_format)
    if isinstance(rounding, Stochastic):
        _check_bits(rounding, fd)
    x, y = _values("A", a, fa, transpose[0] == "T"), _values("B", b, fb, transpose[1] == "T")
    if x.shape[1] != y.shape[0]:
        raise GoldenError(f"A is {_shape(x)} and B is {_shape(y)} (rows x columns): K differs")
    shape = x.shape[0], y.shape[1]
    z, added, masking = (
        None if codes is None else _values_of_each(name, codes, number_format, shape)
        for name, codes, number_format in (("C", c, fc), ("the addend", addend, f_addend), ("the mask", mask, f_mask))
    )
    match accumulator:
        case Exact():
            if x.shape[1] > K_LIMIT:
                raise GoldenError(f"K is {x.shape[1]}: an exact accumulator takes at most {K_LIMIT} products")
            sums = (exact.exact if engine == "fast" else reference.exact)(x, y, z, fa, fb, fc)
        case Chain():
            acc_format, stochastic = _scalar("the accumulator", accumulator.format), _stochastic(accumulator)
            if stochastic is not None:
                _check_bits(stochastic, acc_format)
            if engine == "fast":
                sums = chain.chain(x, y, z, fa, fb, acc_format, stochastic)
            else:
                sums = reference.chain(x, y, z, acc_format, stochastic)
        case _:
            raise GoldenError(f"accumulator is Exact() or Chain(format), not {accumulator!r}")
    wide = reference.scaled(sums, int(scale))
    if added is not None:
        wide = (odd.add if engine == "fast" else reference.add)(_BINARY32.round(wide), added)
    saturate = overflow == "saturate"
    if isinstance(rounding, Stochastic):
        random = rounding.draw(*shape)
        d = fd.encode(wide, Rounding.STOCHASTIC, saturate, random=random, random_bits=rounding.bits)
    else:
        d = fd.encode(wide, rounding, saturate)
    zero = fd.encode(0.0)
    if relu:
        results = fd.decode(d)
        d = np.where(np.signbit(results) & ~np.isnan(results), zero, d)
    return d if masking is None else np.where(masking <= 0, zero, d)


def _scalar(name: str, number_format: Format) -> ScalarFormat:
    if not isinstance(number_format, Format):
        raise GoldenError(f"the format of {name} is {number_format!r}: parse_format makes a format of a name")
    if not isinstance(number_format, ScalarFormat):
        raise GoldenError(f"the format of {name} is {number_format.name}: products need single values, as of e4m3fn")
    return number_format


def _stochastic(accumulator: Chain) -> Stochastic | None:
    match accumulator.rounding:
        case Stochastic():
            return accumulator.rounding
        case Rounding.NEAREST_EVEN:
            return None
        case _:
            raise GoldenError(
                f"a chain rounds to nearest even or Stochastic(bits, seed, ...), not {accumulator.rounding}"
            )


def _check_bits(stochastic: Stochastic, number_format: ScalarFormat) -> None:
    """Sums come with 52 bits that decide, and one that stands for all others."""
    most = _DECIDING_BITS - number_format.precision
    if stochastic.bits > most:
        raise GoldenError(
            f"stochastic rounding of sums to {number_format.name} takes 1 to {most} random bits, not {stochastic.bits}"
        )


def _values(name: str, codes: ArrayLike, number_format: ScalarFormat, transposed: bool) -> NDArray[np.float64]:
    values = number_format.decode(codes)
    if values.ndim != 2:
        raise GoldenError(f"{name} is a matrix of codes, not an array of {values.ndim} dimensions")
    return values.T if transposed else values


def _values_of_each(
    name: str, codes: ArrayLike, number_format: ScalarFormat, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """A value for each element of the product, from codes of all of them or of a row."""
    values = number_format.decode(codes)
    if values.ndim == 1 and values.size == shape[1]:
        return np.tile(values, (shape[0], 1))
    if values.ndim not in (1, 2):
        raise GoldenError(f"{name} is a matrix or a row of codes, not an array of {values.ndim} dimensions")
    if values.shape != shape:
        given = _shape(values) if values.ndim == 2 else f"a row of {values.size}"
        raise GoldenError(f"{name} is {given}, the product is {shape[0]}x{shape[1]}")
    return values


def _shape(values: NDArray[np.float64]) -> str:
    return "x".join(map(str, values.shape))
