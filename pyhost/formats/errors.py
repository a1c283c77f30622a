"""The error of the format library."""

from pyhost.errors import FloatsocError

__all__ = ["FormatError"]


class FormatError(FloatsocError):
    """A format name, a code or a value that the format library cannot take."""
