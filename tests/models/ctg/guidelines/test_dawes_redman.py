"""Dawes-Redman, as far as its tables are at hand."""

import pytest
from models.ctg.guidelines.findings import Findings, Statements

from models.ctg.guidelines.dawes_redman import classify, lost_beats
from tests.models.ctg.guidelines.vectors import normal_but, one_deceleration

STV = 6.0
HIGH, LOW, NOTHING = Statements(high_variation=True), Statements(high_variation=False), None
MOVED = Statements(high_variation=True, fetal_movements=1)
STILL = Statements(high_variation=True, fetal_movements=0)


def calm(**changes: object) -> Findings:
    return normal_but(**{"short_term_variation_ms": STV, "accelerations": 3, "duration_min": 30.0, **changes})


def drop(beats: float, minutes: float) -> Findings:
    event = one_deceleration("variable", 60, area_bpm_s=60.0 * beats).decelerations[0]
    return calm(decelerations=(event,), duration_min=minutes)


MET, OPEN, NOT = "criteria met", "not judged: table not available", "criteria not met"
VECTORS: list[tuple[Findings, Statements | None, str, str]] = [
    (calm(), HIGH, MET, "all"),
    (calm(), NOTHING, OPEN, "nothing"),
    (calm(), LOW, NOT, "high variation"),
    (calm(short_term_variation_ms=3.0), HIGH, MET, ""),
    (calm(short_term_variation_ms=2.99), HIGH, NOT, "below 3"),
    (calm(short_term_variation_ms=2.0), NOTHING, NOT, "below 3"),
    (calm(short_term_variation_ms=None), HIGH, OPEN, ""),
    (calm(baseline_bpm=116.0), HIGH, MET, ""),
    (calm(baseline_bpm=115.9), HIGH, NOT, "outside 116-160"),
    (calm(baseline_bpm=160.0), HIGH, MET, ""),
    (calm(baseline_bpm=160.1), HIGH, NOT, "outside 116-160"),
    (calm(accelerations=3), HIGH, MET, ""),
    (calm(accelerations=2), HIGH, OPEN, ""),
    (calm(accelerations=2), MOVED, MET, ""),
    (calm(accelerations=2), STILL, NOT, "no fetal movement"),
    (calm(accelerations=0), MOVED, OPEN, ""),
    (calm(accelerations=3), STILL, MET, ""),
    (calm(sinusoidal_min=2.0), HIGH, NOT, "sinusoidal"),
    (drop(20, 30), HIGH, MET, ""),
    (drop(21, 30), HIGH, NOT, "more than 20"),
    (drop(21, 31), HIGH, MET, ""),
    (drop(100, 60), HIGH, MET, ""),
    (drop(101, 60), HIGH, NOT, "more than 100"),
    (drop(5, 11), HIGH, NOT, "at the end"),
    (calm(duration_min=10.0), HIGH, MET, ""),
    (calm(duration_min=9.9), HIGH, "cannot assess", "10 min"),
    (calm(baseline_bpm=None), HIGH, "cannot assess", "baseline"),
    (calm(duration_min=60.0), HIGH, MET, ""),
    (calm(variability_bpm=3.0), HIGH, MET, ""),
    (calm(short_term_variation_ms=2.0, baseline_bpm=170.0), HIGH, NOT, "outside 116-160"),
    (calm(contractions=None), HIGH, MET, ""),
    (calm(tachycardia_min=20.0), HIGH, MET, ""),
]


@pytest.mark.parametrize(("findings", "stated", "label", "words"), VECTORS)
def test_vector(findings: Findings, stated: Statements | None, label: str, words: str) -> None:
    answer = classify(findings, "antepartum", stated)
    assert answer.label == label
    assert words in "; ".join(answer.criteria)


def test_never_for_labour() -> None:
    answer = classify(calm(), "labour", HIGH)
    assert (answer.label, answer.severity) == ("not for labour", None)


def test_lost_beats() -> None:
    assert lost_beats(30.0 * 60.0) == pytest.approx(30.0)
