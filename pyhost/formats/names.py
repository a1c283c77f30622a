"""Names of formats: what the field writes, and one canonical name for each format."""

import difflib
import re
from functools import lru_cache

from pyhost.formats.base import Format
from pyhost.formats.binary import FINITE_SHAPES, BinaryFormat, Style
from pyhost.formats.errors import FormatError

__all__ = ["ALIASES", "parse_format"]

ALIASES = {
    "fp32": "e8m23",
    "float32": "e8m23",
    "binary32": "e8m23",
    "tf32": "e8m10",
    "bf16": "e8m7",
    "bfloat16": "e8m7",
    "fp16": "e5m10",
    "float16": "e5m10",
    "binary16": "e5m10",
    "fp8_e5m2": "e5m2",
    "fp8_e4m3": "e4m3fn",
    "fp6_e3m2": "e3m2fn",
    "fp6_e2m3": "e2m3fn",
    "fp4_e2m1": "e2m1fn",
}
"""Other names in use, and what they mean here."""

_COMMON = ("e8m23", "e8m10", "e8m7", "e5m10", "e5m2", "e4m3fn", "e5m2fnuz", "e4m3fnuz", "e2m1fn", "e2m3fn", "e3m2fn")

_BINARY = re.compile(r"e(?P<exponent>\d+)m(?P<fraction>\d+)(?P<options>.*)")
_OPTION = re.compile(r"(?P<style>fnuz|fn)|b(?P<bias>-?\d+)|(?P<nosub>nosub)")


@lru_cache(maxsize=256)
def parse_format(name: str) -> Format:
    """The format called `name`: a canonical name (`e4m3fn`, `e5m10`, `e4m3fnuzb11nosub`) or an alias (`bf16`).

    Raises FormatError, which quotes the name, says which part is wrong and lists near names.
    """
    if not isinstance(name, str):
        raise FormatError(f"a format's name is a string such as 'e4m3fn', not {name!r}")
    text = name.strip().lower()
    text = ALIASES.get(text, text)
    try:
        if match := _BINARY.fullmatch(text):
            return _binary(int(match["exponent"]), int(match["fraction"]), match["options"])
        raise FormatError("no family of formats has such names")
    except FormatError as error:
        near = difflib.get_close_matches(text, (*_COMMON, *ALIASES), n=4, cutoff=0.4)
        hint = f"; near: {', '.join(near)}" if near else ""
        raise FormatError(f"{name!r} is not a format: {error}{hint}") from None


def _binary(exponent_bits: int, fraction_bits: int, options: str) -> BinaryFormat:
    style: Style = "ieee"
    bias: int | None = None
    subnormals = True
    seen = set()
    rest = options
    while rest:
        match = _OPTION.match(rest)
        if match is None:
            raise FormatError(f"{rest!r} is none of the options fn, fnuz, bN (a bias) and nosub")
        kind = str(match.lastgroup)
        if kind in seen:
            raise FormatError(f"{match[0]!r} repeats an option")
        seen.add(kind)
        if match["style"]:
            style = "fnuz" if match["style"] == "fnuz" else "fn"
        elif match["bias"]:
            bias = int(match["bias"])
        else:
            subnormals = False
        rest = rest[match.end() :]
    if style == "fn" and (exponent_bits, fraction_bits) in FINITE_SHAPES:
        style = "finite"
    if not 2 <= exponent_bits <= 8:
        raise FormatError(f"e{exponent_bits}: exponent bits may be 2 to 8")
    if not 1 <= fraction_bits <= 23:
        raise FormatError(f"m{fraction_bits}: fraction bits may be 1 to 23")
    if bias is None:
        bias = BinaryFormat.default_bias(exponent_bits, style)
    return BinaryFormat(exponent_bits, fraction_bits, bias, style, subnormals)
