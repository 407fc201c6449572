"""The level is held through falls, and follows a mere change of baseline."""

import numpy as np
import pytest

from models.ctg.analysis import analyse
from models.ctg.reading import Reading, read
from models.synthetic.scenes import Scene


def reading(scene: Scene, stage: str = "labour") -> Reading:
    return read(analyse(scene.done()), stage)


def calm(minutes: float = 60.0, bpm: float = 140.0) -> Scene:
    return Scene(minutes, 1).level((0.0, bpm)).vary(10.0)


@pytest.mark.parametrize("minutes", [3.0, 5.0, 7.0, 9.0])
def test_a_fall_at_the_end_does_not_pull_the_level_down(minutes: float) -> None:
    found = reading(calm().fall(60 - minutes, 75, minutes))
    assert found.reference_bpm[-1] == pytest.approx(140, abs=5)
    assert found.baseline_bpm[-1] == pytest.approx(140, abs=5)
    last = found.decelerations[-1]
    assert last.running
    assert last.duration_s == pytest.approx(60 * minutes, abs=15)
    assert last.depth_bpm == pytest.approx(67, abs=9)


@pytest.mark.parametrize("minutes", [12.0, 25.0])
def test_after_ten_minutes_it_is_a_baseline_and_still_a_fall(minutes: float) -> None:
    found = reading(calm().fall(60 - minutes, 75, minutes))
    assert found.reference_bpm[-1] == pytest.approx(140, abs=6)
    assert found.baseline_bpm[-1] == pytest.approx(75, abs=4)
    assert found.decelerations[-1].running
    assert not found.accelerations


def test_a_fall_that_recovers() -> None:
    found = reading(calm().fall(30, 80, 6))
    (event,) = (event for event in found.decelerations if event.duration_s > 60)
    assert not event.running
    assert event.duration_s == pytest.approx(360, abs=20)
    assert np.ptp(found.baseline_bpm) < 8


def test_a_mere_change_of_baseline_is_no_fall() -> None:
    found = reading(Scene(60, 2).level((0, 152), (25, 152), (26, 132), (60, 132)).vary(10))
    assert found.baseline_bpm[-1] == pytest.approx(132, abs=4)
    assert not any(event.running for event in found.decelerations)


def test_a_rise_is_followed() -> None:
    found = reading(Scene(60, 3).level((0, 138), (30, 138), (32, 168), (60, 168)).vary(10))
    assert found.baseline_bpm[-1] == pytest.approx(168, abs=4)


def test_no_acceleration_counts_in_a_sunken_level() -> None:
    found = reading(calm().mother(35, 85))
    assert not [up for up in found.accelerations if up.start_s > 36 * 60]


def test_a_trace_that_is_low_from_the_start_has_a_low_baseline() -> None:
    found = reading(calm(bpm=92))
    assert found.baseline_bpm[-1] == pytest.approx(92, abs=4)
    assert found.bradycardias[-1].running


def test_nothing_is_read_from_nothing() -> None:
    scene = calm()
    scene.heart[:] = np.nan
    found = reading(scene)
    assert (found.last_readable_s, found.decelerations, found.bradycardias) == (0.0, (), ())
    assert found.readable_share(0, 3600) == 0.0
