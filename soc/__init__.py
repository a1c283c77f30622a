"""The system on chip: VexRiscv, main RAM, console, cycle counter and the accelerator, assembled with LiteX.

`python -m soc --config FILE.json --output DIR` generates it; see `soc.config.SocConfig` for what can vary.
"""
