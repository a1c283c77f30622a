"""`pyhost.golden.odd`, compiled: one pass over large arrays instead of many."""

# mypy: disable-error-code="call-arg, var-annotated"

import numpy as np

from pyhost.formats.jit import bits_of, float_of, kernel

__all__ = ["accumulate", "add_to_odd", "split", "survey"]


@kernel
def survey(values):  # type: ignore[no-untyped-def]
    """As `odd.survey`; magnitudes are compared as integers, which vectorises."""
    largest, smallest = np.int64(0), np.int64(0x7FF0000000000000)
    for i in range(values.shape[0]):
        row = values[i]
        for j in range(row.size):
            bits = bits_of(abs(row[j]))
            largest = bits if bits > largest else largest
            # Zero less one is the largest of unsigned numbers: it does not count as small.
            smallest = bits if bits < smallest and bits != 0 else smallest
    if largest == 0:
        return 0.0, 0.0
    if largest >= 0x7FF0000000000000:
        return np.nan, np.nan
    return float_of(largest), float_of(smallest)


@kernel
def split(values, quantum):  # type: ignore[no-untyped-def]
    """As `odd.split`, of C-contiguous arrays."""
    anchor = 1.5 * 2.0**52 * quantum
    part, rest = np.empty(values.shape), np.empty(values.shape)
    v, p, r = values.reshape(-1), part.reshape(-1), rest.reshape(-1)
    for i in range(v.size):
        p[i] = (v[i] + anchor) - anchor
        r[i] = v[i] - p[i]
    return part, rest


@kernel
def accumulate(high, low, term):  # type: ignore[no-untyped-def]
    """As `odd.accumulate`, of C-contiguous arrays."""
    h, w, t = high.reshape(-1), low.reshape(-1), term.reshape(-1)
    for i in range(h.size):
        s = h[i] + t[i]
        back = s - h[i]
        w[i] += (h[i] - (s - back)) + (t[i] - back)
        h[i] = s


@kernel
def add_to_odd(x, y):  # type: ignore[no-untyped-def]
    """As `odd.add_to_odd`, of C-contiguous arrays; the result takes the place of x."""
    a, b = x.reshape(-1), y.reshape(-1)
    for i in range(a.size):
        s = a[i] + b[i]
        back = s - a[i]
        error = (a[i] - (s - back)) + (b[i] - back)
        inexact = np.int64(error < 0) | np.int64(error > 0)
        bits = bits_of(s)
        overshot = np.int64((bits ^ bits_of(error)) < 0) & inexact
        a[i] = float_of((bits - overshot) | inexact)
    return x
