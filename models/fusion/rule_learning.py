"""Learning the intercept and weights of the fusion from births with both examinations and an outcome.

This is a logistic regression of the event on the two terms. A ridge pulls it towards the published odds (weights 1,
intercept 0); `RIDGE` is the reciprocal variance of a normal prior. With few births it stays close to pooling, with many
it follows the data. Gradient and Hessian add over sites, so a federation fits what pooled births would; without
the ridge it is scikit-learn's unpenalised `LogisticRegression` (test).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.fusion.held_out_births import CLIP
from models.fusion.pooling import FusionRule
from models.fusion.terms import Term

Array = NDArray[np.float64]
# Intercept and weight of distress: a standard deviation of 1; weight of growth: of a half.
RIDGE = np.array([1.0, 1.0, 4.0])
NEUTRAL = np.array([0.0, 1.0, 1.0])
STEPS = 8


@dataclass(frozen=True)
class StackingSums:
    """Gradient (3,) and Hessian (3, 3) of the negative log-likelihood in (intercept, distress, growth), and births."""

    gradient: Array
    hessian: Array
    births: int

    def __add__(self, other: "StackingSums") -> "StackingSums":
        return StackingSums(self.gradient + other.gradient, self.hessian + other.hessian, self.births + other.births)


def design(distress: Array, terms: Sequence[Term | None]) -> tuple[Array, NDArray[np.bool_]]:
    """Rows (1, distress, growth) of the births with a known size, and a mask of these births."""
    has_size = np.array([term is not None for term in terms], dtype=bool)
    growth = np.array([term.log_odds for term in terms if term is not None])
    return np.column_stack([np.ones(int(has_size.sum())), distress[has_size], growth]), has_size


def stacking_sums(rule: FusionRule, prior: float, rows: Array, event: NDArray[np.bool_]) -> StackingSums:
    """One site's sums at the present rule.

    Parameters
    ----------
    prior : float
        Log-odds.
    rows : ndarray, shape (n, 3)
        From `design`.
    """
    probability = expit(prior + rows @ np.array([rule.intercept, rule.distress, rule.growth]))
    weight = probability * (1.0 - probability)
    return StackingSums(rows.T @ (probability - event), rows.T @ (rows * weight[:, None]), len(rows))


def stacking_step(rule: FusionRule, sums: StackingSums, ridge: Array = RIDGE) -> FusionRule:
    """One damped Newton step; a weight below 0, which would reverse the meaning of a finding, becomes 0."""
    parameters = np.array([rule.intercept, rule.distress, rule.growth])
    penalised = sums.hessian + np.diag(ridge)
    step = np.linalg.solve(penalised, sums.gradient + ridge * (parameters - NEUTRAL))
    intercept, distress, growth = parameters - np.clip(step, -1.0, 1.0)
    covariance = np.linalg.inv(penalised)
    return FusionRule(
        "stacked",
        float(intercept),
        max(float(distress), 0.0),
        max(float(growth), 0.0),
        tuple(tuple(float(value) for value in row) for row in covariance),
    )


def stack(
    prior: float, distress: Array, terms: Sequence[Term | None], event: NDArray[np.bool_], ridge: Array = RIDGE
) -> FusionRule:
    """Fit on births in one place.

    Parameters
    ----------
    prior : float
        Log-odds.
    distress : ndarray, shape (n,)
        The distress terms, log-odds.
    """
    rows, has_size = design(distress, terms)
    rule = FusionRule("stacked")
    for _ in range(STEPS):
        rule = stacking_step(rule, stacking_sums(rule, prior, rows, event[has_size]), ridge)
    return rule


BEYOND_CHANCE = 1.96


def log_losses(probability: Array, event: NDArray[np.bool_]) -> Array:
    """Log-loss of each birth, shape (n,)."""
    clipped = np.clip(probability, CLIP, 1 - CLIP)
    return np.asarray(-np.log(np.where(event, clipped, 1 - clipped)))


def loss_sums(losses: Array, pooling: Array) -> Array:
    """Births, summed loss, and sum and sum of squares of its difference to pooling's; they add over sites."""
    gap = losses - pooling
    return np.array([float(len(gap)), float(losses.sum()), float(gap.sum()), float((gap**2).sum())])


def choose(losses: Mapping[str, Array]) -> str:
    """Choose pooling, unless the log-loss of another rule is lower by more than chance; then the best of those.

    Parameters
    ----------
    losses : mapping of rule to ndarray
        From `loss_sums`.
    """
    better = {}
    for name, (count, _, gap, squares) in losses.items():
        mean = gap / count
        error = (max(squares / count - mean**2, 0.0) / count) ** 0.5
        if mean + BEYOND_CHANCE * error < 0:
            better[name] = mean
    return min(better, key=lambda name: better[name]) if better else "pooling"
