"""When a compiled twin pays for itself."""

import sys

__all__ = ["worth_compiling"]


def worth_compiling(elements: int) -> bool:
    """Whether work on so many elements takes longer in NumPy than in Numba, the import of Numba included.

    Once somebody else has imported it, much less work will do.
    """
    return elements >= (1 << 12 if "numba" in sys.modules else 1 << 17)
