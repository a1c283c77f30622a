"""The SoC in Renode: instructions instead of cycles, the accelerator as the firmware's own arithmetic."""
