"""Learning the fusion from births with a trace, a weight and a pH: sites send sums, never rows.

Each site has an out-of-fold probability of distress for each of its births. It answers three kinds of queries: sums
of the sizes at birth; gradient and Hessian of the stacked rule; and, for each rule, the difference of its log-loss
from that of pooling together with histograms of the fused probability. Thresholds, conformal quantiles and the
evidence page are computed from the histograms.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from federated.plan import FusionPlan
from federated.privacy.small_cells import suppress_small
from federated.trees.site import TreeSite
from models.ctg.acidaemia import MILD
from models.ctg.calibration import Calibration
from models.fusion.held_out_births import PATTERNS, BirthSizes, HeldOut, PairedFusion, Pattern, distress_terms, fused
from models.fusion.pooling import FusionRule
from models.fusion.rule_learning import (
    STEPS,
    StackingSums,
    choose,
    design,
    log_losses,
    loss_sums,
    stacking_step,
    stacking_sums,
)

Array = NDArray[np.float64]
Answer = dict[str, list[float]]
# Sends a step's name and its settings to every site, and returns the replies.
Ask = Callable[[str, Mapping[str, Any]], Sequence[Mapping[str, Sequence[float]]]]


@dataclass(frozen=True)
class PairedRows:
    """The births of one site.

    Attributes
    ----------
    distress : ndarray, shape (n,)
        Calibrated out-of-fold probability of the milder event.
    event : ndarray of bool, shape (n,)
    z : ndarray, shape (n,)
        z-score of the birth weight; NaN where it is not known.
    """

    distress: Array
    event: NDArray[np.bool_]
    z: Array

    def answer(self, step: str, query: Mapping[str, Any], *, alone: bool = True) -> Answer:
        """The site's reply in a step of `learn`.

        Parameters
        ----------
        step : str
        query : mapping
            Settings of the step.
        alone : bool
            The server sees this reply alone, so that nothing is reported for fewer than five births.
        """
        weighed = np.isfinite(self.z)
        if alone and suppress_small(int(weighed.sum())) == 0:
            return {}
        if step == "sizes":
            z = self.z[weighed]
            return {"sizes": [float(len(z)), float(z.sum()), float((z**2).sum())]}
        prior, sizes = float(query["prior"]), BirthSizes(**query["sizes"])
        terms = sizes.terms(self.z)
        base = float(logit(prior))
        if step == "stack":
            rows, _ = design(distress_terms(self.distress, base), terms)
            sums = stacking_sums(FusionRule.from_dict(query["rule"]), base, rows, self.event[weighed])
            return {
                "gradient": sums.gradient.tolist(),
                "hessian": sums.hessian.ravel().tolist(),
                "births": [float(sums.births)],
            }
        reply: Answer = {}
        scores = {
            "ctg only": (self.distress, self.event),
            "ultrasound only": (fused(FusionRule(), prior, None, terms)[weighed], self.event[weighed]),
        }
        for name, values in query["rules"].items():
            probability = fused(FusionRule.from_dict(values), prior, self.distress, terms)[weighed]
            scores[name] = probability, self.event[weighed]
        for name, (probability, event) in scores.items():
            histograms = HeldOut.of(probability, event)
            reply[f"{name} negatives"], reply[f"{name} positives"] = (
                histograms.negatives.tolist(),
                histograms.positives.tolist(),
            )
        losses = {name: log_losses(*scores[name]) for name in query["rules"]}
        for name, loss in losses.items():
            reply[f"{name} loss"] = loss_sums(loss, losses["pooling"]).tolist()
        return reply


def paired_rows(site: TreeSite, names: NDArray[np.str_], z: Array, calibration: Calibration) -> PairedRows:
    """The births of a site, with the out-of-fold margins of its trees.

    Parameters
    ----------
    names, z : ndarray, shape (n,)
        Names and z-scores of all births of the site, also of those whose trace cannot be assessed.
    calibration : Calibration
        Calibration of the milder event.
    """
    size = dict(zip(names.tolist(), z.tolist(), strict=True))
    parts = site.out_of_fold_by_fold(MILD.name)
    return PairedRows(
        np.concatenate([calibration.probabilities(margin)[:, 1] for _, margin, _ in parts]),
        np.concatenate([label for *_, label in parts]) == 1,
        np.concatenate([[size[str(name)] for name in site.rows.group[out]] for out, *_ in parts]),
    )


def learn(ask: Ask, prior: float, plan: FusionPlan) -> tuple[PairedFusion, dict[str, Any]] | None:
    """Learn the fusion from the sites' births, with figures for the manifest; None if no site has enough births.

    Parameters
    ----------
    ask : callable
    prior : float
        Prevalence of the event among the sites' births.
    """
    sums = [answer["sizes"] for answer in ask("sizes", {}) if "sizes" in answer]
    if not sums:
        return None
    sizes = BirthSizes.from_sums(np.sum(sums, axis=0))
    common = {"prior": prior, "sizes": asdict(sizes)}
    stacked = FusionRule("stacked")
    for _ in range(STEPS):
        answers = ask("stack", {**common, "rule": stacked.as_dict()})
        stacked = stacking_step(stacked, _stacking(answers))
    rules = {
        "pooling": FusionRule("pooling", 0.0, plan.distress_weight, plan.growth_weight),
        "stacked": stacked,
        "noisy-or": FusionRule("noisy-or"),
    }
    judged = ask("judge", {**common, "rules": {name: rule.as_dict() for name, rule in rules.items()}})
    losses = {name: np.sum([answer[f"{name} loss"] for answer in judged if answer], axis=0) for name in rules}
    method = choose(losses) if plan.method == "best" else plan.method
    held_out: dict[Pattern, HeldOut] = {
        pattern: _held_out(judged, method if pattern == "both" else pattern) for pattern in PATTERNS
    }
    metrics = {
        "method": method,
        "chosen": "by the plan" if plan.method != "best" else "by log-loss on held-out births, another beyond chance",
        "births_with_size": sizes.births,
        "size_at_birth": f"mean z {sizes.mean:.2f}, SD {sizes.sd:.2f}",
        **{f"log_loss_{name}": round(float(values[1] / values[0]), 4) for name, values in losses.items()},
        "stacked_weights": [round(value, 3) for value in (stacked.intercept, stacked.distress, stacked.growth)],
    }
    return PairedFusion(rules[method], sizes, held_out), metrics


def _stacking(answers: Sequence[Mapping[str, Sequence[float]]]) -> StackingSums:
    total = StackingSums(np.zeros(3), np.zeros((3, 3)), 0)
    for answer in answers:
        if answer:
            hessian = np.array(answer["hessian"]).reshape(3, 3)
            total += StackingSums(np.array(answer["gradient"]), hessian, int(answer["births"][0]))
    return total


def _held_out(judged: Sequence[Mapping[str, Sequence[float]]], name: str) -> HeldOut:
    parts = [
        HeldOut(
            np.array(answer[f"{name} negatives"], dtype=np.int64), np.array(answer[f"{name} positives"], dtype=np.int64)
        )
        for answer in judged
        if answer
    ]
    total = parts[0]
    for part in parts[1:]:
        total += part
    return total
