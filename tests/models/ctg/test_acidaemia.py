"""The trace features, the threshold models and what is shipped of them."""

from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.ctg.acidaemia import MILD, PH_THRESHOLDS, SEVERE, TARGETS, low_ph
from models.ctg.analysis import analyse
from models.ctg.boosting import margins
from models.ctg.recording import recording
from models.ctg.trace_features import MEASURES, TRACE_FEATURE_NAMES, TRACE_FEATURES, WINDOWS_MIN, trace_features
from models.synthetic.traces import trace


def named(values: np.ndarray) -> dict[str, float]:
    return dict(zip(TRACE_FEATURE_NAMES, values, strict=True))


@pytest.fixture(scope="module")
def late() -> dict[str, float]:
    return named(trace_features(analyse(trace(minutes=70, accelerations=0, late_decelerations=True, seed=1).recording)))


def test_the_vector_is_documented() -> None:
    assert len(TRACE_FEATURES) == len(MEASURES) * len(WINDOWS_MIN) == 75
    assert len(set(TRACE_FEATURE_NAMES)) == 75
    for feature in TRACE_FEATURES:
        assert feature.definition
        assert feature.source
        assert feature.unit
        assert feature.low < feature.high


def test_it_measures_what_was_put_in(late: dict[str, float]) -> None:
    assert late["baseline_mean_bpm_last_60_min"] == pytest.approx(135, abs=3)
    assert late["deepest_deceleration_bpm_last_60_min"] == pytest.approx(33, abs=4)
    assert late["decelerations_per_min_last_60_min"] == pytest.approx(60 / 200, abs=0.05)
    assert late["contractions_per_min_last_60_min"] == pytest.approx(60 / 200, abs=0.05)
    assert late["longest_deceleration_s_last_60_min"] == pytest.approx(90, abs=15)
    assert late["accelerations_per_min_last_60_min"] < 0.05
    assert 0.1 < late["share_15_below_last_60_min"] < 0.3


def test_values_lie_in_their_ranges(late: dict[str, float]) -> None:
    for feature in TRACE_FEATURES:
        assert feature.low <= late[feature.name] <= feature.high, feature.name


def test_a_short_trace_fills_the_windows_as_far_as_it_goes() -> None:
    values = named(trace_features(analyse(trace(minutes=15, seed=2).recording)))
    assert values["fhr_sd_bpm_last_30_min"] == values["fhr_sd_bpm_last_60_min"]
    assert values["fhr_sd_bpm_last_10_min"] != values["fhr_sd_bpm_last_30_min"]


def test_without_a_tocogram_contractions_are_missing() -> None:
    ctg = trace(minutes=30, seed=3).recording
    values = named(trace_features(analyse(recording(ctg.fhr_bpm, None, 4.0, "test"))))
    assert np.isnan(values["contractions_per_min_last_30_min"])
    assert np.isfinite(values["fhr_sd_bpm_last_30_min"])


def test_a_refused_trace_has_no_features_and_a_lost_end_none_there() -> None:
    assert np.isnan(trace_features(analyse(trace(minutes=30, loss=0.7, seed=4).recording))).all()
    ctg = trace(minutes=40, seed=4).recording
    ctg.fhr_bpm[-2400:] = np.nan
    values = named(trace_features(analyse(ctg)))
    assert np.isnan(values["fhr_sd_bpm_last_10_min"])
    assert np.isfinite(values["fhr_sd_bpm_last_30_min"])


def test_ph_is_below_7_05_but_at_or_below_the_others() -> None:
    ph = np.array([7.049, 7.05, 7.10, 7.15, 7.151])
    assert low_ph(ph, 7.05).tolist() == [1, 0, 0, 0, 0]
    assert low_ph(ph, 7.10).tolist() == [1, 1, 1, 0, 0]
    assert low_ph(ph, 7.15).tolist() == [1, 1, 1, 1, 0]
    assert {target.threshold for target in TARGETS} <= set(PH_THRESHOLDS)
    assert MILD.threshold in MILD.model_thresholds
    assert SEVERE.threshold in SEVERE.model_thresholds


@pytest.mark.parametrize("target", [target.name for target in TARGETS])
def test_shipped_contributions_are_exact(bundle: Bundle, target: str) -> None:
    assert bundle.acidaemia is not None
    model = bundle.acidaemia.models[target]
    low, high = bundle.acidaemia.training_range
    features = np.random.default_rng(0).uniform(low, high, size=(40, len(TRACE_FEATURES)))
    features[::3, ::4] = np.nan
    values, base = model.contributions(features)
    logit = (
        model.calibration.scale * margins(model.booster, features, TRACE_FEATURE_NAMES)[:, 0]
        + model.calibration.bias[1]
    )
    np.testing.assert_allclose(values.sum(axis=1) + base, logit, atol=1e-4)
    probability = model.probabilities(features)
    np.testing.assert_allclose(np.log(probability / (1 - probability)), logit, atol=1e-4)


def test_shipped_calibration_has_the_direction_of_its_threshold_models(bundle: Bundle) -> None:
    assert bundle.acidaemia is not None
    for model in bundle.acidaemia.models.values():
        assert model.calibration.scale > 0.3
        assert model.calibration.events > 20


def test_the_vectors_document_is_true() -> None:
    from studies.feature_vector import document

    path = Path(__file__).parents[3] / "docs" / "reference" / "ctg-features.md"
    assert path.read_text(encoding="utf-8") == document()
