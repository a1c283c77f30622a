"""The program that the SoC's CPU runs, in C; `firmware.build` says how to compile it."""
