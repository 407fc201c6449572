"""Artefacts are removed and true events are not; the gate says why."""

import numpy as np
import pytest

from models.ctg.analysis import analyse
from models.ctg.cleaning import clean, jumps, maternal, stuck
from models.ctg.quality import assess_quality
from models.ctg.reading import read
from models.ctg.recording import CtgRecording, recording
from models.synthetic.beats import beats
from models.synthetic.traces import trace


def heart(minutes: float = 20.0, seed: int = 0) -> np.ndarray:
    return trace(minutes=minutes, accelerations=3, loss=0.0, seed=seed).recording.fhr_bpm.copy()


def ctg(values: np.ndarray, mhr: np.ndarray | None = None, rate: float = 4.0) -> CtgRecording:
    return recording(values, None, rate, "test", mhr_bpm=mhr)


def test_clean_signal_stays() -> None:
    values = heart()
    cleaned = clean(ctg(values))
    assert not any(cleaned.removed.values())
    np.testing.assert_array_equal(cleaned.fhr_bpm, values)


@pytest.mark.parametrize("seed", range(4))
def test_spikes_go_and_nothing_else(seed: int) -> None:
    values = heart(seed=seed)
    places = np.array([400, 1100, 2345, 4000])
    for place in places:
        values[place : place + 4] = 205.0
    cleaned = clean(ctg(values))
    lost = np.flatnonzero(np.isnan(cleaned.fhr_bpm))
    assert set(lost) == {int(p) + k for p in places for k in range(4)}
    assert cleaned.removed["spike"] == pytest.approx(16 / len(values))


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_halved_and_doubled_stretches_go(factor: float) -> None:
    values = np.full(4800, 115.0) + np.sin(np.arange(4800) / 7)
    values[1000:1100] *= factor
    spikes, halved = jumps(values, 4.0)
    assert not spikes.any()
    assert set(np.flatnonzero(halved)) == set(range(1000, 1100))


def test_a_deceleration_is_no_halving() -> None:
    cleaned = beats(decelerations=True, gradual=False, seed=3)
    assert np.isnan(clean(cleaned.recording).fhr_bpm).mean() == np.isnan(cleaned.recording.fhr_bpm).mean()


def test_a_stuck_value_goes_after_twenty_seconds() -> None:
    values = heart()
    values[500:579] = 140.25
    assert not stuck(values, 4.0).any()
    values[500:580] = 140.25
    assert set(np.flatnonzero(stuck(values, 4.0))) == set(range(500, 580))


def test_the_mothers_pulse_is_found_where_it_is() -> None:
    values = heart()
    mother = np.full(len(values), 82.0) + np.sin(np.arange(len(values)) / 50)
    values[2000:2400] = mother[2000:2400] + 1.0
    flagged = np.flatnonzero(maternal(values, mother, 4.0))
    assert set(range(2010, 2390)) <= set(flagged)
    assert flagged.min() >= 1990
    assert flagged.max() <= 2410


def test_a_crossing_is_no_coincidence() -> None:
    values = np.linspace(150, 60, 4800)
    mother = np.full(4800, 100.0)
    near = np.abs(values - mother) <= 5
    assert near.sum() > 400
    assert not maternal(np.linspace(150, 60, 200), np.full(200, 100.0), 4.0).any()


def test_the_gate_names_its_reason() -> None:
    constant = np.full(4800, 140.0)
    quality, _ = assess_quality(ctg(constant))
    assert quality.refusal is not None
    assert "artefact (stuck)" in quality.refusal
    wobble = 140.0 + 0.2 * (np.arange(4800) % 2)
    quality, _ = assess_quality(ctg(wobble))
    assert quality.refusal is not None
    assert "does not vary" in quality.refusal
    mother = heart()
    quality, _ = assess_quality(ctg(mother.copy(), mother))
    assert quality.refusal is not None
    assert "maternal heart rate" in quality.refusal


def test_what_limits_a_result_is_a_warning() -> None:
    quality, _ = assess_quality(ctg(heart()))
    assert any("No maternal heart rate" in line for line in quality.warnings)
    mother = np.full(len(heart()), 80.0)
    quality, _ = assess_quality(ctg(heart(), mother))
    assert not any("No maternal" in line for line in quality.warnings)
    quality, _ = assess_quality(ctg(heart()[::4], rate=1.0))
    assert any("At 1 Hz" in line for line in quality.warnings)
    late = heart()
    late[-2000:] = np.nan
    quality, _ = assess_quality(ctg(late))
    assert any("last ten minutes" in line for line in quality.warnings)


@pytest.mark.parametrize("rate", [1.0, 2.0, 4.0, 250.0])
def test_every_rate_is_measured_or_refused(rate: float) -> None:
    made = trace(minutes=20, seed=2).recording
    at_s = np.arange(int(1200 * rate)) / rate
    heart = np.interp(at_s, made.time_s, made.fhr_bpm)
    found = analyse(CtgRecording(heart, None, rate, "test"))
    assert found.baseline_bpm == pytest.approx(135, abs=3)
    assert (read(found).short_term_variation_ms is None) == (rate < 2)
    assert (found.beat_to_beat_bpm is None) == (rate < 4)


@pytest.mark.slow
def test_twenty_minutes_and_a_day() -> None:
    assert analyse(trace(minutes=20, seed=1).recording).quality.refusal is None
    long = trace(minutes=23 * 60, contraction_every_s=400, seed=1).recording
    assert analyse(long).baseline_bpm == pytest.approx(135, abs=3)
