"""What was counted in the generated hardware: registers and caches, which clocks and leakage depend on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from pyhost.energy.figures import DATA, Table, parse
from pyhost.formats import parse_format
from pyhost.job.models import exact_accumulator_bits

__all__ = ["Design", "design"]

_Count = Annotated[float, Field(ge=0)]


class Design(Table):
    """Counts of flip-flops, from netlists of the SoC.

    core_registers: of VexRiscv "full" without its register file and caches. control_registers: of the accelerator
    outside its array. Of a processing element: `exact_registers` a bit of the register, or `chain_registers` a bit of
    the chain's format, and `element_registers_fixed`. logic_factor: leakage of all logic / that of its registers.
    """

    version: Literal[1] = Field(alias="schema")
    source: str
    core_registers: _Count
    control_registers: _Count
    exact_registers: _Count
    chain_registers: _Count
    element_registers_fixed: _Count
    logic_factor: Annotated[float, Field(ge=1)]
    cache_bits: _Count

    def element_registers(self, formats: Sequence[str], accumulator: str) -> float:
        """Flip-flops of one processing element."""
        if accumulator == "exact":
            limbs = max(2, -(-exact_accumulator_bits(formats) // 32))
            return self.exact_registers * 32 * limbs + self.element_registers_fixed
        return self.chain_registers * parse_format(accumulator).bits + self.element_registers_fixed


@cache
def design() -> Design:
    """The counts that come with floatsoc."""
    return parse(Design, (DATA / "design.json").read_bytes(), "design.json")
