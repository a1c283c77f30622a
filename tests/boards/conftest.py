"""What the tests of boards share."""

import random

import pytest

from tests.pyhost.conftest import floatsoc

__all__ = ["floatsoc", "rng"]


@pytest.fixture
def rng():
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)
