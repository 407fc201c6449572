"""NICHD 2008: three categories, with the boundary values."""

import pytest
from models.ctg.guidelines.findings import Findings, Statements

from models.ctg.guidelines.nichd import classify
from tests.models.ctg.guidelines.vectors import normal_but, one_deceleration, with_decelerations

ABSENT, PRESENT = Statements(absent_variability=True), Statements(absent_variability=False)
VECTORS: list[tuple[Findings, Statements | None, int, str]] = [
    (normal_but(), None, 1, "moderate variability"),
    (normal_but(baseline_bpm=110.0), None, 1, ""),
    (normal_but(baseline_bpm=160.0), None, 1, ""),
    (normal_but(baseline_bpm=109.0), None, 2, "outside 110-160"),
    (normal_but(baseline_bpm=161.0), None, 2, "outside 110-160"),
    (normal_but(variability_bpm=5.1), None, 1, ""),
    (normal_but(variability_bpm=5.0), None, 2, "minimal"),
    (normal_but(variability_bpm=25.0), None, 1, ""),
    (normal_but(variability_bpm=25.1), None, 2, "marked"),
    (normal_but(variability_bpm=None), None, 2, "cannot be measured"),
    (normal_but(accelerations=0), None, 1, ""),
    (normal_but(sinusoidal_min=19.9), None, 1, ""),
    (normal_but(sinusoidal_min=20.0), None, 3, "sinusoidal"),
    (one_deceleration("early", 60), None, 1, ""),
    (one_deceleration("late", 60), None, 2, "1 late deceleration"),
    (one_deceleration("variable", 60), None, 2, "1 variable deceleration"),
    (one_deceleration("early", 119), None, 1, ""),
    (one_deceleration("early", 120), None, 2, "1 prolonged"),
    (one_deceleration("variable", 150), None, 2, "1 prolonged"),
    (one_deceleration("gradual", 60), None, 2, "gradual"),
    (with_decelerations("late"), None, 2, "late decelerations"),
    (with_decelerations("early"), None, 1, ""),
    (with_decelerations("late", variability_bpm=3.0), ABSENT, 3, "absent variability with recurrent late"),
    (with_decelerations("late", variability_bpm=3.0), PRESENT, 2, "minimal"),
    (with_decelerations("late", variability_bpm=3.0), None, 2, "minimal"),
    (with_decelerations("late", variability_bpm=6.0), ABSENT, 2, "late"),
    (with_decelerations("variable", variability_bpm=3.0), ABSENT, 3, "recurrent variable"),
    (with_decelerations("late", 0.5, variability_bpm=3.0), ABSENT, 3, "recurrent late"),
    (with_decelerations("late", 0.15, variability_bpm=3.0), ABSENT, 2, "late"),
    (normal_but(baseline_bpm=105.0, variability_bpm=3.0), ABSENT, 3, "bradycardia"),
    (normal_but(baseline_bpm=110.0, variability_bpm=3.0), ABSENT, 2, "minimal"),
    (normal_but(baseline_bpm=170.0, variability_bpm=3.0), ABSENT, 2, "outside"),
    (with_decelerations("early", variability_bpm=3.0), ABSENT, 2, "minimal"),
]


@pytest.mark.parametrize(("findings", "stated", "category", "words"), VECTORS)
def test_vector(findings: Findings, stated: Statements | None, category: int, words: str) -> None:
    answer = classify(findings, stated)
    assert answer.label == f"category {'I' * category}"
    assert words in "; ".join(answer.criteria)


def test_absent_variability_is_asked_for_where_it_decides() -> None:
    answer = classify(with_decelerations("late", variability_bpm=3.0))
    assert any("category III" in line for line in answer.not_judged)
    assert not any("category III" in line for line in classify(normal_but(variability_bpm=3.0)).not_judged)


def test_without_a_baseline_there_is_no_class() -> None:
    assert classify(normal_but(baseline_bpm=None)).severity is None


def test_without_a_tocogram_late_and_early_are_not_told_apart() -> None:
    answer = classify(normal_but(contractions=None, decelerations=one_deceleration("gradual", 60).decelerations))
    assert "no tocogram" in "; ".join(answer.criteria + answer.not_judged)
