"""How likely the true measure is small or large for its age.

With z = (x - mean) / SD of the standard, the true z has the population's prior N(0, 1); the measurement adds an error
of variance v (that of the measures and that of the age, both in SD units), so the true z given the measured one is
N(z / (1 + v), v / (1 + v)). A statement about size for age, not evidence of growth restriction.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from models.growth.measures import NORMAL_90, Measured
from models.growth.standard import Standard

SMALL_Z = float(ndtri(0.03))
TENTH_Z = float(ndtri(0.10))


@dataclass(frozen=True)
class SizeForAge:
    """One measure judged by one standard.

    Attributes
    ----------
    measure, standard_key, standard, source : str
    second_hand : bool
    value : float
        mm, or g.
    error_sd : float
        Standard error of the value, mm or g.
    z_score, centile : float
        Of the measured value.
    centile_text : str
        Never more precise than the standard's print.
    true_z_mean, true_z_sd : float
        Of the true value given the measured one.
    probability_small, probability_large, probability_below_10th : float
        That the true value lies below the 3rd, above the 97th, below the 10th centile.
    interval_small, interval_large : tuple of float
        Those at the two ends of the 90 % interval of the measured z.
    formula : str or None
        Of an estimated weight.
    """

    measure: str
    standard_key: str
    standard: str
    source: str
    second_hand: bool
    value: float
    error_sd: float
    z_score: float
    centile: float
    centile_text: str
    true_z_mean: float
    true_z_sd: float
    probability_small: float
    probability_large: float
    probability_below_10th: float
    interval_small: tuple[float, float]
    interval_large: tuple[float, float]
    formula: str | None = None


def size_for_age(
    standard: Standard,
    measures: Mapping[str, Measured],
    age_days: float,
    age_sd_days: float,
    value_of: Callable[[Mapping[str, float]], float],
    formula: str | None = None,
) -> SizeForAge:
    """Judge a value computed from measures.

    Errors of the measures and of the age are carried to z by central differences and added as variances: they are
    independent of each other.

    Parameters
    ----------
    standard : Standard
    measures : dict of Measured
        The measures that `value_of` takes, mm.
    age_days, age_sd_days : float
    value_of : callable
        From values in mm, by measure, to mm or g: the measure itself, or a weight formula.
    formula : str, optional

    Raises
    ------
    RangeError
        The standard says nothing about this age.
    """
    values = {name: measured.value for name, measured in measures.items()}
    value = value_of(values)
    z = standard.z_score(value, age_days)
    error_sd = float(np.hypot.reduce([_difference(value_of, values, name, m.error_sd) for name, m in measures.items()]))
    weeks, step = age_days / 7.0, age_sd_days / 7.0
    by_age = 0.5 * (standard.score(value, weeks + step) - standard.score(value, weeks - step))
    by_size = 0.5 * (standard.score(value + error_sd, weeks) - standard.score(value - error_sd, weeks))
    error = float(np.hypot(by_age, by_size))
    spread = max((error**2 / (1.0 + error**2)) ** 0.5, 1e-9)

    def small(measured: float, cut: float = SMALL_Z) -> float:
        return float(ndtr((cut - measured / (1.0 + error**2)) / spread))

    low, high = z - NORMAL_90 * error, z + NORMAL_90 * error
    return SizeForAge(
        standard.measure,
        standard.key,
        standard.name,
        standard.source,
        standard.second_hand,
        value,
        error_sd,
        z,
        100.0 * float(ndtr(z)),
        standard.centile_text(z),
        z / (1.0 + error**2),
        spread,
        small(z),
        small(-z),
        small(z, TENTH_Z),
        (small(high), small(low)),
        (small(-low), small(-high)),
        formula,
    )


def _difference(
    value_of: Callable[[Mapping[str, float]], float], values: Mapping[str, float], name: str, step: float
) -> float:
    up, down = {**values, name: values[name] + step}, {**values, name: values[name] - step}
    return 0.5 * (value_of(up) - value_of(down))
