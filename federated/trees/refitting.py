"""Refitted trees: sites propose trees, all sites refit the leaves, and the best tree of each class is kept.

The splits of a tree that was grown at one site are useful for all sites, but under skew its leaf values fit that site
only. So a proposal consists of the splits, without leaf values and counts. The proposals of a round go to all sites,
which answer with the sums of gradient and Hessian in every leaf. The sums add over sites and can be aggregated
securely. From them the server computes XGBoost's leaf value -eta * G / (H + lambda) and XGBoost's gain. It keeps the
proposal with the largest gain of each class and writes the summed Hessians as covers, which TreeSHAP divides by.
Every row has the same weight, at whichever site it is.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from federated.trees.bagging import TreeReply, merge
from federated.trees.documents import Document, is_leaf, new_trees, node_totals, with_covers, with_trees

Sums = NDArray[np.float64]


def propose(frame: Document, replies: Sequence[TreeReply]) -> Document:
    """The trees of all sites in a round, in a fixed order, each with equal weight."""
    return merge(frame, [TreeReply(reply.site, 1.0, reply.trees, reply.tree_class) for reply in replies])


def refit(proposal: Document, sums: Sequence[Sums], *, learning_rate: float, reg_lambda: float) -> Document:
    """The best tree of each class with leaves and covers from the sums.

    Parameters
    ----------
    proposal : dict
        From `propose`.
    sums : sequence of ndarray, shape (nodes, 2)
        Gradient and Hessian by leaf (zero at inner nodes), summed over the sites, one array for each tree.
    learning_rate, reg_lambda : float
        Eta and lambda of the boosting.

    Raises
    ------
    ValueError
        The number of sums differs from the number of trees.
    """
    trees, tree_class = new_trees(proposal)
    best: dict[int, int] = {}
    gains = [float(np.sum(total[:, 0] ** 2 / (total[:, 1] + reg_lambda))) for total in sums]
    for position, (label, _) in enumerate(zip(tree_class, sums, strict=True)):
        if label not in best or gains[position] > gains[best[label]]:
            best[label] = position
    refitted = [_refitted(trees[best[label]], sums[best[label]], learning_rate, reg_lambda) for label in sorted(best)]
    return with_trees(proposal, refitted, sorted(best))


def _refitted(tree: Document, total: Sums, learning_rate: float, reg_lambda: float) -> Document:
    summed = node_totals(tree, total)
    value = -learning_rate * summed[:, 0] / (summed[:, 1] + reg_lambda)
    conditions = np.where(is_leaf(tree), value, tree["split_conditions"])
    refitted = {**tree, "base_weights": value.tolist(), "split_conditions": conditions.tolist()}
    return with_covers(refitted, total[:, 1])
