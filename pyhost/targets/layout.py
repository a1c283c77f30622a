"""How a C struct lies in memory, as the host packs and reads it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pyhost.errors import BuildError

__all__ = ["Field", "Layout"]


@dataclass(frozen=True)
class Field:
    """A member of a struct or union.

    offset, size: bytes; size is that of one element. count: elements, None where it is not an array.
    signed: of an integer. layout: of a nested struct or union, otherwise None.
    """

    name: str
    offset: int
    size: int
    count: int | None = None
    signed: bool = False
    layout: Layout | None = None


@dataclass(frozen=True)
class Layout:
    """A struct or union: `size` bytes, and its fields in order of declaration.

    Members of an anonymous struct or union appear as the outer one's own, as they do in C.
    """

    name: str
    size: int
    fields: tuple[Field, ...]

    def __getitem__(self, name: str) -> Field:
        """The field called `name`; BuildError if there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        known = ", ".join(field.name for field in self.fields)
        raise BuildError(f"struct {self.name} of the firmware has no field {name!r}; it has {known}")

    @cached_property
    def dtype(self) -> np.dtype[np.void]:
        """The same as a little-endian NumPy dtype; the members of a union overlap in it.

        `numpy.zeros(n, layout.dtype).tobytes()` is an array of n structs as the firmware sees it.
        """
        return np.dtype(
            {
                "names": [field.name for field in self.fields],
                "formats": [_format(field) for field in self.fields],
                "offsets": [field.offset for field in self.fields],
                "itemsize": self.size,
            }
        )


def _format(field: Field) -> np.dtype[Any]:
    element: np.dtype[Any]
    element = field.layout.dtype if field.layout else np.dtype(f"<{'i' if field.signed else 'u'}{field.size}")
    return element if field.count is None else np.dtype((element, (field.count,)))
