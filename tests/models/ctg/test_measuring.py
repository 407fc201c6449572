"""Baseline, events with their kind, contractions and variability on traces with known content."""

import numpy as np
import pytest

from models.ctg.analysis import analyse
from models.ctg.baseline import baseline, interpolate_gaps
from models.ctg.contractions import per_ten_minutes, tachysystole
from models.ctg.events import find_accelerations, find_decelerations
from models.ctg.recording import recording
from models.ctg.variability import bandwidth_by_minute, short_term_variation_ms, sinusoidal
from models.synthetic.beats import beats
from models.synthetic.traces import SyntheticTrace, trace
from studies.traces.signal_methods import f1, matches, simulated, spans


def level(seconds: int = 1800, bpm: float = 140.0) -> np.ndarray:
    return np.full(seconds, bpm)


def bump(heart: np.ndarray, start: int, length: int, height: float, nadir: int | None = None) -> np.ndarray:
    """A triangle from `start` over `length`, its peak after `nadir` seconds."""
    peak = length // 2 if nadir is None else nadir
    out = heart.copy()
    out[start : start + length] += np.interp(np.arange(length), [0, peak, length], [0, height, 0])
    return out


@pytest.mark.parametrize(
    ("height", "length", "number"), [(15, 40, 0), (17, 40, 1), (30, 14, 0), (30, 19, 1), (12, 90, 0)]
)
def test_an_acceleration_exceeds_15_bpm_and_15_s(height: float, length: int, number: int) -> None:
    heart = bump(level(), 600, length, height)
    assert len(find_accelerations(heart, level())) == number
    assert len(find_decelerations(280 - heart, level())) == number


def test_ten_minutes_up_is_no_acceleration() -> None:
    heart = level()
    heart[300:920] = 170
    assert not find_accelerations(heart, level())


@pytest.mark.parametrize(
    ("length", "nadir", "kind"),
    [(60, 20, "variable"), (80, 40, "gradual"), (188, 20, "prolonged"), (200, 90, "prolonged")],
)
def test_kind_by_length_and_onset(length: int, nadir: int, kind: str) -> None:
    (event,) = find_decelerations(bump(level(), 600, length, -40, nadir), level())
    assert event.kind == kind
    assert event.lag_s is None
    assert event.peak_s == pytest.approx(600 + nadir, abs=3)
    assert event.area_bpm_s == pytest.approx(0.5 * 40 * length, rel=0.1)


@pytest.mark.parametrize(("start", "kind"), [(570, "early"), (630, "late")])
def test_a_gradual_deceleration_is_early_or_late_by_its_contraction(start: int, kind: str) -> None:
    contraction = next(iter(analyse(trace(minutes=20, accelerations=0, seed=0).recording).contractions))
    shifted = type(contraction)(560, 640, 40, 600)
    (event,) = find_decelerations(bump(level(), start, 80, -30, 40), level(), [shifted])
    assert event.kind == kind
    assert event.lag_s == pytest.approx(start + 40 - 600, abs=3)


def test_a_far_contraction_is_not_its_own() -> None:
    contraction = next(iter(analyse(trace(minutes=20, accelerations=0, seed=0).recording).contractions))
    (event,) = find_decelerations(bump(level(), 900, 80, -30, 40), level(), [type(contraction)(560, 640, 40, 600)])
    assert (event.kind, event.lag_s) == ("gradual", None)


@pytest.mark.parametrize("share", [0.3, 0.45])
def test_the_baseline_is_robust_to_long_decelerations(share: float) -> None:
    heart = level(3600, 150.0) + np.random.default_rng(0).normal(0, 1.5, 3600)
    for start in range(200, 3400, 300):
        heart[start : start + int(300 * share)] -= 45
    assert np.abs(baseline(heart) - 150).mean() < 3


def test_the_baseline_follows_a_shift() -> None:
    heart = np.concatenate([level(1800, 130.0), level(1800, 155.0)]) + np.random.default_rng(1).normal(0, 1, 3600)
    found = baseline(heart)
    assert found[:1400].mean() == pytest.approx(130, abs=2)
    assert found[2300:].mean() == pytest.approx(155, abs=2)


def test_an_empty_or_gappy_signal_has_what_it_has() -> None:
    assert np.isnan(baseline(np.full(900, np.nan))).all()
    heart = level(1800)
    heart[400:1500] = np.nan
    assert baseline(heart) == pytest.approx(140, abs=0.5)
    assert np.isnan(interpolate_gaps(heart)[400:1500]).all()


