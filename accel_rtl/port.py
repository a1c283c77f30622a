"""The accelerator's port into main memory, shaped like LiteDRAM's native port."""

from migen import DIR_M_TO_S, DIR_S_TO_M, Record

__all__ = ["MemoryPort"]


class MemoryPort(Record):
    """A memory port of words of `data_bits`; the accelerator is the master.

    address_bits: width of a word address, counted from the start of main memory.

    ============== ========= =============================================================
    signal         direction meaning
    ============== ========= =============================================================
    cmd.valid      out       a command is asked for; held until `cmd.ready`
    cmd.ready      in        it is accepted
    cmd.we         out       1: write, 0: read
    cmd.address    out       word address
    wdata.valid    out       data of the oldest write; offered no earlier than its command, and accepted no earlier
    wdata.ready    in        it is accepted
    wdata.data     out       little endian
    wdata.we       out       one enable a byte
    rdata.valid    in        data of the oldest accepted read, a cycle or more after its command; always accepted
    rdata.data     in        little endian
    ============== ========= =============================================================
    """

    def __init__(self, address_bits: int, data_bits: int) -> None:
        super().__init__(
            [
                (
                    "cmd",
                    [
                        ("valid", 1, DIR_M_TO_S),
                        ("ready", 1, DIR_S_TO_M),
                        ("we", 1, DIR_M_TO_S),
                        ("address", address_bits, DIR_M_TO_S),
                    ],
                ),
                (
                    "wdata",
                    [
                        ("valid", 1, DIR_M_TO_S),
                        ("ready", 1, DIR_S_TO_M),
                        ("data", data_bits, DIR_M_TO_S),
                        ("we", data_bits // 8, DIR_M_TO_S),
                    ],
                ),
                ("rdata", [("valid", 1, DIR_S_TO_M), ("data", data_bits, DIR_S_TO_M)]),
            ],
            name="memory",
        )
