"""INTERGROWTH-21st standard of the head circumference.

Papageorghiou AT et al. International standards for fetal growth based on serial ultrasound
measurements: the Fetal Growth Longitudinal Study of the INTERGROWTH-21st Project. Lancet
2014;384:869-879. Coefficients second-hand, checked against the printed tables of the University of
Oxford to 0.073 mm. Normal distribution at each age; 14 to 40 weeks; outer to outer.
"""

import math

import numpy as np
from numpy.typing import NDArray

from models.errors import RangeError

STANDARD = "INTERGROWTH-21st (2014), head circumference"
MIN_AGE_DAYS = 14 * 7
MAX_AGE_DAYS = 40 * 7
CENTILES = (3.0, 10.0, 50.0, 90.0, 97.0)


def head_circumference_mean_mm(age_weeks: float) -> float:
    """Mean at an exact age in weeks, mm."""
    g = age_weeks
    return -28.2849 + 1.69267 * g**2 - 0.397485 * g**2 * math.log(g)


def head_circumference_sd_mm(age_weeks: float) -> float:
    """Standard deviation at an exact age in weeks, mm."""
    g, log = age_weeks, math.log(age_weeks)
    return 1.98735 + 0.0136772 * g**3 - 0.00726264 * g**3 * log + 0.000976253 * g**3 * log**2


def check_age(age_days: float) -> None:
    """Raise RangeError when the standard says nothing about this age."""
    if not MIN_AGE_DAYS <= age_days <= MAX_AGE_DAYS:
        weeks, days = divmod(int(age_days), 7)
        raise RangeError(f"{STANDARD} covers 14+0 to 40+0 weeks; {weeks}+{days} is outside")


def centile_curves(step_days: int = 7) -> dict[str, NDArray[np.float64]]:
    """The chart: ``weeks`` and one array of mm for each of the 3rd, 10th, 50th, 90th and 97th centile."""
    from scipy.stats import norm

    weeks = np.arange(MIN_AGE_DAYS, MAX_AGE_DAYS + 1, step_days) / 7.0
    mean = np.array([head_circumference_mean_mm(g) for g in weeks])
    sd = np.array([head_circumference_sd_mm(g) for g in weeks])
    return {"weeks": weeks} | {f"{c:g}": mean + sd * float(norm.ppf(c / 100)) for c in CENTILES}
