"""Late fusion: monotone, additive, never the sum of two logits of different events."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit

from models.fusion.pooling import (
    ANCHOR_Z,
    PUBLISHED_LOG_ODDS,
    Distress,
    growth_log_odds,
    growth_only_cuts,
    growth_term,
    missing_growth_sd,
    pool,
)

probabilities = st.floats(0.001, 0.999)
z_scores = st.floats(-4, 4)


def test_g_is_zero_at_the_median_and_published_at_its_anchor() -> None:
    assert growth_log_odds(0.0) == 0.0
    assert growth_log_odds(ANCHOR_Z) == pytest.approx(np.log(3.53))
    assert pytest.approx(-2.268, abs=0.001) == ANCHOR_Z


@given(z_scores, st.floats(0.001, 2))
def test_g_falls_with_size(z: float, step: float) -> None:
    assert growth_log_odds(z) > growth_log_odds(z + step)


@given(probabilities, st.floats(0, 2), z_scores, st.floats(0.05, 1))
def test_parts_add_up_and_the_interval_holds_the_value(p: float, sd: float, z: float, z_sd: float) -> None:
    fused = pool(Distress(p, sd), growth_term(z, z_sd))
    assert float(logit(fused.probability)) == pytest.approx(fused.distress_log_odds + fused.growth_log_odds, abs=1e-6)
    assert fused.interval[0] <= fused.probability <= fused.interval[1]


@given(probabilities, probabilities, z_scores)
def test_monotone_in_distress(p: float, q: float, z: float) -> None:
    low, high = sorted((p, q))
    term = growth_term(z, 0.3)
    assert pool(Distress(low, 0.2), term).probability <= pool(Distress(high, 0.2), term).probability


@given(probabilities, z_scores, st.floats(0.01, 2))
def test_monotone_in_size(p: float, z: float, step: float) -> None:
    smaller, larger = growth_term(z, 0.3), growth_term(z + step, 0.3)
    assert pool(Distress(p, 0.2), smaller).probability >= pool(Distress(p, 0.2), larger).probability


@given(probabilities, st.floats(0, 2))
def test_missing_growth_changes_nothing_but_the_width(p: float, sd: float) -> None:
    alone = pool(Distress(p, sd), None)
    assert alone.probability == pytest.approx(p)
    assert alone.growth_log_odds == 0
    inner = Distress(p, sd).interval
    assert alone.interval[0] < inner[0]
    assert alone.interval[1] > inner[1]


def test_the_head_alone_is_shrunk() -> None:
    mean, sd = growth_term(ANCHOR_Z, 0.01)
    assert mean == pytest.approx(0.5 * PUBLISHED_LOG_ODDS, rel=0.01)
    assert sd > 0.2
    assert missing_growth_sd() > 0.1


def test_growth_only_cuts_are_ordered_above_the_prior() -> None:
    raised, high = growth_only_cuts(0.08)
    assert 0.08 < raised < high
