"""The sizes and depths of an accelerator that its cycles depend on."""

from typing import NamedTuple, Protocol

from pyhost import timing
from pyhost.formats import parse_format

__all__ = ["Accelerator", "Memory", "Sizes"]

ROUNDERS_LIMIT = 8


class Accelerator(Protocol):
    """What the model needs of an accelerator: fields of `accel_rtl.AcceleratorConfig`."""

    @property
    def rows(self) -> int: ...
    @property
    def columns(self) -> int: ...
    @property
    def operand_formats(self) -> tuple[str, ...]: ...
    @property
    def result_formats(self) -> tuple[str, ...]: ...
    @property
    def accumulator(self) -> str: ...
    @property
    def depth(self) -> int: ...
    @property
    def port_bits(self) -> int: ...


class Memory(NamedTuple):
    """What main memory costs, in cycles; see `pyhost.timing`.

    read: from command to data. bank: from a command to one for another bank. activate, row: the first row of a bank,
    another row. to_write, to_read: after commands of the other kind. refresh: every `period`.
    A row has `page_words`. burst: writes in a row while a read waits.
    """

    read: int
    bank: int
    activate: int
    row: int
    to_write: int
    to_read: int
    refresh: int
    period: int
    page_words: int
    burst: int

    @classmethod
    def of(cls, name: str) -> "Memory":
        """That of `soc.config.SocConfig.memory`."""
        if name == "sram":
            return cls(
                timing.SRAM_READ,
                bank=0,
                activate=0,
                row=0,
                to_write=0,
                to_read=0,
                refresh=0,
                period=1 << 62,
                page_words=1 << 62,
                burst=1 << 62,
            )
        return cls(
            timing.SDRAM_READ,
            bank=timing.SDRAM_BANK,
            activate=timing.SDRAM_ACTIVATE,
            row=timing.SDRAM_ROW,
            to_write=timing.SDRAM_TO_WRITE,
            to_read=timing.SDRAM_TO_READ,
            refresh=timing.SDRAM_REFRESH,
            period=timing.SDRAM_REFRESH_PERIOD,
            page_words=timing.SDRAM_PAGE_WORDS,
            burst=timing.WRITES_QUEUED,
        )


class Sizes(NamedTuple):
    """What follows from an accelerator's configuration.

    rows, columns: of a tile. high, wide: lanes of a panel of A and of B. depth: steps of a scratchpad. port_bytes: of
    a memory word. rounders: elements written back in a cycle. array: cycles from codes to sums. store: cycles from
    the results of a group to its word. memory: what its port leads to.
    """

    rows: int
    columns: int
    high: int
    wide: int
    depth: int
    port_bytes: int
    rounders: int
    array: int
    store: int
    memory: Memory

    @classmethod
    def of(cls, accelerator: Accelerator, memory: str = "sram") -> "Sizes":
        """The sizes of `accelerator`, as `accel_rtl.AcceleratorConfig` and the blocks derive them."""
        rows, columns, port_bytes = accelerator.rows, accelerator.columns, accelerator.port_bits // 8
        operands = [parse_format(name).dtype.itemsize for name in accelerator.operand_formats]
        results = [parse_format(name).dtype.itemsize for name in accelerator.result_formats]
        # A panel is as many tiles wide as a memory word feeds.
        high, wide = (-(-port_bytes // min(operands) // side) * side for side in (rows, columns))
        most = min(ROUNDERS_LIMIT, max(1, columns // 2), port_bytes // max(operands + results))
        exact = accelerator.accumulator == "exact"
        lane = timing.EXACT_NORMALIZER if exact else timing.CHAIN_NORMALIZER
        lane += timing.SCALER + timing.ADDER + timing.ROUNDER + timing.EPILOGUE
        return cls(
            rows=rows,
            columns=columns,
            high=high,
            wide=wide,
            depth=accelerator.depth,
            port_bytes=port_bytes,
            rounders=max(count for count in range(1, most + 1) if columns % count == 0),
            array=timing.DECODER
            + (timing.EXACT_ACCUMULATOR if exact else timing.CHAIN_PRODUCT + timing.CHAIN_ACCUMULATOR),
            store=timing.PICK + lane + timing.WORD,
            memory=Memory.of(memory),
        )
