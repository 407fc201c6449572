"""Refitted trees: sites propose trees, all sites refit the leaves, and the best tree of each class is kept.

The splits of a tree that was grown at one site are useful for all sites, but under skew its leaf values fit that site
only. So a proposal consists of the splits, without leaf values and counts. The proposals of a round go to all sites,
which answer with the sums of gradient and Hessian in every leaf. The sums add over sites and can be aggregated
securely. From them the server computes XGBoost's leaf value -eta * G / (H + lambda) and XGBoost's gain. It keeps the
proposal with the largest gain of each class and writes the summed Hessians as covers, which TreeSHAP divides by.
Every row has the same weight, at whichever site it is.

Where the margin may only rise or only fall with a column, a split on that column bounds the values below it, as in
XGBoost: no value on the low side may exceed any on the high side.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from federated.trees.bagging import TreeReply, merge
from federated.trees.documents import Document, is_leaf, new_trees, node_totals, with_covers, with_trees
from models.ctg.boosting_settings import BoostingSettings

Sums = NDArray[np.float64]


def propose(frame: Document, replies: Sequence[TreeReply]) -> Document:
    """The trees of all sites in a round, in a fixed order, each with equal weight."""
    return merge(frame, [TreeReply(reply.site, 1.0, reply.trees, reply.tree_class) for reply in replies])


def refit(proposal: Document, sums: Sequence[Sums], settings: BoostingSettings, columns: Sequence[str]) -> Document:
    """The best tree of each class with leaves and covers from the sums.

    Parameters
    ----------
    proposal : dict
        From `propose`.
    sums : sequence of ndarray, shape (nodes, 2)
        Gradient and Hessian by leaf (zero at inner nodes), summed over the sites, one array for each tree.
    settings : BoostingSettings
        Its learning rate (eta), lambda and monotone measures.
    columns : sequence of str
        Inputs of the trees.

    Raises
    ------
    ValueError
        The number of sums differs from the number of trees.
    """
    trees, tree_class = new_trees(proposal)
    directions = settings.directions(columns)
    best: dict[int, tuple[float, Document]] = {}
    for label, tree, at_leaves in zip(tree_class, trees, sums, strict=True):
        value = _values(tree, node_totals(tree, at_leaves), settings.reg_lambda, directions)
        gradient, hessian = at_leaves[:, 0], at_leaves[:, 1] + settings.reg_lambda
        gain = -float(np.sum(np.where(is_leaf(tree), 2.0 * gradient * value + hessian * value**2, 0.0)))
        if label not in best or gain > best[label][0]:
            best[label] = gain, _refitted(tree, settings.learning_rate * value, at_leaves)
    return with_trees(proposal, [best[label][1] for label in sorted(best)], sorted(best))


def _values(tree: Document, totals: Sums, reg_lambda: float, directions: Sequence[int]) -> Sums:
    """The value of each node, shape (nodes,): -G / (H + lambda) within the bounds of the splits above it."""
    value = -totals[:, 0] / (totals[:, 1] + reg_lambda)
    low, high = np.full(len(value), -np.inf), np.full(len(value), np.inf)
    children = zip(tree["left_children"], tree["right_children"], tree["split_indices"], strict=True)
    for node, (left, right, column) in enumerate(children):  # XGBoost numbers children after their parent
        value[node] = np.clip(value[node], low[node], high[node])
        if left == -1:
            continue
        low[[left, right]], high[[left, right]] = low[node], high[node]
        if directions[column]:
            pair = np.clip(value[[left, right]], low[node], high[node])
            between = np.clip(value[node], pair.min(), pair.max())
            below, above = (left, right) if directions[column] > 0 else (right, left)
            high[below] = low[above] = between
    return value


def _refitted(tree: Document, value: Sums, at_leaves: Sums) -> Document:
    conditions = np.where(is_leaf(tree), value, tree["split_conditions"])
    refitted = {**tree, "base_weights": value.tolist(), "split_conditions": conditions.tolist()}
    return with_covers(refitted, at_leaves[:, 1])
