"""The probability that the true measure is small or large for its age.

Let z = (x - mean) / SD on the standard. The true z has the prior N(0, 1) of the population. The measurement adds an
error of variance v (that of the measures plus that of the age, both in SD units). The true z given the measured one is
then N(z / (1 + v), v / (1 + v)). This is a statement about size for age, not evidence of growth restriction.
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
        mm or g.
    error_sd : float
        Standard error of the value, mm or g.
    z_score, centile : float
        Z-score and centile (0 to 100) of the measured value.
    centile_text : str
        The centile in words, never more precise than the printed standard.
    true_z_mean, true_z_sd : float
        Mean and standard deviation of the true z-score given the measured one.
    probability_small, probability_large, probability_below_10th : float
        Probabilities that the true value lies below the 3rd, above the 97th and below the 10th centile.
    interval_small, interval_large : tuple of float
        The first two probabilities at both ends of the 90 % interval of the measured z.
    formula : str or None
        Name of the formula of an estimated weight.
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
    """Judge a value that is computed from measures.

    The errors of the measures and of the age are propagated to z by central differences. Their variances are added,
    because the errors are independent of each other.

    Parameters
    ----------
    standard : Standard
    measures : dict of Measured
        The measures that `value_of` needs, mm.
    age_days, age_sd_days : float
    value_of : callable
        Maps values in mm, by measure, to mm or g: it gives the measure itself or applies a weight formula.
    formula : str, optional
        Name of the weight formula.

    Raises
    ------
    RangeError
        The standard does not cover this age.
    """
    values = {name: measured.value for name, measured in measures.items()}
    value = value_of(values)
    z = standard.z_score(value, age_days)
    differences = [_difference(value_of, values, name, measured.error_sd) for name, measured in measures.items()]
    error_sd = float(np.hypot.reduce(differences))
    weeks, step = age_days / 7.0, age_sd_days / 7.0
    by_age = 0.5 * (standard.curve.score(value, weeks + step) - standard.curve.score(value, weeks - step))
    by_size = 0.5 * (standard.curve.score(value + error_sd, weeks) - standard.curve.score(value - error_sd, weeks))
    error = float(np.hypot(by_age, by_size))
    spread = max((error**2 / (1.0 + error**2)) ** 0.5, 1e-9)

    def small(measured: float, limit: float = SMALL_Z) -> float:
        return float(ndtr((limit - measured / (1.0 + error**2)) / spread))

    low, high = z - NORMAL_90 * error, z + NORMAL_90 * error
    return SizeForAge(
        measure=standard.measure,
        standard_key=standard.key,
        standard=standard.name,
        source=standard.source,
        second_hand=standard.second_hand,
        value=value,
        error_sd=error_sd,
        z_score=z,
        centile=100.0 * float(ndtr(z)),
        centile_text=standard.centile_text(z),
        true_z_mean=z / (1.0 + error**2),
        true_z_sd=spread,
        probability_small=small(z),
        probability_large=small(-z),
        probability_below_10th=small(z, TENTH_Z),
        interval_small=(small(high), small(low)),
        interval_large=(small(-low), small(-high)),
        formula=formula,
    )


def _difference(
    value_of: Callable[[Mapping[str, float]], float], values: Mapping[str, float], name: str, step: float
) -> float:
    up, down = {**values, name: values[name] + step}, {**values, name: values[name] - step}
    return 0.5 * (value_of(up) - value_of(down))
