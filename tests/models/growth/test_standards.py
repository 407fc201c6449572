"""Every standard against its check values, from value to z-score and back, and outside the ages that it covers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from models.errors import RangeError
from models.growth.biometry_standards import BIOMETRY
from models.growth.measures import HC
from models.growth.standard import Standard
from models.growth.weight import FMF_2018, HADLOCK_1991, INTERGROWTH_2017, INTERGROWTH_2020, WEIGHT, WHO
from models.growth.who_weight import CENTILES, GRAMS
from tests.models.growth import tables

CENTILE_Z = [float(norm.ppf(share)) for share in (0.03, 0.10, 0.50, 0.90, 0.97)]
EVERY = [*BIOMETRY.values(), *WEIGHT.values()]


@pytest.mark.parametrize("row", tables.MEAN_SD, ids=lambda row: f"{row[0]}w")
def test_mean_and_sd_of_every_week(row: tuple[float, ...]) -> None:
    for position, measure in enumerate(tables.MEASURES):
        mean, sd = row[1 + 2 * position : 3 + 2 * position]
        standard = BIOMETRY[measure]
        assert standard.value_at(0, 7 * row[0]) == pytest.approx(mean, abs=0.0051)
        assert standard.value_at(1, 7 * row[0]) - standard.value_at(0, 7 * row[0]) == pytest.approx(sd, abs=0.0051)


@pytest.mark.parametrize("week", tables.PRINTED)
def test_printed_centiles(week: int) -> None:
    for measure, printed in tables.PRINTED[week].items():
        for z, value in zip(CENTILE_Z, printed, strict=True):
            assert BIOMETRY[measure].value_at(z, 7 * week) == pytest.approx(value, abs=0.1)


@pytest.mark.parametrize("row", tables.PRINTED_WEIGHT, ids=lambda row: f"{row[0]}w")
def test_intergrowth_weights(row: tuple[float, ...]) -> None:
    for standard, printed in ((INTERGROWTH_2017, row[1:6]), (INTERGROWTH_2020, row[6:])):
        for z, grams in zip(CENTILE_Z, printed, strict=True):
            assert standard.value_at(z, 7 * row[0]) == pytest.approx(grams, abs=0.51)


@pytest.mark.parametrize(
    ("standard", "rows", "order"),
    [(HADLOCK_1991, tables.HADLOCK_1991_GRAMS, (2, 1, 3)), (FMF_2018, tables.FMF_2018_GRAMS, (1, 2, 3))],
    ids=["hadlock", "fmf"],
)
def test_other_weights(standard: Standard, rows: list[tuple[float, ...]], order: tuple[int, ...]) -> None:
    for row in rows:
        for z, column in zip(CENTILE_Z[1:4], order, strict=True):
            assert standard.value_at(z, 7 * row[0]) == pytest.approx(row[column], abs=0.51)


@pytest.mark.parametrize("week", GRAMS)
def test_who_is_exact_where_it_is_printed(week: int) -> None:
    for centile, grams in zip(CENTILES, GRAMS[week], strict=True):
        z = float(norm.ppf(centile / 100))
        assert WHO.value_at(z, 7 * week) == pytest.approx(grams)
        assert WHO.z_score(grams, 7 * week) == pytest.approx(z)


def test_who_names_no_centile_beyond_the_printed_ones() -> None:
    assert WHO.centile_text(WHO.z_score(900, 196)) == "below 2.5"
    assert WHO.centile_text(WHO.z_score(1600, 196)) == "above 97.5"
    assert WHO.centile_text(WHO.z_score(1026, 196)) == "10"
    between = WHO.z_score(1200, 199)
    assert WHO.z_score(1200, 203) < between < WHO.z_score(1200, 196)


def test_centiles_at_the_ends() -> None:
    assert BIOMETRY[HC].centile_text(-4) == "below 1"
    assert BIOMETRY[HC].centile_text(4) == "above 99"
    assert BIOMETRY[HC].centile_text(0) == "50"


@pytest.mark.parametrize("standard", EVERY, ids=lambda s: f"{s.key}-{s.measure}")
@given(share=st.floats(0, 1), z=st.floats(-3, 3))
def test_there_and_back(standard: Standard, share: float, z: float) -> None:
    days = 7 * (standard.first_week + share * (standard.last_week - standard.first_week))
    value = standard.value_at(z, days)
    assert standard.z_score(value, days) == pytest.approx(z, abs=1e-6)
    assert standard.z_score(value * 1.01, days) > z


@pytest.mark.parametrize("standard", EVERY, ids=lambda s: f"{s.key}-{s.measure}")
def test_a_standard_gives_no_answer_outside_its_ages(standard: Standard) -> None:
    for days in (7 * standard.first_week - 1, 7 * standard.last_week + 1, 0):
        with pytest.raises(RangeError, match=f"{standard.first_week}\\+0 to {standard.last_week}\\+0"):
            standard.z_score(100, days)
    curves = standard.curves()
    assert len(curves["weeks"]) == standard.last_week - standard.first_week + 1
    assert (curves["3"] < curves["97"]).all()


def test_an_impossible_weight_is_an_error() -> None:
    with pytest.raises(RangeError, match="not possible"):
        INTERGROWTH_2020.z_score(0.5, 196)


def test_what_is_second_hand_says_so() -> None:
    assert all("second-hand" in s.source for s in EVERY if s.second_hand)
    assert {s.key for s in EVERY if not s.second_hand} == {"intergrowth-2017", "hadlock-1991"}
