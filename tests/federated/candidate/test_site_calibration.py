"""Events at a site against those expected there."""

import numpy as np
import pytest

from federated.candidate.gate import calibration_at_worst_sites, judge
from federated.candidate.site_calibration import site_calibration, worst
from federated.plan import GatePlan
from federated.trees.summaries import PROBABILITY_BINS


def told(probability: np.ndarray, event: np.ndarray) -> tuple[list[int], list[int]]:
    counts = [np.histogram(probability[event == k], PROBABILITY_BINS, (0, 1))[0].tolist() for k in (0, 1)]
    return counts[0], counts[1]


def test_the_right_probabilities_are_seldom_far_off_and_wrong_ones_are() -> None:
    rng = np.random.default_rng(1)
    z = []
    for _ in range(200):
        p = rng.beta(1, 4, 300)
        made = site_calibration(*told(p, rng.random(300) < p), 300)
        assert made is not None
        z.append(made["z"])
    assert abs(float(np.mean(z))) < 0.25
    assert 0.85 < float(np.std(z)) < 1.15
    p = rng.beta(1, 4, 300)
    doubled = site_calibration(*told(p, rng.random(300) < 2 * p), 300)
    assert doubled is not None
    assert doubled["z"] > 4
    assert doubled["observed"] > 1.5 * doubled["expected"]


def test_rows_of_one_woman_count_together() -> None:
    p = np.full(100, 0.5)
    event = np.arange(100) < 60
    alone = site_calibration(*told(p, event), 100)
    together = site_calibration(*told(p, event), 25)
    assert alone is not None
    assert together is not None
    assert alone["z"] == pytest.approx(2 * together["z"], abs=0.02)


def test_of_few_rows_nothing_is_told() -> None:
    assert site_calibration(*told(np.full(4, 0.5), np.zeros(4)), 4) is None


def test_the_gate_names_the_worst_site() -> None:
    sites = {
        "anne": {"calibration_table": {"observed": 3, "expected": 2.0, "z": 0.7}},
        "luke": {"calibration_table": {"observed": 3, "expected": 9.0, "z": -4.5}},
        "mary": {},
    }
    assert worst(sites, "table") == ("luke", 4.5)
    assert worst(sites, "trace") is None
    candidate = {"sites": {"ctg": sites}, "metrics": {}}
    unknown = {"sites": {}}
    (verdict,) = calibration_at_worst_sites(candidate, unknown, GatePlan())
    assert not verdict.passed
    assert "luke" in verdict.what
    assert calibration_at_worst_sites(candidate, unknown, GatePlan(max_site_calibration_z=5.0))[0].passed
    assert calibration_at_worst_sites(candidate, candidate, GatePlan())[0].passed  # no further off than in service
    better = {"sites": {"ctg": {"anne": sites["anne"]}}}
    assert not calibration_at_worst_sites(candidate, better, GatePlan())[0].passed
    assert [v.passed for v in judge(candidate, {"sites": {}, "metrics": {}}, GatePlan())] == [False]
