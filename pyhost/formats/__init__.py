"""Float formats: names, codes, values and rounding; NumPy only.

    >>> from pyhost.formats import parse_format
    >>> e4m3 = parse_format("e4m3fn")
    >>> e4m3.decode(e4m3.encode([0.3, 1000.0]))
    array([0.3125,    nan])

docs/numerics.md says what the formats and the rounding modes mean.
"""

from pyhost.formats.base import Format
from pyhost.formats.binary import BinaryFormat
from pyhost.formats.errors import FormatError
from pyhost.formats.names import ALIASES, parse_format
from pyhost.formats.rounding import Rounding

__all__ = ["ALIASES", "BinaryFormat", "Format", "FormatError", "Rounding", "parse_format"]
