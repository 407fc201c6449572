"""The standard against its printed values, and the growth probability."""

import numpy as np
import pytest
from scipy.stats import norm

from models.errors import RangeError
from models.ultrasound.growth import assess_growth, error_sd_mm
from models.ultrasound.standards import (
    centile_curves,
    check_age,
    head_circumference_mean_mm,
    head_circumference_sd_mm,
)

# INTERGROWTH-21st, printed centiles of the head circumference, mm: week, 3rd, 10th, 50th, 90th, 97th.
PRINTED = [
    (20, 158.5, 163.0, 172.5, 182.0, 186.5),
    (28, 243.6, 248.9, 260.4, 271.8, 277.2),
    (36, 299.2, 305.6, 319.4, 333.2, 339.6),
]
MEAN_SD = [
    (14, 97.88, 5.58),
    (18, 147.90, 6.89),
    (24, 219.07, 8.30),
    (30, 278.39, 9.25),
    (34, 308.10, 10.10),
    (40, 333.95, 12.92),
]


@pytest.mark.parametrize(("week", "mean", "sd"), MEAN_SD)
def test_mean_and_sd(week: int, mean: float, sd: float) -> None:
    assert head_circumference_mean_mm(week) == pytest.approx(mean, abs=0.006)
    assert head_circumference_sd_mm(week) == pytest.approx(sd, abs=0.006)


@pytest.mark.parametrize("row", PRINTED)
def test_printed_centiles(row: tuple[float, ...]) -> None:
    curves = centile_curves()
    index = int(np.flatnonzero(np.isclose(curves["weeks"], row[0]))[0])
    for name, printed in zip(("3", "10", "50", "90", "97"), row[1:], strict=True):
        assert curves[name][index] == pytest.approx(printed, abs=0.1)


@pytest.mark.parametrize("days", [97, 281, 0])
def test_outside_the_standard(days: int) -> None:
    with pytest.raises(RangeError, match="14\\+0 to 40\\+0"):
        check_age(days)


def test_median_is_centile_50() -> None:
    made = assess_growth(head_circumference_mean_mm(28), 3.0, 196, "test")
    assert made.z_score == pytest.approx(0)
    assert made.centile == pytest.approx(50)
    assert made.probability_small == pytest.approx(made.probability_large, rel=1e-6)


def test_without_error_the_probability_is_a_step() -> None:
    mean, sd = head_circumference_mean_mm(28), head_circumference_sd_mm(28)
    assert assess_growth(mean - 2.0 * sd, 1e-6, 196, "t", 1e-6).probability_small == pytest.approx(1)
    assert assess_growth(mean - 1.7 * sd, 1e-6, 196, "t", 1e-6).probability_small == pytest.approx(0)


def test_the_probability_is_calibrated_on_its_own_construction() -> None:
    """True z drawn from the population, measured with error: of those said p, a share p is small."""
    rng = np.random.default_rng(0)
    mean, sd, error = head_circumference_mean_mm(30), head_circumference_sd_mm(30), 4.0
    true = rng.normal(size=6000)
    measured = mean + true * sd + rng.normal(0, error, 6000)
    said = np.array([assess_growth(m, error, 210, "t", 1e-9).probability_small for m in measured])
    small = true < norm.ppf(0.03)
    assert said.sum() == pytest.approx(small.sum(), rel=0.15)
    raised = (said > 0.2) & (said < 0.8)
    assert small[raised].mean() == pytest.approx(said[raised].mean(), abs=0.08)


def test_probability_falls_with_size_and_the_interval_holds_it() -> None:
    values = [assess_growth(hc, 3.0, 210, "t") for hc in (250, 258, 262, 270, 290)]
    probabilities = [v.probability_small for v in values]
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(v.interval_small[0] <= v.probability_small <= v.interval_small[1] for v in values)


def test_error_sd_from_the_conformal_quantile() -> None:
    assert error_sd_mm(200.0, 0.0329) == pytest.approx(4.0, abs=0.01)
