"""Drift: how far the features of new inputs differ from those of the training data, one feature at a time.

All values are counted in the same 13 bins: below the training range, ten equal bins over it, above it, and missing.
The counts of several sites can be added, so a federation builds the reference without moving a row.
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
# The usual alarm limit of the population stability index (Siddiqi N. Credit Risk Scorecards, 2006).
PSI_ALARM = 0.25


def binned(values: Array, low: Array, high: Array) -> Counts:
    """Count the values of each column in its bins.

    Parameters
    ----------
    values : ndarray, shape (n, columns)
        NaN is missing.
    low, high : ndarray, shape (columns,)
        The training range.

    Returns
    -------
    ndarray of int64, shape (columns, `BINS`)
        Below the range, ten bins over it, above it, missing.
    """
    counts = np.zeros((values.shape[1], BINS), dtype=np.int64)
    for column in range(values.shape[1]):
        present = values[np.isfinite(values[:, column]), column]
        edges = np.linspace(low[column], max(high[column], low[column] + 1e-9), INNER + 1)
        inner = present[(present >= low[column]) & (present <= high[column])]
        counts[column, 0] = int((present < low[column]).sum())
        counts[column, 1 : INNER + 1] = np.histogram(inner, bins=edges)[0]
        counts[column, INNER + 1] = int((present > high[column]).sum())
        counts[column, INNER + 2] = len(values) - len(present)
    return counts


def merge_small_cells(counts: Counts, least: int) -> Counts:
    """Merge cells that hold fewer than `least` rows with a neighbour, so that no small count leaves a site.

    A small cell is added to the next one. A small cell at the upper end is added to the last cell before it that is not
    empty. The last bin (missing values) has no neighbour: a small count of it becomes 0. The same happens to the values
    when there are fewer than `least` of them in all.

    Parameters
    ----------
    counts : ndarray of int64, shape (`BINS`,)
    least : int

    Returns
    -------
    ndarray of int64, shape (`BINS`,)
        Each cell is 0 or at least `least`.
    """
    merged = counts.copy()
    values = merged[:-1]
    for cell in range(len(values) - 1):
        if 0 < values[cell] < least:
            values[cell + 1] += values[cell]
            values[cell] = 0
    if 0 < values[-1] < least:
        values[np.flatnonzero(values[:-1])[-1:]] += values[-1]
        values[-1] = 0
    merged[-1] = counts[-1] if counts[-1] >= least else 0
    return merged


def coarse(expected: Counts, actual: Counts) -> tuple[Counts, Counts]:
    """Join neighbouring bins of both until each holds a tenth of the expected values; missing values stay apart."""
    least = 0.1 * expected[:-1].sum()
    ends, reached = [], 0
    for cell in range(len(expected) - 1):
        reached += int(expected[cell])
        if reached >= least:
            ends.append(cell + 1)
            reached = 0
    starts = [0, *ends[:-1]]  # a remainder at the end joins the last bin
    joined = [np.array([*np.add.reduceat(counts[:-1], starts), counts[-1]]) for counts in (expected, actual)]
    return joined[0], joined[1]


def psi(expected: Counts, actual: Counts) -> float:
    """Population stability index over `coarse` bins.

    Half a count is added to each bin, so that none is empty. NaN when nothing is expected.
    """
    if expected[:-1].sum() == 0:
        return float("nan")
    e, a = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in coarse(expected, actual))
    return float(np.sum((a - e) * np.log(a / e)))


def psi_noise(expected: Counts, n: int) -> float:
    """The index that `n` rows without drift exceed by chance with a probability of 0.0005.

    It is (1 / n + 1 / N) times the 99.95 % quantile of a chi-square distribution with one degree of freedom less than
    there are bins (Yurdakul B, Naranjo J. J Risk Model Valid 2020;14(4)). The quantile is that high because about a
    hundred distributions are compared at a time.
    """
    total = int(expected.sum())
    if n == 0 or expected[:-1].sum() == 0:
        return float("inf")
    degrees = len(coarse(expected, expected)[0]) - 1
    return float((1 / n + 1 / total) * 2 * gammaincinv(max(degrees, 1) / 2, 0.9995))


def ks(expected: Counts, actual: Counts) -> float:
    """Largest distance between the two cumulative distributions, without the missing values (Kolmogorov-Smirnov)."""
    e, a = expected[:-1].astype(float), actual[:-1].astype(float)
    if e.sum() == 0 or a.sum() == 0:
        return float("nan")
    return float(np.abs(np.cumsum(e) / e.sum() - np.cumsum(a) / a.sum()).max())


@dataclass(frozen=True)
class Reference:
    """The distribution of a model's features in its training data.

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
        """Read the reference from a bundle's JSON; None when the bundle has none."""
        if values is None:
            return None
        low, high = (np.array(values[key], dtype=np.float64) for key in ("low", "high"))
        return cls(tuple(values["names"]), low, high, np.array(values["counts"], dtype=np.int64))
