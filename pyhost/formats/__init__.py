"""Float formats: names, codes, values and rounding. NumPy is all they need; large arrays are encoded by Numba.

    >>> from pyhost.formats import parse_format
    >>> e4m3 = parse_format("e4m3fn")
    >>> e4m3.decode(e4m3.encode([0.3, 1000.0]))
    array([0.3125,    nan])

docs/numerics.md says what the formats and the rounding modes mean.
"""

from pyhost.formats.base import Format, ScalarFormat
from pyhost.formats.binary import BinaryFormat
from pyhost.formats.block import BlockFormat
from pyhost.formats.errors import FormatError
from pyhost.formats.names import ALIASES, FAMILIES, parse_format
from pyhost.formats.p3109 import P3109Format
from pyhost.formats.posit import PositFormat
from pyhost.formats.rounding import Rounding
from pyhost.formats.scale import ScaleFormat
from pyhost.formats.stochastic import Stochastic
from pyhost.formats.unum import UnumFormat

__all__ = [
    "ALIASES",
    "FAMILIES",
    "BinaryFormat",
    "BlockFormat",
    "Format",
    "FormatError",
    "P3109Format",
    "PositFormat",
    "Rounding",
    "ScalarFormat",
    "ScaleFormat",
    "Stochastic",
    "UnumFormat",
    "parse_format",
]
