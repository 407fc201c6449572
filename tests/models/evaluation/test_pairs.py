"""Real pairs: the fused score beside the CTG's, and what the stored rows say of them."""

from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.ctg.acidaemia import MILD, SEVERE
from models.evaluation.metrics import auc
from models.evaluation.pairs import covered, fuse_births, pair_metrics
from models.evaluation.report import evaluate
from models.fusion.conformal import Quantiles
from models.fusion.held_out_births import BirthSizes, PairedFusion
from models.fusion.pooling import POOLING, FusionRule
from models.synthetic.datasets import write_ctu_uhb
from studies.fusion import cohorts_document, document
from studies.fusion.stored_pairs import StoredPairs
from studies.stored import signed

STORED = Path(__file__).parents[3] / "docs" / "evidence" / "oof"


def births(n: int = 500) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(0)
    mild = rng.beta(1, 4, n)
    ph = np.where(rng.random(n) < mild, 7.10, 7.25)
    ph[rng.random(n) < 0.25 * (ph < 7.15)] = 7.0
    z = rng.standard_normal(n)
    z[::10] = np.nan
    return ph, mild, 0.3 * mild, z


def test_the_graver_event_never_passes_the_milder_one() -> None:
    _, mild, severe, z = births()
    result = fuse_births(PairedFusion(sizes=BirthSizes.of(z)), 0.2, mild, severe, z)
    assert (result.severe <= result.mild).all()
    np.testing.assert_allclose(result.mild[::10], np.clip(mild, 1e-4, 1 - 1e-4)[::10], rtol=1e-12)


def test_without_a_growth_weight_nothing_changes() -> None:
    ph, mild, severe, z = births()
    fusion_ = PairedFusion(FusionRule("pooling", 0.0, 1.0, 0.0), BirthSizes.of(z))
    result = pair_metrics(ph, fuse_births(fusion_, 0.2, mild, severe, z), None, draws=40)
    assert result["delta_auc_vs_ctg"]["value"] == 0.0
    assert result["net_benefit_margin"]["value"] == 0.0
    assert "coverage_90" not in result


def test_sets_that_hold_what_happened_are_counted() -> None:
    quantiles = Quantiles(100, 20, 0.5, 0.3, 0.6)
    probability, event = np.array([0.1, 0.5, 0.5, 0.2]), np.array([False, True, False, True])
    assert covered(quantiles, probability, event).tolist() == [True, True, False, False]


@pytest.mark.slow
def test_evaluate_scores_the_pairs_of_a_folder(bundle: Bundle, tmp_path: Path) -> None:
    write_ctu_uhb(tmp_path, records=24, seed=3)
    found = evaluate(bundle, tmp_path)["datasets"]["fusion_real_pairs"]
    for name in (
        "auc_ph_lt_7_05", "auc_ph_le_7_15", "delta_auc_vs_ctg", "ece", "slope", "net_benefit_margin", "coverage_90",
    ):  # fmt: skip
        assert set(found[name]) == {"value", "ci95"}
    assert found["ece_limit"] > 0
    assert found["n"] == found["size_known"] == 24
    assert not found["in_sample"]


@pytest.fixture(scope="module")
def stored() -> StoredPairs:
    return StoredPairs.read(STORED)


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
def test_the_committed_document_is_what_the_rows_say() -> None:
    assert (STORED.parent / "fusion.md").read_text() == document.document(STORED)


def test_the_document_says_what_the_rows_say_of_sets(stored: StoredPairs) -> None:
    text = (STORED.parent / "fusion.md").read_text()
    covers = stored.covered(stored.sets(stored.fused(MILD.name)))
    for name, kept in document.groups(stored).items():
        if name != "all" and kept.sum() >= document.LEAST:
            assert f"| {name} | {int(kept.sum())} | {document.coverage(covers, kept)} |" in text
            assert np.mean([one[kept].mean() for one in covers]) > 0.80


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
