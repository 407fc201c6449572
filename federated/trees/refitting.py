"""Sites propose trees, all sites refit the leaves, the best tree of each class is kept.

A tree that one site grew is a fair split of everyone's rows with the wrong leaves: under skew the leaves
speak for one site. So a proposal is its splits alone, without leaf values and counts; the proposals of a
round go to all sites, which answer with the sums of gradient and Hessian in every leaf. Sums add over sites
(and so can be aggregated securely); from them the server computes XGBoost's own leaf value -eta * G / (H + lambda)
and XGBoost's own gain, keeps the proposal with the largest gain a class, and writes the summed Hessians as the
covers that TreeSHAP divides by. A site weighs as much as its rows do.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from federated.trees.bagging import TreeReply, merge
from federated.trees.documents import Document, is_leaf, new_trees, node_totals, with_covers, with_trees

Sums = NDArray[np.float64]


def propose(frame: Document, replies: Sequence[TreeReply]) -> Document:
    """All sites' trees of a round in a fixed order, each with equal weight."""
    return merge(frame, [TreeReply(reply.site, 1.0, reply.trees, reply.tree_class) for reply in replies])


def refit(proposal: Document, sums: Sequence[Sums], *, learning_rate: float, reg_lambda: float) -> Document:
    """The best tree of each class with leaves and covers from the sums.

    Parameters
    ----------
    proposal : dict
        From `propose`.
    sums : sequence of ndarray, shape (nodes, 2)
        Gradient and Hessian by leaf (zero at inner nodes), summed over the sites, one a tree.
    learning_rate, reg_lambda : float
        Eta and lambda of the boosting.

    Raises
    ------
    ValueError
        As many sums as trees are needed.
    """
    trees, tree_class = new_trees(proposal)
    best: dict[int, int] = {}
    gains = [float(np.sum(total[:, 0] ** 2 / (total[:, 1] + reg_lambda))) for total in sums]
    for position, (label, _) in enumerate(zip(tree_class, sums, strict=True)):
        if label not in best or gains[position] > gains[best[label]]:
            best[label] = position
    kept = [_refitted(trees[best[label]], sums[best[label]], learning_rate, reg_lambda) for label in sorted(best)]
    return with_trees(proposal, kept, sorted(best))


def _refitted(tree: Document, total: Sums, learning_rate: float, reg_lambda: float) -> Document:
    summed = node_totals(tree, total)
    value = -learning_rate * summed[:, 0] / (summed[:, 1] + reg_lambda)
    conditions = np.where(is_leaf(tree), value, tree["split_conditions"])
    made = {**tree, "base_weights": value.tolist(), "split_conditions": conditions.tolist()}
    return with_covers(made, total[:, 1])
