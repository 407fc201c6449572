"""The learned grader and the aggregates of a population, on synthetic windows and traces."""

import numpy as np
import pytest

from models.bundle import Bundle
from models.ctg.trace_features import TRACE_FEATURE_NAMES
from models.evaluation.readings import Window
from models.synthetic.scenes import Scene
from studies.traces import grader, population


def windows(count: int, seed: int) -> tuple[np.ndarray, list[Window]]:
    """Windows whose majority follows the first feature, and rules that know nothing."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, len(TRACE_FEATURE_NAMES)))
    rows[:, 1:15] = rows[:, :1] + 0.3 * rows[:, 1:15]
    rows[::7, 1] = np.nan
    majority = np.digitize(rows[:, 0], [0.0, 1.0]) + 1
    return rows, [Window(f"r{k // 2}", 0.0, 1800.0, int(majority[k]), 1 + k % 2) for k in range(count)]


@pytest.mark.slow
def test_a_grader_learns_what_the_majority_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = grader.load(grader.shipped_plans()["grader"])
    assert plan.grader is not None
    boosting = plan.grader.boosting.model_copy(update={"learning_rate": 0.2})
    fewer = plan.grader.model_copy(update={"rounds": 40, "calibration_folds": 2, "boosting": boosting})
    short = plan.model_copy(update={"grader": fewer})
    monkeypatch.setattr(grader, "load", lambda path: short)
    monkeypatch.setattr(grader, "SEEDS", 1)
    monkeypatch.setattr(grader, "FOLDS", 2)
    rows, graded = windows(240, 1)
    report = grader.report(rows, graded)
    assert (report["windows"], report["records"]) == (240, 120)
    for name in grader.MODELS:
        assert report["models"][name]["kappa"]["value"] > 0.4 > report["rules"]["kappa"]["value"]
    assert "extra trees" in "\n".join(grader.lines(report))


def test_no_record_grades_itself() -> None:
    """Labels that are a property of the record, and features without meaning: nothing can be learned across records."""
    rng = np.random.default_rng(2)
    record = np.repeat([f"r{k}" for k in range(60)], 4)
    label = np.repeat(rng.integers(1, 4, 60), 4)
    rows = np.repeat(rng.normal(size=(60, 5)), 4, axis=0)
    probability, graded = grader.out_of_fold(rows, label, record, "extra trees", 0)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    assert np.mean(graded == label) < 0.6


def test_aggregates_count_every_trace(bundle: Bundle) -> None:
    traces = [Scene(40, seed).level((0, 140)).vary(10).accelerate().done() for seed in range(2)]
    traces.append(Scene(40, 9).level((0, 140)).vary(10).fall(33, 65, 7).done())
    found = population.aggregates(bundle, traces)
    assert found["traces"] == sum(found["states"].values()) == 3
    assert found["states"]["high"] == 1
    assert all(sum(counts) == 3 for counts in found["classes"].values())
