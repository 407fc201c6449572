"""The verdict on growth and its findings, as a specialist expects them, through the whole assessment of a scan."""

import pytest

from models.growth.assessment import Age, GrowthAssessment, Visit, assess_growth
from models.growth.biometry_standards import BIOMETRY
from models.growth.dopplers import Dopplers
from models.growth.measures import AC, BPD, FL, HC, typed
from models.growth.verdict import APPROPRIATE, LARGE, NOT_JUDGED, RESTRICTED, SMALL, OtherFetus

DOPPLER_NAMES = {"absent end-diastolic flow", "reversed end-diastolic flow"}


def scan(weeks: float, z: dict[str, float] | float = 0.0, **others: object) -> GrowthAssessment:
    """A scan with these z-scores of head, abdomen, femur and biparietal diameter."""
    scores = z if isinstance(z, dict) else dict.fromkeys((HC, AC, FL, BPD), z)
    values = {name: typed(name, BIOMETRY[name].value_at(score, 7 * weeks)) for name, score in scores.items()}
    age = others.pop("age", Age(7 * weeks, "test"))
    return assess_growth(values, age, **others)  # type: ignore[arg-type]


def names(growth: GrowthAssessment) -> set[str]:
    return {finding.name for finding in growth.findings}


@pytest.mark.parametrize("weeks", [18, 22, 26, 30, 34, 38, 39.9])
def test_an_average_fetus_is_appropriate(weeks: float) -> None:
    growth = scan(weeks)
    assert growth.verdict.verdict == APPROPRIATE
    assert "centile" in growth.verdict.because
    assert growth.findings == []


def test_the_smaller_of_abdomen_and_weight_speaks() -> None:
    """An abdomen below the 1st centile; a large head and a long femur bring the weight to the 17th or so."""
    growth = scan(34, {HC: 1.2, AC: -2.5, FL: 1.5})
    assert {size.measure: size.centile for size in growth.sizes}["estimated_weight_g"] > 10
    assert growth.verdict.verdict == RESTRICTED
    assert growth.verdict.because == "late onset: abdominal circumference below the 3rd centile"
    assert growth.leading == AC
    assert growth.size is not None
    assert growth.size.probability_small > 0.5


def test_small_without_the_criteria() -> None:
    growth = scan(36, {HC: -0.5, AC: -1.5, FL: -0.5}, dopplers=Dopplers(False, False, False))
    assert growth.verdict.verdict == SMALL
    assert "abdomen on centile 7" in growth.verdict.because
    assert "growth restriction is not excluded" in growth.verdict.because
    known = scan(
        36, {HC: -0.5, AC: -1.5, FL: -0.5}, dopplers=Dopplers(False, False, False), visits=[Visit(220, {AC: 8.0})]
    )
    assert "not excluded" not in known.verdict.because


def test_large_by_weight() -> None:
    assert scan(36, 2.0).verdict.verdict == LARGE
    assert scan(36, {AC: 2.0}).verdict.verdict == APPROPRIATE
    assert "the weight is not judged" in scan(36, {AC: 2.0}).verdict.because


@pytest.mark.parametrize("z", [{HC: 0.0}, {HC: -4.0}, {FL: 0.0}, {HC: 0.0, FL: 0.0}, {}])
def test_without_an_abdomen_nothing_is_judged(z: dict[str, float]) -> None:
    growth = scan(30, z)
    assert growth.verdict.verdict == NOT_JUDGED
    assert growth.verdict.because == "no abdomen was measured"


def test_beyond_the_chart_of_the_abdomen_the_reason_is_said() -> None:
    growth = assess_growth({AC: typed(AC, 350.0)}, Age(290, "test"))
    assert growth.verdict.verdict == NOT_JUDGED
    assert "14+0 to 40+0" in growth.verdict.because


def test_after_41_weeks_another_chart_judges_the_weight_and_says_so() -> None:
    values = {HC: typed(HC, 340.0), AC: typed(AC, 355.0), FL: typed(FL, 74.0)}
    growth = assess_growth(values, Age(41 * 7 + 3, "test"))
    assert growth.verdict.verdict == APPROPRIATE
    assert growth.size is not None
    assert growth.size.standard_key == "fmf-2018"
    assert "ends at 41+0 weeks" in growth.notes[0]
    assert "the abdomen is not judged" in growth.verdict.because
    assert assess_growth(values, Age(40 * 7 + 5, "test")).notes == []
    late = assess_growth(values, Age(43 * 7, "test"))
    assert late.verdict.verdict == NOT_JUDGED
    assert "18+0 to 41+0" in late.verdict.because


