"""Federated boosting without a transport: the loop that Flower's messages carry, called in-process.

Out-of-fold studies use it because it is fast; a test proves that the Flower run gives the same bytes.
"""

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
    """JSON form of a booster of which only the header is used: sites and server agree on it."""
    rows = max(outputs, 2)
    frame = matrix(np.zeros((rows, len(names))), names, np.arange(rows, dtype=np.float64))
    return tree_json(boost(frame, np.zeros((rows, outputs)), 1, settings, outputs, 0))


def frame_of(section: TreePlan) -> Document:
    """The header that the trees of this section share."""
    task = task_of(section)
    return empty_frame(section.boosting.settings(), task.outputs, task.columns)


def is_final(lane: int, plan: TreePlan) -> bool:
    """True for the lane of a learner that learns from all women and is kept."""
    return lane % (plan.calibration_folds + 1) == 0


def proposers(sites: int, plan: TreePlan, round_number: int) -> list[int]:
    """Which sites grow trees in a round: all, or the plan's number of them in turn."""
    if plan.strategy == "weighted-bagging" or sites <= plan.proposers:
        return list(range(sites))
    start = (round_number - 1) * plan.proposers
    return sorted((start + step) % sites for step in range(plan.proposers))


def proposal_of(plan: TreePlan, frame: Document, replies: Sequence[TreeReply]) -> Document:
    """What all sites are asked to sum: the merged round, or every tree that was proposed."""
    return merge(frame, replies) if plan.strategy == "weighted-bagging" else propose(frame, replies)


def finish_round(plan: TreePlan, proposal: Document, totals: Sequence[Sums]) -> Document:
    """The round's trees from the sums of all sites, one a tree: covers for bagged ones, leaves too for the best."""
    if plan.strategy == "weighted-bagging":
        return cover(proposal, totals)
    settings = plan.boosting
    return refit(proposal, totals, learning_rate=settings.learning_rate, reg_lambda=settings.reg_lambda)


def add(so_far: Sequence[Sums] | None, sums: Sequence[Sums]) -> list[Sums]:
    """Sums of one more site; sites come in the order of their names."""
    return list(sums) if so_far is None else [a + b for a, b in zip(so_far, sums, strict=True)]


def combine(sums: Sequence[CalibrationSums], calibration: Calibration) -> Calibration:
    """One Newton step on the sites' sums."""
    return newton_step(calibration, reduce(operator.add, sums))


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


def best_rounds(losses: NDArray[np.float64], lanes_each: int) -> list[int]:
    """After how many rounds each lane's trees end.

    Parameters
    ----------
    losses : ndarray, shape (rounds, lanes, 2)
        Summed log-loss of the rows that each lane leaves out before the round, and how many they are.
    lanes_each : int
        Lanes a learner: the one that learns from all, then one a fold.

    Returns
    -------
    list of int
        The first lane of a learner ends where all of its others do best; each of them where the rest do, so that
        what it leaves out has no say in it.
    """
    ends = []
    for first in range(0, losses.shape[1], lanes_each):
        folds = range(first + 1, first + lanes_each)
        for lane in range(first, first + lanes_each):
            told = losses[:, [fold for fold in folds if fold != lane]].sum(axis=1)
            mean = told[:, 0] / np.maximum(told[:, 1], 1.0)
            ends.append(max(int(np.argmin(mean)), 1))
    return ends


def until_best(rounds: Sequence[Mapping[int, Document]], ends: Sequence[int]) -> list[dict[int, Document]]:
    """The rounds, each lane only until its end."""
    return [
        {lane: document for lane, document in lanes.items() if number <= ends[lane]}
        for number, lanes in enumerate(rounds, start=1)
        if number <= max(ends)
    ]
