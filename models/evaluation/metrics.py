"""Metrics with cluster-bootstrap intervals."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.hc18 import HeadImage
from models.ultrasound.biometry import HeadEllipse
from models.ultrasound.ellipse import Ellipse

Array = NDArray[np.float64]


def bootstrap(
    groups: NDArray[Any], statistic: Callable[[NDArray[np.int64]], float], *, draws: int = 500, seed: int = 0
) -> dict[str, Any]:
    """A statistic with its 95 % percentile interval over resampled groups.

    Parameters
    ----------
    groups : ndarray, shape (n,)
        Woman, record or examination of each row: whole groups are drawn with replacement.
    statistic : callable
        Takes row indices; may return NaN where it is not defined.

    Returns
    -------
    dict
        ``{"value": float or None, "ci95": [low, high] or None}``
    """
    rng = np.random.default_rng(seed)
    names, inverse = np.unique(groups, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    starts = np.searchsorted(inverse[order], np.arange(len(names) + 1))
    members = [order[starts[i] : starts[i + 1]] for i in range(len(names))]
    values = []
    for _ in range(draws):
        rows = np.concatenate([members[i] for i in rng.integers(0, len(names), len(names))])
        values.append(statistic(rows))
    value = statistic(np.arange(len(groups)))
    finite = np.array([v for v in values if np.isfinite(v)])
    interval = [float(x) for x in np.percentile(finite, [2.5, 97.5])] if len(finite) >= draws / 2 else None
    return {"value": float(value) if np.isfinite(value) else None, "ci95": interval}


def expected_calibration_error(event: NDArray[np.bool_], probability: Array, bins: int = 10) -> float:
    """Mean absolute gap between predicted and observed over bins of equal mass, one binary event."""
    order = np.argsort(probability, kind="stable")
    starts = [part[0] for part in np.array_split(np.arange(len(order)), min(bins, len(order)))]
    return float(np.abs(np.add.reduceat((probability - event)[order], starts)).sum() / len(order))


def auc(event: NDArray[np.bool_], score: Array) -> float:
    """Area under the ROC curve: the share of pairs in the right order, ties halved; NaN where one class is absent."""
    others, events = np.sort(score[~event]), np.sort(score[event])
    if not len(others) or not len(events):
        return float("nan")
    pairs = np.searchsorted(others, events, "left").sum() + np.searchsorted(others, events, "right").sum()
    return float(pairs) / (2 * len(others) * len(events))


def state_metrics(
    state: NDArray[np.int64], chosen: NDArray[np.int64], probability: Array, groups: NDArray[Any]
) -> dict[str, Any]:
    """Metrics of the three-class pattern model; ``brier`` is the multi-class sum of squares."""
    event, called = state == 2, chosen == 2
    target = np.eye(3)[state]

    def of(function: Callable[[NDArray[np.int64]], float]) -> dict[str, Any]:
        return bootstrap(groups, function)

    return {
        "macro_f1": of(lambda r: _macro_f1(state[r], chosen[r])),
        "balanced_accuracy": of(lambda r: _balanced_accuracy(state[r], chosen[r])),
        "recall_pathological": of(lambda r: share_of(called[r], event[r])),
        "precision_pathological": of(lambda r: share_of(event[r], called[r])),
        "auc_pathological": of(lambda r: auc(event[r], probability[r, 2])),
        "ece": of(lambda r: expected_calibration_error(event[r], probability[r, 2])),
        "brier": of(lambda r: float(np.mean(((probability[r] - target[r]) ** 2).sum(axis=1)))),
    }


def share_of(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    """Share of `whole` that is also in `part`: recall of events among the called, or precision; NaN of nothing."""
    return float(part[whole].mean()) if whole.any() else float("nan")


def _macro_f1(state: NDArray[np.int64], chosen: NDArray[np.int64]) -> float:
    """Mean F1 of the three states; 0 for a state that neither occurs nor is chosen."""
    scores = []
    for level in range(3):
        true, given = state == level, chosen == level
        size = int(true.sum()) + int(given.sum())
        scores.append(2 * int((true & given).sum()) / size if size else 0.0)
    return float(np.mean(scores))


def _balanced_accuracy(state: NDArray[np.int64], chosen: NDArray[np.int64]) -> float:
    return float(np.mean([np.mean(chosen[state == level] == level) for level in np.unique(state)]))


def dice(first: Ellipse, second: Ellipse, height: int, width: int) -> float:
    """Dice overlap of two filled ellipses on the pixels of the image, in [0, 1]."""
    a, b = first.mask(height, width), second.mask(height, width)
    total = int(a.sum() + b.sum())
    return 2.0 * int((a & b).sum()) / total if total else 0.0


def hausdorff(first: Ellipse, second: Ellipse) -> float:
    """Hausdorff distance (px) of two filled ellipses, which for convex sets is that of their outlines."""
    a, b = first.points(360), second.points(360)
    from scipy.spatial.distance import directed_hausdorff

    return float(max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0]))


def score_head(head: HeadEllipse, record: HeadImage) -> tuple[float, float, float]:
    """Circumference (mm), and Dice and Hausdorff distance (mm) of the result against the reference.

    Every image is scored: without any ellipse the estimate is 0 mm, nothing overlaps, and the distance is the
    image's diagonal.
    """
    if head.ellipse is None:
        return 0.0, 0.0, float(np.hypot(*record.pixels.shape)) * record.pixel_size_mm
    overlap = dice(head.ellipse, record.ellipse, *record.pixels.shape)
    distance = hausdorff(head.ellipse, record.ellipse) * record.pixel_size_mm
    return head.ellipse.perimeter * record.pixel_size_mm, overlap, distance


def head_metrics(
    reference_mm: Array, estimate_mm: Array, dice_: Array, hausdorff_mm: Array, covered: Array, groups: NDArray[Any]
) -> dict[str, Any]:
    """Metrics of head circumference over images, intervals over examinations."""
    error = estimate_mm - reference_mm
    return {
        "mae_mm": bootstrap(groups, lambda r: float(np.mean(np.abs(error[r])))),
        "bias_mm": bootstrap(groups, lambda r: float(np.mean(error[r]))),
        "dice": bootstrap(groups, lambda r: float(np.mean(dice_[r]))),
        "hausdorff_mm": bootstrap(groups, lambda r: float(np.mean(hausdorff_mm[r]))),
        "coverage_90": bootstrap(groups, lambda r: float(np.mean(covered[r]))),
    }
