"""Prediction sets of the fused event with a stated coverage, which may abstain.

Split conformal prediction with the score 1 - P(true class), and class-conditional (Mondrian): one quantile for births
with the event, one for those without. Both are then covered at the level, however rare the event is and whatever the
prior is (label shift). Vovk V et al. Algorithmic Learning in a Random World, 2005; Sadinle M et al. JASA 2019;114:
223-234. `mapie` computes the same quantiles (test); here they are plain numbers stored in a bundle.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LEVEL = 0.90
NO_EVENT, EVENT = "no event", "event"


def quantile(scores: Array, level: float = LEVEL) -> float:
    """The ceil((n + 1) level)-th smallest score, or 1 (every class is included) if there are too few scores."""
    rank = int(np.ceil((len(scores) + 1) * level - 1e-9))
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else 1.0


def quantile_of_counts(counts: NDArray[np.int64], level: float = LEVEL) -> float:
    """The quantile from a histogram of equal bins over [0, 1], at the upper edge of a bin: never below `quantile`."""
    rank = int(np.ceil((int(counts.sum()) + 1) * level - 1e-9))
    if rank > counts.sum():
        return 1.0
    return float((np.searchsorted(np.cumsum(counts), rank) + 1) / len(counts))


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of the calibration scores, which decide what a set includes.

    Attributes
    ----------
    rows, events : int
        Births of the calibration set, and those with the event.
    split : float
        Largest score of one class, whichever it is, that a split-conformal set includes.
    no_event, event : float
        Largest score of each class in a class-conditional set.
    """

    rows: int
    events: int
    split: float
    no_event: float
    event: float

    @classmethod
    def fit(cls, probability: Array, event: NDArray[np.bool_]) -> "Quantiles":
        """From held-out probabilities of the event, shape (n,)."""
        scores = np.where(event, 1.0 - probability, probability)
        return cls(len(event), int(event.sum()), quantile(scores), quantile(scores[~event]), quantile(scores[event]))

    @classmethod
    def from_counts(cls, negatives: NDArray[np.int64], positives: NDArray[np.int64]) -> "Quantiles":
        """From histograms over [0, 1] of the held-out probability without and with the event; they add over sites."""
        scores = negatives + positives[::-1]
        events = int(positives.sum())
        return cls(
            int(negatives.sum()) + events,
            events,
            quantile_of_counts(scores),
            quantile_of_counts(negatives),
            quantile_of_counts(positives[::-1]),
        )

    def contains(self, probability: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether the class-conditional set holds no event, and event."""
        return probability <= self.no_event, 1.0 - probability <= self.event

    def split_contains(self, probability: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether the split-conformal set holds no event, and event."""
        return probability <= self.split, 1.0 - probability <= self.split

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Quantiles":
        """Inverse of `as_dict`."""
        return cls(**values)


@dataclass(frozen=True)
class Certainty:
    """The class-conditional set of one assessment.

    Attributes
    ----------
    level : float
    holds : tuple of str
        Of "no event" and "event".
    abstains : bool
        True where the set does not hold exactly one.
    words : str
    calibrated_on : str
    """

    level: float
    holds: tuple[str, ...]
    abstains: bool
    words: str
    calibrated_on: str


def certainty(quantiles: Quantiles, probability: float, pattern: str) -> Certainty:
    """The conformal set of one assessment, in words.

    Parameters
    ----------
    probability : float
        Probability at the prevalence of the training data, for which the quantiles were computed.
    pattern : str
        Which examinations were available, in words.
    """
    contains = (bool(part) for part in quantiles.contains(np.array(probability)))
    holds = tuple(name for name, included in zip((NO_EVENT, EVENT), contains, strict=True) if included)
    share = f"{100 * LEVEL:.0f} %"
    words = {
        (NO_EVENT,): f"A pH <= 7.15 is unlikely: {share} of births with such a pH scored higher.",
        (EVENT,): f"A pH above 7.15 is unlikely: {share} of births with such a pH scored lower.",
        (NO_EVENT, EVENT): "Abstains: at 90 % neither outcome can be excluded.",
        (): "Abstains: the score is unusual for births with such a pH and for those without.",
    }[holds]
    on = f"{quantiles.rows} held-out births, {quantiles.events} with the event, {pattern}"
    return Certainty(LEVEL, holds, len(holds) != 1, words, on)
