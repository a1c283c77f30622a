"""Fully connected layers: three matrix products."""

from typing import Literal, Required, TypedDict, Unpack

from pyhost.formats import Format
from pyhost.golden.gemm import Accumulator, gemm
from pyhost.golden.kernels.codes import Codes, Overflow

__all__ = ["Product", "dense", "dense_input_gradient", "dense_weight_gradient"]


class Product(TypedDict, total=False):
    """How a matrix product accumulates and writes back: keyword arguments of `pyhost.golden.gemm`."""

    accumulator: Required[Accumulator]
    scale: int
    overflow: Overflow
    engine: Literal["fast", "reference"]


def dense(
    x: Codes, x_format: Format, w: Codes, w_format: Format, y_format: Format, **product: Unpack[Product]
) -> Codes:
    """y[b, o] = sum over i, ascending, of x[b, i] * w[i, o]."""
    return gemm(x, w, a_format=x_format, b_format=w_format, d_format=y_format, **product)


def dense_weight_gradient(
    x: Codes, x_format: Format, dy: Codes, dy_format: Format, dw_format: Format, **product: Unpack[Product]
) -> Codes:
    """dw[i, o] = sum over b, ascending, of x[b, i] * dy[b, o]."""
    return gemm(x, dy, a_format=x_format, b_format=dy_format, d_format=dw_format, transpose="TN", **product)


def dense_input_gradient(
    dy: Codes, dy_format: Format, w: Codes, w_format: Format, dx_format: Format, **product: Unpack[Product]
) -> Codes:
    """dx[b, i] = sum over o, ascending, of dy[b, o] * w[i, o]."""
    return gemm(dy, w, a_format=dy_format, b_format=w_format, d_format=dx_format, transpose="NT", **product)
