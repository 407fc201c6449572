"""Out-of-fold births with a trace, a weight and a pH, as the studies stored them, and all ways to score them.

All parameters (mean and spread of the sizes, stacked weights, conformal quantiles) are learned on the other folds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from models.ctg.acidaemia import MILD, SEVERE, TARGETS, low_ph
from models.fusion.conformal import Quantiles
from models.fusion.held_out_births import BirthSizes, distress_terms, fused
from models.fusion.pooling import POOLING, FusionRule
from models.fusion.rule_learning import stack
from models.fusion.terms import Term
from studies.stored import Rows, column, read, seeds

Array = NDArray[np.float64]
Event = NDArray[np.bool_]
Terms = list[Term | None]
NAMES = (MILD.name, SEVERE.name)


@dataclass(frozen=True)
class StoredPairs:
    """All births, each predicted by several repeats (seeds) of the same recipe.

    Attributes
    ----------
    ph : ndarray, shape (n,)
    rows : list of dict
        ``pairs.csv``.
    folds : list of ndarray, shape (n,)
        Folds of each repeat.
    distress : dict of target to list of ndarray, shape (n,)
        Probabilities of each repeat.
    """

    ph: Array
    rows: Rows
    folds: list[NDArray[np.int64]]
    distress: dict[str, list[Array]]

    @classmethod
    def read(cls, folder: Path) -> "StoredPairs":
        """From ``ctu_uhb.csv`` and ``pairs.csv``."""
        parts = seeds(read(folder / "ctu_uhb.csv"), "dirichlet")
        rows = read(folder / "pairs.csv")
        assert [row["record"] for row in rows] == [row["record"] for row in parts[0]]
        folds = [column(part, "fold").astype(np.int64) for part in parts]
        return cls(
            column(parts[0], "ph"), rows, folds, {name: [column(p, f"{name}_0") for p in parts] for name in NAMES}
        )

    def event(self, target: str) -> Event:
        """Whether the event happened, shape (n,)."""
        threshold = next(candidate.threshold for candidate in TARGETS if candidate.name == target)
        return low_ph(self.ph, threshold).astype(bool)

    def flag(self, name: str) -> Event:
        """A yes-or-no column."""
        return np.array([row[name] == "1" for row in self.rows])

    def z(self, chart: str = "z_fmf") -> Array:
        """Size at birth, shape (n,); NaN where it is not known."""
        return np.array([float(row[chart]) if row[chart] else np.nan for row in self.rows])

    def prior(self, target: str) -> float:
        """Prevalence of the event."""
        return float(self.event(target).mean())

    def terms(self, repeat: int, chart: str = "z_fmf", *, as_on_chart: bool = False) -> Terms:
        """The growth term of each birth; mean and spread of the sizes come from the other folds, or from the chart."""
        z, fold = self.z(chart), self.folds[repeat]
        growth_terms: Terms = [None] * len(z)
        for number in np.unique(fold):
            out = np.flatnonzero(fold == number)
            sizes = BirthSizes() if as_on_chart else BirthSizes.of(z[fold != number])
            for row, term in zip(out, sizes.terms(z[out]), strict=True):
                growth_terms[int(row)] = term
        return growth_terms

    @cached_property
    def _terms(self) -> list[Terms]:
        return [self.terms(repeat) for repeat in range(len(self.folds))]

    def fused(self, target: str, rule: FusionRule = POOLING, terms: list[Terms] | None = None) -> list[Array]:
        """Fused probability of each repeat, shape (n,)."""
        prior = self.prior(MILD.name)
        return [
            fused(rule, prior, distress, growth_terms)
            for distress, growth_terms in zip(self.distress[target], terms or self._terms, strict=True)
        ]

    def by_size(self, target: str) -> list[Array]:
        """Probability from the size alone, of each repeat."""
        return [fused(POOLING, self.prior(target), None, growth_terms) for growth_terms in self._terms]

    def stacked(self, target: str) -> list[Array]:
        """Probability by the rule that was learned on the other folds, of each repeat."""
        prior = self.prior(target)
        event = self.event(target)
        repeats = []
        for fold, distress, terms in zip(self.folds, self.distress[target], self._terms, strict=True):
            moved = distress_terms(distress, float(logit(prior)))
            probability = np.zeros(len(event))
            for number in np.unique(fold):
                out, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
                rule = stack(float(logit(prior)), moved[others], [terms[int(k)] for k in others], event[others])
                probability[out] = fused(rule, prior, distress[out], [terms[int(k)] for k in out])
            repeats.append(probability)
        return repeats

    def sets(
        self, probability: list[Array], target: str = MILD.name, *, split: bool = False
    ) -> list[tuple[Event, Event]]:
        """Whether the 90 % set of each birth contains no event, and event; quantiles from the other folds."""
        event = self.event(target)
        repeats = []
        for fold, scores in zip(self.folds, probability, strict=True):
            none, some = np.zeros(len(scores), dtype=bool), np.zeros(len(scores), dtype=bool)
            for number in np.unique(fold):
                out = fold == number
                quantiles = Quantiles.fit(scores[~out], event[~out])
                contains: Callable[[Array], tuple[Event, Event]] = (
                    quantiles.split_contains if split else quantiles.contains
                )
                none[out], some[out] = contains(scores[out])
            repeats.append((none, some))
        return repeats

    def covered(self, sets: list[tuple[Event, Event]], target: str = MILD.name) -> list[Event]:
        """Whether each set contains the true outcome."""
        event = self.event(target)
        return [np.where(event, some, none).astype(bool) for none, some in sets]
