"""FIGO 2015: one vector a row of the table, with the boundary values."""

import pytest

from models.ctg.guidelines.figo import classify
from models.ctg.guidelines.findings import Findings
from tests.models.ctg.guidelines.vectors import contractions, found, one, with_decelerations

VECTORS: list[tuple[Findings, str, str]] = [
    (found(), "normal", "baseline 110-160"),
    (found(baseline_bpm=110.0), "normal", ""),
    (found(baseline_bpm=160.0), "normal", ""),
    (found(baseline_bpm=109.9), "suspicious", "below 110"),
    (found(baseline_bpm=160.1), "suspicious", "above 160"),
    (found(baseline_bpm=100.0), "suspicious", "below 110"),
    (found(baseline_bpm=99.9), "pathological", "below 100"),
    (found(tachycardia_min=10.0), "normal", ""),
    (found(tachycardia_min=10.5), "suspicious", "tachycardia"),
    (found(bradycardia_min=10.0), "normal", ""),
    (found(bradycardia_min=11.0), "suspicious", "bradycardia"),
    (found(variability_bpm=5.0), "normal", ""),
    (found(variability_bpm=25.0), "normal", ""),
    (found(variability_bpm=4.9), "suspicious", "below 5"),
    (found(variability_bpm=25.1), "suspicious", "above 25"),
    (found(variability_bpm=4.0, reduced_variability_min=50.0), "suspicious", "below 5"),
    (found(variability_bpm=4.0, reduced_variability_min=51.0), "pathological", "more than 50"),
    (found(increased_variability_min=30.0), "normal", ""),
    (found(increased_variability_min=31.0), "pathological", "more than 30"),
    (found(sinusoidal_min=30.0), "normal", ""),
    (found(sinusoidal_min=31.0), "pathological", "sinusoidal"),
    (found(accelerations=0), "normal", ""),
    (one("variable", 60), "normal", ""),
    (one("late", 60), "normal", ""),
    (one("prolonged", 300), "normal", ""),
    (one("prolonged", 301), "pathological", "more than 5"),
    (one("prolonged", 310, peak=70), "pathological", "below 80"),
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
    answer = classify(found(baseline_bpm=None))
    assert (answer.label, answer.severity) == ("cannot assess", None)


def test_what_cannot_be_judged_is_said() -> None:
    short = classify(found(variability_bpm=4.0, duration_min=30.0))
    assert any("more than 50 min" in line for line in short.not_judged)
    blind = classify(found(contractions=None, decelerations=one("gradual", 60).decelerations))
    assert any("no tocogram" in line for line in blind.not_judged)
    assert any("inside decelerations" in line for line in classify(found(contractions=contractions(5))).not_judged)
    assert any("variability" in line for line in classify(found(variability_bpm=None)).not_judged)
