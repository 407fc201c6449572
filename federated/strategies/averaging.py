"""Federated averaging (McMahan HB et al. AISTATS 2017), as a pure function of the replies.

The network has group normalisation and no buffers, so every array is a weight and none is a batch
statistic. Sums are made in float64 over replies sorted by site: any order gives the same bytes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class WeightReply:
    """One site's weights after its local epochs."""

    site: str
    weight: float
    arrays: Arrays


def average(replies: Sequence[WeightReply]) -> dict[str, NDArray[np.float32]]:
    """Mean of the sites' weights, weighted by their rows.

    Raises
    ------
    ValueError
        No reply, a weight that is not positive, different arrays, or a value that is not finite.
    """
    if not replies:
        raise ValueError("no site replied")
    if any(not reply.weight > 0 for reply in replies):
        raise ValueError("every site's weight must be positive")
    ordered = sorted(replies, key=lambda reply: reply.site)
    total = sum(reply.weight for reply in ordered)
    mean: dict[str, NDArray[np.float32]] = {}
    for name, first in ordered[0].arrays.items():
        summed = np.zeros(first.shape, dtype=np.float64)
        for reply in ordered:
            values = reply.arrays.get(name)
            if values is None or values.shape != first.shape or len(reply.arrays) != len(ordered[0].arrays):
                raise ValueError(f"site {reply.site} replied with different weights")
            if not np.isfinite(values).all():
                raise ValueError(f"site {reply.site} replied with weights that are not finite")
            summed += values.astype(np.float64) * (reply.weight / total)
        mean[name] = summed.astype(np.float32)
    return mean


def join(lanes: Mapping[int, Arrays]) -> dict[str, NDArray[np.float32]]:
    """Weights of all lanes under ``lane.name``."""
    return {f"{number}.{name}": values for number, arrays in lanes.items() for name, values in arrays.items()}


def lane_of(arrays: Arrays, number: int) -> dict[str, NDArray[np.float32]]:
    """The weights of one lane, by name."""
    prefix = f"{number}."
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


def cosine_learning_rate(peak: float, round_number: int, rounds: int, warm_up: int = 2) -> float:
    """Learning rate of a round (1-based): linear warm-up, then a cosine to 1 % of the peak."""
    if round_number <= warm_up:
        return peak * round_number / (warm_up + 1)
    return peak * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * (round_number - 1) / rounds)))
