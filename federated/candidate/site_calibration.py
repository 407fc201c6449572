"""Calibration of a model at one site: the number of events there, compared with the number that the model expects."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from federated.privacy.small_cells import suppress_small
from federated.trees.summaries import PROBABILITY_BINS


def site_calibration(negatives: Sequence[int], positives: Sequence[int], groups: int) -> dict[str, float | int] | None:
    """Observed and expected events among out-of-fold rows, and their difference in standard errors.

    Parameters
    ----------
    negatives, positives : sequence of int
        Histograms of the calibrated probability over [0, 1], without and with the event.
    groups : int
        Number of women or records: rows of one woman are not independent (design effect rows / groups).

    Returns
    -------
    dict or None
        ``observed``, ``expected``, ``z``; None for fewer than five rows.
    """
    counts = np.asarray(negatives) + np.asarray(positives)
    rows = int(counts.sum())
    if suppress_small(rows) == 0:
        return None
    probability = (np.arange(PROBABILITY_BINS) + 0.5) / PROBABILITY_BINS
    expected = float(counts @ probability)
    variance = float(counts @ (probability * (1 - probability))) * max(rows / max(groups, 1), 1.0)
    observed = int(np.sum(positives))
    return {
        "observed": observed,
        "expected": round(expected, 1),
        "z": round((observed - expected) / variance**0.5, 2) if variance > 0 else 0.0,
    }


def worst(sites: Mapping[str, Mapping[str, Any]], target: str) -> tuple[str, float] | None:
    """The site where a target's events differ most from the expected ones, and |z|; None if no site reports it."""
    deviations = {
        name: abs(figures[key]["z"]) for name, figures in sites.items() if (key := f"calibration_{target}") in figures
    }
    if not deviations:
        return None
    name = max(deviations, key=lambda site: deviations[site])
    return name, deviations[name]
