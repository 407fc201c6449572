"""The fusion learned over sites: the same as from pooled births; pooling unless another rule wins beyond chance."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit

from federated.plan import FusionPlan
from federated.trees.fusion import Ask, PairedRows, learn
from models.fusion.conformal import Quantiles
from models.fusion.growth_odds import growth_term
from models.fusion.held_out_births import BirthSizes, PairedFusion, fused
from models.fusion.pooling import POOLING
from models.fusion.rule_learning import choose, stack

PRIOR = 0.2


def births(n: int, growth: float, seed: int = 0) -> PairedRows:
    """Births whose true odds move with the published term times `growth`; a tenth without a weight."""
    rng = np.random.default_rng(seed)
    acute, z = rng.normal(0, 1, n), rng.standard_normal(n)
    term = np.array([growth_term(float(one), 0.0).log_odds for one in z])
    event = rng.random(n) < expit(logit(PRIOR) + acute + growth * term)
    return PairedRows(expit(logit(PRIOR) + acute), event, np.where(rng.random(n) < 0.1, np.nan, z))


def of(sites: Sequence[PairedRows]) -> Ask:
    def ask(step: str, asked: Mapping[str, Any]) -> list[Mapping[str, Sequence[float]]]:
        return [site.answer(step, asked) for site in sites]

    return ask


def cut(rows: PairedRows, sites: int) -> list[PairedRows]:
    parts = [np.arange(len(rows.z)) % sites == k for k in range(sites)]
    return [PairedRows(rows.distress[p], rows.event[p], rows.z[p]) for p in parts]


@pytest.fixture(scope="module")
def rows() -> PairedRows:
    return births(900, 1.0)


@pytest.fixture(scope="module")
def learned(rows: PairedRows) -> tuple[PairedFusion, dict[str, Any]]:
    made = learn(of(cut(rows, 3)), PRIOR, FusionPlan())
    assert made is not None
    return made


def test_sizes_and_weights_are_those_of_pooled_births(
    rows: PairedRows, learned: tuple[PairedFusion, dict[str, Any]]
) -> None:
    fusion, metrics = learned
    central = BirthSizes.of(rows.z)
    assert (fusion.sizes.mean, fusion.sizes.sd, fusion.sizes.births) == pytest.approx(
        (central.mean, central.sd, central.births)
    )
    acute = logit(rows.distress) - float(logit(PRIOR))
    rule = stack(float(logit(PRIOR)), acute, central.terms(rows.z), rows.event)
    assert metrics["stacked_weights"] == pytest.approx([rule.intercept, rule.distress, rule.growth], abs=2e-3)


def test_where_the_published_odds_hold_pooling_stays(learned: tuple[PairedFusion, dict[str, Any]]) -> None:
    fusion, metrics = learned
    assert metrics["method"] == fusion.rule.method == "pooling"
    assert metrics["log_loss_pooling"] < metrics["log_loss_noisy-or"]


@pytest.mark.slow
def test_where_they_do_not_hold_what_births_teach_wins() -> None:
    made = learn(of(cut(births(20_000, 0.0), 2)), PRIOR, FusionPlan())
    assert made is not None
    assert made[0].rule.method == "stacked"
    assert made[0].rule.growth < 0.2


@pytest.mark.parametrize("method", ["pooling", "stacked", "noisy-or"])
def test_a_plan_may_decide(rows: PairedRows, method: Any) -> None:
    plan = FusionPlan(method=method, growth_weight=0.5)
    made = learn(of([rows]), PRIOR, plan)
    assert made is not None
    assert made[0].rule.method == method
    assert made[1]["chosen"] == "by the plan"
    if method == "pooling":
        assert made[0].rule.growth == 0.5


def test_quantiles_and_histograms_are_those_of_pooled_births(
    rows: PairedRows, learned: tuple[PairedFusion, dict[str, Any]]
) -> None:
    fusion, _ = learned
    known = np.isfinite(rows.z)
    both = fused(POOLING, PRIOR, rows.distress, fusion.sizes.terms(rows.z))[known]
    exact = Quantiles.fit(both, rows.event[known])
    found = fusion.quantiles("both")
    assert found is not None
    assert found.no_event == pytest.approx(exact.no_event, abs=0.0021)
    assert found.rows == int(known.sum())
    assert fusion.held_out["ctg only"].negatives.sum() + fusion.held_out["ctg only"].positives.sum() == 900


def test_a_site_with_few_sizes_tells_nothing_and_none_at_all_teach_nothing() -> None:
    few = births(4, 1.0)
    assert few.answer("sizes", {}) == {}
    assert learn(of([few]), PRIOR, FusionPlan()) is None


def test_the_choice_needs_more_than_chance() -> None:
    losses = {
        "pooling": np.array([400.0, 180.0, 0.0, 0.0]),
        "stacked": np.array([400.0, 179.0, -1.0, 40.0]),
        "noisy-or": np.array([400.0, 190.0, 10.0, 5.0]),
    }
    assert choose(losses) == "pooling"
    losses["stacked"] = np.array([400.0, 160.0, -20.0, 5.0])
    assert choose(losses) == "stacked"
