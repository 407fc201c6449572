"""Late fusion: a prior, an acute term and a chronic term, in log-odds, to one probability with its interval.

Distress and small size are different events, so their logits are never added: the acute term is how far the trace moves
the log-odds of a low pH from the prior, the chronic one is what published odds ratios say of the size
(`models.fusion.growth_odds`). Three rules:

* *pooling*: both terms with weights of at most one (naive Bayes; Genest C, Zidek JV. Statist Sci 1986;1:114-135).
* *stacked*: intercept and weights learned where women have both examinations and an outcome.
* *noisy-or*: two causes, either of which suffices; it can only raise the risk.

With one part missing every rule gives the other part's own probability, in a wider interval.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, logit

from models.errors import InputError
from models.growth.measures import NORMAL_90

Array = NDArray[np.float64] | np.float64
Method = Literal["pooling", "stacked", "noisy-or"]
METHODS: tuple[Method, ...] = ("pooling", "stacked", "noisy-or")
_STEP = 1e-3


@dataclass(frozen=True)
class Term:
    """What one part adds, in log-odds, and the standard deviation of that."""

    log_odds: float
    sd: float


@dataclass(frozen=True)
class FusionRule:
    """How the terms are combined.

    Attributes
    ----------
    method : {"pooling", "stacked", "noisy-or"}
    intercept, distress, growth : float
        Of the log-odds; 0, 1 and 1 unless learned.
    covariance : tuple of tuple of float
        Of the learned three; zeros otherwise.
    """

    method: Method = "pooling"
    intercept: float = 0.0
    distress: float = 1.0
    growth: float = 1.0
    covariance: tuple[tuple[float, ...], ...] = ((0.0,) * 3,) * 3

    def __post_init__(self) -> None:
        """Refuse what is no rule: a negative weight would turn a finding around."""
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

    def log_odds(self, prior: float, acute: Array, chronic: Array) -> Array:
        """Of the fused event, both parts known; all in log-odds, of any one shape."""
        if self.method == "noisy-or":
            # 1 - (1 - p)(1 - q), q = 1 - (1 - P(event | size)) / (1 - prior) where the size raises it.
            by_size = log_expit(-(prior + chronic)) - log_expit(-prior)
            none_of_both = log_expit(-(prior + acute)) + np.minimum(0.0, by_size)
            return np.asarray(np.log(-np.expm1(none_of_both)) - none_of_both)
        return np.asarray(prior + self.intercept + self.distress * acute + self.growth * chronic)

    def of(self, prior: float, acute: float, chronic: float) -> float:
        """The same of one birth."""
        return float(self.log_odds(prior, np.float64(acute), np.float64(chronic)))


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
        Those of the prior and the CTG; what growth adds. They add up to logit(probability); the growth part is 0 when
        growth is missing.
    """

    probability: float
    interval: tuple[float, float]
    distress_log_odds: float
    growth_log_odds: float


def log_odds(probability: float, what: str = "a probability") -> float:
    """Of a probability strictly between 0 and 1.

    Raises
    ------
    InputError
        It is 0, 1, beyond, or not a number: no finding is certain.
    """
    if not 0.0 < probability < 1.0:  # NaN fails too
        raise InputError(f"{what} of {probability:g} cannot be fused: it must lie between 0 and 1, both excluded")
    return float(logit(probability))


def fuse(rule: FusionRule, prior: float, acute: Term | None, chronic: Term | None, unknown_sd: float = 0.0) -> Fused:
    """Combine what is there.

    Parameters
    ----------
    rule : FusionRule
    prior : float
        Probability of the event before either examination, in (0, 1).
    acute, chronic : Term or None
        None where a part is missing.
    unknown_sd : float
        What a missing part adds to the interval: the spread, over people, of what it would have said.

    Raises
    ------
    InputError
        The prior is no probability, a term is not a number, or both parts are missing.
    """
    base = log_odds(prior, "a prior")
    for term in (acute, chronic):
        if term is not None and not (np.isfinite(term.log_odds) and term.sd >= 0):
            raise InputError("a part of the fusion is not a number")
    if acute is None and chronic is None:
        raise InputError("nothing to fuse: neither distress nor growth is known")
    if acute is None:
        assert chronic is not None
        return _fused(base, chronic.log_odds, float(np.hypot(chronic.sd, unknown_sd)))
    alone = base + acute.log_odds
    if chronic is None:
        return _fused(alone, 0.0, float(np.hypot(acute.sd, unknown_sd)))
    total = rule.of(base, acute.log_odds, chronic.log_odds)
    return _fused(alone, total - alone, _spread(rule, base, acute, chronic))


def _spread(rule: FusionRule, base: float, acute: Term, chronic: Term) -> float:
    """Standard deviation of the fused log-odds by the delta method: both terms' errors and the learned weights'."""

    def slope(step_a: float, step_c: float) -> float:
        up = rule.of(base, acute.log_odds + step_a, chronic.log_odds + step_c)
        down = rule.of(base, acute.log_odds - step_a, chronic.log_odds - step_c)
        return (up - down) / (2 * _STEP)

    at = np.array([1.0, acute.log_odds, chronic.log_odds])
    learned = float(at @ np.asarray(rule.covariance) @ at)
    by_distress, by_growth = slope(_STEP, 0.0) * acute.sd, slope(0.0, _STEP) * chronic.sd
    return float((by_distress**2 + by_growth**2 + learned) ** 0.5)


def _fused(distress: float, growth: float, sd: float) -> Fused:
    total = distress + growth
    interval = float(expit(total - NORMAL_90 * sd)), float(expit(total + NORMAL_90 * sd))
    return Fused(float(expit(total)), interval, distress, growth)


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
        return _fused(log_odds(self.probability), 0.0, self.logit_sd).interval

    def term(self, prior: float) -> Term:
        """How far the trace moves the log-odds from the prior it was calibrated at."""
        return Term(log_odds(self.probability, "a probability of distress") - log_odds(prior, "a prior"), self.logit_sd)
