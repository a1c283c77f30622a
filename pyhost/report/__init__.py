"""Results for people to read."""

from pyhost.report.terminal import show_baseline, show_result, show_training, verdict

__all__ = ["show_baseline", "show_result", "show_training", "verdict"]
