"""The learned rule: scikit-learn's fit without a ridge, pooling without births, the same over sites."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from models.fusion.pooling import FusionRule
from models.fusion.rule_learning import STEPS, design, stack, stacking_step, stacking_sums
from models.fusion.terms import Term

PRIOR = float(logit(0.2))


def births(n: int, weight: float, seed: int = 0) -> tuple[np.ndarray, list[Term | None], np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    distress, growth = rng.normal(0, 1, n), rng.normal(0, 0.6, n)
    event = rng.random(n) < expit(PRIOR + 0.9 * distress + weight * growth)
    return distress, [Term(float(value), 0.1) for value in growth], event


def test_without_a_ridge_it_is_scikit_learns_fit() -> None:
    distress, terms, event = births(3000, 0.8)
    rule = stack(PRIOR, distress, terms, event, ridge=np.full(3, 1e-9))
    rows, _ = design(distress, terms)
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(rows[:, 1:], event)
    assert rule.intercept + PRIOR == pytest.approx(theirs.intercept_[0], abs=1e-4)
    assert (rule.distress, rule.growth) == pytest.approx(tuple(theirs.coef_[0]), abs=1e-4)


def test_with_few_births_it_stays_at_pooling_and_with_many_it_follows_them() -> None:
    few, many = (stack(PRIOR, *births(n, 0.0)) for n in (10, 30_000))
    assert few.growth > 0.6
    assert many.growth < 0.1
    assert many.distress == pytest.approx(0.9, abs=0.05)


def test_a_weight_that_would_turn_a_finding_around_is_held_at_nothing() -> None:
    assert stack(PRIOR, *births(30_000, -0.8)).growth == 0.0


def test_sites_together_fit_what_pooled_births_would() -> None:
    distress, terms, event = births(900, 0.6)
    rows, _ = design(distress, terms)
    rule = FusionRule("stacked")
    for _ in range(STEPS):
        parts = [stacking_sums(rule, PRIOR, rows[k::3], event[k::3]) for k in range(3)]
        rule = stacking_step(rule, parts[0] + parts[1] + parts[2])
    central = stack(PRIOR, distress, terms, event)
    assert (rule.intercept, rule.distress, rule.growth) == pytest.approx(
        (central.intercept, central.distress, central.growth)
    )


def test_births_without_a_size_do_not_teach() -> None:
    distress, terms, event = births(400, 0.6)
    half: list[Term | None] = [term if i % 2 else None for i, term in enumerate(terms)]
    rows, known = design(distress, half)
    assert rows.shape == (200, 3)
    assert known.sum() == 200
    assert stack(PRIOR, distress, half, event) == stack(PRIOR, distress[1::2], terms[1::2], event[1::2])
