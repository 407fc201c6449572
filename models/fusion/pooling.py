"""Late fusion in log-odds: a prior, a distress term and a growth term give one probability with its interval.

Distress and small size are different events, so their logits are never added. The distress term is how far the trace
moves the log-odds of a low pH from the prior. The growth term is what published odds ratios say of the size
(`models.fusion.growth_odds`). Three rules:

* *pooling*: both terms with weights of at most one (naive Bayes; Genest C, Zidek JV. Statist Sci 1986;1:114-135).
* *stacked*: intercept and weights learned from births with both examinations and an outcome.
* *noisy-or*: two causes, each of which is enough; growth can then only raise the risk.

If one part is missing, every rule gives the probability of the other part, with a wider interval.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from models.errors import InputError
from models.fusion.terms import Term, interval_90, log_odds

Array = NDArray[np.float64] | np.float64
Method = Literal["pooling", "stacked", "noisy-or"]
METHODS: tuple[Method, ...] = ("pooling", "stacked", "noisy-or")
_STEP = 1e-3


@dataclass(frozen=True)
class FusionRule:
    """How the terms are combined.

    Attributes
    ----------
    method : {"pooling", "stacked", "noisy-or"}
    intercept, distress, growth : float
        Intercept of the log-odds and weights of the terms; 0, 1 and 1 unless learned.
    covariance : tuple of tuple of float
        Covariance of the three if they were learned; zeros otherwise.
    """

    method: Method = "pooling"
    intercept: float = 0.0
    distress: float = 1.0
    growth: float = 1.0
    covariance: tuple[tuple[float, ...], ...] = ((0.0,) * 3,) * 3

    def __post_init__(self) -> None:
        """Refuse an impossible rule: a negative weight would reverse the meaning of a finding."""
        if self.method not in METHODS:
            raise InputError(f"fusion method {self.method!r}: one of {', '.join(METHODS)}")
        if not (self.distress >= 0 and self.growth >= 0 and np.isfinite(self.intercept)):
            raise InputError(f"fusion weights {self.distress}, {self.growth}: they must be 0 or more")
        if self.method == "pooling" and max(self.distress, self.growth) > 1:
            raise InputError("weights of pooled log-odds are at most 1")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "FusionRule":
        """Inverse of `as_dict`."""
        return cls(**{**values, "covariance": tuple(tuple(row) for row in values["covariance"])})

    def log_odds(self, prior: float, distress: Array, growth: Array) -> Array:
        """Log-odds of the fused event from both terms; all in log-odds, of the same shape."""
        if self.method == "noisy-or":
            # 1 - (1 - p)(1 - q), q = 1 - (1 - P(event | size)) / (1 - prior) where the size raises it.
            by_size = log_expit(-(prior + growth)) - log_expit(-prior)
            none_of_both = log_expit(-(prior + distress)) + np.minimum(0.0, by_size)
            return np.asarray(np.log(-np.expm1(none_of_both)) - none_of_both)
        return np.asarray(prior + self.intercept + self.distress * distress + self.growth * growth)

    def of(self, prior: float, distress: float, growth: float) -> float:
        """Give `log_odds` of one birth."""
        return float(self.log_odds(prior, np.float64(distress), np.float64(growth)))


POOLING = FusionRule()


@dataclass(frozen=True)
class Fused:
    """The fused probability with its parts, all in log-odds.

    Attributes
    ----------
    probability : float
    interval : tuple of float
        90 %.
    distress_log_odds, growth_log_odds : float
        Log-odds from prior and CTG, and what growth adds. They add up to logit(probability). The growth part is 0
        when growth is missing.
    """

    probability: float
    interval: tuple[float, float]
    distress_log_odds: float
    growth_log_odds: float


def fuse(rule: FusionRule, prior: float, distress: Term | None, growth: Term | None, unknown_sd: float = 0.0) -> Fused:
    """Combine the available terms.

    Parameters
    ----------
    rule : FusionRule
    prior : float
        Probability of the event before either examination, in (0, 1).
    distress, growth : Term or None
        None where a part is missing.
    unknown_sd : float
        Added to the interval for a missing part: the spread of that part's term over a population.

    Raises
    ------
    InputError
        The prior is no probability, a term is not a number, or both parts are missing.
    """
    base = log_odds(prior, "a prior")
    for term in (distress, growth):
        if term is not None and not (np.isfinite(term.log_odds) and term.sd >= 0):
            raise InputError("a part of the fusion is not a number")
    if distress is None and growth is None:
        raise InputError("nothing to fuse: neither distress nor growth is known")
    if distress is None:
        assert growth is not None
        return _fused(base, growth.log_odds, float(np.hypot(growth.sd, unknown_sd)))
    alone = base + distress.log_odds
    if growth is None:
        return _fused(alone, 0.0, float(np.hypot(distress.sd, unknown_sd)))
    total = rule.of(base, distress.log_odds, growth.log_odds)
    return _fused(alone, total - alone, _spread(rule, base, distress, growth))


def _spread(rule: FusionRule, base: float, distress: Term, growth: Term) -> float:
    """Standard deviation of the fused log-odds by the delta method: both terms' errors and the learned weights'."""

    def slope(step_a: float, step_c: float) -> float:
        up = rule.of(base, distress.log_odds + step_a, growth.log_odds + step_c)
        down = rule.of(base, distress.log_odds - step_a, growth.log_odds - step_c)
        return (up - down) / (2 * _STEP)

    at = np.array([1.0, distress.log_odds, growth.log_odds])
    learned = float(at @ np.asarray(rule.covariance) @ at)
    by_distress, by_growth = slope(_STEP, 0.0) * distress.sd, slope(0.0, _STEP) * growth.sd
    return float((by_distress**2 + by_growth**2 + learned) ** 0.5)


def _fused(distress: float, growth: float, sd: float) -> Fused:
    total = distress + growth
    return Fused(float(expit(total)), interval_90(total, sd), distress, growth)
