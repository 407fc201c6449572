"""What a CTG site tells about its left-out women under the final calibration: counts and sums only."""

import numpy as np
from numpy.typing import NDArray

from federated.tree_site import TreeSite
from models.ctg.pattern import Calibration, Decision, View

Array = NDArray[np.float64]
PROBABILITY_BINS = 1000
_STEPS = np.arange(1.0, 3.01, 0.25)
DECISIONS = tuple(Decision((1.0, float(suspect), float(worst))) for suspect in _STEPS for worst in _STEPS)


def summarise_ctg(site: TreeSite, view: View, calibration: Calibration) -> dict[str, list[int] | list[float]]:
    """Additive summaries.

    Returns
    -------
    dict
        ``negatives``: histogram of P(pathological) over rows that are not pathological (for the cuts);
        ``logits``: count, sum and sum of squares of its log-odds over all rows;
        ``confusions``: 3 x 3 counts, true state by chosen state, under every rule of `DECISIONS`.
    """
    margin, state = site.left_out(view)
    probability = calibration.probabilities(margin)
    clipped = np.clip(probability[:, 2], 1e-4, 1 - 1e-4)
    logit = np.log(clipped / (1 - clipped))
    negatives, _ = np.histogram(probability[state != 2, 2], bins=PROBABILITY_BINS, range=(0.0, 1.0))
    return {
        "negatives": negatives.tolist(),
        "logits": [float(len(logit)), float(logit.sum()), float((logit**2).sum())],
        "confusions": confusions(probability, state).ravel().tolist(),
    }


def confusions(probability: Array, state: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts of true by chosen state for every rule of `DECISIONS`, shape (rules, 3, 3). They add over sites."""
    counts = np.zeros((len(DECISIONS), 3, 3), dtype=np.int64)
    for position, decision in enumerate(DECISIONS):
        np.add.at(counts[position], (state, decision.states(probability)), 1)
    return counts


def best_decision(counts: NDArray[np.int64]) -> int:
    """Index of the rule with the largest macro-F1; the first of equals."""
    return int(np.argmax([macro_f1(count) for count in counts]))


def specificity_cut(negatives: NDArray[np.int64], specificity: float) -> float:
    """Smallest probability above which at most 1 - specificity of the negatives lie."""
    share = np.cumsum(negatives) / negatives.sum()
    return float((np.searchsorted(share, specificity) + 1) / PROBABILITY_BINS)


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """Mean of the classes' F1 over classes that occur, from a 3 x 3 confusion matrix."""
    hit = np.diag(confusion).astype(float)
    size = confusion.sum(axis=0) + confusion.sum(axis=1)
    present = confusion.sum(axis=1) > 0
    return float(np.mean(2 * hit[present] / size[present])) if present.any() else float("nan")
