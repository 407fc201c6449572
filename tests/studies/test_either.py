"""The document on the score outside labour: pairs keep their events, and a wrong probability is seen."""

import numpy as np
import pytest

from models.evaluation.metrics import expected_calibration_error
from models.evaluation.outcome import ece_limit
from studies.fusion.either import pairs


def calibrated(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probability = rng.beta(1, 8, count)
    return probability, rng.uniform(size=count) < probability


@pytest.mark.parametrize("dependence", ["independent", "together", "apart"])
def test_every_trace_is_paired_once(dependence: str) -> None:
    trace, size = calibrated(500, 1), calibrated(900, 2)
    probability, bounds, event = pairs(trace, size, dependence, 3)
    assert len(probability) == len(event) == 500
    assert np.all((bounds[:, 0] <= probability + 1e-12) & (probability <= bounds[:, 1] + 1e-12))
    assert np.all(event[trace[1]])


def test_independent_pairs_are_calibrated_and_dependent_ones_are_not() -> None:
    trace, size = calibrated(4000, 1), calibrated(9000, 2)
    probability, _, event = pairs(trace, size, "independent", 3)
    limit = ece_limit(probability, draws=200)
    assert expected_calibration_error(event, probability) < 1.3 * limit
    probability, _, event = pairs(trace, size, "together", 3)
    assert event.mean() < probability.mean() - 0.03
