"""Probabilities as log-odds: what one examination adds to the fused score, with its standard deviation."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from models.errors import InputError
from models.growth.measures import NORMAL_90

CLIP = 1e-4


@dataclass(frozen=True)
class Term:
    """What one part adds to the log-odds of the event, and the standard deviation of that."""

    log_odds: float
    sd: float


def log_odds(probability: float, what: str = "a probability") -> float:
    """Log-odds of a probability strictly between 0 and 1.

    Raises
    ------
    InputError
        It is 0, 1, outside these, or not a number: no finding is certain.
    """
    if not 0.0 < probability < 1.0:  # NaN fails too
        raise InputError(f"{what} of {probability:g} cannot be fused: it must lie between 0 and 1, both excluded")
    return float(logit(probability))


def interval_90(value: float, sd: float) -> tuple[float, float]:
    """90 % interval of a probability, from its log-odds and their standard deviation."""
    return float(expit(value - NORMAL_90 * sd)), float(expit(value + NORMAL_90 * sd))


def shifted(probability: float, shift: float) -> float:
    """A probability under another prevalence, which adds `shift` to the log-odds."""
    if shift == 0.0:
        return probability
    return float(expit(log_odds(float(np.clip(probability, CLIP, 1 - CLIP))) + shift))


@dataclass(frozen=True)
class Distress:
    """The probability of distress from the CTG.

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
        return interval_90(log_odds(self.probability), self.logit_sd)

    def term(self, prior: float) -> Term:
        """How far the trace moves the log-odds from the prior that it was calibrated at."""
        return Term(log_odds(self.probability, "a probability of distress") - log_odds(prior, "a prior"), self.logit_sd)
