"""One vector for each cell of NICE's table, in both versions."""

from dataclasses import replace

import numpy as np
import pytest

from models.ctg.guidelines.nice import NICE, NICE_2022, concerning, criteria
from models.ctg.guidelines.statements import Statements
from models.ctg.nice_versions import ORIGINAL
from models.ctg.reading import Reading
from models.ctg.reading.bradycardia import Bradycardia
from models.ctg.reading.variability import STEP_S
from tests.models.ctg.guidelines.vectors import contractions, course, decelerations, fall, graded, hour, one, span


def severity(reading: Reading, stated: Statements | None = None) -> int | None:
    return graded(NICE, criteria(reading, stated), reading).severity


def test_all_white() -> None:
    answer = graded(NICE, criteria(hour()), hour())
    assert (answer.label, answer.criteria) == ("normal", ("all four features white",))
    assert any("hypertonus" in line for line in answer.not_judged)


@pytest.mark.parametrize(("bpm", "expected"), [(99, 2), (100, 1), (109, 1), (110, 0), (160, 0), (161, 2)])
def test_baseline(bpm: float, expected: int) -> None:
    assert severity(hour(bpm=bpm)) == expected


@pytest.mark.parametrize(("rise", "expected"), [(21, 1), (18, 0)])
def test_a_rise_since_the_start_of_the_trace(rise: float, expected: int) -> None:
    reading = hour(300, baseline_bpm=course(300, (0, 130), (200, 130 + rise)))
    assert severity(reading) == expected


@pytest.mark.parametrize(
    ("minutes", "width", "expected"), [(52, 3, 2), (35, 3, 1), (25, 3, 0), (12, 30, 2), (6, 30, 1)]
)
def test_variability(minutes: float, width: float, expected: int) -> None:
    assert severity(hour(80, bandwidth_bpm=course(80, (0, 12), (80 - minutes, width), step_s=STEP_S))) == expected


@pytest.mark.parametrize(("minutes", "expected"), [(11, 2), (6, None), (3, 0)])
def test_sinusoidal(minutes: float, expected: int | None) -> None:
    assert severity(hour(sinusoidal=(span(60 - minutes, 60),))) == expected


def test_a_prolonged_deceleration_or_acute_bradycardia_is_red() -> None:
    assert severity(hour(decelerations=(fall(40, 3.1),))) == 2
    assert severity(hour(decelerations=(fall(40, 2.8),))) == 0
    assert severity(hour(bradycardias=(Bradycardia(span(52, 60), 80.0, True),))) == 2


def test_a_single_late_deceleration_is_red_by_the_amendment_alone() -> None:
    reading = hour(decelerations=(one("late", hour().contractions[-3]),))
    assert severity(reading) == 2
    older = graded(NICE_2022, criteria(reading, None, ORIGINAL), reading)
    assert (older.severity, older.rules) == (0, "NICE NG229 (2022)")


def test_repetitive_late_decelerations_in_2022() -> None:
    short, long = decelerations(hour(), "late", 36), decelerations(hour(), "late", 15)
    assert graded(NICE_2022, criteria(short, None, ORIGINAL), short).severity == 1
    assert graded(NICE_2022, criteria(long, None, ORIGINAL), long).severity == 2


def test_variable_decelerations_with_concerning_features() -> None:
    plain = one("variable", hour().contractions[3])
    assert not concerning(plain)
    assert concerning(replace(plain, end_s=plain.start_s + 70))
    assert concerning(replace(plain, flat_s=30.0))
    assert concerning(replace(plain, return_s=35.0, end_s=plain.nadir_s + 75, start_s=plain.nadir_s + 20))
    assert severity(decelerations(hour(), "variable")) == 0
    reading = hour()
    events = tuple(replace(one("variable", c), end_s=c.peak_s + 60) for c in reading.contractions[:-1])
    assert severity(replace(reading, decelerations=events)) == 2
    assert severity(replace(reading, decelerations=tuple(e for e in events if e.start_s > 2100))) == 1


def test_two_ambers_are_red_only_on_two_features() -> None:
    reduced = course(80, (0, 12), (45, 3), step_s=STEP_S)
    assert severity(hour(80, bandwidth_bpm=reduced)) == 1
    assert severity(hour(80, bpm=105, bandwidth_bpm=reduced)) == 2
    both = course(80, (0, 12), (30, 3), (66, 30), (72, 12), step_s=STEP_S)
    assert severity(hour(80, bandwidth_bpm=both)) == 1


def test_frequent_contractions() -> None:
    reading = hour()
    often = tuple(replace(c, start_s=c.start_s / 2, end_s=c.end_s / 2, peak_s=c.peak_s / 2) for c in contractions(7200))
    busy = replace(reading, contractions=often)
    assert severity(busy) is None
    assert severity(busy, Statements(less_rest=False)) == 0
    assert severity(busy, Statements(less_rest=True)) == 1
    assert severity(reading, Statements(hypertonus=True)) == 1
    both = graded(NICE, criteria(busy, Statements(less_rest=True, hypertonus=True)), busy)
    assert both.severity == 1  # one feature


def test_unknown_contractions_with_decelerations_are_never_normal() -> None:
    events = (one("variable", None, at_s=2400.0, related=False),)
    reading = hour(contractions=(), contractions_known=np.zeros(3600, dtype=bool), decelerations=events)
    assert severity(reading) is None
