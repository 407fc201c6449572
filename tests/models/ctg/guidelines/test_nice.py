"""NICE NG229: white, amber, red, and how they add up."""

import pytest
from models.ctg.guidelines.findings import Findings, Statements

from models.ctg.guidelines.nice import SOURCE, classify
from tests.models.ctg.guidelines.vectors import contractions, normal_but, one_deceleration, with_decelerations

NONE = None
VECTORS: list[tuple[Findings, Statements | None, str, str]] = [
    (normal_but(), NONE, "normal", "all four"),
    (normal_but(baseline_bpm=110.0), NONE, "normal", ""),
    (normal_but(baseline_bpm=160.0), NONE, "normal", ""),
    (normal_but(baseline_bpm=109.0), NONE, "suspicious", "100-109"),
    (normal_but(baseline_bpm=100.0), NONE, "suspicious", "100-109"),
    (normal_but(baseline_bpm=99.0), NONE, "pathological", "below 100"),
    (normal_but(baseline_bpm=161.0), NONE, "pathological", "above 160"),
    (normal_but(baseline_bpm=None), NONE, "suspicious", "cannot be determined"),
    (normal_but(baseline_rise_bpm=19.0), NONE, "normal", ""),
    (normal_but(baseline_rise_bpm=20.0), NONE, "suspicious", "risen"),
    (normal_but(reduced_variability_min=29.0), NONE, "normal", ""),
    (normal_but(reduced_variability_min=30.0), NONE, "suspicious", "30 to 50"),
    (normal_but(reduced_variability_min=50.0), NONE, "suspicious", "30 to 50"),
    (normal_but(reduced_variability_min=51.0), NONE, "pathological", "more than 50"),
    (normal_but(increased_variability_min=10.0), NONE, "suspicious", "up to 10"),
    (normal_but(increased_variability_min=11.0), NONE, "pathological", "more than 10"),
    (normal_but(sinusoidal_min=12.0), NONE, "pathological", "sinusoidal"),
    (normal_but(sinusoidal_min=4.0), NONE, "normal", ""),
    (normal_but(baseline_bpm=105.0, reduced_variability_min=35.0), NONE, "pathological", "amber"),
    (one_deceleration("prolonged", 179), NONE, "normal", ""),
    (one_deceleration("prolonged", 180), NONE, "pathological", "at least 3"),
    (one_deceleration("variable", 60), NONE, "normal", ""),
    (one_deceleration("variable", 100), NONE, "normal", ""),
    (with_decelerations("early"), NONE, "normal", ""),
    (with_decelerations("variable", duration_s=60), NONE, "normal", ""),
    (with_decelerations("variable", duration_s=61, number=6), NONE, "suspicious", "concerning variable"),
    (with_decelerations("variable", duration_s=61, number=14), NONE, "pathological", "concerning variable"),
    (with_decelerations("late", number=6), NONE, "suspicious", "repetitive late"),
    (with_decelerations("late", number=14), NONE, "pathological", "late decelerations for 5"),
    (with_decelerations("late", 0.15), NONE, "normal", ""),
    (normal_but(contractions=contractions(30, 120.0)), NONE, "normal", ""),
    (normal_but(contractions=contractions(30, 120.0)), Statements(less_rest=True), "suspicious", "less rest"),
    (normal_but(contractions=contractions(30, 120.0)), Statements(less_rest=False), "normal", ""),
    (normal_but(contractions=contractions(10)), Statements(less_rest=True), "normal", ""),
    (normal_but(), Statements(hypertonus=True), "suspicious", "hypertonus"),
    (normal_but(baseline_bpm=105.0), Statements(hypertonus=True), "pathological", "amber"),
]


@pytest.mark.parametrize(("findings", "stated", "label", "words"), VECTORS)
def test_vector(findings: Findings, stated: Statements | None, label: str, words: str) -> None:
    answer = classify(findings, stated)
    assert answer.label == label
    assert words in "; ".join(answer.criteria)


def test_the_table_is_marked_second_hand() -> None:
    assert "second-hand" in SOURCE
    assert "second-hand" in classify(normal_but()).source


def test_frequent_contractions_ask_for_the_rest_between_them() -> None:
    answer = classify(normal_but(contractions=contractions(30, 120.0)))
    assert any("rests less" in line for line in answer.not_judged)
    assert any("no tocogram" in line for line in classify(normal_but(contractions=None)).not_judged)
