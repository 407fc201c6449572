"""The distance to the training traces: strange is far, bad is not."""

import numpy as np
import pytest

from models.ctg.trace_features import MEASURES, TRACE_FEATURE_NAMES
from models.fusion.unlikeness import DETERIORATES, MAX_UNLIKENESS, excess, strangest, unlikeness

LOW, HIGH = np.zeros(75), np.ones(75)
INSIDE = np.full(75, 0.5)


def but(**changes: float) -> np.ndarray:
    values = INSIDE.copy()
    for name, value in changes.items():
        values[TRACE_FEATURE_NAMES.index(name)] = value
    return values


def test_inside_the_range_is_no_distance() -> None:
    assert unlikeness(INSIDE, (LOW, HIGH)) == 0.0


@pytest.mark.parametrize(
    "changes",
    [
        {"bandwidth_bpm_last_10_min": -3.0},
        {"bandwidth_bpm_last_60_min": 4.0},
        {"deepest_deceleration_bpm_last_10_min": 9.0},
        {"accelerations_per_min_last_30_min": -1.0},
        {"baseline_mean_bpm_last_10_min": 5.0, "fhr_p5_bpm_last_10_min": -5.0},
    ],
)
def test_deterioration_is_not_strangeness(changes: dict[str, float]) -> None:
    assert unlikeness(but(**changes), (LOW, HIGH)) == 0.0


def test_three_windows_of_a_measure_count_once() -> None:
    one = but(roughness_seconds_last_10_min=1.4)
    three = but(**{f"roughness_seconds_last_{m}_min": 1.4 for m in (10, 30, 60)})
    assert unlikeness(one, (LOW, HIGH)) == unlikeness(three, (LOW, HIGH)) == pytest.approx(0.4)


def test_it_names_what_is_strange_and_skips_what_is_missing() -> None:
    values = but(roughness_seconds_last_10_min=1.2, accelerations_per_min_last_10_min=3.0)
    values[TRACE_FEATURE_NAMES.index("contractions_per_min_last_10_min")] = np.nan
    assert strangest(values, (LOW, HIGH)) == ["accelerations_per_min", "roughness_seconds"]
    assert unlikeness(values, (LOW, HIGH)) > MAX_UNLIKENESS
    assert np.isfinite(excess(values, LOW, HIGH)).all()


def test_every_direction_belongs_to_a_measure() -> None:
    assert set(DETERIORATES) <= set(MEASURES)
