"""Net benefit by hand, and its difference."""

import numpy as np
import pytest

from models.evaluation.decisions import CURVE, band, net_benefit, net_benefit_difference, treat_all

EVENT = np.array([True, False, False, True, False, False, False, False, False, False])
SCORE = np.array([0.30, 0.20, 0.05, 0.04, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02])


def test_net_benefit_by_hand() -> None:
    # At 10 %: one true, one false positive of ten.
    assert net_benefit(EVENT, SCORE, 0.10) == pytest.approx(0.1 - 0.1 * (0.1 / 0.9))
    assert net_benefit(EVENT, SCORE, 0.99) == 0.0
    assert treat_all(EVENT, 0.10) == pytest.approx(0.2 - 0.8 * (0.1 / 0.9))


def test_a_score_at_the_threshold_is_acted_on() -> None:
    assert net_benefit(np.array([True]), np.array([0.1]), 0.1) == 1.0


def test_equal_scores_differ_by_nothing_and_a_better_one_by_something() -> None:
    rng = np.random.default_rng(0)
    probability = rng.beta(1, 4, 2000)
    event = rng.random(2000) < probability
    same = net_benefit_difference(event, [probability], [probability], 0.10)
    assert same == {"value": 0.0, "ci95": [0.0, 0.0]}
    worse = net_benefit_difference(event, [probability], [rng.permutation(probability)], 0.10)
    assert worse["ci95"][0] > 0


def test_a_band_holds_its_curve() -> None:
    rng = np.random.default_rng(1)
    probability = rng.beta(1, 4, 400)
    event = rng.random(400) < probability

    def curve(rows: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return np.array([net_benefit(event[rows], probability[rows], at) for at in CURVE])

    low, high = band(event, curve, draws=100)
    value = curve(np.arange(400))
    assert ((low <= value) & (value <= high)).all()
    assert (low < high).all()
