"""Metrics of an outcome, on data whose answer is known."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from models.evaluation.metrics import auc, expected_calibration_error
from models.evaluation.outcome import calibration_line, ece_limit, outcome_metrics, sensitivity_at

RNG = np.random.default_rng(0)
LOGIT = RNG.normal(-1.5, 1.2, 4000)
EVENT = RNG.random(4000) < expit(LOGIT)


def test_sensitivity_leaves_the_specificity_it_promises() -> None:
    score = expit(LOGIT)
    for specificity in (0.8, 0.9, 0.95):
        others = score[~EVENT]
        cut = np.sort(others)[int(np.ceil(specificity * len(others))) - 1]
        assert np.mean(others <= cut) >= specificity
        assert sensitivity_at(EVENT, score, specificity) == np.mean(score[EVENT] > cut)
    assert sensitivity_at(EVENT, EVENT.astype(float), 0.95) == 1.0
    assert np.isnan(sensitivity_at(np.zeros(5, bool), np.arange(5.0), 0.8))


def test_one_class_has_no_auc() -> None:
    assert np.isnan(auc(np.ones(4, bool), np.arange(4.0)))
    assert auc(EVENT, np.round(LOGIT)) == pytest.approx(roc_auc_score(EVENT, np.round(LOGIT)))
    assert auc(np.array([False, True]), np.array([0.1, 0.2])) == 1.0


def test_the_line_of_a_calibrated_and_an_overconfident_model() -> None:
    intercept, slope = calibration_line(EVENT, expit(LOGIT))
    assert intercept == pytest.approx(0, abs=0.15)
    assert slope == pytest.approx(1, abs=0.1)
    intercept, slope = calibration_line(EVENT, expit(2 * LOGIT + 0.5))
    assert slope == pytest.approx(0.5, abs=0.05)
    reference = LogisticRegression(C=1e9).fit((2 * LOGIT + 0.5)[:, None], EVENT)
    assert slope == pytest.approx(reference.coef_[0, 0], abs=0.02)


def test_the_limit_is_what_a_calibrated_twin_shows() -> None:
    probability = expit(LOGIT[:441])
    limit = ece_limit(probability, draws=300)
    inside = [expected_calibration_error(RNG.random(441) < probability, probability) <= limit for _ in range(200)]
    assert 0.9 <= np.mean(inside) <= 0.99


@pytest.mark.slow
def test_all_metrics_of_both_targets() -> None:
    ph = 7.08 - 0.05 * LOGIT[:500]
    made = outcome_metrics(ph, expit(LOGIT[:500]), expit(LOGIT[:500] - 2), draws=50)
    for name in ("auc_ph_lt_7_05", "auc_ph_le_7_15", "sens_at_spec_95", "sens_at_spec_80", "ece", "slope"):
        assert made[name]["value"] is not None
    assert made["auc_ph_le_7_15"]["value"] == 1.0
    assert made["ece_limit"] > 0
