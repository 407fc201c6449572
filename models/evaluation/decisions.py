"""Decision curves: the net benefit of acting above a threshold.

Vickers AJ et al. Diagn Progn Res 2019;3:18; Van Calster B et al. Eur Urol 2018;74:796-804. Net benefit = true
positives / n - false positives / n * t / (1 - t): the threshold t sets the weight of harm against benefit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.repeats import difference

Array = NDArray[np.float64]
Event = NDArray[np.bool_]
Rows = NDArray[np.int64]
THRESHOLDS = (0.05, 0.10, 0.15, 0.20)
CURVE = tuple(round(0.02 + 0.01 * step, 2) for step in range(19))


def net_benefit(event: Event, probability: Array, threshold: float) -> float:
    """Net benefit of acting where the probability is at or above the threshold."""
    acted = probability >= threshold
    true, false = float(np.mean(acted & event)), float(np.mean(acted & ~event))
    return true - false * threshold / (1.0 - threshold)


def treat_all(event: Event, threshold: float) -> float:
    """Net benefit of acting always. That of acting never is 0."""
    return net_benefit(event, np.ones(len(event)), threshold)


def net_benefit_difference(
    event: Event, ours: Sequence[Array], others: Sequence[Array], threshold: float, *, draws: int = 500
) -> dict[str, Any]:
    """Paired difference with its interval over women; means over the repeats (seeds) of each."""

    def statistic(happened: Event, probability: Array) -> float:
        return net_benefit(happened, probability, threshold)

    return difference(event, ours, others, statistic, draws=draws)


def band(event: Event, curve: Callable[[Rows], Array], *, draws: int = 300, seed: int = 0) -> tuple[Array, Array]:
    """95 % band of a curve over resampled women, each of shape (points,)."""
    rng = np.random.default_rng(seed)
    drawn = [curve(rng.integers(0, len(event), len(event))) for _ in range(draws)]
    low, high = np.nanpercentile(np.array(drawn), [2.5, 97.5], axis=0)
    return low, high
