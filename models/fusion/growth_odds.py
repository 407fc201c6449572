"""Growth and compromise in labour: published odds ratios as a smooth, monotone term in log-odds.

g(z) is the log odds ratio at a true size z against the median size: 0 at the median, ln 3.53 at the mean z of those
below the 3rd centile (Yu J et al. 2017, 69,210 term births, adjusted odds ratio 3.53, 3.06 to 4.07, for a composite
that includes severe acidosis), with a slope at the median of .28 a standard deviation (Khalil A et al. 2014, 9,772:
odds .994 times with every centile, .24 a standard deviation). It is held constant beyond 3 standard deviations, where
nothing was published, and it never rises with size: the raised odds of the largest (1.51 at or above the 97th centile,
Yu) are not in it.

A measurement knows the true z with an error, so its term is the logarithm of the mean odds ratio over what the true z
may be, *minus the same over a population*. An unknown size then adds exactly 0, and adding growth keeps the
population's mean odds unchanged.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from models.fusion.terms import Term
from models.growth.dopplers import Dopplers
from models.growth.probability import SMALL_Z

Array = NDArray[np.float64]
# Mean of a standard normal below its 3rd centile.
ANCHOR_Z = -float(np.exp(-(SMALL_Z**2) / 2.0) / np.sqrt(2 * np.pi)) / 0.03
HINGE_Z = -1.0
FURTHEST_Z = 3.0
PUBLISHED_LOG_ODDS = float(np.log(3.53))
PUBLISHED_SD = float((np.log(4.07) - np.log(3.06)) / (2 * ndtri(0.975)))
# Assumption: head size is not a criterion of growth restriction. It counts for half of the published ratio; the
# interval spans from none to all of it.
HEAD_ONLY_SHARE = 0.5
# Cerebroplacental ratio below the 5th centile and low pH: meta-analysis 2019, 66,392 women, 2.19 (1.01 to 4.75).
DOPPLER_LOG_ODDS = float(np.log(2.19))
DOPPLER_SD = float((np.log(4.75) - np.log(1.01)) / (2 * ndtri(0.975)))
DOPPLER_PREVALENCE = 0.05
# Assumption: half of the information of a Doppler is independent of the size.
DOPPLER_SHARE = 0.5
# Assumption: reversed flow, which is rarer and graver than absent flow, counts fully.
REVERSED_SHARE = 1.0
# Assumption: sizes t weeks apart correlate as exp(-t / 16) (.78 at 4 weeks, .61 at 8).
TRACKING_WEEKS = 16.0
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(31)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def growth_log_odds(z: Array) -> Array:
    """g(z): published log odds ratio at a true growth z-score; never rises with z, 0 at z = 0."""
    bounded = np.clip(z, -FURTHEST_Z, FURTHEST_Z)
    return np.asarray(PUBLISHED_LOG_ODDS * _hinge(bounded) / _hinge(np.array(ANCHOR_Z)))


def _hinge(z: Array) -> Array:
    return np.asarray(np.logaddexp(0.0, HINGE_Z - z) - np.logaddexp(0.0, HINGE_Z))


def _log_mean_odds(z_mean: float, z_sd: float, share: float) -> float:
    return float(np.log(_WEIGHTS @ np.exp(share * growth_log_odds(z_mean + z_sd * _NODES))))


@lru_cache(maxsize=4)
def _population(share: float) -> float:
    return _log_mean_odds(0.0, 1.0, share)


def growth_term(z_mean: float, z_sd: float, head_only: bool = False) -> Term:
    """The term of a size.

    Parameters
    ----------
    z_mean, z_sd : float
        The true z given the measurement (`models.growth.probability`).
    head_only : bool
        The z is that of the head alone, which counts for `HEAD_ONLY_SHARE` of the published odds. Weight and abdomen,
        which define growth restriction, count fully.
    """
    share = HEAD_ONLY_SHARE if head_only else 1.0
    values = growth_log_odds(z_mean + z_sd * _NODES)
    mean = float(_WEIGHTS @ values)
    spread = float(_WEIGHTS @ (values - mean) ** 2) ** 0.5
    share_sd = HEAD_ONLY_SHARE / 3**0.5 if head_only else 0.0  # of a uniform share between 0 and 1
    published = PUBLISHED_SD / PUBLISHED_LOG_ODDS
    sd = float(np.linalg.norm([share * spread, share * published * mean, share_sd * mean]))
    return Term(_log_mean_odds(z_mean, z_sd, share) - _population(share), sd)


def missing_growth_sd() -> float:
    """Standard deviation that an unknown size adds: the spread of the term over a population."""
    return growth_term(0.0, 1.0).sd


def tracked(z_mean: float, z_sd: float, days: float) -> tuple[float, float]:
    """Mean and standard deviation of the true z today, given the size `days` earlier (or later)."""
    correlation = float(np.exp(-abs(days) / 7.0 / TRACKING_WEEKS))
    return correlation * z_mean, float(((correlation * z_sd) ** 2 + 1.0 - correlation**2) ** 0.5)


def doppler_state(dopplers: Dopplers) -> bool | None:
    """Whether the cerebroplacental ratio is low; a high umbilical resistance, which lowers it, counts as one.

    No odds ratio of the umbilical artery itself is available, and none of the uterine artery, which is not used.
    """
    low = dopplers.cerebroplacental_ratio_below_5th
    return True if low or dopplers.umbilical_resistance_raised else low


def doppler_term(dopplers: Dopplers) -> Term | None:
    """The term of the Dopplers, or None without information. It also keeps the population's mean odds unchanged."""
    state = doppler_state(dopplers)
    if state is None:
        return None
    population = float(np.log1p(DOPPLER_PREVALENCE * np.expm1(DOPPLER_SHARE * DOPPLER_LOG_ODDS)))
    if not state:
        return Term(-population, 0.0)
    share = REVERSED_SHARE if dopplers.umbilical_end_diastolic_flow == "reversed" else DOPPLER_SHARE
    return Term(share * DOPPLER_LOG_ODDS - population, share * DOPPLER_SD)
