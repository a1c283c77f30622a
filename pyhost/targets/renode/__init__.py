"""The SoC in Renode: instructions instead of cycles, the accelerator as the firmware's own arithmetic."""

from pyhost.targets.renode.model import build_model
from pyhost.targets.renode.monitor import Renode, find_renode
from pyhost.targets.renode.target import RenodeTarget

__all__ = ["Renode", "RenodeTarget", "build_model", "find_renode"]
