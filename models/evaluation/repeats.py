"""Several repeats (seeds) of one recipe on the same births: means, and paired differences with their intervals."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import bootstrap

Array = NDArray[np.float64]
Event = NDArray[np.bool_]
Statistic = Callable[[Event, Array], float]


def over_repeats(
    event: Event, scores: Sequence[Array], statistic: Statistic, rows: NDArray[np.int64] | None = None, *, draws: int
) -> dict[str, Any]:
    """Mean over the repeats with its interval over births; `rows` selects births (default: all)."""
    births = np.arange(len(event)) if rows is None else rows

    def mean(drawn: NDArray[np.int64]) -> float:
        return float(np.mean([statistic(event[births[drawn]], score[births[drawn]]) for score in scores]))

    return bootstrap(births, mean, draws=draws)


def difference(
    event: Event,
    ours: Sequence[Array],
    others: Sequence[Array],
    statistic: Statistic,
    clusters: NDArray[Any] | None = None,
    *,
    draws: int,
) -> dict[str, Any]:
    """Paired difference of two recipes, mean over repeats, with its interval over births (or over `clusters`)."""

    def mean(drawn: NDArray[np.int64]) -> float:
        pairs = zip(ours, others, strict=True)
        return float(np.mean([statistic(event[drawn], a[drawn]) - statistic(event[drawn], b[drawn]) for a, b in pairs]))

    return bootstrap(np.arange(len(event)) if clusters is None else clusters, mean, draws=draws)
