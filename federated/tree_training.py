"""Federated boosting without a transport: the loop that Flower's messages carry, called in-process.

Out-of-fold studies use it because it is fast; a test proves that the Flower run gives the same bytes.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add

import numpy as np

from federated.plan import TreePlan
from federated.strategies.refitted_trees import Sums, propose, refit
from federated.strategies.weighted_bagging import Document, TreeReply, concatenate, merge, new_trees
from federated.tree_site import TreeSite
from models.ctg.boosting import BoostingSettings, boost, matrix, tree_json
from models.ctg.calibration import Calibration, CalibrationSums, newton_step

NEWTON_STEPS = 8


def empty_frame(settings: BoostingSettings, outputs: int, names: Sequence[str]) -> Document:
    """JSON form of a booster of which only the header is used: sites and server agree on it."""
    rows = max(outputs, 2)
    frame = matrix(np.zeros((rows, len(names))), names, np.arange(rows, dtype=np.float64))
    return tree_json(boost(frame, np.zeros((rows, outputs)), 1, settings, outputs, 0))


def is_final(lane: int, plan: TreePlan) -> bool:
    """True for the lane of a learner that learns from all women and is kept."""
    return lane % (plan.calibration_folds + 1) == 0


def refit_lane(plan: TreePlan, proposal: Document, by_site: Sequence[Sequence[Sums]]) -> Document:
    """Add the sites' sums, in their order, and keep the best trees."""
    totals = [np.sum(parts, axis=0) for parts in zip(*by_site, strict=True)]
    settings = plan.boosting
    return refit(proposal, totals, learning_rate=settings.learning_rate, reg_lambda=settings.reg_lambda)


def combine(sums: Sequence[CalibrationSums], calibration: Calibration) -> Calibration:
    """One Newton step on the sites' sums."""
    return newton_step(calibration, reduce(add, sums))


def ladder(frame: Document, rungs: Sequence[Document]) -> Document:
    """The one model whose margin is the mean of the given models' margins."""
    if len(rungs) == 1:
        return rungs[0]
    replies = [TreeReply(f"{position:03d}", 1.0, *new_trees(rung)) for position, rung in enumerate(rungs)]
    return merge(frame, replies)


def assemble(
    frame: Document, learned: Mapping[str, Document], targets: Mapping[str, tuple[str, ...]]
) -> dict[str, Document]:
    """The model of each target from those of its learners."""
    return {target: ladder(frame, [learned[name] for name in names]) for target, names in targets.items()}


def train_sites(sites: Sequence[TreeSite], plan: TreePlan, frame: Document) -> dict[str, tuple[Document, Calibration]]:
    """Boost over `sites`, then calibrate: trees and calibration of each target."""
    learners, targets = sites[0].rows.learners, sites[0].rows.targets
    kept: list[list[Document]] = [[] for _ in learners]
    for round_number in range(1, plan.rounds + 1):
        for lane in range(len(sites[0].lanes)):
            replies = [site.step(lane, round_number) for site in sites]
            if plan.strategy == "weighted-bagging":
                merged = merge(frame, replies)
            else:
                proposal = propose(frame, replies)
                merged = refit_lane(plan, proposal, [site.leaf_sums(lane, proposal) for site in sites])
            for site in sites:
                site.absorb(lane, merged)
            if is_final(lane, plan):
                kept[lane // (plan.calibration_folds + 1)].append(merged)
    learned = {learner.name: concatenate(trees) for learner, trees in zip(learners, kept, strict=True)}
    models = assemble(frame, learned, {target: names for target, (names, _) in targets.items()})
    classes = sites[0].left_out(next(iter(targets)))[0].shape[1]
    made = {}
    for target, document in models.items():
        calibration = Calibration.start(classes)
        for _ in range(NEWTON_STEPS):
            calibration = combine([site.calibration_sums(target, calibration) for site in sites], calibration)
        made[target] = (document, calibration)
    return made
