"""Roundings by the names that jobs give them."""

from pyhost.formats import Rounding, Stochastic
from pyhost.job.fields import random_bits

__all__ = ["rounding_of"]


def rounding_of(name: str, seed: int, number: int) -> Rounding | Stochastic:
    """The rounding called `name` of tensor `number` of a job."""
    bits = random_bits(name)
    return Stochastic(bits, seed, tensor=number) if bits else Rounding(name)
