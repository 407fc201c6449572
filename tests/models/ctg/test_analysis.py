"""Measurements on the generator's traces, whose events are known."""

import numpy as np
import pytest

from models.ctg.analysis import analyse
from models.ctg.baseline import interpolate_gaps, to_grid
from models.ctg.features import FEATURE_NAMES, FROM_TRACE
from models.ctg.recording import recording
from models.synthetic.traces import trace


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("baseline", [115.0, 140.0, 165.0])
def test_baseline_and_accelerations_are_found(seed: int, baseline: float) -> None:
    synthetic = trace(minutes=30, baseline_bpm=baseline, accelerations=5, seed=seed)
    analysis = analyse(synthetic.recording)
    assert analysis.baseline_bpm == pytest.approx(baseline, abs=3)
    assert len(analysis.accelerations) == len(synthetic.acceleration_starts_s)
    for event, start in zip(analysis.accelerations, synthetic.acceleration_starts_s, strict=True):
        assert event.start_s == pytest.approx(start, abs=15)
    assert not analysis.decelerations


@pytest.mark.parametrize("seed", range(5))
def test_decelerations_and_contractions_are_found(seed: int) -> None:
    synthetic = trace(minutes=40, accelerations=0, late_decelerations=True, seed=seed)
    analysis = analyse(synthetic.recording)
    assert len(analysis.decelerations) == pytest.approx(len(synthetic.deceleration_starts_s), abs=1)
    assert len(analysis.contractions) == len(synthetic.contraction_peaks_s)
    assert analysis.baseline_bpm == pytest.approx(135, abs=3)


def test_variability_follows_the_generator() -> None:
    narrow = analyse(trace(variability_bpm=4, accelerations=0, seed=1).recording).variability_bpm
    wide = analyse(trace(variability_bpm=20, accelerations=0, seed=1).recording).variability_bpm
    assert narrow is not None
    assert wide is not None
    assert wide > 2.5 * narrow


def test_features_of_the_same_definition_and_no_others() -> None:
    synthetic = trace(minutes=14, accelerations=4, seed=2)
    features = analyse(synthetic.recording).windows[-1].features
    assert set(features) == {name for name, fills in zip(FEATURE_NAMES, FROM_TRACE, strict=True) if fills}
    heart = synthetic.recording.fhr_bpm[np.isfinite(synthetic.recording.fhr_bpm)]
    assert features["histogram_mean_bpm"] == pytest.approx(heart.mean(), abs=0.6)
    assert features["histogram_median_bpm"] == pytest.approx(np.median(heart), abs=0.6)
    assert features["histogram_width_bpm"] == features["histogram_max_bpm"] - features["histogram_min_bpm"]
    assert features["accelerations_per_s"] == pytest.approx(len(synthetic.acceleration_starts_s) / (14 * 60))
    assert features["contractions_per_s"] == pytest.approx(len(synthetic.contraction_peaks_s) / (14 * 60))


def test_without_a_tocogram_contractions_stay_missing() -> None:
    synthetic = trace(seed=3).recording
    analysis = analyse(recording(synthetic.fhr_bpm, np.zeros(len(synthetic.fhr_bpm)), 4.0, "test"))
    assert not analysis.has_toco
    assert "contractions_per_s" not in analysis.windows[-1].features


@pytest.mark.parametrize(
    ("minutes", "loss", "words"), [(8, 0.0, "8.0 min long"), (30, 0.6, "signal loss is 6"), (30, 0.999, "signal loss")]
)
def test_the_gate_refuses_with_a_reason(minutes: float, loss: float, words: str) -> None:
    analysis = analyse(trace(minutes=minutes, loss=loss, seed=4).recording)
    assert analysis.quality.refusal is not None
    assert words in analysis.quality.refusal
    assert analysis.baseline_bpm is None
    assert not analysis.windows


def test_an_hour_of_zeros_is_no_heart_rate() -> None:
    analysis = analyse(recording(np.zeros(14400), None, 4.0, "test"))
    assert analysis.quality.refusal == "the trace contains no heart rate"


def test_the_last_window_is_fifteen_minutes() -> None:
    windows = analyse(trace(minutes=50, seed=5).recording).windows
    assert (windows[-1].start_s, windows[-1].end_s) == (2100, 3000)
    assert [w.start_s for w in windows] == [300, 1200, 2100]


def test_long_gaps_are_not_interpolated() -> None:
    values = np.full(100, 140.0)
    values[20:30] = np.nan
    values[50:70] = np.nan
    filled = interpolate_gaps(values)
    assert np.isfinite(filled[20:30]).all()
    assert np.isnan(filled[50:70]).all()


def test_grid_keeps_empty_seconds_lost() -> None:
    values = np.array([120, 122, np.nan, np.nan, 130, 130.0])
    np.testing.assert_allclose(to_grid(values, 2.0), [121, np.nan, 130])
