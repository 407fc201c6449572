"""Weight formulas and dating against their check values, in mm and cm."""

from datetime import date

import pytest

from models.errors import InputError, RangeError
from models.growth import dating
from models.growth.measures import AC, BPD, FL, HC, RANGES, Ratio, ratios, typed
from models.growth.weight import (
    FMF_2018,
    FORMULAS,
    HADLOCK_1991,
    HADLOCK_BPD_HC_ACFL,
    HADLOCK_HC_ACFL,
    INTERGROWTH_2017,
    INTERGROWTH_2020,
    INTERGROWTH_AC_HC,
    WHO,
    judged_by,
)
from tests.models.growth import tables

TERM = {HC: 300.0, AC: 280.0, FL: 62.0, BPD: 83.0}
DAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("formula", "values", "grams"),
    [
        (HADLOCK_HC_ACFL, {HC: 260, AC: 233, FL: 51.3}, 1111),
        (HADLOCK_HC_ACFL, TERM, 1937),
        (HADLOCK_BPD_HC_ACFL, TERM, 1947),
        (INTERGROWTH_AC_HC, {AC: 260, HC: 290}, 1499),
        (INTERGROWTH_AC_HC, TERM, 1837),
    ],
)
def test_published_weights_from_mm(formula: object, values: dict[str, float], grams: float) -> None:
    assert formula.grams(values) == pytest.approx(grams, abs=0.51)  # type: ignore[attr-defined]


def test_hadlock_takes_centimetres_inside() -> None:
    """The same numbers in the paper's unit: 26.0, 23.3 and 5.13 cm."""
    by_hand = 10 ** (1.326 - 0.00326 * 23.3 * 5.13 + 0.0107 * 26.0 + 0.0438 * 23.3 + 0.158 * 5.13)
    assert HADLOCK_HC_ACFL.grams({HC: 260, AC: 233, FL: 51.3}) == pytest.approx(by_hand)


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=lambda f: f.key)
def test_formulas_agree_roughly_and_grow(formula: object) -> None:
    grams = formula.grams(TERM)  # type: ignore[attr-defined]
    assert 1700 < grams < 2200
    for measure in formula.needs:  # type: ignore[attr-defined]
        assert formula.grams({**TERM, measure: TERM[measure] * 1.05}) > grams  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="needs"):
        formula.grams({})  # type: ignore[attr-defined]


def test_a_chart_judges_only_its_own_formula() -> None:
    assert judged_by(INTERGROWTH_2017, TERM) is INTERGROWTH_AC_HC
    for standard in (INTERGROWTH_2020, WHO, FMF_2018, HADLOCK_1991):
        assert judged_by(standard, TERM) is HADLOCK_HC_ACFL
    head_and_abdomen = {HC: 300.0, AC: 280.0}
    assert judged_by(INTERGROWTH_2020, head_and_abdomen) is None
    assert judged_by(INTERGROWTH_2017, head_and_abdomen) is INTERGROWTH_AC_HC
    assert judged_by(INTERGROWTH_2017, {AC: 280.0, FL: 62.0}) is None


@pytest.mark.parametrize(("around", "hadlock", "intergrowth"), tables.DATING)
def test_age_from_the_head(around: float, hadlock: float, intergrowth: float) -> None:
    assert dating.hadlock_age_weeks(HC, around) == pytest.approx(hadlock, abs=0.0051)
    days, measures = dating.intergrowth_age_days({HC: around})
    assert days / 7 == pytest.approx(intergrowth, abs=0.0051)
    assert measures == (HC,)


def test_head_and_femur_date_together() -> None:
    days, measures = dating.intergrowth_age_days({HC: 300, FL: 62, AC: 280})
    assert days / 7 == pytest.approx(33.2, abs=0.05)
    assert measures == (HC, FL)
    with pytest.raises(InputError, match="head circumference"):
        dating.intergrowth_age_days({FL: 62})


@pytest.mark.parametrize(
    ("around", "weeks"), [(68, 1.19), (144, 1.19), (151, 1.48), (240, 2.06), (300, 2.98), (340, 3.2)]
)
def test_spread_of_the_age_by_hadlock(around: float, weeks: float) -> None:
    assert dating.hadlock_two_sd_weeks(around) == weeks


@pytest.mark.parametrize(("weeks", "around"), [(20, 177), (28, 266), (36, 328), (40, 346)])
def test_expected_head_by_hadlock(weeks: float, around: float) -> None:
    assert dating.hadlock_expected_head_mm(weeks) == pytest.approx(around, abs=0.83)


def test_hadlock_ages_of_the_other_measures_rise() -> None:
    for measure, small, large in ((BPD, 60, 80), (AC, 200, 260), (FL, 40, 60)):
        assert 10 < dating.hadlock_age_weeks(measure, small) < dating.hadlock_age_weeks(measure, large) < 40
    with pytest.raises(InputError, match="no age"):
        dating.hadlock_age_weeks("shoe_size", 3)
    for around in (60, 400):
        with pytest.raises(RangeError, match="68 to 360"):
            dating.hadlock_two_sd_weeks(around)


def test_ages_by_size_name_formula_measures_and_spread() -> None:
    ages = dating.ages_by_size({HC: 300.0, FL: 62.0, BPD: 83.0, AC: 280.0})
    assert [(age.formula.split()[0], age.measures) for age in ages] == [
        ("INTERGROWTH-21st", (HC, FL)),
        ("Hadlock", (HC,)),
        ("Hadlock", (BPD,)),
        ("Hadlock", (AC,)),
        ("Hadlock", (FL,)),
    ]
    assert ages[1].two_sd_days == pytest.approx(2.98 * 7)
    assert ages[2].two_sd_days is None
    assert dating.ages_by_size({HC: 50.0}) == []
    assert dating.ages_by_size({}) == []


def test_due_dates() -> None:
    assert dating.by_last_menstrual_period(date(2025, 12, 1), DAY).due_date == date(2026, 9, 7)
    crown = dating.by_crown_rump_length(60, DAY)
    assert crown.age_days == pytest.approx(40.9041 + 3.21585 * 60**0.5 + 0.348956 * 60)
    assert crown.due_date == date(2026, 9, 11)
    scan = dating.by_scan({HC: 175.0}, DAY)
    assert scan.age_days / 7 == pytest.approx(20.22, abs=0.01)
    assert scan.measures == (HC,)


@pytest.mark.parametrize("length", [14, 101, -3])
def test_a_crown_rump_length_has_its_range(length: float) -> None:
    with pytest.raises(RangeError, match="15 to 100"):
        dating.by_crown_rump_length(length, DAY)


@pytest.mark.parametrize("first", [date(2026, 3, 3), date(2024, 1, 1)])
def test_a_period_lies_within_44_weeks(first: date) -> None:
    with pytest.raises(RangeError, match="0 to 44 weeks"):
        dating.by_last_menstrual_period(first, DAY)


def test_centimetres_are_caught() -> None:
    with pytest.raises(RangeError, match="looks like cm"):
        typed(HC, 26.0)
    with pytest.raises(RangeError, match=r"40 to 450 mm$"):
        typed(HC, 900)
    for measure, (low, high) in RANGES.items():
        assert typed(measure, low).error_sd < typed(measure, high).error_sd


def test_ratios_of_what_is_known() -> None:
    assert ratios({HC: 300, AC: 240}) == [Ratio("HC/AC", 1.25, "not judged: table not available")]
    assert ratios({FL: 60}) == []
