"""Learning the fusion over sites whose births have a trace, a weight and a pH: sums travel, rows do not.

Every site holds the distress that trees which never saw a birth give it. In turn it tells: sums of its sizes at birth;
gradient and Hessian of the stacked rule; how much better or worse each rule's log-loss is than pooling's, and
histograms of the fused probability, from which cuts, conformal quantiles and the evidence page come.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from federated.plan import FusionPlan
from federated.privacy.small_cells import floored
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
# Sends a step's name and its settings to every site; their answers.
Ask = Callable[[str, Mapping[str, Any]], Sequence[Mapping[str, Sequence[float]]]]


@dataclass(frozen=True)
class PairedRows:
    """One site's births.

    Attributes
    ----------
    distress : ndarray, shape (n,)
        Calibrated probability of the milder event, held out.
    event : ndarray of bool, shape (n,)
    z : ndarray, shape (n,)
        Of the weight at birth; NaN where it is not known.
    """

    distress: Array
    event: NDArray[np.bool_]
    z: Array

    def answer(self, step: str, asked: Mapping[str, Any], *, alone: bool = True) -> Answer:
        """What the site tells in a step of `learn`.

        Parameters
        ----------
        step : str
        asked : mapping
        alone : bool
            Its answer is seen: nothing is told of fewer than five births then.
        """
        known = np.isfinite(self.z)
        if alone and floored(int(known.sum())) == 0:
            return {}
        if step == "sizes":
            z = self.z[known]
            return {"sizes": [float(len(z)), float(z.sum()), float((z**2).sum())]}
        prior, sizes = float(asked["prior"]), BirthSizes(**asked["sizes"])
        terms = sizes.terms(self.z)
        base = float(logit(prior))
        if step == "stack":
            rows, _ = design(distress_terms(self.distress, base), terms)
            sums = stacking_sums(FusionRule.from_dict(asked["rule"]), base, rows, self.event[known])
            return {
                "gradient": sums.gradient.tolist(),
                "hessian": sums.hessian.ravel().tolist(),
                "births": [float(sums.births)],
            }
        told: Answer = {}
        scores = {
            "ctg only": (self.distress, self.event),
            "ultrasound only": (fused(FusionRule(), prior, None, terms)[known], self.event[known]),
        }
        for name, values in asked["rules"].items():
            made = fused(FusionRule.from_dict(values), prior, self.distress, terms)[known]
            scores[name] = made, self.event[known]
        for name, (probability, event) in scores.items():
            held = HeldOut.of(probability, event)
            told[f"{name} negatives"], told[f"{name} positives"] = held.negatives.tolist(), held.positives.tolist()
        losses = {name: log_losses(*scores[name]) for name in asked["rules"]}
        for name, loss in losses.items():
            told[f"{name} loss"] = loss_sums(loss, losses["pooling"]).tolist()
        return told


def paired_rows(site: TreeSite, names: NDArray[np.str_], z: Array, calibration: Calibration) -> PairedRows:
    """A site's births from its trees' left-out margins.

    Parameters
    ----------
    names, z : ndarray, shape (n,)
        Of all births of the site, also of those whose trace cannot be assessed.
    calibration : Calibration
        Of the milder event.
    """
    size = dict(zip(names.tolist(), z.tolist(), strict=True))
    parts = site.left_out_by_fold(MILD.name)
    return PairedRows(
        np.concatenate([calibration.probabilities(margin)[:, 1] for _, margin, _ in parts]),
        np.concatenate([label for *_, label in parts]) == 1,
        np.concatenate([[size[str(name)] for name in site.rows.group[out]] for out, *_ in parts]),
    )


def learn(ask: Ask, prior: float, plan: FusionPlan) -> tuple[PairedFusion, dict[str, Any]] | None:
    """What the sites' pairs teach, and figures for the manifest; None where no site has enough of them.

    Parameters
    ----------
    ask : callable
    prior : float
        Share with the event among the sites' births.
    """
    told = [answer["sizes"] for answer in ask("sizes", {}) if "sizes" in answer]
    if not told:
        return None
    sizes = BirthSizes.from_sums(np.sum(told, axis=0))
    known = {"prior": prior, "sizes": asdict(sizes)}
    stacked = FusionRule("stacked")
    for _ in range(STEPS):
        answers = ask("stack", {**known, "rule": stacked.as_dict()})
        stacked = stacking_step(stacked, _stacking(answers))
    rules = {
        "pooling": FusionRule("pooling", 0.0, plan.distress_weight, plan.growth_weight),
        "stacked": stacked,
        "noisy-or": FusionRule("noisy-or"),
    }
    judged = ask("judge", {**known, "rules": {name: rule.as_dict() for name, rule in rules.items()}})
    losses = {name: np.sum([one[f"{name} loss"] for one in judged if one], axis=0) for name in rules}
    method = choose(losses) if plan.method == "best" else plan.method
    held: dict[Pattern, HeldOut] = {
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
    return PairedFusion(rules[method], sizes, held), metrics


def _stacking(answers: Sequence[Mapping[str, Sequence[float]]]) -> StackingSums:
    total = StackingSums(np.zeros(3), np.zeros((3, 3)), 0)
    for answer in answers:
        if answer:
            hessian = np.array(answer["hessian"]).reshape(3, 3)
            total += StackingSums(np.array(answer["gradient"]), hessian, int(answer["births"][0]))
    return total


def _held_out(judged: Sequence[Mapping[str, Sequence[float]]], name: str) -> HeldOut:
    parts = [
        HeldOut(np.array(one[f"{name} negatives"], dtype=np.int64), np.array(one[f"{name} positives"], dtype=np.int64))
        for one in judged
        if one
    ]
    total = parts[0]
    for part in parts[1:]:
        total += part
    return total
