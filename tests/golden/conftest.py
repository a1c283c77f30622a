"""The fast engine both ways: as it computes small problems, in NumPy, and large ones, in compiled kernels."""

from collections.abc import Callable

import pytest

from pyhost.golden import chain, exact


@pytest.fixture
def compiling(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """A switch between the two, whatever the size."""

    def switch(compiles: bool) -> None:
        for module in (chain, exact):
            monkeypatch.setattr(module, "worth_compiling", lambda elements: compiles)

    return switch


@pytest.fixture(params=["reference", "fast", "fast, compiled"])
def engine(request: pytest.FixtureRequest, compiling: Callable[[bool], None]) -> str:
    """The engines by name."""
    name, *compiled = request.param.split(", ")
    compiling(bool(compiled))
    return str(name)
