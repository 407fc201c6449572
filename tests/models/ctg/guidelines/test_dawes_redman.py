"""Dawes-Redman: each criterion, what is not judged, and what is urgent."""

from dataclasses import replace

import pytest

from models.ctg.events import Event
from models.ctg.guidelines.dawes_redman import classify, lost_beats
from models.ctg.guidelines.statements import Statements
from models.ctg.reading import Reading
from tests.models.ctg.guidelines.vectors import fall, hour, span

ACCELERATIONS = tuple(Event(60.0 * m, 60.0 * m + 30, 20.0, 60.0 * m + 10) for m in (5, 12, 20, 28))
ALL = Statements(fetal_movements=3, high_variation=True)


def trace(**changes: object) -> Reading:
    values = {"accelerations": ACCELERATIONS, "short_term_variation_ms": 7.0, **changes}
    return replace(hour(40), **values)  # type: ignore[arg-type]


def test_met_only_with_what_a_person_states() -> None:
    assert (classify(trace(), ALL).label, classify(trace(), ALL).severity) == ("criteria met", 0)
    unstated = classify(trace())
    assert (unstated.label, unstated.severity) == ("not judged", None)
    assert any("table not available" in line for line in unstated.not_judged)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"short_term_variation_ms": 2.6}, "short-term variation 2.6 ms, below 3"),
        ({"decelerations": (fall(10, 3, lowest=60),)}, "criteria"),
        ({"sinusoidal": (span(10, 25),)}, "a sinusoidal rhythm"),
    ],
)
def test_each_criterion(changes: dict[str, object], words: str) -> None:
    reading = trace(**changes)
    if "decelerations" in changes:
        reading = replace(reading, decelerations=(replace(reading.decelerations[0], area_bpm_s=9000.0),))
        words = "a deceleration of 150 lost beats, more than 100"
    answer = classify(reading, ALL)
    assert (answer.label, answer.severity) == ("criteria not met", 1)
    assert answer.criteria == (words,)


def test_the_basal_rate() -> None:
    assert "outside 116-160" in classify(replace(hour(40, bpm=112), accelerations=ACCELERATIONS), ALL).criteria[0]


def test_repeated_decelerations_and_one_at_the_end_are_urgent() -> None:
    for events in ((fall(10, 1), fall(20, 1)), (fall(38, 2, running=True),)):
        answer = classify(trace(decelerations=events), ALL)
        assert answer.severity == 2
        assert any(line.endswith("urgent") for line in answer.criteria)


def test_few_accelerations() -> None:
    few = trace(accelerations=ACCELERATIONS[:2])
    assert classify(few, ALL).severity == 0
    assert classify(few, Statements(fetal_movements=0, high_variation=True)).severity == 1
    assert classify(few, Statements(high_variation=True)).severity is None
    assert classify(trace(), Statements(high_variation=False)).severity == 1


def test_short_or_unknown() -> None:
    assert classify(hour(9), ALL).criteria == ("the criteria are first tested at 10 min",)
    assert lost_beats(600.0) == 10.0
