"""Inputs and answers of a site beside what a bundle learned from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from models.bundle import Bundle
from models.ctg.features import FEATURES
from models.ctg.trace_features import TRACE_FEATURES
from models.drift import PSI_ALARM, Reference, binned, ks, psi, psi_noise

# Fewer rows say nothing.
LEAST = 20
SIZE_EDGES = np.array([-1.2816, -0.5244, 0.5244, 1.2816])


@dataclass(frozen=True)
class Drift:
    """One distribution beside the one of training.

    Attributes
    ----------
    what : str
    rows : int
    psi, psi_noise, ks : float
        Index, its 95th centile by chance alone, largest distance of the cumulative shares.
    alarm : bool
    """

    what: str
    rows: int
    psi: float
    psi_noise: float
    ks: float | None
    alarm: bool


def inputs(rows: list[dict[str, Any]], bundle: Bundle) -> list[Drift]:
    """Features of each CTG model, the probability of distress, and the size for age."""
    made = []
    model = bundle.acidaemia
    for name, reference, features in (
        ("acidaemia", model.reference if model else None, TRACE_FEATURES),
        ("pattern", bundle.reference, FEATURES),
    ):
        held = [row for row in rows if row["model"] == name and row["features"]]
        if reference is None or not held:
            continue
        labels = {feature.name: feature.label for feature in features}
        made += _features(held, reference, labels)
    answered = np.array(
        [row["distress"] for row in rows if row["model"] == "acidaemia" and row["distress"] is not None]
    )
    if model is not None and len(answered) and (known := model.fusion.held_out.get("ctg only")):
        total = known.negatives + known.positives
        edges = np.searchsorted(np.cumsum(total) / total.sum(), np.arange(0.1, 1.0, 0.1)) / len(total)
        bins = np.concatenate([[0.0], np.unique(edges), [1.0 + 1e-9]])
        centres = (np.arange(len(total)) + 0.5) / len(total)
        expected = np.histogram(centres, bins=bins, weights=total)[0].astype(np.int64)
        made.append(_drift("probability of distress", expected, np.histogram(answered, bins=bins)[0].astype(np.int64)))
    sizes = [row["sizes"][0]["z_score"] for row in rows if row["sizes"]]
    if sizes:
        share = np.diff(norm.cdf(np.concatenate([[-np.inf], SIZE_EDGES, [np.inf]])))
        bins = np.concatenate([[-1e9], SIZE_EDGES, [1e9]])
        made.append(
            _drift("size for age", np.round(10_000 * share).astype(np.int64), np.histogram(sizes, bins=bins)[0])
        )
    return made


def _features(held: list[dict[str, Any]], reference: Reference, labels: dict[str, str]) -> list[Drift]:
    values = np.array([[row["features"].get(name, np.nan) for name in reference.names] for row in held], dtype=float)
    counts = binned(values, reference.low, reference.high)
    return [
        _drift(labels.get(name, name), reference.counts[column], counts[column])
        for column, name in enumerate(reference.names)
        if reference.counts[column].sum()
    ]


def _drift(what: str, expected: NDArray[np.int64], actual: NDArray[np.int64]) -> Drift:
    rows = int(actual.sum())
    index, noise, distance = psi(expected, actual), psi_noise(expected, rows), ks(expected, actual)
    alarm = rows >= LEAST and index > max(PSI_ALARM, noise)
    return Drift(what, rows, index, noise, float(distance) if np.isfinite(distance) else None, alarm)
