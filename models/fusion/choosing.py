"""Which fusion rule wins: pooling, unless another is better on held-out births beyond chance."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.fusion.paired import CLIP

Array = NDArray[np.float64]
BEYOND_CHANCE = 1.96


def log_losses(probability: Array, event: NDArray[np.bool_]) -> Array:
    """Log-loss of each birth, shape (n,)."""
    clipped = np.clip(probability, CLIP, 1 - CLIP)
    return np.asarray(-np.log(np.where(event, clipped, 1 - clipped)))


def loss_sums(losses: Array, pooling: Array) -> Array:
    """Births, summed loss, and sum and sum of squares of its difference to pooling's; they add over sites."""
    gap = losses - pooling
    return np.array([float(len(gap)), float(losses.sum()), float(gap.sum()), float((gap**2).sum())])


def choose(losses: Mapping[str, Array]) -> str:
    """Pooling, unless another rule's log-loss is lower by more than chance; then the lowest of those.

    Parameters
    ----------
    losses : mapping of rule to ndarray
        From `loss_sums`.
    """
    better = {}
    for name, (count, _, gap, squares) in losses.items():
        mean = gap / count
        error = (max(squares / count - mean**2, 0.0) / count) ** 0.5
        if mean + BEYOND_CHANCE * error < 0:
            better[name] = mean
    return min(better, key=lambda name: better[name]) if better else "pooling"
