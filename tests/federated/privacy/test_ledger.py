"""A site's ledger, and rounds with noise (where torch and Opacus are installed)."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from federated.plan import NoisePlan, UltrasoundPlan
from models.datasets import hc18

pytest.importorskip("torch")

from federated.privacy.ledger import LEDGER, PrivacyBudgetError, PrivacyLedger, round_key
from federated.weights.segmenter_site import ImageSite, initial_fold_models

pytestmark = pytest.mark.skipif(find_spec("opacus") is None, reason="Opacus is not installed")

STEPS = [(1.0, 0.1, 10)]
PLAN = UltrasoundPlan(sites=2, rounds=2, folds=2, batch_size=8, noise=NoisePlan(noise_multiplier=1.0))


def test_a_release_counts_once_and_another_one_more(tmp_path: Path) -> None:
    from models.ultrasound.private_training import epsilon  # loads Opacus

    ledger = PrivacyLedger(tmp_path)
    first = ledger.spend("a", STEPS, 1e-5, None)
    assert PrivacyLedger(tmp_path).spend("a", STEPS, 1e-5, None) == first == pytest.approx(epsilon(STEPS, 1e-5))
    second = ledger.spend("b", STEPS, 1e-5, None)
    assert second == pytest.approx(epsilon([(1.0, 0.1, 20)], 1e-5))
    assert second > first


def test_beyond_the_budget_nothing_is_told_and_nothing_entered(tmp_path: Path) -> None:
    ledger = PrivacyLedger(tmp_path)
    spent = ledger.spend("a", STEPS, 1e-5, 100.0)
    with pytest.raises(PrivacyBudgetError, match=rf"epsilon would be .*, the plan allows {spent:g}"):
        ledger.spend("b", STEPS, 1e-5, spent)
    assert set(ledger.history()) == {"a"}


def test_noise_is_secret_and_of_one_release_and_lane(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    ledger, other = PrivacyLedger(tmp_path), PrivacyLedger(tmp_path / "other")
    seeds = [ledger.seed("a", 0), ledger.seed("a", 1), ledger.seed("b", 0), other.seed("a", 0)]
    assert len(set(seeds)) == 4
    assert PrivacyLedger(tmp_path).seed("a", 0) == seeds[0]
    assert (tmp_path / "noise.key").stat().st_mode & 0o077 == 0


def test_the_key_changes_with_plan_round_and_weights() -> None:
    arrays = {"0.w": np.zeros(3, np.float32)}
    keys = {
        round_key("p", 1, arrays),
        round_key("q", 1, arrays),
        round_key("p", 2, arrays),
        round_key("p", 1, {"0.w": np.ones(3, np.float32)}),
    }
    assert len(keys) == 4
    assert round_key("p", 1, dict(arrays)) in keys


@pytest.mark.slow
def test_a_round_that_is_done_again_gives_the_same_answer_and_costs_nothing(data: Path, tmp_path: Path) -> None:
    folder = hc18.find(data)
    assert folder is not None
    records = hc18.read(folder)
    arrays = initial_fold_models(PLAN, 7)

    def trained(plan: UltrasoundPlan = PLAN) -> tuple[dict[str, np.ndarray], float | None]:
        site = ImageSite("s", records, plan, seed=1, ledger=PrivacyLedger(tmp_path))
        replies, _ = site.train(arrays, 1, [1])
        return dict(replies[1].arrays), site.epsilon

    before, spent = trained()
    again, after = trained()
    assert spent == after
    for name, values in before.items():
        np.testing.assert_array_equal(values, again[name])
    moved = sum(float(np.abs(values - arrays[f"1.{name}"]).sum()) for name, values in before.items())
    assert moved > 0
    limited = PLAN.model_copy(update={"noise": NoisePlan(noise_multiplier=1.0, max_epsilon=spent)})
    with pytest.raises(PrivacyBudgetError):
        trained(limited)
    assert (tmp_path / LEDGER).exists()
    with pytest.raises(ValueError, match="no ledger"):
        ImageSite("s", records, PLAN, seed=1).train(arrays, 1, [1])


def test_an_image_takes_part_in_every_lane_but_the_one_that_leaves_it_out(data: Path) -> None:
    folder = hc18.find(data)
    assert folder is not None
    site = ImageSite("s", hc18.read(folder), PLAN, seed=1)
    ((noise, rate, steps),) = site.privacy_steps([0, 1, 2])
    ((_, _, one),) = site.privacy_steps([1])
    assert noise == 1.0
    assert 0 < rate <= 1
    assert steps >= 2 * one  # lane 0 and the other fold's
