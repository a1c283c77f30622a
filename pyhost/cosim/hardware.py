"""What hardware a job needs, as the host says it to the generator: the JSON that `python -m soc` reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from pyhost.job import Buildable

__all__ = ["AcceleratorHardware", "Hardware", "SerialHardware", "hardware_of"]


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
    stochastic_chain: bool = False


@dataclass(frozen=True, kw_only=True)
class SerialHardware:
    """A serial line to the host; the fields of `soc.config.SerialConfig`. identifier: see `pyhost.cosim.build`."""

    baud: int
    identifier: int


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """A SoC; the fields of `soc.config.SocConfig`, which checks them. main_ram: bytes; clock_frequency: Hz."""

    cpu: str = "full"
    main_ram: int = 4 << 20
    memory: str = "sram"
    accelerator: AcceleratorHardware | None = None
    clock_frequency: int = 100_000_000
    serial: SerialHardware | None = None

    def to_json(self) -> str:
        """The same hardware is the same text."""
        return json.dumps(asdict(self), sort_keys=True)


def hardware_of(job: Buildable) -> Hardware:
    """The hardware that the job asks for."""
    accelerator = AcceleratorHardware(
        rows=job.accelerator.rows,
        columns=job.accelerator.columns,
        operand_formats=job.accelerator.formats,
        result_formats=job.result_formats,
        accumulator=job.accelerator.accumulator,
        depth=job.accelerator.depth,
        port_bits=job.accelerator.port_bits,
        stochastic_chain=job.stochastic_chain,
    )
    return Hardware(
        cpu=job.soc.cpu,
        main_ram=job.soc.main_ram,
        memory=job.soc.memory,
        accelerator=accelerator if job.accelerator.enabled else None,
    )
