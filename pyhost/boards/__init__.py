"""FPGA boards: what they are, bitstreams for them, and how these get there."""

from pyhost.boards.catalogue import BOARDS, Board, Device, find_board

__all__ = ["BOARDS", "Board", "Device", "find_board"]
