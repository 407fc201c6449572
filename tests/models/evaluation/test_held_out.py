"""Histograms of a bundle read again as rows: bins, figures, curves."""

import numpy as np
import pytest

from models.evaluation.held_out import decisions, figures, reliability, rows_of
from models.evaluation.metrics import auc
from models.fusion.held_out_births import BINS, HeldOut

RNG = np.random.default_rng(0)
PROBABILITY = RNG.beta(1, 4, 900)
EVENT = RNG.random(900) < PROBABILITY
HELD = HeldOut.of(PROBABILITY, EVENT)


def test_rows_come_back_within_a_bin() -> None:
    event, probability = rows_of(HELD)
    assert (len(event), int(event.sum())) == (900, int(EVENT.sum()))
    for back, were in ((event, EVENT), (~event, ~EVENT)):
        np.testing.assert_allclose(np.sort(probability[back]), np.sort(PROBABILITY[were]), atol=1 / BINS)
    assert auc(event, probability) == pytest.approx(auc(EVENT, PROBABILITY), abs=0.003)


def test_bins_hold_equal_shares_and_their_intervals_the_truth() -> None:
    bins = reliability(EVENT, PROBABILITY)
    assert [one.rows for one in bins] == [90] * 10
    assert sum(one.events for one in bins) == EVENT.sum()
    assert all(one.low <= one.observed <= one.high for one in bins)
    assert sum(one.low <= one.predicted <= one.high for one in bins) >= 8
    assert len(reliability(EVENT[:3], PROBABILITY[:3])) == 3


@pytest.mark.slow
def test_a_calibrated_score_looks_calibrated() -> None:
    made = figures(EVENT, PROBABILITY)
    assert made["ece"] < made["ece_limit"]
    assert made["slope"]["ci95"][0] < 1 < made["slope"]["ci95"][1]
    assert figures(EVENT, PROBABILITY**0.3)["ece"] > made["ece_limit"]


def test_decisions_cover_the_thresholds() -> None:
    made = decisions(EVENT, PROBABILITY, draws=50)
    assert made.thresholds[0] == 0.02
    assert made.thresholds[-1] == 0.20
    assert all(low <= value <= high for low, value, high in zip(made.low, made.value, made.high, strict=True))
    assert made.treat_all[-1] < made.value[-1]
