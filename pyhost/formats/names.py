"""Names of formats: what the field writes, and one canonical name for each format."""

import difflib
import re
from collections.abc import Callable
from functools import lru_cache

from pyhost.formats.base import Format, ScalarFormat
from pyhost.formats.binary import FINITE_SHAPES, BinaryFormat, Style
from pyhost.formats.block import BlockFormat
from pyhost.formats.errors import FormatError
from pyhost.formats.p3109 import P3109Format
from pyhost.formats.posit import PositFormat
from pyhost.formats.scale import ScaleFormat
from pyhost.formats.unum import UnumFormat

__all__ = ["ALIASES", "FAMILIES", "parse_format"]

FAMILIES = {
    "eXmY": "IEEE style: X exponent bits (2..8), Y fraction bits (1..23); then fn or fnuz, bN (a bias), nosub",
    "binaryKpP": "IEEE P3109: K bits (3..8), precision P; then s or u (unsigned), e or f (finite); without: se",
    "positN": "posit of N bits (3..32), es = 2; positNesE: another es (0..3)",
    "unumAxB": "unum type I, for storage: sizes of up to 2^A (A 0..3) exponent and 2^B (B 0..4) fraction bits",
    "e8m0fnu": "the power-of-two scale of microscaling",
    "mx(ELEMENT,32)": "OCP microscaling, for storage: 32 elements share one e8m0fnu scale",
}
"""What names look like, and what they mean."""

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
    "mxfp8_e5m2": "mx(e5m2,32)",
    "mxfp8_e4m3": "mx(e4m3fn,32)",
    "mxfp6_e3m2": "mx(e3m2fn,32)",
    "mxfp6_e2m3": "mx(e2m3fn,32)",
    "mxfp4_e2m1": "mx(e2m1fn,32)",
}
"""Other names in use, and what they mean here."""

_COMMON = ("e8m23", "e8m10", "e8m7", "e5m10", "e5m2", "e4m3fn", "e5m2fnuz", "e4m3fnuz", "e2m1fn", "e2m3fn", "e3m2fn")
_OTHERS = ("posit8", "posit16", "posit32", "posit8es0", "binary8p3se", "binary8p4se", "unum2x2", "mx(e4m3fn,32)")

_OPTION = re.compile(r"(?P<style>fnuz|fn)|b(?P<bias>-?\d{1,9})|(?P<nosub>nosub)", re.ASCII)


def parse_format(name: str) -> Format:
    """The format called `name`: a canonical name (`e4m3fn`, `e4m3fnuzb11nosub`, `posit16`) or an alias (`bf16`).

    Raises FormatError, which quotes the name, says which part is wrong and lists near names.
    """
    if not isinstance(name, str):
        raise FormatError(f"a format's name is a string such as 'e4m3fn', not {name!r}")
    return _parsed(str(name))


@lru_cache(maxsize=256)
def _parsed(name: str) -> Format:
    text = re.sub(r"\s", "", name.lower())
    text = ALIASES.get(text, text)
    try:
        for pattern, build in _BUILDERS:
            if match := pattern.fullmatch(text):
                return build(*match.groups())
        raise FormatError("no family of formats has such names")
    except FormatError as error:
        near = difflib.get_close_matches(text, (*_COMMON, *_OTHERS, *ALIASES), n=4, cutoff=0.4)
        hint = f"; near: {', '.join(near)}" if near else ""
        raise FormatError(f"{name!r} is not a format: {error}{hint}") from None


def _binary(exponent: str, fraction: str, options: str) -> BinaryFormat:
    exponent_bits, fraction_bits = int(exponent), int(fraction)
    style: Style = "ieee"
    bias: int | None = None
    subnormals = True
    seen = set()
    while options:
        match = _OPTION.match(options)
        if match is None:
            raise FormatError(f"{options!r} is none of the options fn, fnuz, bN (a bias) and nosub")
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
        options = options[match.end() :]
    if style == "fn" and (exponent_bits, fraction_bits) in FINITE_SHAPES:
        style = "finite"
    if not 2 <= exponent_bits <= 8:
        raise FormatError(f"e{exponent_bits}: exponent bits may be 2 to 8")
    if not 1 <= fraction_bits <= 23:
        raise FormatError(f"m{fraction_bits}: fraction bits may be 1 to 23")
    if bias is None:
        bias = BinaryFormat.default_bias(exponent_bits, style)
    return BinaryFormat(exponent_bits, fraction_bits, bias, style, subnormals)


def _p3109(width: str, precision: str, sign: str | None, domain: str | None) -> P3109Format:
    return P3109Format(int(width), int(precision), sign != "u", domain != "f")


def _posit(width: str, es: str | None) -> PositFormat:
    return PositFormat(int(width), 2 if es is None else int(es))


def _unum(esizesize: str, fsizesize: str) -> UnumFormat:
    return UnumFormat(int(esizesize), int(fsizesize))


def _block(element: str, size: str) -> BlockFormat:
    try:
        inner = parse_format(element)
    except FormatError:
        raise FormatError(f"element {element!r}: it is no format") from None
    if not isinstance(inner, ScalarFormat):
        raise FormatError(f"element {inner.name}: it is no format of single values")
    return BlockFormat(inner, int(size))


_BUILDERS: tuple[tuple[re.Pattern[str], Callable[..., Format]], ...] = (
    (re.compile(r"e8m0fnu"), ScaleFormat),
    (re.compile(r"e(\d{1,9})m(\d{1,9})(.*)", re.ASCII), _binary),
    (re.compile(r"binary(\d{1,9})p(\d{1,9})([su])?([ef])?", re.ASCII), _p3109),
    (re.compile(r"posit(\d{1,9})(?:es(\d{1,9}))?", re.ASCII), _posit),
    (re.compile(r"unum(\d{1,9})x(\d{1,9})", re.ASCII), _unum),
    (re.compile(r"mx\((.+),(\d{1,9})\)", re.ASCII), _block),
)
