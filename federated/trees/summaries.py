"""Summaries of a CTG site's out-of-fold rows under the final calibration, and the figures that follow from them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from federated.plan import SMALL_CELL
from federated.trees.site import TreeSite
from models.ctg.calibration import Calibration
from models.ctg.pattern import Decision
from models.drift import binned, merge_small_cells

Array = NDArray[np.float64]
PROBABILITY_BINS = 1000
_SUSPECT = np.arange(0.5, 3.01, 0.25)
_WORST = (*np.arange(1.0, 3.01, 0.25), 3.5, 4.0, 5.0, 6.0, 8.0)
DECISIONS = tuple(Decision((1.0, float(suspect), float(worst))) for suspect in _SUSPECT for worst in _WORST)
# What an error costs, true by chosen state: a missed pathological row three times as much as a false one.
MISSED_COST = 3.0
COSTS = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0 * MISSED_COST, MISSED_COST, 0.0]])


def summarise_target(site: TreeSite, target: str, calibration: Calibration) -> dict[str, list[int] | list[float]]:
    """Summaries of the out-of-fold rows; they add over sites.

    Returns
    -------
    dict
        ``negatives``, ``positives``: histograms of the probability of the last class over the rows of other classes
        and over those of this class (for the thresholds and the AUC); ``logits``: count, sum and sum of squares of
        its log-odds; with three classes ``confusions``: 3 x 3 counts, true by chosen state, under every rule of
        `DECISIONS`.
    """
    margin, label = site.out_of_fold(target)
    probability = calibration.probabilities(margin)
    last = probability.shape[1] - 1
    clipped = np.clip(probability[:, last], 1e-4, 1 - 1e-4)
    logit = np.log(clipped / (1 - clipped))

    def histogram(rows: NDArray[np.bool_]) -> list[int]:
        return [int(n) for n in np.histogram(probability[rows, last], bins=PROBABILITY_BINS, range=(0.0, 1.0))[0]]

    summary: dict[str, list[int] | list[float]] = {
        "negatives": histogram(label != last),
        "positives": histogram(label == last),
        "logits": [float(len(logit)), float(logit.sum()), float((logit**2).sum())],
    }
    if last == 2:
        summary["confusions"] = [int(n) for n in confusions(probability, label).ravel()]
    return summary


def against_local(sums: Sequence[float]) -> dict[str, float | list[float]] | None:
    """Mean difference in log-loss, federated minus local, with its 95 % interval over women; None if sums are 0."""
    count, total, squares = sums
    if count == 0:
        return None
    mean = total / count
    error = (max(squares / count - mean**2, 0.0) / max(count - 1, 1.0)) ** 0.5
    bounds = [round(mean + sign * 1.96 * error, 4) for sign in (-1, 1)]
    return {"difference": round(mean, 4), "ci95": bounds, "groups": int(count)}


def feature_range(site: TreeSite) -> tuple[list[float], list[float]]:
    """0.5th and 99.5th centile of each feature; an empty range for a feature that this site never measured."""
    features = site.rows.features
    measured = np.isfinite(features).any(axis=0)
    low, high = np.full(features.shape[1], 1e9), np.full(features.shape[1], -1e9)
    low[measured], high[measured] = np.nanpercentile(features[:, measured], [0.5, 99.5], axis=0)
    return low.tolist(), high.tolist()


def feature_counts(site: TreeSite, low: Array, high: Array) -> list[int]:
    """Counts of each feature over the range of all sites, for drift; cells with fewer than five are merged."""
    counts = binned(site.rows.features, low, high)
    return [int(count) for column in counts for count in merge_small_cells(column, SMALL_CELL)]


def auc(negatives: NDArray[np.int64], positives: NDArray[np.int64]) -> float:
    """Area under the ROC curve, from histograms; rows in the same bin count as ties."""
    below = np.cumsum(negatives) - negatives
    return float(np.sum(positives * (below + 0.5 * negatives)) / (positives.sum() * negatives.sum()))


def confusions(probability: Array, state: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts of true by chosen state under every rule of `DECISIONS`, shape (rules, 3, 3); they add over sites."""
    counts = np.zeros((len(DECISIONS), 3, 3), dtype=np.int64)
    for position, decision in enumerate(DECISIONS):
        np.add.at(counts[position], (state, decision.states(probability)), 1)
    return counts


def best_decision(counts: NDArray[np.int64]) -> int:
    """Index of the rule whose errors cost least by `COSTS`; the first of equals."""
    return int(np.argmin((counts * COSTS).sum(axis=(1, 2))))


def kappa(confusion: NDArray[np.int64]) -> float:
    """Unweighted Cohen's kappa of a 3 x 3 confusion matrix; 0 where only one class occurs."""
    share = confusion / max(confusion.sum(), 1)
    chance = float(share.sum(axis=0) @ share.sum(axis=1))
    return round((float(np.trace(share)) - chance) / (1.0 - chance), 4) if chance < 1.0 else 0.0


def specificity_threshold(negatives: NDArray[np.int64], specificity: float) -> float:
    """Smallest probability above which at most 1 - specificity of the negatives lie."""
    share = np.cumsum(negatives) / negatives.sum()
    return float((np.searchsorted(share, specificity) + 1) / PROBABILITY_BINS)


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """Mean F1 over the classes that occur, from a 3 x 3 confusion matrix."""
    hit = np.diag(confusion).astype(float)
    size = confusion.sum(axis=0) + confusion.sum(axis=1)
    present = confusion.sum(axis=1) > 0
    return float(np.mean(2 * hit[present] / size[present])) if present.any() else float("nan")
