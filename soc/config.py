"""What can vary in the SoC. What is not here cannot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from accel_rtl.config import AcceleratorConfig
from pyhost.errors import FloatsocError

__all__ = ["CPU_VARIANTS", "MAIN_RAM_ORIGIN", "MEMORIES", "SerialConfig", "SocConfig", "SocConfigError"]

CPU_VARIANTS = ("minimal", "lite", "standard", "full")
MEMORIES = ("sram", "sdram")
MAIN_RAM_ORIGIN = 0x4000_0000
_SMALLEST_RAM, _LARGEST_RAM = 1 << 16, 1 << 28
_CYCLES_PER_BIT = 4  # at least, for LiteX's UART to sample a bit well inside
_SDRAM_CLOCKS = 75_000_000, 200_000_000  # Hz; JEDEC JESD79-3: a DDR3 chip's clock is 300 to 800 MHz up to DDR3-1600


class SocConfigError(FloatsocError):
    """A SoC that cannot be generated as asked."""


@dataclass(frozen=True, kw_only=True)
class SerialConfig:
    """The serial line to the host, and who the SoC is there.

    baud: bits a second, each of at least four cycles of the SoC's clock. identifier: 64 bits that the host reads first,
    to know the SoC that it was told to expect (`pyhost.cosim.build.identifier`).
    """

    baud: int = 115_200
    identifier: int = 0

    def __post_init__(self) -> None:
        if self.baud <= 0:
            raise SocConfigError(f"baud {self.baud} is not positive")
        if not 0 <= self.identifier < 1 << 64:
            raise SocConfigError(f"identifier {self.identifier:#x} is not of 64 bits")


@dataclass(frozen=True, kw_only=True)
class SocConfig:
    """A SoC. Raises SocConfigError, naming the field, for a value that is not allowed.

    cpu: VexRiscv variant; `minimal` has no caches and no multiplier, `lite` an instruction cache,
    `standard` both caches, `full` also the counters of cycles and retired instructions.
    main_ram: bytes, a power of two from 64 KiB to 256 MiB, at MAIN_RAM_ORIGIN.
    memory: what main RAM is made of; "sram" answers a read after one cycle, then a word each cycle; "sdram" is
    DDR3 behind LiteDRAM's controller.
    accelerator: its configuration, or None for a SoC without.
    clock_frequency: Hz; divides a board's console rate, turns cycles into seconds in reports, and sets the timing of
    "sdram", whose chip runs four times as fast: 75 to 200 MHz there.
    serial: the line through which a host loads and watches the SoC, or None where it has other ways.
    """

    cpu: str = "full"
    main_ram: int = 4 << 20
    memory: str = "sram"
    accelerator: AcceleratorConfig | None = None
    clock_frequency: int = 100_000_000
    serial: SerialConfig | None = None

    def __post_init__(self) -> None:
        if self.cpu not in CPU_VARIANTS:
            raise SocConfigError(f"cpu {self.cpu!r} is not one of {', '.join(CPU_VARIANTS)}")
        if self.memory not in MEMORIES:
            raise SocConfigError(f"memory {self.memory!r} is not one of {', '.join(MEMORIES)}")
        if not _SMALLEST_RAM <= self.main_ram <= _LARGEST_RAM or self.main_ram.bit_count() != 1:
            raise SocConfigError(f"main_ram {self.main_ram} is not a power of two from 64 KiB to 256 MiB")
        if self.clock_frequency <= 0:
            raise SocConfigError(f"clock_frequency {self.clock_frequency} is not positive")
        if self.memory == "sdram" and not _SDRAM_CLOCKS[0] <= self.clock_frequency <= _SDRAM_CLOCKS[1]:
            raise SocConfigError(f"clock_frequency {self.clock_frequency} is not from 75 to 200 MHz, as sdram needs")
        if self.serial and self.serial.baud > self.clock_frequency // _CYCLES_PER_BIT:
            fastest = self.clock_frequency // _CYCLES_PER_BIT
            raise SocConfigError(f"baud {self.serial.baud} is more than {fastest}, a quarter of the clock's frequency")

    @classmethod
    def from_json(cls, text: str) -> SocConfig:
        """The configuration written as a JSON object with the fields' names; missing ones take their default."""
        try:
            values: Mapping[str, Any] = json.loads(text)
        except json.JSONDecodeError as error:
            raise SocConfigError(f"the SoC's configuration is not JSON: {error}") from None
        unknown = values.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise SocConfigError(f"the SoC's configuration: unknown field {min(unknown)!r}")
        accelerator, serial = values.get("accelerator"), values.get("serial")
        return cls(
            **{
                **values,
                "accelerator": accelerator and AcceleratorConfig.from_json(json.dumps(accelerator)),
                "serial": serial and SerialConfig(**serial),
            }
        )
