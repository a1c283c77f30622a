"""What a run left in its directory."""

from pathlib import Path

import numpy as np

__all__ = ["tensors_of"]


def tensors_of(result) -> dict[str, np.ndarray]:
    """What the target computed, from the run directory."""
    with np.load(Path(result.directory) / "tensors.npz") as archive:
        return dict(archive)
