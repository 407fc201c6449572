"""Findings that decide the state of a trace."""

from models.ctg.guidelines.alarms import alarming, counted_now, preterminal, questionable, urgent
from models.ctg.reading import Reading
from models.ctg.reading.bradycardia import Bradycardia
from models.ctg.reading.variability import STEP_S
from tests.models.ctg.guidelines.vectors import course, decelerations, fall, hour, one, span


def now(criteria: list, reading: Reading) -> list[str]:
    return counted_now(criteria, reading.duration_s)


def test_only_what_has_not_recovered_is_urgent() -> None:
    running = hour(bradycardias=(Bradycardia(span(53, 60), 72.0, True),))
    assert now(urgent(running), running) == ["acute bradycardia: 72 bpm for 7 min, not recovered, since minute 53"]
    over = hour(bradycardias=(Bradycardia(span(40, 47), 72.0, False),), decelerations=(fall(40, 7),))
    assert urgent(over) == []
    falling = hour(decelerations=(fall(56, 4, running=True),))
    assert len(urgent(falling)) == 1
    assert urgent(hour(decelerations=(fall(58, 2, running=True),))) == []


def test_what_raises() -> None:
    assert now(alarming(hour()), hour()) == []
    for reading, words in (
        (hour(bpm=164), "above 160"),
        (hour(bpm=96), "below 100"),
        (hour(bandwidth=3.0), "variability below 5"),
        (hour(bandwidth_bpm=course(60, (0, 12), (25, 30), step_s=STEP_S)), "variability above 25"),
        (hour(sinusoidal=(span(45, 58),)), "sinusoidal"),
        (decelerations(hour(), "late", 40), "late decelerations with 6 of 6"),
    ):
        (said,) = now(alarming(reading), reading)
        assert words in said


def test_a_baseline_is_read_to_five_bpm() -> None:
    assert alarming(hour(bpm=162)) == []


def test_one_late_deceleration_is_questionable() -> None:
    reading = hour(decelerations=(one("late", hour().contractions[-3]),))
    assert now(questionable(reading), reading)[0].startswith("1 late deceleration")
    assert questionable(decelerations(hour(), "variable")) == []


def test_without_labour_two_decelerations_or_one_with_little_variability_raise() -> None:
    assert preterminal(hour(decelerations=(fall(40, 1),))) == []
    assert len(preterminal(hour(decelerations=(fall(30, 1), fall(40, 1))))) == 1
    assert len(preterminal(hour(bandwidth=3.0, decelerations=(fall(40, 1),)))) == 1
