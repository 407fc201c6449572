"""The federation's document: calibrated by other folds, paired, within sites; and the sites' table."""

import numpy as np
import pytest

from studies.families import document, federation_document
from studies.families.document import Predictions, gain, over_seeds, predictions

RNG = np.random.default_rng(0)
N = 400


def made(strength: float, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    label = RNG.permutation(np.repeat([0, 1], N // 2)) if seed < 0 else np.tile([0, 1], N // 2)
    margin = np.column_stack([np.zeros(N), 5 * (strength * (2 * label - 1) + rng.normal(size=N))])
    names = np.array([f"g{k // 2}" for k in range(N)])
    site = np.where(np.arange(N) % 4 < 2, "labour-ward-1", "labour-ward-2")
    return Predictions(site, names, np.arange(N) // 2 % 5, label, margin, 1)


def test_overconfident_scores_are_calibrated_by_the_other_folds() -> None:
    one = made(1.0)
    raw = 1 / (1 + np.exp(-one.margin[:, 1]))
    own = one.probability[np.arange(N), one.label]
    before = np.where(one.label == 1, raw, 1 - raw)
    assert -np.log(own).mean() < -np.log(np.clip(before, 1e-9, 1)).mean()
    assert one.log_loss() == pytest.approx(-np.log(own).mean())


@pytest.mark.slow
def test_gains_are_paired_and_cover_zero_between_equals() -> None:
    better = gain([made(1.0), made(1.0, 1)], [made(0.2, 2), made(0.2, 3)], "auc")
    assert better["ci95"][0] > 0
    same = gain([made(0.5, 4)], [made(0.5, 5)], "auc")
    assert same["ci95"][0] < 0 < same["ci95"][1]
    assert gain([made(0.5)], [made(0.5)], "auc")["value"] == 0
    assert 0.7 < over_seeds([made(1.0)], "macro_f1")["value"] <= 1


def test_what_a_sites_prevalence_gives_is_gone_within_sites() -> None:
    """Scores that only know the site: good over all, nothing within."""
    site = np.repeat(["labour-ward-1", "labour-ward-2"], N // 2)
    label = (np.random.default_rng(1).random(N) < np.where(site == "labour-ward-1", 0.1, 0.9)).astype(np.int64)
    margin = np.column_stack([np.zeros(N), np.where(site == "labour-ward-1", -2.0, 2.0)])
    one = Predictions(site, np.array([f"g{k}" for k in range(N)]), np.arange(N) % 5, label, margin, 1)
    everything = np.arange(N)
    assert one.auc(everything) > 0.85
    assert one.within_sites(everything) == pytest.approx(0.5, abs=0.12)


def test_stored_rows_become_predictions_by_arm_target_and_seed() -> None:
    rows = [
        {
            "part": f"{arm}/{seed}",
            "site": f"labour-ward-{k % 2}",
            "task": task,
            "row": str(k),
            "group": f"r{k}",
            "fold": str(k % 5 + 1),
            "label": str(k % 2),
            "m0": "0.1",
            "m1": "0.2",
            "m2": "" if task == "acidaemia" else "0.3",
        }
        for arm in ("separate", "multi-task")
        for seed in (0, 1)
        for task in ("acidaemia", "growth")
        for k in range(20)
    ]
    found = predictions(rows)
    assert set(found) == {(arm, key) for arm in ("separate", "multi-task") for key in ("acidaemia", "birth")}
    assert all(len(parts) == 2 for parts in found.values())
    assert found["separate", "acidaemia"][0].margin.shape == (20, 2)
    assert found["separate", "birth"][0].margin.shape == (20, 3)
    assert all(arm in document.ARMS for arm, _ in found)


def test_the_table_of_sites_reads_the_manifest() -> None:
    against = {"difference": -0.1, "ci95": [-0.2, 0.05], "groups": 7}
    manifest = {"sites": {"ctg": {"a": {"rows": 9, "against_local_table": against}, "b": {"rows": 3}}}}
    text = "\n".join(federation_document._sites(manifest))
    assert "| a | table | 9 | 7 | -0.100 (-0.200 to +0.050) |" in text
    assert "| b |" not in text
    assert federation_document._sites({"sites": {}}) == []


def test_every_image_arm_is_paired_with_pooled_training() -> None:
    rows = [
        {
            "part": f"{arm}/{seed}",
            "image": f"{k}",
            "examination": f"{k // 2}",
            "site": str(k % 3 + 1),
            "reference_mm": "200",
            "estimate_mm": str(200 + shift + k % 3),
            "dice": "0.98",
            "bytes": size,
        }
        for arm, shift, size in (
            ("pooled", 0, "4000"),
            ("trimester", 1, "4000"),
            ("trimester top-k 10 %", 1, "160"),
            ("local", 2, "1"),
        )
        for seed in ((0,) if arm == "local" else (0, 1))
        for k in range(30)
    ]
    text = "\n".join(federation_document._images(rows))
    assert (
        "| largest 10 %, 8 bits | 2 | 0 | 25 x | 0.9800 | 2.00 | 0.0000 (0.0000 to 0.0000) | 1.000 (1.000 to 1.000) |"
        in text
    )
    assert "| 1: small heads | 10 | 1.00 | 2.00 | -1.000 (-1.000 to -1.000) |" in text
