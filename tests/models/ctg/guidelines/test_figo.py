"""FIGO 2015: one vector a row of the table, with the boundary values."""

import pytest
from models.ctg.guidelines.findings import Findings

from models.ctg.guidelines.figo import classify
from tests.models.ctg.guidelines.vectors import contractions, normal_but, one_deceleration, with_decelerations

VECTORS: list[tuple[Findings, str, str]] = [
    (normal_but(), "normal", "baseline 110-160"),
    (normal_but(baseline_bpm=110.0), "normal", ""),
    (normal_but(baseline_bpm=160.0), "normal", ""),
    (normal_but(baseline_bpm=109.9), "suspicious", "below 110"),
    (normal_but(baseline_bpm=160.1), "suspicious", "above 160"),
    (normal_but(baseline_bpm=100.0), "suspicious", "below 110"),
    (normal_but(baseline_bpm=99.9), "pathological", "below 100"),
    (normal_but(tachycardia_min=10.0), "normal", ""),
    (normal_but(tachycardia_min=10.5), "suspicious", "tachycardia"),
    (normal_but(bradycardia_min=10.0), "normal", ""),
    (normal_but(bradycardia_min=11.0), "suspicious", "bradycardia"),
    (normal_but(variability_bpm=5.0), "normal", ""),
    (normal_but(variability_bpm=25.0), "normal", ""),
    (normal_but(variability_bpm=4.9), "suspicious", "below 5"),
    (normal_but(variability_bpm=25.1), "suspicious", "above 25"),
    (normal_but(variability_bpm=4.0, reduced_variability_min=50.0), "suspicious", "below 5"),
    (normal_but(variability_bpm=4.0, reduced_variability_min=51.0), "pathological", "more than 50"),
    (normal_but(increased_variability_min=30.0), "normal", ""),
    (normal_but(increased_variability_min=31.0), "pathological", "more than 30"),
    (normal_but(sinusoidal_min=30.0), "normal", ""),
    (normal_but(sinusoidal_min=31.0), "pathological", "sinusoidal"),
    (normal_but(accelerations=0), "normal", ""),
    (one_deceleration("variable", 60), "normal", ""),
    (one_deceleration("late", 60), "normal", ""),
    (one_deceleration("prolonged", 300), "normal", ""),
    (one_deceleration("prolonged", 301), "pathological", "more than 5"),
    (one_deceleration("prolonged", 310, peak=70), "pathological", "below 80"),
    (with_decelerations("variable", 0.5), "normal", ""),
    (with_decelerations("variable", 0.58), "suspicious", "repetitive"),
    (with_decelerations("early", 1.0), "suspicious", "repetitive"),
    (with_decelerations("late", 0.5, number=6), "normal", ""),
    (with_decelerations("late", 1.0, number=6), "suspicious", "repetitive"),
    (with_decelerations("late", 1.0, number=14), "pathological", "late or prolonged decelerations for 5"),
    (with_decelerations("prolonged", 1.0, number=14, duration_s=200), "pathological", "late or prolonged"),
    (with_decelerations("variable", 1.0, number=14), "suspicious", "repetitive"),
    (with_decelerations("late", 1.0, number=8, variability_bpm=4.0), "pathological", "more than 20"),
    (with_decelerations("late", 1.0, number=8), "suspicious", "repetitive"),
]


@pytest.mark.parametrize(("findings", "label", "words"), VECTORS)
def test_vector(findings: Findings, label: str, words: str) -> None:
    answer = classify(findings)
    assert answer.label == label
    assert answer.severity == ("normal", "suspicious", "pathological").index(label)
    assert words in "; ".join(answer.criteria)


def test_without_a_baseline_there_is_no_class() -> None:
    answer = classify(normal_but(baseline_bpm=None))
    assert (answer.label, answer.severity) == ("cannot assess", None)


def test_what_cannot_be_judged_is_said() -> None:
    short = classify(normal_but(variability_bpm=4.0, duration_min=30.0))
    assert any("more than 50 min" in line for line in short.not_judged)
    blind = classify(normal_but(contractions=None, decelerations=one_deceleration("gradual", 60).decelerations))
    assert any("no tocogram" in line for line in blind.not_judged)
    assert any("inside decelerations" in line for line in classify(normal_but(contractions=contractions(5))).not_judged)
    assert any("variability" in line for line in classify(normal_but(variability_bpm=None)).not_judged)
