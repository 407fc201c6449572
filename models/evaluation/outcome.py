"""Metrics of a predicted outcome: discrimination, sensitivity at a specificity, calibration compared with chance."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from models.ctg.acidaemia import MILD, SEVERE, low_ph
from models.evaluation.metrics import auc, bootstrap, expected_calibration_error

Array = NDArray[np.float64]
Event = NDArray[np.bool_]
_CLIP = 1e-4


def sensitivity_at(event: Event, score: Array, specificity: float) -> float:
    """Sensitivity: share of events above the smallest threshold that reaches this specificity."""
    if not 0 < event.sum() < len(event):
        return float("nan")
    others = np.sort(score[~event])
    threshold = others[min(int(np.ceil(specificity * len(others))) - 1, len(others) - 1)]
    return float(np.mean(score[event] > threshold))


def calibration_line(event: Event, probability: Array) -> tuple[float, float]:
    """Intercept and slope of the logistic regression of the event on the log-odds (1 and 0 are perfect)."""
    x = logit(np.clip(probability, _CLIP, 1 - _CLIP))
    design = np.column_stack([np.ones(len(x)), x])
    parameters = np.array([0.0, 1.0])
    for _ in range(50):
        fitted = expit(design @ parameters)
        weight = np.maximum(fitted * (1 - fitted), 1e-9)
        step = np.linalg.solve(design.T @ (design * weight[:, None]) + 1e-9 * np.eye(2), design.T @ (event - fitted))
        parameters = parameters + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-8:
            break
    return float(parameters[0]), float(parameters[1])


def ece_limit(probability: Array, *, draws: int = 1000, seed: int = 0) -> float:
    """95th centile of the calibration error that a perfectly calibrated model with these predictions shows."""
    rng = np.random.default_rng(seed)
    errors = [expected_calibration_error(rng.random(len(probability)) < probability, probability) for _ in range(draws)]
    return float(np.percentile(errors, 95))


def outcome_metrics(ph: Array, mild: Array, severe: Array, *, draws: int = 500) -> dict[str, Any]:
    """All metrics of both targets; intervals over records, calibration of the milder target.

    Parameters
    ----------
    ph : ndarray, shape (n,)
    mild, severe : ndarray, shape (n,)
        Probabilities of a pH at or below 7.15, and below 7.05.
    """
    low, lowest = (low_ph(ph, target.threshold).astype(bool) for target in (MILD, SEVERE))
    records = np.arange(len(ph))

    def of(statistic: Callable[[NDArray[np.int64]], float]) -> dict[str, Any]:
        return bootstrap(records, statistic, draws=draws)

    return {
        "auc_ph_lt_7_05": of(lambda r: auc(lowest[r], severe[r])),
        "auc_ph_le_7_15": of(lambda r: auc(low[r], mild[r])),
        "sens_at_spec_95": of(lambda r: sensitivity_at(lowest[r], severe[r], 0.95)),
        "sens_at_spec_80": of(lambda r: sensitivity_at(lowest[r], severe[r], 0.80)),
        "sens_at_spec_95_ph_le_7_15": of(lambda r: sensitivity_at(low[r], mild[r], 0.95)),
        "sens_at_spec_80_ph_le_7_15": of(lambda r: sensitivity_at(low[r], mild[r], 0.80)),
        "ece": of(lambda r: expected_calibration_error(low[r], mild[r])),
        "ece_limit": ece_limit(mild),
        "slope": of(lambda r: calibration_line(low[r], mild[r])[1]),
        "intercept": of(lambda r: calibration_line(low[r], mild[r])[0]),
        "ece_ph_lt_7_05": of(lambda r: expected_calibration_error(lowest[r], severe[r])),
        "ece_limit_ph_lt_7_05": ece_limit(severe),
        "slope_ph_lt_7_05": of(lambda r: calibration_line(lowest[r], severe[r])[1]),
        "intercept_ph_lt_7_05": of(lambda r: calibration_line(lowest[r], severe[r])[0]),
        "brier": of(lambda r: float(np.mean((mild[r] - low[r]) ** 2))),
    }
