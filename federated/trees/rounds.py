"""The steps of a round of federated boosting, as pure functions. They are used with and without Flower."""

import operator
from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from federated.plan import TreePlan
from federated.trees.bagging import TreeReply, cover, merge
from federated.trees.documents import Document, new_trees
from federated.trees.refitting import Sums, propose, refit
from federated.trees.tasks import task_of
from models.ctg.boosting import boost, matrix, tree_json
from models.ctg.boosting_settings import BoostingSettings
from models.ctg.calibration import Calibration, CalibrationSums, newton_step

NEWTON_STEPS = 8


def empty_frame(settings: BoostingSettings, outputs: int, names: Sequence[str]) -> Document:
    """JSON form of a booster, of which only the header is used; it is the same at sites and server."""
    rows = max(outputs, 2)
    frame = matrix(np.zeros((rows, len(names))), names, np.arange(rows, dtype=np.float64))
    return tree_json(boost(frame, np.zeros((rows, outputs)), 1, settings, outputs, 0))


def frame_of(section: TreePlan) -> Document:
    """The header for the trees of this section."""
    task = task_of(section)
    return empty_frame(section.boosting.settings(), task.outputs, task.columns)


def is_final(fold_model: int, plan: TreePlan) -> bool:
    """Whether this fold model learns from all women, so that its trees become the learner's model."""
    return fold_model % (plan.calibration_folds + 1) == 0


def proposers(sites: int, plan: TreePlan, round_number: int) -> list[int]:
    """Positions of the sites that grow trees in a round: all, or the plan's number of them, in turn."""
    if plan.strategy == "weighted-bagging" or sites <= plan.proposers:
        return list(range(sites))
    start = (round_number - 1) * plan.proposers
    return sorted((start + step) % sites for step in range(plan.proposers))


def proposal_of(plan: TreePlan, frame: Document, replies: Sequence[TreeReply]) -> Document:
    """The trees over which all sites sum: the merged round, or every proposed tree."""
    return merge(frame, replies) if plan.strategy == "weighted-bagging" else propose(frame, replies)


def finish_round(plan: TreePlan, proposal: Document, totals: Sequence[Sums]) -> Document:
    """The trees of the round, from the sums of all sites: bagged trees get covers, refitted ones also leaf values."""
    if plan.strategy == "weighted-bagging":
        return cover(proposal, totals)
    return refit(proposal, totals, plan.boosting.settings(), task_of(plan).columns)


def add(so_far: Sequence[Sums] | None, sums: Sequence[Sums]) -> list[Sums]:
    """Add the sums of one more site; sites come in the order of their names."""
    return list(sums) if so_far is None else [a + b for a, b in zip(so_far, sums, strict=True)]


def combine(sums: Sequence[CalibrationSums], calibration: Calibration) -> Calibration:
    """Take one Newton step with the sums of all sites."""
    return newton_step(calibration, reduce(operator.add, sums))


def mean_of_threshold_models(frame: Document, models: Sequence[Document]) -> Document:
    """The model whose margin is the mean of the margins of these threshold models."""
    if len(models) == 1:
        return models[0]
    replies = [TreeReply(f"{position:03d}", 1.0, *new_trees(model)) for position, model in enumerate(models)]
    return merge(frame, replies)


def assemble(
    frame: Document, learned: Mapping[str, Document], targets: Mapping[str, tuple[str, ...]]
) -> dict[str, Document]:
    """The model of each target from those of its learners."""
    return {
        target: mean_of_threshold_models(frame, [learned[name] for name in names]) for target, names in targets.items()
    }


def best_rounds(losses: NDArray[np.float64], fold_models_each: int) -> list[int]:
    """The round after which the training of each fold model ends.

    Parameters
    ----------
    losses : ndarray, shape (rounds, fold_models, 2)
        Summed log-loss of each fold model's out-of-fold rows before the round, and the number of these rows.
    fold_models_each : int
        Fold models of each learner: the one that learns from all rows, then one for each fold.

    Returns
    -------
    list of int
        Model 0 of a learner ends where the out-of-fold loss of all others is smallest. Each other model ends where the
        loss of the remaining ones is smallest, so that its own out-of-fold rows do not influence its end.
    """
    ends = []
    for first in range(0, losses.shape[1], fold_models_each):
        folds = range(first + 1, first + fold_models_each)
        for fold_model in range(first, first + fold_models_each):
            others = losses[:, [fold for fold in folds if fold != fold_model]].sum(axis=1)
            mean = others[:, 0] / np.maximum(others[:, 1], 1.0)
            ends.append(max(int(np.argmin(mean)), 1))
    return ends


def until_best(rounds: Sequence[Mapping[int, Document]], ends: Sequence[int]) -> list[dict[int, Document]]:
    """The rounds, with the trees of each fold model up to its end."""
    return [
        {fold_model: document for fold_model, document in fold_models.items() if number <= ends[fold_model]}
        for number, fold_models in enumerate(rounds, start=1)
        if number <= max(ends)
    ]
