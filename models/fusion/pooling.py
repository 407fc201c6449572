"""Late fusion: log-odds of distress plus a published, monotone log odds ratio of growth.

Distress and small size are different events, so their logits are never added. The growth term is the
log odds ratio g(z) of being in trouble given the size, 0 at the median, taken from the literature:
Yu J et al. 2017 (69,210 term births) give an adjusted odds ratio of 3.53 (3.06 to 4.07) below the 3rd
centile for a composite of adverse outcomes including severe acidosis. g is a soft hinge anchored there:
g at the mean z of those below the 3rd centile is ln 3.53.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from models.growth.measures import NORMAL_90
from models.growth.probability import SMALL_Z

# Mean of a standard normal below its 3rd centile.
ANCHOR_Z = -float(norm.pdf(SMALL_Z)) / 0.03
HINGE_Z = -1.0
PUBLISHED_LOG_ODDS = float(np.log(3.53))
PUBLISHED_SD = float((np.log(4.07) - np.log(3.06)) / (2 * norm.ppf(0.975)))
# Assumption, stated: head size is not among the criteria of growth restriction and tells half as much
# about the fetus as its weight does. The interval spans from nothing to all of the published ratio.
HEAD_ONLY_SHARE = 0.5


def _hinge(z: float) -> float:
    return float(np.logaddexp(0.0, HINGE_Z - z) - np.logaddexp(0.0, HINGE_Z))


def growth_log_odds(z: float) -> float:
    """g(z): published log odds ratio at a true growth z-score; falls with z, 0 at z = 0."""
    return PUBLISHED_LOG_ODDS * _hinge(z) / _hinge(ANCHOR_Z)


def growth_term(z_mean: float, z_sd: float, head_only: bool = True) -> tuple[float, float]:
    """Mean and standard deviation of the growth term.

    Parameters
    ----------
    z_mean, z_sd : float
        The true z given the measurement (`models.growth.probability`).
    head_only : bool
        The z is that of the head alone, which speaks for `HEAD_ONLY_SHARE` of the published odds; weight and abdomen,
        which define growth restriction, speak for all of it.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    weights = weights / weights.sum()
    values = np.array([growth_log_odds(z_mean + z_sd * node) for node in nodes])
    mean = float(weights @ values)
    spread = float(weights @ (values - mean) ** 2) ** 0.5
    slope = PUBLISHED_SD / PUBLISHED_LOG_ODDS
    share = HEAD_ONLY_SHARE if head_only else 1.0
    share_sd = HEAD_ONLY_SHARE / (3**0.5) if head_only else 0.0  # of a uniform share between 0 and 1
    variance = (share * spread) ** 2 + (share * slope * mean) ** 2 + (share_sd * mean) ** 2
    return share * mean, float(variance**0.5)


def missing_growth_sd() -> float:
    """Standard deviation of the growth term over a population: what not knowing the size costs."""
    _, sd = growth_term(0.0, 1.0)
    return sd


def growth_only_cuts(prior: float, head_only: bool = True) -> tuple[float, float]:
    """Raised and high when no CTG can be assessed: what 80 % and 95 % of a population stay below.

    The fused probability then moves with the size alone, so the cuts on the distress model's scale do not
    apply; true z-scores of a population are standard normal.
    """
    centre = float(logit(prior))
    part = HEAD_ONLY_SHARE if head_only else 1.0
    raised, high = (part * growth_log_odds(float(norm.ppf(share))) for share in (0.20, 0.05))
    return float(expit(centre + raised)), float(expit(centre + high))


@dataclass(frozen=True)
class Distress:
    """The acute part.

    Attributes
    ----------
    probability : float
        Calibrated, in (0, 1).
    logit_sd : float
        Standard deviation of its log-odds.
    """

    probability: float
    logit_sd: float

    @property
    def interval(self) -> tuple[float, float]:
        """90 % interval of the probability."""
        return _interval(float(logit(self.probability)), self.logit_sd)


@dataclass(frozen=True)
class Fused:
    """The pooled probability with its parts, all in log-odds.

    Attributes
    ----------
    probability : float
    interval : tuple of float
        90 %.
    distress_log_odds, growth_log_odds : float
        They add up to logit(probability); the growth part is 0 when growth is missing.
    """

    probability: float
    interval: tuple[float, float]
    distress_log_odds: float
    growth_log_odds: float


def _interval(centre: float, sd: float) -> tuple[float, float]:
    return float(expit(centre - NORMAL_90 * sd)), float(expit(centre + NORMAL_90 * sd))


def pool(distress: Distress, growth: tuple[float, float] | None) -> Fused:
    """Fuse; a missing growth term is 0 with a wider interval.

    Parameters
    ----------
    distress : Distress
    growth : (mean, sd) or None
        From `growth_term`.
    """
    acute = float(logit(distress.probability))
    chronic, sd = growth if growth is not None else (0.0, missing_growth_sd())
    total = acute + chronic
    spread = float(np.hypot(distress.logit_sd, sd))
    return Fused(float(expit(total)), _interval(total, spread), acute, chronic)
