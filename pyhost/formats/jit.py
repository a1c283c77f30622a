"""What Numba kernels are made with: their decorator, and the bits of floats at the width they have.

Numba's own operators widen 32-bit integers to 64, of which a vector holds half as many, and which AVX2 cannot shift.
Importing this imports Numba.
"""

# mypy: disallow-untyped-decorators=False

from typing import Any

from numba import njit, types
from numba.extending import intrinsic

__all__ = ["bit_and", "bit_or", "bits_of", "float_of", "kernel", "minus", "plus", "shift_right"]

_INTEGER = {types.float32: types.int32, types.float64: types.int64}
_FLOAT = {integer: number for number, integer in _INTEGER.items()}


def kernel(function: Any) -> Any:
    """`function` compiled at its first call for each set of types, and kept on disk where there is a place to write.

    Division by zero follows IEEE arithmetic, as everywhere else here.
    """
    try:
        return njit(cache=True, error_model="numpy")(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return njit(error_model="numpy")(function)


def _reinterpret(table: dict[Any, Any], x: Any) -> Any:
    if x not in table:
        return None
    target = table[x]

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(target))

    return target(x), codegen


@intrinsic
def bits_of(typing_context: Any, x: Any) -> Any:
    """float32 -> int32, float64 -> int64: the same bits."""
    return _reinterpret(_INTEGER, x)


@intrinsic
def float_of(typing_context: Any, x: Any) -> Any:
    """int32 -> float32, int64 -> float64: the same bits."""
    return _reinterpret(_FLOAT, x)


def _operation(name: str, x: Any, y: Any) -> Any:
    if x not in _FLOAT or x != y:
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return getattr(builder, name)(*arguments)

    return x(x, y), codegen


@intrinsic
def bit_and(typing_context: Any, x: Any, y: Any) -> Any:
    """x & y of two int32 or two int64."""
    return _operation("and_", x, y)


@intrinsic
def bit_or(typing_context: Any, x: Any, y: Any) -> Any:
    """x | y of two int32 or two int64."""
    return _operation("or_", x, y)


@intrinsic
def plus(typing_context: Any, x: Any, y: Any) -> Any:
    """x + y of two int32 or two int64, wrapping."""
    return _operation("add", x, y)


@intrinsic
def minus(typing_context: Any, x: Any, y: Any) -> Any:
    """x - y of two int32 or two int64, wrapping."""
    return _operation("sub", x, y)


@intrinsic
def shift_right(typing_context: Any, x: Any, y: Any) -> Any:
    """x >> y of two int32 or two int64; zeros come in, also for negative x."""
    return _operation("lshr", x, y)
