"""Metrics, splits and the report."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.errors import DataSetError
from models.evaluation.folds import hashed_folds
from models.evaluation.metrics import bootstrap, dice, expected_calibration_error, hausdorff, state_metrics
from models.evaluation.report import evaluate, words
from models.ultrasound.ellipse import Ellipse


def test_bootstrap_draws_whole_groups() -> None:
    groups = np.repeat(["a", "b", "c", "d"], 25)
    values = np.repeat([0.0, 1.0, 0.0, 1.0], 25)
    seen = []

    def mean(rows: np.ndarray) -> float:
        seen.append(len(rows))
        return float(values[rows].mean())

    made = bootstrap(groups, mean, draws=200)
    assert made["value"] == 0.5
    assert made["ci95"][0] <= 0.25
    assert made["ci95"][1] >= 0.75
    assert set(seen) == {100}


def test_calibration_error_of_a_perfect_and_a_bad_model() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(20000)
    event = rng.random(20000) < p
    assert expected_calibration_error(event, p) < 0.02
    assert expected_calibration_error(event, 1 - p) > 0.4


@pytest.mark.slow
def test_state_metrics_of_a_perfect_model() -> None:
    state = np.array([0, 1, 2] * 10)
    made = state_metrics(state, state, np.eye(3)[state], np.arange(30).astype(str))
    for name in ("macro_f1", "balanced_accuracy", "recall_pathological", "precision_pathological", "auc_pathological"):
        assert made[name]["value"] == 1.0
    assert made["brier"]["value"] == 0.0


@pytest.mark.slow
def test_missing_class_is_not_an_error() -> None:
    state = np.zeros(10, dtype=np.int64)
    made = state_metrics(state, state, np.tile([0.8, 0.1, 0.1], (10, 1)), np.arange(10).astype(str))
    assert made["auc_pathological"]["value"] is None


def test_overlap_and_distance_of_shifted_circles() -> None:
    a, b = Ellipse(100, 100, 50, 50, 0), Ellipse(110, 100, 50, 50, 0)
    assert dice(a, a, 200, 200) == 1
    assert 0.8 < dice(a, b, 200, 200) < 0.95
    assert hausdorff(a, b) == pytest.approx(10, abs=0.1)


def test_folds_depend_on_the_name_alone() -> None:
    names = [f"{i:03d}" for i in range(400)]
    fold = hashed_folds(names, 5)
    assert hashed_folds(names[::-1], 5)[::-1].tolist() == fold.tolist()
    assert np.bincount(fold, minlength=5).min() > 50


@pytest.mark.slow
def test_report_scores_every_record(bundle: Bundle, data: Path, tmp_path: Path) -> None:
    report = evaluate(bundle, data)
    json.dumps(report, allow_nan=False)
    uci, heads = report["datasets"]["uci_ctg"], report["datasets"]["hc18"]
    assert uci["synthetic"]
    assert not uci["in_sample"]
    assert heads["n"] == 12
    assert set(heads) >= {"mae_mm", "bias_mm", "dice", "hausdorff_mm", "coverage_90", "refused_rate"}
    assert sum(part["n"] for part in heads["by_trimester_of_size"].values()) == heads["n"]
    assert "uci_ctg" in words(report)
    with pytest.raises(DataSetError, match="none of"):
        evaluate(bundle, tmp_path)
    (tmp_path / "ctg_raw_data.csv").write_bytes((data / "ctg" / "ctg_raw_data.csv").read_bytes())
    (tmp_path / "training_set_pixel_size_and_HC.csv").write_text("filename,a,b\n")
    partial = evaluate(bundle, tmp_path)
    assert set(partial["datasets"]) == {"uci_ctg"}
    assert partial["unusable"][0].startswith("hc18")
    assert "not scored: hc18" in words(partial)


def test_in_sample_is_known_from_the_manifest(bundle: Bundle) -> None:
    known = bundle.manifest["data"][0]["files"][0]["sha256"]
    assert bundle.trained_on({known})
    assert not bundle.trained_on({"0" * 64})


def test_state_metrics_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score, precision_score, recall_score

    rng = np.random.default_rng(5)
    state, chosen = rng.integers(0, 3, 200), rng.integers(0, 3, 200)
    metrics = state_metrics(state, chosen, np.full((200, 3), 1 / 3), np.arange(200))
    assert metrics["macro_f1"]["value"] == pytest.approx(f1_score(state, chosen, average="macro"))
    assert metrics["recall_pathological"]["value"] == pytest.approx(recall_score(state == 2, chosen == 2))
    assert metrics["precision_pathological"]["value"] == pytest.approx(precision_score(state == 2, chosen == 2))
    nothing = state_metrics(np.zeros(4, int), np.zeros(4, int), np.full((4, 3), 1 / 3), np.arange(4))
    assert nothing["recall_pathological"]["value"] is None
