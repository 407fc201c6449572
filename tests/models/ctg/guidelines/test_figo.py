"""One vector for each row of FIGO's table, and for each exception."""

from dataclasses import replace

import numpy as np
import pytest

from models.ctg.guidelines.figo import FIGO, criteria
from models.ctg.reading import Reading
from models.ctg.reading.doubts import Doubt
from models.ctg.reading.events import Deceleration
from models.ctg.reading.variability import STEP_S
from tests.models.ctg.guidelines.vectors import course, decelerations, fall, graded, hour, one, span


def severity(reading: Reading) -> int | None:
    return graded(FIGO, criteria(reading), reading).severity


def words(reading: Reading) -> str:
    return "; ".join(graded(FIGO, criteria(reading), reading).criteria)


def test_a_normal_hour() -> None:
    answer = graded(FIGO, criteria(hour()), hour())
    assert (answer.label, answer.severity) == ("normal", 0)
    assert answer.criteria == (FIGO.fine,)
    assert [one.severity for one in answer.history] == [0] * 6


@pytest.mark.parametrize(
    ("bpm", "expected"), [(110, 0), (160, 0), (161, 1), (109, 1), (100, 1), (99, 2), (160.4, 0), (109.6, 0)]
)
def test_the_baseline_is_graded_as_it_is_printed(bpm: float, expected: int) -> None:
    assert severity(hour(bpm=bpm)) == expected


def test_a_baseline_counts_from_ten_minutes_on() -> None:
    short = hour(baseline_bpm=course(60, (0, 140), (51, 170)))
    assert severity(short) == 0
    assert severity(hour(baseline_bpm=course(60, (0, 140), (49, 170)))) == 1
    assert "since minute 49" in words(hour(baseline_bpm=course(60, (0, 140), (49, 170))))


@pytest.mark.parametrize(("ended", "expected"), [(29, 1), (31, 0)])
def test_a_criterion_counts_for_half_an_hour_after_it_ended(ended: float, expected: int) -> None:
    reading = hour(90, baseline_bpm=course(90, (0, 140), (30, 170), (90 - ended, 140)))
    answer = graded(FIGO, criteria(reading), reading)
    assert answer.severity == expected
    said = answer.criteria[0] if expected else answer.before[0]
    assert f"since minute 30, recovered at minute {90 - ended}" in said
    assert [one.severity for one in answer.history][4] == 1


@pytest.mark.parametrize(("minutes", "expected"), [(52, 2), (49, 1), (31, 1), (28, 0)])
def test_reduced_variability(minutes: float, expected: int) -> None:
    width = course(80, (0, 12), (80 - minutes, 3), step_s=STEP_S)
    assert severity(hour(80, bandwidth_bpm=width)) == expected


def test_one_minute_over_the_line_does_not_end_a_stretch() -> None:
    width = course(70, (0, 3), (34, 12), (35, 3), step_s=STEP_S)
    assert severity(hour(70, bandwidth_bpm=width)) == 2


@pytest.mark.parametrize(("minutes", "expected"), [(33, 2), (25, 1), (5, 0)])
def test_increased_variability(minutes: float, expected: int) -> None:
    assert severity(hour(bandwidth_bpm=course(60, (0, 12), (60 - minutes, 30), step_s=STEP_S))) == expected


@pytest.mark.parametrize(("minutes", "expected"), [(35, 2), (25, 1), (5, 0)])
def test_sinusoidal(minutes: float, expected: int) -> None:
    assert severity(hour(sinusoidal=(span(60 - minutes, 60),))) == expected


def test_variability_that_cannot_be_measured_is_not_normal() -> None:
    assert severity(hour(bandwidth_bpm=np.full(120, np.nan))) is None


@pytest.mark.parametrize(
    ("event", "expected"), [(fall(40, 5.1), 2), (fall(40, 4.9), 0), (fall(56, 3.2, running=True), 0), (fall(20, 6), 0)]
)
def test_one_long_deceleration(event: Deceleration, expected: int) -> None:
    assert severity(hour(decelerations=(event,))) == expected


def test_reduced_variability_inside_a_deceleration() -> None:
    assert severity(hour(decelerations=(fall(40, 4.5, flat_s=200.0),))) == 2
    assert "inside a deceleration" in words(hour(decelerations=(fall(40, 4.5, flat_s=200.0),)))


def test_late_decelerations_for_more_than_half_an_hour() -> None:
    assert severity(decelerations(hour(), "late", 20)) == 2
    recent = decelerations(hour(), "late", 36)
    assert severity(recent) == 1
    assert "with 7 of 7 contractions, since minute" in words(recent)
    assert severity(decelerations(hour(bandwidth=3.0), "late", 35)) == 2


def test_half_of_the_contractions_is_not_repetitive() -> None:
    assert severity(decelerations(hour(), "variable", every=2)) == 0
    assert severity(decelerations(hour(), "variable")) == 1
    assert severity(decelerations(hour(), "early")) == 1


def test_two_decelerations_are_not_repetitive() -> None:
    reading = hour(20)
    few = replace(reading, decelerations=tuple(one("late", c) for c in reading.contractions[1:3]))
    assert severity(few) == 0


def test_ten_to_fifteen_bpm_count_with_reduced_variability_and_no_acceleration() -> None:
    shallow = tuple(one("late", c, depth_bpm=12.0) for c in hour().contractions[:-1])
    assert severity(hour(dips=shallow)) == 0
    assert severity(hour(bandwidth=3.0, dips=shallow)) == 2
    assert "late or prolonged decelerations" in words(hour(bandwidth=3.0, dips=shallow))
    less = tuple(replace(event, depth_bpm=8.0) for event in shallow)
    assert "late" not in words(hour(bandwidth=3.0, dips=less))


def test_unknown_contractions_with_decelerations_are_never_normal() -> None:
    events = tuple(one("gradual", None, at_s=60.0 * m, related=False) for m in (20, 30, 40))
    reading = hour(contractions=(), contractions_known=np.zeros(3600, dtype=bool), decelerations=events)
    answer = graded(FIGO, criteria(reading), reading)
    assert (answer.label, answer.severity) == ("cannot tell", None)
    assert "3 decelerations where contractions are not known" in answer.criteria[0]
    assert severity(replace(reading, baseline_bpm=np.full(3600, 95.0))) == 2


def test_lost_signal_and_doubts_are_never_normal() -> None:
    lost = np.full(3600, 140.0)
    lost[-400:] = np.nan
    assert severity(hour(grid_bpm=lost)) is None
    assert severity(hour(doubts=(Doubt(span(40, 60), "the mother's pulse?"),))) is None
    assert severity(hour(90, doubts=(Doubt(span(10, 20), "the mother's pulse?"),))) == 0


def test_loss_with_contractions_hides_decelerations() -> None:
    grid = np.full(3600, 140.0)
    for contraction in hour().contractions:
        grid[int(contraction.start_s) : int(contraction.end_s) + 30] = np.nan
    answer = graded(FIGO, criteria(hour(grid_bpm=grid)), hour())
    assert answer.severity is None
    assert "decelerations may be hidden" in answer.criteria[0]
