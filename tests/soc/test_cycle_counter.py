"""The counter is latched whole: the upper word never belongs to another moment than the lower."""

from itertools import pairwise

from litex.gen.sim import run_simulation

from soc.cycle_counter import CycleCounter


def test_the_value_is_that_of_the_moment_of_the_latch():
    dut = CycleCounter()
    seen = []

    def software():
        for wait in (3, 10, 1):
            for _ in range(wait):
                yield
            yield dut.latch.re.eq(1)
            yield
            yield dut.latch.re.eq(0)
            yield
            yield
            seen.append((yield dut.value.status))
            for _ in range(5):
                yield
                assert (yield dut.value.status) == seen[-1]

    run_simulation(dut, software())
    # From latch to latch: the wait, then 3 + 5 cycles, then the latch's own.
    assert [later - earlier for earlier, later in pairwise(seen)] == [10 + 8, 1 + 8]
