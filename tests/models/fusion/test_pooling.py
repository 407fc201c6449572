"""Fusion rules: monotone, additive, never the sum of two logits of different events."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from models.errors import InputError
from models.fusion.pooling import METHODS, POOLING, FusionRule, fuse
from models.fusion.terms import Distress, Term

probabilities = st.floats(0.001, 0.999)
terms = st.floats(-3, 3)
RULES = [
    POOLING,
    FusionRule("pooling", 0.0, 0.8, 0.5),
    FusionRule("stacked", 0.1, 1.2, 0.4, ((0.04, 0.0, 0.0), (0.0, 0.01, 0.0), (0.0, 0.0, 0.02))),
    FusionRule("noisy-or"),
]


def test_pooling_adds_the_terms_to_the_prior() -> None:
    fused = fuse(POOLING, 0.2, Term(1.0, 0.3), Term(0.5, 0.4))
    assert fused.probability == pytest.approx(expit(logit(0.2) + 1.5))
    half = 1.6448536 * 0.5
    assert fused.interval == pytest.approx((expit(logit(0.2) + 1.5 - half), expit(logit(0.2) + 1.5 + half)), abs=1e-6)


def test_noisy_or_is_one_minus_the_chance_that_neither_cause_acts() -> None:
    prior, distress, growth = 0.1, 0.7, 0.9
    by_trace, by_size = expit(logit(prior) + distress), expit(logit(prior) + growth)
    cause = 1 - (1 - by_size) / (1 - prior)
    fused = fuse(FusionRule("noisy-or"), prior, Term(distress, 0.0), Term(growth, 0.0))
    assert fused.probability == pytest.approx(1 - (1 - by_trace) * (1 - cause))
    assert fuse(FusionRule("noisy-or"), prior, Term(distress, 0.0), Term(-2.0, 0.0)).probability == pytest.approx(
        by_trace
    )


@pytest.mark.parametrize("rule", RULES)
@given(probabilities, terms, terms, st.floats(0, 2), st.floats(0, 2))
def test_parts_add_up_and_the_interval_holds_the_value(
    rule: FusionRule, prior: float, distress: float, growth: float, sd_a: float, sd_c: float
) -> None:
    fused = fuse(rule, prior, Term(distress, sd_a), Term(growth, sd_c))
    assert fused.distress_log_odds == pytest.approx(logit(prior) + distress)
    assert float(logit(fused.probability)) == pytest.approx(fused.distress_log_odds + fused.growth_log_odds, abs=1e-6)
    assert fused.interval[0] <= fused.probability <= fused.interval[1]


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
@given(probabilities, terms, terms, st.floats(0, 2), st.booleans())
def test_more_of_either_part_never_lowers_it(
    rule: FusionRule, prior: float, distress: float, growth: float, more: float, which: bool
) -> None:
    before = fuse(rule, prior, Term(distress, 0.1), Term(growth, 0.1))
    after = fuse(rule, prior, Term(distress + more * which, 0.1), Term(growth + more * (not which), 0.1))
    assert after.probability >= before.probability - 1e-12


@pytest.mark.parametrize("rule", RULES)
@given(probabilities, terms, st.floats(0, 2))
def test_with_one_part_missing_every_rule_gives_the_other_parts_probability(
    rule: FusionRule, prior: float, value: float, sd: float
) -> None:
    by_trace = fuse(rule, prior, Term(value, sd), None, 0.5)
    by_size = fuse(rule, prior, None, Term(value, sd), 0.5)
    assert by_trace.probability == by_size.probability == pytest.approx(expit(logit(prior) + value))
    assert by_trace.growth_log_odds == 0
    assert by_size.distress_log_odds == pytest.approx(logit(prior))
    inner = fuse(rule, prior, Term(value, sd), None, 0.0).interval
    assert by_trace.interval[0] < inner[0]
    assert by_trace.interval[1] > inner[1]


def test_learned_weights_widen_the_interval_by_their_own_error() -> None:
    known = fuse(FusionRule("stacked", 0.1, 1.2, 0.4), 0.2, Term(1.0, 0.2), Term(0.5, 0.2))
    learned = fuse(RULES[2], 0.2, Term(1.0, 0.2), Term(0.5, 0.2))
    assert learned.probability == known.probability
    assert learned.interval[0] < known.interval[0]


@pytest.mark.parametrize("probability", [0.0, 1.0, float("nan"), -0.1, 1.5])
def test_what_is_no_probability_is_refused(probability: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        fuse(POOLING, probability, Term(0.0, 0.1), None)
    with pytest.raises(InputError, match="between 0 and 1"):
        Distress(probability, 0.2).term(0.1)


def test_terms_that_are_no_numbers_and_rules_that_turn_a_finding_around_are_refused() -> None:
    with pytest.raises(InputError, match="not a number"):
        fuse(POOLING, 0.2, Term(float("nan"), 0.1), None)
    with pytest.raises(InputError, match="nothing to fuse"):
        fuse(POOLING, 0.2, None, None)
    with pytest.raises(InputError, match="0 or more"):
        FusionRule("stacked", 0.0, -0.1, 1.0)
    with pytest.raises(InputError, match="at most 1"):
        FusionRule("pooling", 0.0, 1.2, 1.0)
    with pytest.raises(InputError, match="one of pooling"):
        FusionRule("mean")  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_survives_json(rule: FusionRule) -> None:
    assert FusionRule.from_dict(rule.as_dict()) == rule
    assert rule.method in METHODS


def test_ten_thousand_probes_find_no_violation() -> None:
    rng = np.random.default_rng(6)
    for rule in RULES:
        for _ in range(2500):
            prior, distress, growth, step = rng.uniform(0.01, 0.5), *rng.normal(0, 1.5, 2), rng.exponential()
            low = rule.of(float(logit(prior)), distress, growth)
            assert rule.of(float(logit(prior)), distress + step, growth) >= low - 1e-12
            assert rule.of(float(logit(prior)), distress, growth + step) >= low - 1e-12
