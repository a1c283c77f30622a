"""What hardware a job needs, as the host says it to the generator: the JSON that `python -m soc` reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

__all__ = ["AcceleratorHardware", "Hardware"]


@dataclass(frozen=True, kw_only=True)
class AcceleratorHardware:
    """An accelerator; the fields of `accel_rtl.AcceleratorConfig`, which checks them."""

    rows: int
    columns: int
    operand_formats: tuple[str, ...]
    result_formats: tuple[str, ...] = ()
    accumulator: str = "exact"
    depth: int = 2048
    port_bits: int = 128


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """A SoC; the fields of `soc.config.SocConfig`, which checks them. main_ram: bytes."""

    cpu: str = "full"
    main_ram: int = 4 << 20
    memory: str = "sram"
    accelerator: AcceleratorHardware | None = None

    def to_json(self) -> str:
        """The same hardware is the same text."""
        return json.dumps(asdict(self), sort_keys=True)
