"""Drift: how far what comes in now lies from what a model learned from, feature by feature.

Everything is counted in the same bins: below the training range, ten equal bins over it, above it, missing. Counts add
over sites, so a federation makes the reference without moving a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
INNER = 10
BINS = INNER + 3
# The usual reading of the population stability index (Siddiqi N. Credit Risk Scorecards, 2006).
PSI_NOTICE, PSI_ALARM = 0.10, 0.25


def binned(values: Array, low: Array, high: Array) -> Counts:
    """Counts of each column, shape (columns, `BINS`): below, ten inner bins, above, missing.

    Parameters
    ----------
    values : ndarray, shape (n, columns)
        NaN is missing.
    low, high : ndarray, shape (columns,)
        The training range.
    """
    counts = np.zeros((values.shape[1], BINS), dtype=np.int64)
    for column in range(values.shape[1]):
        one = values[:, column]
        known = one[np.isfinite(one)]
        edges = np.linspace(low[column], max(high[column], low[column] + 1e-9), INNER + 1)
        inner = known[(known >= low[column]) & (known <= high[column])]
        counts[column, 0] = int((known < low[column]).sum())
        counts[column, 1 : INNER + 1] = np.histogram(inner, bins=edges)[0]
        counts[column, INNER + 1] = int((known > high[column]).sum())
        counts[column, INNER + 2] = len(one) - len(known)
    return counts


def psi(expected: Counts, actual: Counts) -> float:
    """Population stability index of two histograms; half a count stands in every bin, so that none is empty."""
    e, a = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (expected, actual))
    return float(np.sum((a - e) * np.log(a / e)))


def psi_noise(expected: Counts, n: int) -> float:
    """The index that chance alone gives `n` rows of the expected kind, 95th centile: (bins - 1)(1/n + 1/N) and more.

    By the chi-square approximation of Yurdakul B, Naranjo J. J Risk Model Valid 2020;14(4).
    """
    bins, total = int((expected > 0).sum()), int(expected.sum())
    if n == 0 or total == 0 or bins < 2:
        return float("inf")
    degrees = bins - 1
    return float((1 / n + 1 / total) * (degrees + 1.645 * (2 * degrees) ** 0.5))


def ks(expected: Counts, actual: Counts) -> float:
    """Largest distance of the two cumulative shares over the bins that hold values (Kolmogorov-Smirnov)."""
    e, a = expected[:-1].astype(float), actual[:-1].astype(float)
    if e.sum() == 0 or a.sum() == 0:
        return float("nan")
    return float(np.abs(np.cumsum(e) / e.sum() - np.cumsum(a) / a.sum()).max())


@dataclass(frozen=True)
class Reference:
    """What a model's features looked like where it was trained.

    Attributes
    ----------
    names : tuple of str
    low, high : ndarray, shape (columns,)
    counts : ndarray of int64, shape (columns, `BINS`)
    """

    names: tuple[str, ...]
    low: Array
    high: Array
    counts: Counts

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> "Reference | None":
        """From a bundle's JSON; None where it has none."""
        if values is None:
            return None
        low, high = (np.array(values[key], dtype=np.float64) for key in ("low", "high"))
        return cls(tuple(values["names"]), low, high, np.array(values["counts"], dtype=np.int64))
