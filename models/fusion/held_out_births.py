"""What is learned from births with a trace, a weight and an outcome: rule, sizes, thresholds, conformal quantiles.

The size at birth takes the place of the scan: a z-score of the weight for the completed weeks. In a hospital these
z-scores spread more widely than on the chart (age rounded down, another population). The excess is treated as
measurement error, so that true sizes are standard normal again. This uses no outcome.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from models.fusion.conformal import Quantiles
from models.fusion.growth_odds import growth_term
from models.fusion.pooling import POOLING, FusionRule
from models.fusion.terms import Term, log_odds

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
Pattern = Literal["both", "ctg only", "ultrasound only"]
PATTERNS: tuple[Pattern, ...] = ("both", "ctg only", "ultrasound only")
BINS = 500
CLIP = 1e-4


@dataclass(frozen=True)
class BirthSizes:
    """Mean and standard deviation of the z-scores of birth weight in a hospital, and the number of births."""

    mean: float = 0.0
    sd: float = 1.0
    births: int = 0

    @classmethod
    def of(cls, z: Array) -> "BirthSizes":
        """Fit to z-scores; NaN is an unknown size."""
        present = z[np.isfinite(z)]
        return cls.from_sums(np.array([len(present), present.sum(), (present**2).sum()]))

    @classmethod
    def from_sums(cls, sums: Array) -> "BirthSizes":
        """From count, sum and sum of squares, which add over sites."""
        count, first, second = (float(value) for value in sums)
        if count < 2:
            return cls()
        mean = first / count
        return cls(mean, max(second / count - mean**2, 0.0) ** 0.5, int(count))

    def true_z(self, z: float) -> tuple[float, float]:
        """Mean and standard deviation of the true z given that of the birth weight."""
        error = max(self.sd**2 - 1.0, 0.0)
        return (z - self.mean) / (1.0 + error), (error / (1.0 + error)) ** 0.5

    def terms(self, z: Array) -> list[Term | None]:
        """The growth term of each birth; None where the size is not known."""
        return [growth_term(*self.true_z(float(score))) if np.isfinite(score) else None for score in z]


CHART = BirthSizes()


def distress_terms(distress: Array, base: float) -> Array:
    """How far each trace moves the log-odds from those of the prior, shape (n,)."""
    return np.asarray(logit(np.clip(distress, CLIP, 1 - CLIP)) - base)


def fused(rule: FusionRule, prior: float, distress: Array | None, terms: Sequence[Term | None]) -> Array:
    """Fused probability of each birth, shape (n,): what `models.fusion.pooling.fuse` gives each of them.

    Parameters
    ----------
    distress : ndarray, shape (n,), or None
        Probabilities calibrated at `prior`; None where no CTG is to be used.
    """
    base = log_odds(prior, "a prior")
    has_size = np.array([term is not None for term in terms], dtype=bool)
    growth = np.array([term.log_odds if term is not None else 0.0 for term in terms])
    if distress is None:
        return np.asarray(expit(base + growth))
    moved = distress_terms(distress, base)
    return np.asarray(expit(np.where(has_size, rule.log_odds(base, moved, growth), base + moved)))


def histogram(probability: Array) -> Counts:
    """Counts in `BINS` equal bins over [0, 1]."""
    return np.histogram(probability, bins=BINS, range=(0.0, 1.0))[0].astype(np.int64)


@dataclass(frozen=True)
class HeldOut:
    """Histograms of the held-out probability, without and with the event; they add over sites."""

    negatives: Counts
    positives: Counts

    def __add__(self, other: "HeldOut") -> "HeldOut":
        return HeldOut(self.negatives + other.negatives, self.positives + other.positives)

    @classmethod
    def of(cls, probability: Array, event: NDArray[np.bool_]) -> "HeldOut":
        """From the probabilities and events of births."""
        return cls(histogram(probability[~event]), histogram(probability[event]))

    def thresholds(self) -> tuple[float, float]:
        """Thresholds of raised and high: 80 % and 95 % specificity."""
        share = np.cumsum(self.negatives) / max(int(self.negatives.sum()), 1)
        raised, high = (float((np.searchsorted(share, level) + 1) / BINS) for level in (0.80, 0.95))
        return raised, high

    def as_dict(self) -> dict[str, list[int]]:
        """For JSON."""
        return {"negatives": self.negatives.tolist(), "positives": self.positives.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "HeldOut":
        """Inverse of `as_dict`."""
        return cls(np.array(values["negatives"], dtype=np.int64), np.array(values["positives"], dtype=np.int64))


@dataclass(frozen=True)
class PairedFusion:
    """What a bundle has learned from births with both a trace and a size; without any, published odds alone.

    Attributes
    ----------
    rule : FusionRule
    sizes : BirthSizes
    held_out : dict of pattern to HeldOut
        Out-of-fold probabilities of the milder event.
    """

    rule: FusionRule = POOLING
    sizes: BirthSizes = CHART
    held_out: Mapping[Pattern, HeldOut] = field(default_factory=dict)

    def quantiles(self, pattern: Pattern) -> Quantiles | None:
        """Conformal quantiles for births with these examinations, or None."""
        counts = self.held_out.get(pattern)
        return Quantiles.from_counts(counts.negatives, counts.positives) if counts else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON. The quantiles are included for a reader."""
        return {
            "rule": self.rule.as_dict(),
            "birth_size": asdict(self.sizes),
            "held_out": {pattern: counts.as_dict() for pattern, counts in self.held_out.items()},
            "conformal": {p: q.as_dict() for p in self.held_out if (q := self.quantiles(p)) is not None},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> "PairedFusion":
        """Inverse of `as_dict`; of None, one without pairs."""
        if values is None:
            return cls()
        held_out = {
            pattern: HeldOut.from_dict(values["held_out"][pattern])
            for pattern in PATTERNS
            if pattern in values["held_out"]
        }
        return cls(FusionRule.from_dict(values["rule"]), BirthSizes(**values["birth_size"]), held_out)
