"""The growth term: published at its anchor, monotone, nothing where nothing is known, neutral over a population."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fusion.growth_odds import (
    ANCHOR_Z,
    DOPPLER_PREVALENCE,
    doppler_term,
    growth_log_odds,
    growth_term,
    missing_growth_sd,
    tracked,
)
from models.growth.dopplers import Dopplers

z_scores = st.floats(-5, 5)


def g(z: float) -> float:
    return float(growth_log_odds(np.array(z)))


def test_it_is_zero_at_the_median_and_published_at_its_anchor() -> None:
    assert g(0.0) == 0.0
    assert g(ANCHOR_Z) == pytest.approx(np.log(3.53))
    assert pytest.approx(-2.268, abs=0.001) == ANCHOR_Z
    assert (g(0.05) - g(-0.05)) / 0.1 == pytest.approx(-0.28, abs=0.01)


def test_below_the_3rd_centile_the_odds_against_the_middle_are_the_published_ones() -> None:
    z = np.random.default_rng(0).standard_normal(400_000)
    odds = np.exp(growth_log_odds(z))
    ratio = odds[z < -1.881].mean() / odds[np.abs(z) < 1.282].mean()
    assert 3.06 < ratio < 4.07


def test_a_known_size_from_the_50th_to_below_the_3rd_centile_multiplies_the_odds_as_published() -> None:
    for error in (0.0, 0.2, 0.35):
        ratio = np.exp(growth_term(ANCHOR_Z, error).log_odds - growth_term(0.0, error).log_odds)
        assert 3.06 < ratio < 4.07


@given(z_scores, st.floats(0.0, 2), st.floats(0.0, 1.2), st.booleans())
def test_it_never_rises_with_size(z: float, step: float, sd: float, head_only: bool) -> None:
    assert growth_term(z, sd, head_only).log_odds >= growth_term(z + step, sd, head_only).log_odds - 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("head_only", [True, False])
def test_knowing_nothing_is_nothing_and_a_population_keeps_its_mean_odds(head_only: bool) -> None:
    assert growth_term(0.0, 1.0, head_only).log_odds == pytest.approx(0.0, abs=1e-12)
    z = np.random.default_rng(1).standard_normal(20_000)
    odds = [np.exp(growth_term(float(score), 0.0, head_only).log_odds) for score in z]
    assert np.mean(odds) == pytest.approx(1.0, abs=0.01)


def test_the_head_alone_says_half_and_less_surely() -> None:
    whole = growth_term(ANCHOR_Z, 0.01).log_odds - growth_term(0.0, 0.01).log_odds
    half = growth_term(ANCHOR_Z, 0.01, head_only=True).log_odds - growth_term(0.0, 0.01, head_only=True).log_odds
    assert half == pytest.approx(0.5 * whole, rel=0.01)
    assert growth_term(ANCHOR_Z, 0.01, head_only=True).sd > growth_term(ANCHOR_Z, 0.01).sd > 0.05
    assert missing_growth_sd() > 0.3


def test_an_older_scan_says_less_until_it_says_nothing() -> None:
    assert tracked(-2.0, 0.3, 0) == pytest.approx((-2.0, 0.3))
    weeks = [growth_term(*tracked(-2.0, 0.3, 7 * week)).log_odds for week in (0, 4, 8, 16, 60)]
    assert all(a > b for a, b in pairwise(weeks))
    assert weeks[-1] == pytest.approx(0.0, abs=0.05)
    assert tracked(-2.0, 0.3, -28) == tracked(-2.0, 0.3, 28)


def test_dopplers_raise_lower_or_say_nothing() -> None:
    low = doppler_term(Dopplers(cerebroplacental_ratio_below_5th=True))
    normal = doppler_term(Dopplers(cerebroplacental_ratio_below_5th=False))
    assert low is not None
    assert normal is not None
    assert doppler_term(Dopplers(uterine_artery_pi_above_95th=True)) is None
    assert low.log_odds > 0 > normal.log_odds
    assert low.log_odds - normal.log_odds == pytest.approx(0.5 * np.log(2.19))
    mean = DOPPLER_PREVALENCE * np.exp(low.log_odds) + (1 - DOPPLER_PREVALENCE) * np.exp(normal.log_odds)
    assert mean == pytest.approx(1.0)
    for worse in (
        Dopplers(umbilical_artery_pi_above_95th=True, cerebroplacental_ratio_below_5th=False),
        Dopplers(umbilical_end_diastolic_flow="absent"),
    ):
        assert doppler_term(worse) == low
    reversed_flow = doppler_term(Dopplers(umbilical_end_diastolic_flow="reversed"))
    assert reversed_flow is not None
    assert reversed_flow.log_odds > low.log_odds
