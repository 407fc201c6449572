"""Growth of the head for a stated age: z-score, centile, and the probability of being small or large.

The probability speaks of the *true* circumference. With z = (HC - mean) / SD of the standard, the true
z has the population's prior N(0, 1); the measurement adds an error of variance v (that of the head
circumference and that of the age, both in SD units), so the true z given the measured one is
N(z / (1 + v), v / (1 + v)). It is a statement about size for age, not evidence of growth restriction.
"""

from dataclasses import dataclass

from scipy.stats import norm

from models.ultrasound.standards import STANDARD, check_age, head_circumference_mean_mm, head_circumference_sd_mm

SMALL_Z = float(norm.ppf(0.03))
NORMAL_90 = float(norm.ppf(0.95))
# Assumption, stated on the page: the age's standard error when none is given.
AGE_SD_DAYS = 3.0


@dataclass(frozen=True)
class GrowthAssessment:
    """Size for age.

    Attributes
    ----------
    standard : str
    age_days : int
    age_source : str
        Who or what gave the age; never the same head circumference.
    head_circumference_mm : float
    z_score, centile : float
        Of the measured value.
    true_z_mean, true_z_sd : float
        Of the true value given the measured one.
    probability_small, probability_large : float
        That the true value lies below the 3rd, above the 97th centile.
    interval_small : tuple of float
        `probability_small` at the two ends of the 90 % interval of the measured z.
    """

    standard: str
    age_days: int
    age_source: str
    head_circumference_mm: float
    z_score: float
    centile: float
    true_z_mean: float
    true_z_sd: float
    probability_small: float
    probability_large: float
    interval_small: tuple[float, float]


def assess_growth(
    head_circumference_mm: float,
    error_sd_mm: float,
    age_days: int,
    age_source: str,
    age_sd_days: float = AGE_SD_DAYS,
) -> GrowthAssessment:
    """Judge a head circumference against the standard.

    Parameters
    ----------
    head_circumference_mm : float
    error_sd_mm : float
        Standard error of the measurement, mm.
    age_days : int
        Gestational age at the examination, 98 to 280 days.
    age_sd_days : float
        Standard error of that age, days.

    Raises
    ------
    RangeError
        The standard says nothing about this age.
    """
    check_age(age_days)
    weeks = age_days / 7.0
    mean, sd = head_circumference_mean_mm(weeks), head_circumference_sd_mm(weeks)
    slope_per_day = (head_circumference_mean_mm(weeks + 0.05) - head_circumference_mean_mm(weeks - 0.05)) / 0.7
    error = (error_sd_mm**2 + (slope_per_day * age_sd_days) ** 2) ** 0.5 / sd
    z = (head_circumference_mm - mean) / sd

    def posterior(measured: float) -> tuple[float, float]:
        return measured / (1.0 + error**2), (error**2 / (1.0 + error**2)) ** 0.5

    def small(measured: float) -> float:
        centre, spread = posterior(measured)
        return float(norm.cdf((SMALL_Z - centre) / spread))

    centre, spread = posterior(z)
    return GrowthAssessment(
        STANDARD,
        age_days,
        age_source,
        head_circumference_mm,
        z,
        100.0 * float(norm.cdf(z)),
        centre,
        spread,
        small(z),
        float(norm.sf((-SMALL_Z - centre) / spread)),
        (small(z + NORMAL_90 * error), small(z - NORMAL_90 * error)),
    )


def error_sd_mm(head_circumference_mm: float, error_quantile: float) -> float:
    """Standard error from the conformal 90 % quantile of the relative error, taken as normal."""
    return error_quantile * head_circumference_mm / NORMAL_90
