"""The probability of being small is calibrated on simulated fetuses; and the whole growth assessment."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from models.errors import InputError
from models.growth.assessment import Age, Visit, assess_growth
from models.growth.biometry_standards import HEAD_CIRCUMFERENCE as STANDARD
from models.growth.delphi import CANNOT_ASSESS, MET
from models.growth.dopplers import Dopplers
from models.growth.measures import AC, EFW, FL, HC, Measured, typed
from models.growth.probability import SizeForAge, size_for_age
from models.growth.weight import HADLOCK_HC_ACFL, INTERGROWTH_2020, WEIGHT


def head(value: float, error: float, days: float = 196, age_sd: float = 3.0) -> SizeForAge:
    return size_for_age(STANDARD, {HC: Measured(value, error, "test")}, days, age_sd, lambda v: v[HC])


def test_median_is_centile_50() -> None:
    size = head(STANDARD.value_at(0, 196), 3.0)
    assert size.z_score == pytest.approx(0)
    assert size.centile == pytest.approx(50)
    assert size.probability_small == pytest.approx(size.probability_large, rel=1e-6)


def test_without_error_the_probability_is_a_step() -> None:
    for z, small in ((-2.0, 1), (-1.7, 0)):
        size = head(STANDARD.value_at(z, 196), 1e-9, age_sd=1e-9)
        assert size.probability_small == pytest.approx(small)
        assert size.probability_below_10th == pytest.approx(1)


def test_the_probability_is_calibrated_on_simulated_fetuses() -> None:
    """The true z is drawn from the population and measured with error. A share p of those predicted p is small."""
    rng = np.random.default_rng(0)
    error, true = 4.0, rng.normal(size=6000)
    mean, sd = STANDARD.value_at(0, 210), STANDARD.value_at(1, 210) - STANDARD.value_at(0, 210)
    predicted = np.array(
        [head(m, error, 210, 1e-9).probability_small for m in mean + true * sd + rng.normal(0, error, 6000)]
    )
    small = true < norm.ppf(0.03)
    assert predicted.sum() == pytest.approx(small.sum(), rel=0.15)
    raised = (predicted > 0.2) & (predicted < 0.8)
    assert small[raised].mean() == pytest.approx(predicted[raised].mean(), abs=0.08)


def test_the_age_error_counts() -> None:
    """The age is known with an error of three days."""
    rng = np.random.default_rng(1)
    true, off = rng.normal(size=4000), rng.normal(0, 3.0, 4000)
    predicted = [
        head(STANDARD.value_at(z, 200), 1e-6, 200 + d, 3.0).probability_small for z, d in zip(true, off, strict=True)
    ]
    assert np.sum(predicted) == pytest.approx(np.sum(true < norm.ppf(0.03)), rel=0.2)


@given(st.floats(230, 300), st.floats(0.5, 8))
def test_the_interval_holds_the_probability(around: float, error: float) -> None:
    size = head(around, error, 210)
    assert size.interval_small[0] <= size.probability_small <= size.interval_small[1]
    assert size.interval_large[0] <= size.probability_large <= size.interval_large[1]
    assert head(around + 1, error, 210).probability_small <= size.probability_small


def test_a_weight_carries_the_errors_of_its_measures() -> None:
    values = {HC: typed(HC, 260.0), AC: typed(AC, 233.0), FL: typed(FL, 51.3)}
    size = size_for_age(INTERGROWTH_2020, values, 196, 3.0, HADLOCK_HC_ACFL.grams, HADLOCK_HC_ACFL.name)
    assert size.value == pytest.approx(1111, abs=0.5)
    rng = np.random.default_rng(2)
    drawn = [
        HADLOCK_HC_ACFL.grams({name: m.value + rng.normal(0, m.error_sd) for name, m in values.items()})
        for _ in range(4000)
    ]
    assert size.error_sd == pytest.approx(np.std(drawn), rel=0.05)


AGE = Age(196, "test")


def test_the_head_alone_cannot_show_growth_restriction() -> None:
    growth = assess_growth({HC: typed(HC, 235.0)}, AGE)
    assert growth.leading == HC
    assert growth.delphi.verdict == CANNOT_ASSESS
    assert growth.size is not None
    assert 0.6 < growth.size.probability_small < 0.75


def test_abdomen_and_weight_lead() -> None:
    abdomen = assess_growth({HC: typed(HC, 260.0), AC: typed(AC, 200.0)}, AGE)
    assert abdomen.leading == AC
    assert abdomen.delphi.verdict == MET
    assert [ratio.name for ratio in abdomen.ratios] == ["HC/AC"]
    whole = assess_growth({HC: typed(HC, 260.0), AC: typed(AC, 233.0), FL: typed(FL, 51.3)}, AGE)
    assert whole.leading == EFW
    assert {size.measure for size in whole.sizes} == {HC, AC, FL, EFW}
    assert whole.size.formula == HADLOCK_HC_ACFL.name
    assert {ratio.name for ratio in whole.ratios} == {"HC/AC", "FL/AC"}


@pytest.mark.parametrize("key", WEIGHT)
def test_every_weight_chart(key: str) -> None:
    growth = assess_growth({HC: typed(HC, 260.0), AC: typed(AC, 233.0), FL: typed(FL, 51.3)}, AGE, key)
    assert growth.size.standard_key == key
    assert 0 <= growth.size.probability_small <= 1
    assert growth.size.second_hand == WEIGHT[key].second_hand


def test_no_score_against_an_age_from_the_same_measure() -> None:
    dated = Age(196, "this scan", derived_from=(HC, FL))
    values = {HC: typed(HC, 260.0), AC: typed(AC, 233.0), FL: typed(FL, 51.3)}
    growth = assess_growth(values, dated)
    assert [size.measure for size in growth.sizes] == [AC]
    assert sum("this very" in line for line in growth.not_judged) == 3
    alone = assess_growth({HC: values[HC]}, dated)
    assert alone.leading is None
    assert "this very measurement" in alone.not_judged[0]


def test_velocity() -> None:
    """Sixty centiles lost and a low cerebroplacental ratio: late growth restriction without being small."""
    late = Age(245, "test")
    values = {AC: typed(AC, 290.3)}
    before = assess_growth(values, late).sizes[0].centile
    visits = [Visit(200, {AC: before + 60}), Visit(220, {AC: before + 30}), Visit(250, {AC: 99.0})]
    growth = assess_growth(values, late, dopplers=Dopplers(cerebroplacental_ratio_below_5th=True), visits=visits)
    assert growth.changes[0].centiles_lost == pytest.approx(60)
    assert growth.changes[0].days == 45
    assert growth.delphi.verdict == MET


@pytest.mark.parametrize(
    ("measures", "age", "words"),
    [
        ({HC: 110.0}, Age(90, "t"), "14\\+0 to 40\\+0"),
        ({HC: 330.0}, Age(290, "t"), "14\\+0"),
    ],
)
def test_what_cannot_be_judged_says_why(measures: dict[str, float], age: Age, words: str) -> None:
    growth = assess_growth({name: typed(name, value) for name, value in measures.items()}, age)
    assert growth.leading is None
    assert growth.size is None
    assert re.search(words, growth.not_judged[0])


def test_an_unknown_chart() -> None:
    with pytest.raises(InputError, match="weight standard"):
        assess_growth({HC: typed(HC, 260.0)}, AGE, "somebody-1999")