def test_an_anomaly_leaves_the_size() -> None:
    growth = scan(34, -2.4, congenital_anomaly=True)
    assert growth.verdict.verdict == SMALL
    assert "congenital anomaly" in growth.verdict.because


@pytest.mark.parametrize(("flow", "weeks", "verdict"), [("absent", 27, RESTRICTED), ("reversed", 34, NOT_JUDGED)])
def test_a_flow_alone(flow: str, weeks: float, verdict: str) -> None:
    growth = scan(weeks, {}, dopplers=Dopplers(umbilical_end_diastolic_flow=flow))  # type: ignore[arg-type]
    assert growth.verdict.verdict == verdict
    assert f"{flow} end-diastolic flow" in names(growth)


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        ({HC: -3.1, AC: 0.0, FL: 0.0}, {"head below -3 SD"}),
        ({HC: -2.9, AC: 0.0, FL: 0.0}, set()),
        ({HC: 0.0, AC: 0.0, FL: -2.6}, {"short femur"}),
        ({HC: 0.0, AC: 0.0, FL: -2.4}, set()),
        ({HC: -3.5}, {"head below -3 SD"}),
    ],
)
def test_head_and_femur(z: dict[str, float], expected: set[str]) -> None:
    assert names(scan(32, z)) == expected


def lagging(weeks: float, days: float, uneven: float = 0.0) -> dict[str, float]:
    """Sizes of an average fetus that is younger; the femur by some days more."""
    lags = {HC: days, AC: days, FL: days + uneven}
    return {name: BIOMETRY[name].value_at(0.0, 7 * weeks - lag) for name, lag in lags.items()}


@pytest.mark.parametrize(
    ("weeks", "days", "uneven", "shown"),
    [
        (32, 28, 0, True),
        (32, 15, 0, True),
        (32, 13, 0, False),
        (32, 21, 8, False),
        (24, 21, 5, True),
        (38, 28, 0, True),
    ],
)
def test_wrong_dates_or_symmetric_restriction(weeks: float, days: float, uneven: float, shown: bool) -> None:
    values = {name: typed(name, value) for name, value in lagging(weeks, days, uneven).items()}
    growth = assess_growth(values, Age(7 * weeks, "test"))
    assert ("dates or symmetric restriction" in names(growth)) == shown
    if days >= 28:
        assert growth.verdict.verdict == RESTRICTED
    dated = assess_growth(values, Age(7 * weeks, "test", first_trimester=True))
    assert "dates or symmetric restriction" not in names(dated)
    assert dated.verdict == growth.verdict


def test_without_head_or_abdomen_a_lag_is_not_symmetric() -> None:
    values = {name: typed(name, value) for name, value in lagging(32, 28).items()}
    for missing in (HC, AC):
        growth = assess_growth({name: v for name, v in values.items() if name != missing}, Age(224, "test"))
        assert "dates or symmetric restriction" not in names(growth)


@pytest.mark.parametrize(("share", "shown"), [(0.79, True), (0.805, False), (1 / 0.79, True), (1.2, False)])
def test_twins(share: float, shown: bool) -> None:
    own = next(size.value for size in scan(34).sizes if size.measure == "estimated_weight_g")
    growth = scan(34, others=[OtherFetus("B", own * share)])
    assert ("twin discordance" in names(growth)) == shown
    if shown:
        text = growth.findings[0].text
        assert "fetus B" in text
        assert ("larger" if share < 1 else "smaller") in text


def test_twins_that_cannot_be_compared_say_why() -> None:
    assert "no estimated weight" in " ".join(scan(34, others=[OtherFetus("B")]).notes)
    assert "21 days apart" in " ".join(scan(34, others=[OtherFetus("B", 2000.0, 21)]).notes)
    assert "cannot be estimated" in " ".join(scan(34, {HC: 0.0}, others=[OtherFetus("B", 2000.0)]).notes)


@pytest.mark.parametrize(("before", "crossed"), [(95.0, False), (101.0, True)])
def test_centiles_crossed(before: float, crossed: bool) -> None:
    growth = scan(36, {AC: 0.0, HC: 0.0, FL: 0.0}, visits=[Visit(200, {AC: before})])
    assert ("centiles crossed" in names(growth)) == crossed
