"""Inputs and results at a hospital compared with the data that a bundle was trained on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from models.bundle import Bundle
from models.ctg.features import FEATURES
from models.ctg.trace_features import TRACE_FEATURES
from models.drift import PSI_ALARM, Reference, binned, ks, psi, psi_noise
from models.fusion.prior import Prior
from models.fusion.terms import shifted

# With fewer rows no alarm is raised.
LEAST = 30
Array = NDArray[np.float64]
SIZE_EDGES = np.array([-1.2816, -0.5244, 0.5244, 1.2816])


@dataclass(frozen=True)
class Drift:
    """One distribution compared with that of the training data.

    Attributes
    ----------
    kind, what : str
    rows : int
    psi, psi_noise, ks : float
        Population stability index, the limit that chance alone hardly exceeds, and the largest distance of the
        cumulative shares (Kolmogorov-Smirnov).
    alarm : bool
    """

    kind: str
    what: str
    rows: int
    psi: float
    psi_noise: float
    ks: float | None
    alarm: bool


def inputs(rows: list[dict[str, Any]], bundle: Bundle) -> list[Drift]:
    """Features of each CTG model, the probability of distress, and the size for age."""
    drifts = []
    model = bundle.acidaemia
    for name, reference, features in (
        ("acidaemia", model.reference if model else None, TRACE_FEATURES),
        ("pattern", bundle.reference, FEATURES),
    ):
        with_features = [row for row in rows if row["model"] == name and row["features"]]
        if reference is None or not with_features:
            continue
        labels = {feature.name: feature.label for feature in features}
        drifts += _features(with_features, reference, labels, f"measurements of the {name} model")
    answered = [row for row in rows if row["model"] == "acidaemia" and row["distress"] is not None]
    if model is not None and answered and (held_out := model.fusion.held_out.get("ctg only")):
        total = held_out.negatives + held_out.positives
        edges = np.searchsorted(np.cumsum(total) / total.sum(), np.arange(0.1, 1.0, 0.1)) / len(total)
        centres = (np.arange(len(total)) + 0.5) / len(total)
        expected = _counted(np.repeat(centres, total), np.unique(edges))
        # Converted to the prevalence of the held-out births, which the reference has.
        shifts = [Prior(value=row["prior"]).shift(model.prevalence) for row in answered]
        probabilities = [shifted(row["distress"], -shift) for row, shift in zip(answered, shifts, strict=True)]
        drifts.append(
            _drift("answers", "probability of distress", expected, _counted(np.array(probabilities), np.unique(edges)))
        )
    sizes = [row["z_score"] for row in rows if row["z_score"] is not None]
    if sizes:
        share = np.diff(ndtr(np.concatenate([[-np.inf], SIZE_EDGES, [np.inf]])))
        expected = np.append(np.round(10_000 * share).astype(np.int64), 0)
        drifts.append(_drift("sizes", "size for age", expected, _counted(np.array(sizes), SIZE_EDGES)))
    return drifts


def _counted(values: Array, edges: Array) -> NDArray[np.int64]:
    """Counts between inner edges; the last cell, for missing values, is zero."""
    return np.append(np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1), 0)


def _features(rows: list[dict[str, Any]], reference: Reference, labels: dict[str, str], kind: str) -> list[Drift]:
    values = np.array([[row["features"].get(name, np.nan) for name in reference.names] for row in rows], dtype=float)
    counts = binned(values, reference.low, reference.high)
    return [
        _drift(kind, labels.get(name, name), reference.counts[column], counts[column])
        for column, name in enumerate(reference.names)
        if reference.counts[column, :-1].sum()
    ]


def _drift(kind: str, what: str, expected: NDArray[np.int64], actual: NDArray[np.int64]) -> Drift:
    rows = int(actual.sum())
    index, noise, distance = psi(expected, actual), psi_noise(expected, rows), ks(expected, actual)
    alarm = rows >= LEAST and index > max(PSI_ALARM, noise)
    return Drift(kind, what, rows, index, noise, float(distance) if np.isfinite(distance) else None, alarm)
