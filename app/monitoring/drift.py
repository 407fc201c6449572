"""Inputs and answers of a site beside what a bundle learned from."""

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

# Fewer rows say nothing.
LEAST = 30
Array = NDArray[np.float64]
SIZE_EDGES = np.array([-1.2816, -0.5244, 0.5244, 1.2816])


@dataclass(frozen=True)
class Drift:
    """One distribution beside the one of training.

    Attributes
    ----------
    kind, what : str
    rows : int
    psi, psi_noise, ks : float
        Index, what chance alone would hardly pass, largest distance of the cumulative shares.
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
        made += _features(held, reference, labels, f"measurements of the {name} model")
    answered = [row for row in rows if row["model"] == "acidaemia" and row["distress"] is not None]
    if model is not None and answered and (known := model.fusion.held_out.get("ctg only")):
        total = known.negatives + known.positives
        edges = np.searchsorted(np.cumsum(total) / total.sum(), np.arange(0.1, 1.0, 0.1)) / len(total)
        centres = (np.arange(len(total)) + 0.5) / len(total)
        expected = _counted(np.repeat(centres, total), np.unique(edges))
        # At the prior that the held-out ones have.
        shifts = [Prior(value=row["prior"]).shift(model.prior) for row in answered]
        told = [shifted(row["distress"], -shift) for row, shift in zip(answered, shifts, strict=True)]
        made.append(_drift("answers", "probability of distress", expected, _counted(np.array(told), np.unique(edges))))
    sizes = [row["sizes"][0]["z_score"] for row in rows if row["sizes"]]
    if sizes:
        share = np.diff(ndtr(np.concatenate([[-np.inf], SIZE_EDGES, [np.inf]])))
        expected = np.append(np.round(10_000 * share).astype(np.int64), 0)
        made.append(_drift("sizes", "size for age", expected, _counted(np.array(sizes), SIZE_EDGES)))
    return made


def _counted(values: Array, edges: Array) -> NDArray[np.int64]:
    """Counts between inner edges; none is missing."""
    return np.append(np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1), 0)


def _features(held: list[dict[str, Any]], reference: Reference, labels: dict[str, str], kind: str) -> list[Drift]:
    values = np.array([[row["features"].get(name, np.nan) for name in reference.names] for row in held], dtype=float)
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
