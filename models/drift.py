"""Drift: how far what comes in now lies from what a model learned from, feature by feature.

Everything is counted in the same bins: below the training range, ten equal bins over it, above it, missing. Counts add
over sites, so a federation makes the reference without moving a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
INNER = 10
BINS = INNER + 3
# The usual reading of the population stability index (Siddiqi N. Credit Risk Scorecards, 2006).
PSI_ALARM = 0.25


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


def kept_apart(counts: Counts, least: int) -> Counts:
    """Counts in which every cell holds none or at least `least`: a smaller one is told with its neighbour's.

    Nothing is lost but a few that are missing (the last cell has no neighbour).
    """
    made = counts.copy()
    values = made[:-1]
    for cell in range(len(values) - 1):
        if 0 < values[cell] < least:
            values[cell + 1] += values[cell]
            values[cell] = 0
    if 0 < values[-1] < least:
        values[np.flatnonzero(values[:-1])[-1:]] += values[-1]
        values[-1] = 0
    made[-1] = counts[-1] if counts[-1] >= least else 0
    return made


def coarse(expected: Counts, actual: Counts) -> tuple[Counts, Counts]:
    """Both with neighbouring bins joined until each holds a tenth of what is expected; missing stays apart."""
    least = 0.1 * expected[:-1].sum()
    ends, reached = [], 0
    for cell in range(len(expected) - 1):
        reached += int(expected[cell])
        if reached >= least:
            ends.append(cell + 1)
            reached = 0
    starts = [0, *ends[:-1]]  # what is left at the end joins the last
    joined = [np.array([*np.add.reduceat(counts[:-1], starts), counts[-1]]) for counts in (expected, actual)]
    return joined[0], joined[1]


def psi(expected: Counts, actual: Counts) -> float:
    """Population stability index over `coarse` bins; half a count stands in each, so that none is empty."""
    if expected[:-1].sum() == 0:
        return float("nan")
    e, a = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in coarse(expected, actual))
    return float(np.sum((a - e) * np.log(a / e)))


def psi_noise(expected: Counts, n: int) -> float:
    """The index that chance alone passes once in some thousand times with `n` rows of the expected kind.

    (1 / n + 1 / N) times a chi-square with a degree less than there are bins (Yurdakul B, Naranjo J. J Risk Model Valid
    2020;14(4)); so far out because some hundred distributions are looked at.
    """
    total = int(expected.sum())
    if n == 0 or expected[:-1].sum() == 0:
        return float("inf")
    degrees = len(coarse(expected, expected)[0]) - 1
    return float((1 / n + 1 / total) * 2 * gammaincinv(max(degrees, 1) / 2, 0.9995))


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
