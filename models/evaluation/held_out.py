"""Figures from the held-out histograms of a bundle: calibration, discrimination and decisions, with intervals."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.decisions import CURVE, band, net_benefit, treat_all
from models.evaluation.metrics import auc, bootstrap, expected_calibration_error
from models.evaluation.outcome import calibration_line, ece_limit
from models.fusion.held_out_births import HeldOut

Array = NDArray[np.float64]
Event = NDArray[np.bool_]


@dataclass(frozen=True)
class Bin:
    """One bin of a reliability plot: rows, events, mean prediction, observed share with its 95 % Wilson interval."""

    rows: int
    events: int
    predicted: float
    observed: float
    low: float
    high: float


def rows_of(counts: HeldOut) -> tuple[Event, Array]:
    """Restore events and probabilities, each at the centre of its bin."""
    centres = (np.arange(len(counts.negatives)) + 0.5) / len(counts.negatives)
    probability = np.concatenate([np.repeat(centres, counts.negatives), np.repeat(centres, counts.positives)])
    event = np.arange(len(probability)) >= counts.negatives.sum()
    return event, probability


def reliability(event: Event, probability: Array, bins: int = 10) -> list[Bin]:
    """Reliability in bins of equal mass, each of at least one row."""
    order = np.argsort(probability, kind="stable")
    from scipy.stats import binomtest  # heavy, and only pages of evidence need it

    reliability_bins = []
    for part in np.array_split(order, min(bins, len(order))):
        events = int(event[part].sum())
        low, high = binomtest(events, len(part)).proportion_ci(0.95, method="wilson")
        reliability_bins.append(
            Bin(len(part), events, float(probability[part].mean()), events / len(part), float(low), float(high))
        )
    return reliability_bins


@dataclass(frozen=True)
class Decisions:
    """Net benefit at several thresholds with its 95 % band, and the net benefit of acting always."""

    thresholds: tuple[float, ...]
    value: list[float]
    low: list[float]
    high: list[float]
    treat_all: list[float]


def decisions(event: Event, probability: Array, *, draws: int = 200) -> Decisions:
    """Decision curve over thresholds of 2 to 20 %."""

    def curve(rows: NDArray[np.int64]) -> Array:
        return np.array([net_benefit(event[rows], probability[rows], at) for at in CURVE])

    low, high = band(event, curve, draws=draws)
    value = curve(np.arange(len(event)))
    return Decisions(CURVE, value.tolist(), low.tolist(), high.tolist(), [treat_all(event, at) for at in CURVE])


def figures(event: Event, probability: Array) -> dict[str, Any]:
    """AUC, ECE and its limit, slope and intercept; intervals over births."""
    rows = np.arange(len(event))
    return {
        "births": len(event),
        "events": int(event.sum()),
        "auc": bootstrap(rows, lambda r: auc(event[r], probability[r]), draws=200),
        "ece": expected_calibration_error(event, probability),
        "ece_limit": ece_limit(probability, draws=200),
        "slope": bootstrap(rows, lambda r: calibration_line(event[r], probability[r])[1], draws=200),
        "intercept": bootstrap(rows, lambda r: calibration_line(event[r], probability[r])[0], draws=200),
    }
