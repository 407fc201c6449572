"""Held-out births with a trace, a weight and a pH, as the studies stored them; every way to score them.

Whatever is learned (the sizes' mean and spread, the stacked weights, conformal quantiles) is learned on the other folds.
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
    """All births; several repeats (seeds) of the same recipe predicted each of them.

    Attributes
    ----------
    ph : ndarray, shape (n,)
    rows : list of dict
        ``pairs.csv``.
    folds : list of ndarray, shape (n,)
        Of each repeat.
    distress : dict of target to list of ndarray, shape (n,)
        Of each repeat.
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
        """What happened, shape (n,)."""
        threshold = next(one.threshold for one in TARGETS if one.name == target)
        return low_ph(self.ph, threshold).astype(bool)

    def flag(self, name: str) -> Event:
        """A yes-or-no column."""
        return np.array([row[name] == "1" for row in self.rows])

    def z(self, chart: str = "z_fmf") -> Array:
        """Size at birth, shape (n,); NaN where it is not known."""
        return np.array([float(row[chart]) if row[chart] else np.nan for row in self.rows])

    def prior(self, target: str) -> float:
        """Share with the event."""
        return float(self.event(target).mean())

    def terms(self, repeat: int, chart: str = "z_fmf", *, as_on_chart: bool = False) -> Terms:
        """The chronic term of each birth; mean and spread of the sizes from the other folds, or the chart's own."""
        z, fold = self.z(chart), self.folds[repeat]
        made: Terms = [None] * len(z)
        for number in np.unique(fold):
            out = np.flatnonzero(fold == number)
            sizes = BirthSizes() if as_on_chart else BirthSizes.of(z[fold != number])
            for row, term in zip(out, sizes.terms(z[out]), strict=True):
                made[int(row)] = term
        return made

    @cached_property
    def _terms(self) -> list[Terms]:
        return [self.terms(repeat) for repeat in range(len(self.folds))]

    def fused(self, target: str, rule: FusionRule = POOLING, terms: list[Terms] | None = None) -> list[Array]:
        """Fused probability of each repeat, shape (n,)."""
        prior = self.prior(MILD.name)
        return [
            fused(rule, prior, distress, one)
            for distress, one in zip(self.distress[target], terms or self._terms, strict=True)
        ]

    def by_size(self, target: str) -> list[Array]:
        """Without the trace."""
        return [fused(POOLING, self.prior(target), None, one) for one in self._terms]

    def stacked(self, target: str) -> list[Array]:
        """By the rule that the other folds teach."""
        prior = self.prior(target)
        event = self.event(target)
        made = []
        for fold, distress, terms in zip(self.folds, self.distress[target], self._terms, strict=True):
            acute = distress_terms(distress, float(logit(prior)))
            probability = np.zeros(len(event))
            for number in np.unique(fold):
                out, kept = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
                rule = stack(float(logit(prior)), acute[kept], [terms[int(k)] for k in kept], event[kept])
                probability[out] = fused(rule, prior, distress[out], [terms[int(k)] for k in out])
            made.append(probability)
        return made

    def sets(
        self, probability: list[Array], target: str = MILD.name, *, split: bool = False
    ) -> list[tuple[Event, Event]]:
        """Whether each birth's 90 % set holds no event, and event; quantiles from the other folds."""
        event = self.event(target)
        made = []
        for fold, one in zip(self.folds, probability, strict=True):
            none, some = np.zeros(len(one), dtype=bool), np.zeros(len(one), dtype=bool)
            for number in np.unique(fold):
                out = fold == number
                quantiles = Quantiles.fit(one[~out], event[~out])
                contains: Callable[[Array], tuple[Event, Event]] = (
                    quantiles.split_contains if split else quantiles.contains
                )
                none[out], some[out] = contains(one[out])
            made.append((none, some))
        return made

    def covered(self, sets: list[tuple[Event, Event]], target: str = MILD.name) -> list[Event]:
        """Whether each set holds what happened."""
        event = self.event(target)
        return [np.where(event, some, none).astype(bool) for none, some in sets]
