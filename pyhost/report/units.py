"""Numbers with units, for people."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["address", "energy", "interval", "scaled", "share", "size"]

_ENERGIES = ((1e12, "J"), (1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ"), (1.0, "pJ"))
_NARROW = "\N{NO-BREAK SPACE}"


def scaled(largest_pj: float) -> tuple[float, str]:
    """The unit in which `largest_pj` is at least 1, and its picojoules."""
    return next(((unit, name) for unit, name in _ENERGIES if abs(largest_pj) >= unit), _ENERGIES[-1])


def energy(picojoules: float | None) -> str:
    """Three significant digits in a fitting unit; nothing for None."""
    if picojoules is None:
        return ""
    unit, name = scaled(picojoules)
    return f"{_digits(picojoules / unit)}{_NARROW}{name}"


def interval(picojoules: Sequence[float] | None) -> str:
    """Lowest to highest, in the unit of the highest."""
    if picojoules is None:
        return ""
    low, high = picojoules
    unit, name = scaled(high)
    return f"{_digits(low / unit)} to {_digits(high / unit)}{_NARROW}{name}"


def size(count: int) -> str:
    """Bytes with a binary prefix from 1 KiB on."""
    if count < 1024:
        return f"{count}{_NARROW}B"
    unit, name = (1 << 20, "MiB") if count >= 1 << 20 else (1 << 10, "KiB")
    return f"{_digits(count / unit)}{_NARROW}{name}"


def share(part: int | float, whole: int | float) -> str:
    """A percentage that is 0 % only where there is none; nothing where there is no whole."""
    if not whole:
        return ""
    percentage = 100 * part / whole
    text = f"{percentage:.1f}" if percentage < 99.95 or part == whole else "99.9"
    return f"{'<0.1' if part and text == '0.0' else text}{_NARROW}%"


def address(number: int) -> str:
    """Eight hexadecimal digits."""
    return f"0x{number:08x}"


def _digits(number: float) -> str:
    """Three significant digits, never in scientific notation."""
    return f"{number:,.0f}" if abs(number) >= 99.95 else f"{number:.3g}"
