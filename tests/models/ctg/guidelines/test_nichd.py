"""The three categories, absent variability measured and stated, and recurrence."""

import numpy as np
import pytest

from models.ctg.guidelines.nichd import NICHD, criteria
from models.ctg.guidelines.statements import Statements
from models.ctg.reading import Reading
from tests.models.ctg.guidelines.vectors import decelerations, fall, graded, hour, one, span


def category(reading: Reading, stated: Statements | None = None) -> str:
    return graded(NICHD, criteria(reading, stated), reading).label


def test_category_one() -> None:
    assert category(hour()) == "category I"
    assert category(decelerations(hour(), "early")) == "category I"


@pytest.mark.parametrize("bpm", [109, 161])
def test_a_baseline_outside_is_two(bpm: float) -> None:
    assert category(hour(bpm=bpm)) == "category II"


@pytest.mark.parametrize("width", [1.0, 4.0, 5.0, 28.0])
def test_variability_outside_is_two(width: float) -> None:
    assert category(hour(bandwidth=width)) == "category II"


def test_variability_that_cannot_be_measured_is_two() -> None:
    assert category(hour(bandwidth_bpm=np.full(120, np.nan))) == "category II"


@pytest.mark.parametrize("kind", ["late", "variable", "gradual"])
def test_decelerations_are_two(kind: str) -> None:
    assert category(decelerations(hour(), kind, 40)) == "category II"


def test_a_late_deceleration_has_no_least_depth() -> None:
    shallow = (one("late", hour().contractions[-2], depth_bpm=6.0),)
    assert category(hour(dips=shallow)) == "category II"


def test_two_minutes_are_prolonged() -> None:
    answer = graded(NICHD, criteria(hour(decelerations=(fall(45, 2.1),))), hour())
    assert answer.criteria == ("1 prolonged deceleration, the last at minute 47",)


@pytest.mark.parametrize(("minutes", "expected"), [(21, "category III"), (18, "category I")])
def test_sinusoidal_from_twenty_minutes(minutes: float, expected: str) -> None:
    assert category(hour(sinusoidal=(span(60 - minutes, 60),))) == expected


def test_absent_variability_with_a_grave_finding_is_three() -> None:
    for grave in (decelerations(hour(bandwidth=1.0), "late"), decelerations(hour(bandwidth=1.0), "variable")):
        assert category(grave) == "category III"
    assert category(hour(bpm=100, bandwidth=1.0)) == "category III"
    assert category(hour(bandwidth=1.0)) == "category II"


def test_minimal_variability_leaves_open_whether_it_is_absent_until_it_is_stated() -> None:
    reading = decelerations(hour(bandwidth=3.5), "late")
    answer = graded(NICHD, criteria(reading), reading)
    assert answer.label == "category II"
    assert any("whether variability is absent" in line for line in answer.not_judged)
    assert category(reading, Statements(absent_variability=True)) == "category III"
    denied = graded(NICHD, criteria(reading, Statements(absent_variability=False)), reading)
    assert denied.label == "category II"
    assert not any("absent" in line for line in denied.not_judged)


def test_half_of_the_contractions_is_recurrent() -> None:
    assert category(decelerations(hour(bandwidth=1.0), "late", every=2)) == "category III"
    assert category(decelerations(hour(bandwidth=1.0), "late", every=3)) == "category II"
