"""Non-stress test: reactive, not reactive, not judged, and never well with decelerations."""

from dataclasses import replace

import numpy as np

from models.ctg.events import Event
from models.ctg.guidelines.nst import classify
from models.ctg.reading.bradycardia import Bradycardia
from tests.models.ctg.guidelines.vectors import fall, hour, span


def accelerations(*minutes: float) -> tuple[Event, ...]:
    return tuple(Event(60 * m, 60 * m + 20, 18.0, 60 * m + 8) for m in minutes)


def test_two_accelerations_in_twenty_minutes_are_reactive() -> None:
    answer = classify(hour(30, accelerations=accelerations(5, 22)))
    assert (answer.label, answer.severity) == ("reactive", 0)
    assert classify(hour(45, accelerations=accelerations(5, 28))).label == "not reactive"


def test_not_reactive_is_said_after_forty_minutes() -> None:
    assert (classify(hour(30)).label, classify(hour(30)).severity) == ("not judged", None)
    assert (classify(hour(41)).label, classify(hour(41)).severity) == ("not reactive", 1)


def test_decelerations_and_bradycardia_are_never_well() -> None:
    ups = accelerations(5, 12)
    twice = classify(hour(40, accelerations=ups, decelerations=(fall(15, 1), fall(25, 1))))
    assert (twice.label, twice.severity) == ("reactive, with decelerations", 1)
    assert classify(hour(40, decelerations=(fall(15, 1), fall(25, 1)))).severity == 2
    assert classify(hour(40, accelerations=ups, bradycardias=(Bradycardia(span(36, 40), 70.0, True),))).severity == 2


def test_lost_signal_is_not_reactive_and_not_well() -> None:
    grid = np.full(2400, 140.0)
    grid[-500:] = np.nan
    answer = classify(hour(40, accelerations=accelerations(5, 12), grid_bpm=grid))
    assert answer.severity is None
    assert answer.not_judged


def test_before_32_weeks_it_says_which_size_counts() -> None:
    assert "10 bpm for 10 s" in classify(replace(hour(30, accelerations=accelerations(5, 9)), preterm=True)).criteria[0]
