"""Results for people to read."""

from pyhost.report.progress import Progress
from pyhost.report.terminal import show, verdict

__all__ = ["Progress", "show", "verdict"]
