"""Depths of the accelerator's pipelines, in cycles, and of its queues: what its RTL and `pyhost.golden.cycles` share.

`A -> B` is how many cycles after A happens B can happen first. This module imports nothing.
"""

WALKER = 4
"""A fill starts -> its first word is asked for: a cycle each for segment, address, beat and its register."""

COMMAND = 1
"""A word is asked for -> the command is on the memory port."""

SRAM_READ = 1
"""A command to read static RAM -> the data."""

WRITES_QUEUED = 4
"""Writes whose command was accepted before their data, at most."""

SDRAM_READ = 12
"""A command to read SDRAM, from an open row -> the data: LiteDRAM's queue, the chip, and the way back."""

SDRAM_PAGE_WORDS, SDRAM_BANKS = 128, 8
"""Words of a row of a bank; the next ones are in the next bank."""

SDRAM_BANK = 4
"""A command -> one for another bank: the queue of the first has to be empty."""

SDRAM_ACTIVATE = 5
"""A row is opened."""

SDRAM_ROW = 7
"""A row is closed and another one opened."""

SDRAM_TO_WRITE, SDRAM_TO_READ = 9, 6
"""Between a read and a write, and back."""

SDRAM_REFRESH_PERIOD, SDRAM_REFRESH = 782, 40
"""Cycles from one refresh to the next (7.8 us at 100 MHz), and those that it takes."""

ARRIVAL = 1
"""A word's data comes, or a beat without a word is made -> it is written to its scratchpad or pad."""

VISIBLE = 1
"""A fill is complete -> the issuer or the store can use it. Room is made -> the loader can use it."""

BEATS_IN_FLIGHT = 32
"""Beats that are made and not yet written, at most."""

CHECK = 2
"""The last word of a descriptor comes -> the job is valid."""

START = 1
"""The issuer gets a job -> it starts; it starts -> its first step."""

SCRATCHPAD = 1
"""A step is issued -> its codes leave the scratchpads."""

DECODER = 2
"""A code enters the array -> its value is there: a cycle each for the code's register and the value's."""

CHAIN_PRODUCT = 1
"""Values -> a chain's accumulator has their product; an exact one has it in the same cycle."""

EXACT_ACCUMULATOR = 1
CHAIN_ACCUMULATOR = 2
"""An accumulator has a product -> it is part of the sum."""

CAPTURE = 1
"""The last step of a tile is issued -> the capture of its sums is asked for."""

HANDOVER = 1
"""A tile's results have been taken, or all earlier jobs have ended -> the issuer can end the next tile."""

PICK = 1
"""A group of results is looked at -> the first cycle of their write-back."""

EXACT_NORMALIZER = 4
CHAIN_NORMALIZER = 1
SCALER = 2
ADDER = 4
ROUNDER = 1
EPILOGUE = 1
"""ReLU and mask."""

WORD = 1
"""A word is complete -> it is offered to the memory port."""

MIX = 2
"""A word of the hash of stochastic rounding -> its mix."""

RANDOM_KEY = 2 * MIX + 6
"""The first tile with another key is captured -> it can be written back."""

SETTLED = 2
"""The last word of a job's record is handed over -> the job has ended."""
