"""Calibration, contributions and the feature vector."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from models.bundle import Bundle
from models.ctg.boosting import boost, gradients, matrix, tree_json
from models.ctg.boosting_settings import BoostingSettings
from models.ctg.calibration import Calibration, CalibrationSums, calibration_sums, newton_step
from models.ctg.features import DESIGN_NAMES, FEATURE_NAMES, FEATURES, as_trace_would, design, vector
from models.ctg.pattern import PatternModel, training_weights, without_contractions
from models.errors import InputError, RangeError


def test_newton_finds_the_scale_and_bias_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(size=(6000, 3)) * 2
    truth = Calibration(0.6, (0.0, -0.5, 0.8))
    state = np.array([rng.choice(3, p=p) for p in truth.probabilities(margin)])
    found = Calibration()
    for _ in range(10):
        found = newton_step(found, calibration_sums(found, margin, state, 100), ridge=1e-6)
    assert found.scale == pytest.approx(0.6, abs=0.05)
    assert found.bias == pytest.approx((0.0, -0.5, 0.8), abs=0.15)


def test_sums_add_over_sites() -> None:
    rng = np.random.default_rng(1)
    margin, state = rng.normal(size=(50, 3)), rng.integers(0, 3, 50)
    whole = calibration_sums(Calibration(), margin, state, 5)
    parts: CalibrationSums = calibration_sums(Calibration(), margin[:20], state[:20], 2) + calibration_sums(
        Calibration(), margin[20:], state[20:], 3
    )
    np.testing.assert_allclose(parts.gradient, whole.gradient)
    np.testing.assert_allclose(parts.hessian, whole.hessian)
    assert (parts.rows, parts.events, parts.women) == (whole.rows, whole.events, whole.women)


def test_gradients_are_those_of_the_loss() -> None:
    rng = np.random.default_rng(2)
    margin, label, weight = rng.normal(size=(4, 3)), np.array([0, 1, 2, 1.0]), np.array([1, 2, 0.5, 1.0])
    gradient, _ = gradients(margin, label, weight)

    def loss(m: np.ndarray) -> float:
        return float(-(weight * log_softmax(m, axis=1)[np.arange(4), label.astype(int)]).sum())

    step = np.zeros_like(margin)
    step[1, 2] = 1e-6
    assert gradient[1, 2] == pytest.approx((loss(margin + step) - loss(margin - step)) / 2e-6, rel=1e-5)


@pytest.mark.parametrize("view", ["table", "trace"])
def test_shipped_contributions_are_finite_and_add_up(bundle: Bundle, view) -> None:  # type: ignore[no-untyped-def]
    model = bundle.pattern[view]
    rng = np.random.default_rng(3)
    low, high = bundle.training_range
    features = rng.uniform(low, high, size=(40, len(FEATURES)))
    if view == "trace":
        features = as_trace_would(features)
    values, base = model.contributions(features)
    scaled = model.calibration.scale * model.margins(features) + np.array(model.calibration.bias)
    assert np.isfinite(values).all()
    np.testing.assert_allclose(values.sum(axis=1) + base, scaled[:, 2] - scaled[:, :2].mean(axis=1), atol=1e-4)


def test_shipped_covers_are_sums_of_their_children(bundle: Bundle) -> None:
    for view in ("table", "trace"):
        for tree in tree_json(bundle.pattern[view].booster)["learner"]["gradient_booster"]["model"]["trees"]:
            cover, left, right = tree["sum_hessian"], tree["left_children"], tree["right_children"]
            for node, child in enumerate(left):
                if child != -1:
                    assert cover[node] == pytest.approx(cover[child] + cover[right[node]], rel=1e-3, abs=1e-4)
            assert not any(tree["loss_changes"])


@given(st.lists(st.floats(-20, 20), min_size=3, max_size=3), st.floats(0.05, 3))
def test_probabilities_are_probabilities(margin: list[float], scale: float) -> None:
    p = Calibration(scale, (0.0, 0.3, -0.2)).probabilities(np.array([margin]))
    assert p.sum() == pytest.approx(1)
    assert (p >= 0).all()


def test_logit_sd_grows_with_the_covariance() -> None:
    margin = np.array([[1.0, 0.0, -1.0]])
    small = Calibration(covariance=((0.01, 0, 0), (0, 0.01, 0), (0, 0, 0.01))).logit_sd(margin)
    large = Calibration(covariance=((0.04, 0, 0), (0, 0.04, 0), (0, 0, 0.04))).logit_sd(margin)
    assert large == pytest.approx(2 * small)


def test_vector_orders_and_checks() -> None:
    values = vector({"baseline_bpm": 140, "histogram_tendency": -1})
    assert values[0] == 140
    assert values[-1] == -1
    assert np.isnan(values[1:-1]).all()
    with pytest.raises(InputError, match="unknown CTG feature 'NSP'"):
        vector({"NSP": 1})
    with pytest.raises(RangeError, match="baseline_bpm = 300"):
        vector({"baseline_bpm": 300})
    with pytest.raises(RangeError):
        vector({"baseline_bpm": float("inf")})
    with pytest.raises(InputError, match="no CTG feature"):
        vector({})


def test_neither_class_nor_flags_are_features() -> None:
    columns = {feature.uci_column for feature in FEATURES}
    assert not columns & {"CLASS", "NSP", "A", "B", "C", "D", "E", "AD", "DE", "LD", "FS", "SUSP", "LBE", "FileName"}
    assert len(set(FEATURE_NAMES)) == 21


def test_trees_from_before_the_derived_features_still_answer() -> None:
    rng = np.random.default_rng(4)
    features, state = rng.normal(size=(90, 21)), np.repeat([0, 1, 2], 30)
    features[:, 0] += state
    rows = matrix(features, FEATURE_NAMES, state.astype(float), np.ones(90))
    booster = boost(rows, np.zeros((90, 3)), 5, BoostingSettings(), 3, seed=1)
    model = PatternModel(booster, Calibration())
    assert (model.probabilities(features).argmax(axis=1) == state).mean() > 0.6
    values, _ = model.contributions(features)
    assert values.shape == (90, 21)


def test_derived_features_are_functions_of_the_21() -> None:
    row = np.arange(1.0, 22.0)[None, :]
    named = dict(zip(DESIGN_NAMES, design(row)[0], strict=True))
    assert named["histogram_mode_minus_baseline_bpm"] == named["histogram_mode_bpm"] - named["baseline_bpm"]
    kinds = ("light", "severe", "prolonged")
    assert named["decelerations_per_s"] == sum(named[f"{kind}_decelerations_per_s"] for kind in kinds)
    assert named["stv_product"] == named["abnormal_stv_percent"] * named["mean_stv_bpm"]
    blind = design(without_contractions(row))[0]
    assert np.isnan(blind[FEATURE_NAMES.index("contractions_per_s")])
    assert np.isnan(blind).sum() == 1


def test_a_woman_with_many_rows_weighs_less_a_row() -> None:
    state, woman = np.array([0, 0, 2, 0]), np.array(["a", "a", "b", "c"])
    weight = training_weights(state, woman, (1.0, 2.0, 3.0))
    assert weight[0] == weight[1] == pytest.approx(weight[3] / np.sqrt(2))
    assert weight[2] == pytest.approx(3 * weight[3])
