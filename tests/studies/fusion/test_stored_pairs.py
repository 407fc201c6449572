"""Stored pairs: the document on fusion states what the stored rows give."""

from pathlib import Path

import numpy as np
import pytest

from models.ctg.acidaemia import MILD, SEVERE
from models.evaluation.metrics import auc
from models.fusion.pooling import POOLING, FusionRule
from studies.fusion import cohorts_document, document
from studies.fusion.stored_pairs import StoredPairs
from studies.stored import signed

STORED = Path(__file__).parents[3] / "docs" / "evidence" / "oof"


@pytest.fixture(scope="module")
def stored() -> StoredPairs:
    return StoredPairs.read(STORED)


@pytest.mark.slow
def test_stored_pairs_are_those_of_the_documents(stored: StoredPairs) -> None:
    assert (len(stored.ph), int(stored.event(MILD.name).sum()), int(stored.event(SEVERE.name).sum())) == (441, 90, 32)
    assert np.isfinite(stored.z()).sum() == 416
    text = (STORED.parent / "fusion.md").read_text()
    for target in document.EVENTS:
        value = document.over(stored, stored.fused(target), target, auc)
        assert f"{value['value']:.3f} ({value['ci95'][0]:.3f} to {value['ci95'][1]:.3f})" in text
        margin = document.gain(stored, stored.fused(target), stored.distress[target], target)
        assert signed(margin) in text
        assert margin["ci95"][0] > -0.02


@pytest.mark.slow
@pytest.mark.timeout(900)  # cohorts of 60,000 births; minutes on a slow machine with coverage
def test_the_committed_document_is_what_the_rows_say() -> None:
    assert (STORED.parent / "fusion.md").read_text() == document.document(STORED)


def test_the_document_says_what_the_rows_say_of_sets(stored: StoredPairs) -> None:
    text = (STORED.parent / "fusion.md").read_text()
    covers = stored.covered(stored.sets(stored.fused(MILD.name)))
    for name, members in document.groups(stored).items():
        if name != "all" and members.sum() >= document.LEAST:
            assert f"| {name} | {int(members.sum())} | {document.coverage(covers, members)} |" in text
            assert np.mean([cover[members].mean() for cover in covers]) > 0.80


def test_sizes_are_learned_on_the_other_folds_only(stored: StoredPairs) -> None:
    ordinary = stored.terms(0)
    moved = StoredPairs(stored.ph, [dict(row) for row in stored.rows], stored.folds, stored.distress)
    inside = np.flatnonzero(moved.folds[0] == 1)
    for row in inside[1:]:
        moved.rows[int(row)]["z_fmf"] = "9.0"
    assert moved.terms(0)[int(inside[0])] == ordinary[int(inside[0])]


def test_a_zero_growth_weight_is_the_ctg_alone(stored: StoredPairs) -> None:
    none = stored.fused(MILD.name, FusionRule("pooling", 0.0, 1.0, 0.0))
    np.testing.assert_allclose(none[0], np.clip(stored.distress[MILD.name][0], 1e-4, 1 - 1e-4), atol=1e-9)
    assert not np.allclose(stored.fused(MILD.name, POOLING)[0], none[0])


def test_a_copula_cohort_with_published_odds_gains_and_without_any_loses_nothing(stored: StoredPairs) -> None:
    text = (STORED.parent / "fusion.md").read_text()
    lines = [line.split(" | ") for line in text.splitlines() if line.startswith(("| 1 | 0 |", "| 3.5 | 0 |"))]
    gains = {line[0].strip("| "): float(line[7]) for line in lines}
    slopes = {line[0].strip("| "): float(line[8]) for line in lines}
    assert gains["3.5"] >= 0.015
    assert gains["1"] > -0.005
    assert 0.9 <= slopes["3.5"] <= 1.1


def test_no_probe_is_violated() -> None:
    assert cohorts_document.violations(2_000, seed=5) == 0
