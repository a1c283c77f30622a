"""What the verilator target alone promises: every cycle."""

import pytest

from pyhost.errors import TargetError
from pyhost.targets.base import Limit
from pyhost.targets.verilator import VerilatorTarget
from tests.targets.driver import Driver, compile_program, kind

pytestmark = pytest.mark.hardware


@pytest.fixture(scope="module", params=["full", "minimal"])
def place(request):
    return kind("verilator", request.param)


@pytest.fixture(scope="module")
def image(place, tmp_path_factory):
    return compile_program(place.soc, tmp_path_factory.mktemp("program"))


@pytest.fixture
def driver(place, image):
    with place.open() as target:
        yield Driver(target, image)


def test_cycles_are_those_of_the_socs_own_counter(driver, image):
    driver.wait("STATE_READY")
    before = driver.target.cycles
    driver.perform("TASK_SUM", image.symbol("_end"), 1000)
    counted = driver.get("cycles_low") | driver.get("cycles_high") << 32
    assert 1000 < counted < driver.target.cycles - before
    assert driver.target.cycles - before - counted < 2 * 10_000  # looked at every 10,000 cycles


def test_running_until_what_holds_already_costs_no_cycle(driver):
    driver.wait("STATE_READY")
    before = driver.target.cycles
    driver.target.run(lambda: True, Limit(cycles=0))
    assert driver.target.cycles == before


def test_the_same_run_takes_the_same_cycles(driver, image):
    cycles = []
    for _ in range(2):
        driver.target.load(image)
        driver.perform("TASK_SUM", image.symbol("_end"), 500)
        cycles.append((driver.get("cycles_low"), driver.target.cycles))
    assert cycles[0] == cycles[1]


def test_a_run_stops_at_the_very_cycle_of_its_limit(driver):
    driver.start("TASK_SPIN")
    before = driver.target.cycles
    with pytest.raises(TargetError, match="did not finish within 50,000 cycles"):
        driver.wait("STATE_DONE", Limit(cycles=50_000))
    assert driver.target.cycles - before == 50_000


def test_stall_must_be_a_probability(place):
    for stall in (-0.1, 1.0, 2.0):
        with pytest.raises(TargetError, match="not a probability"):
            VerilatorTarget(place.soc.library, stall=stall)


def test_a_library_that_is_none_is_an_error(tmp_path):
    (tmp_path / "libsoc.so").write_text("no library")
    with pytest.raises(TargetError, match="cannot be loaded"):
        VerilatorTarget(tmp_path / "libsoc.so")
