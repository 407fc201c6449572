"""Real pairs: the fused score compared with that of the CTG."""

from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.evaluation.pairs import covered, fuse_births, pair_metrics
from models.evaluation.report import evaluate
from models.fusion.conformal import Quantiles
from models.fusion.held_out_births import BirthSizes, PairedFusion
from models.fusion.pooling import FusionRule
from models.synthetic.datasets import write_ctu_uhb


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
    report = evaluate(bundle, tmp_path)["datasets"]["fusion_real_pairs"]
    for name in (
        "auc_ph_lt_7_05", "auc_ph_le_7_15", "delta_auc_vs_ctg", "ece", "slope", "net_benefit_margin", "coverage_90",
    ):  # fmt: skip
        assert set(report[name]) == {"value", "ci95"}
    assert report["ece_limit"] > 0
    assert report["n"] == report["size_known"] == 24
    assert not report["in_sample"]