def test_tachysystole_needs_half_an_hour_of_more_than_five_in_ten() -> None:
    every = {100.0: True, 120.0: False, 240.0: False}
    for seconds, expected in every.items():
        synthetic = trace(minutes=45, accelerations=0, contraction_every_s=seconds, seed=1)
        found = analyse(synthetic.recording)
        assert bool(found.tachysystole) == expected, seconds
    assert per_ten_minutes((), 0, 600) == 0
    assert tachysystole((), 1700) == []


@pytest.mark.parametrize("width", [4.0, 10.0, 30.0])
def test_bandwidth_of_a_wave(width: float) -> None:
    seconds = np.arange(0, 600, 0.25)
    wave = 140 + width / 2 * np.sin(2 * np.pi * seconds / 12)
    assert bandwidth_by_minute(wave, 4.0, level(600)) == pytest.approx(width, rel=0.05)


def test_a_minute_without_half_its_signal_is_not_measured() -> None:
    values = 140 + np.random.default_rng(0).normal(0, 2, 2400)
    values[:130] = np.nan
    synthetic = bandwidth_by_minute(values, 4.0, level(600))
    assert np.isnan(synthetic).tolist() == [True] + [False] * 9


def test_short_term_variation_of_alternating_epochs() -> None:
    epoch = np.arange(0, 1800, 0.25) // 3.75
    interval = 430 + 5.0 * (epoch % 2)
    assert short_term_variation_ms(60000 / interval, 4.0) == pytest.approx(5.0, abs=0.01)
    assert short_term_variation_ms(60000 / interval[:1200], 4.0) is None
    assert short_term_variation_ms((60000 / interval)[::4], 1.0) is None


@pytest.mark.parametrize(
    ("cycles", "amplitude", "noise", "seen"),
    [
        *((cycles, 10, 0.3, True) for cycles in (3, 4, 5)),
        (4, 6, 0.3, True),
        (5, 14, 0.3, True),
        (4, 3, 0.3, False),
        (4, 20, 0.3, False),
        (9, 10, 0.3, False),
        (1.5, 10, 0.3, False),
        (4, 10, 12, False),
    ],
)
def test_sinusoidal_rhythm(cycles: float, amplitude: float, noise: float, seen: bool) -> None:
    seconds = np.arange(2400.0)
    heart = (
        140 + amplitude * np.sin(2 * np.pi * cycles * seconds / 60) + np.random.default_rng(0).normal(0, noise, 2400)
    )
    found = sinusoidal(heart, level(2400))
    assert bool(found) == seen
    if seen:
        assert sum(b - a for a, b in found) > 30 * 60


def test_ordinary_traces_are_not_sinusoidal() -> None:
    for seed in range(5):
        assert sum(b - a for a, b in analyse(beats(seed=seed).recording).sinusoidal) < 600


@pytest.mark.slow
@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_known_events_are_found_on_both_generators(loss: float) -> None:
    floor = 0.9 if loss == 0 else 0.8
    for name, found in simulated(seeds=6).items():
        if name.endswith(f"{loss:.0%}"):
            assert found["baseline_rmse_bpm"] <= 3
            for kind in ("acceleration_f1", "deceleration_f1", "contraction_f1"):
                assert found[kind] >= floor, (name, kind)


@pytest.mark.parametrize("gradual", [True, False])
def test_kinds_on_the_beat_generator(gradual: bool) -> None:
    synthetic: SyntheticTrace = beats(decelerations=True, gradual=gradual, accelerations=0, seed=5)
    kinds = [event.kind for event in analyse(synthetic.recording).decelerations]
    assert kinds.count("late" if gradual else "variable") >= 0.75 * len(kinds)


def test_matching_counts_both_ways() -> None:
    found, known = np.array([[0, 10], [100, 110.0]]), np.array([[4, 14], [200, 210.0], [101, 105]])
    assert matches(found, known).tolist() == [2, 2, 3, 2]
    assert f1(matches(found, known)) == pytest.approx(2 * 1 * (2 / 3) / (1 + 2 / 3))
    assert np.isnan(f1(matches(found, np.empty((0, 2)))))
    assert spans(()).shape == (0, 2)


def test_parts_keep_their_channels() -> None:
    synthetic = recording(np.arange(100, 180.0), np.arange(80.0), 1.0, "test", mhr_bpm=np.full(80, 80.0), channel=2)
    part = synthetic.part(10, 20)
    assert (part.fhr_bpm[0], part.duration_s, part.channel) == (110, 10, 2)
    assert part.toco is not None
    assert part.mhr_bpm is not None
    assert len(part.toco) == len(part.mhr_bpm) == 10
