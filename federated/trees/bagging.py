"""Weighted bagging of boosted trees: a round keeps the trees of all sites, with leaf values scaled by weight.

Flower's own ``FedXgbBagging`` keeps only the first tree of each reply and assigns it to class 0; with three classes
most of the model is lost. Here a round changes the margin by the weighted mean of the sites' steps. Replies are
sorted by site before merging, so that their order does not change the bytes.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federated.trees.documents import Document, is_leaf, new_trees, with_covers, with_trees


@dataclass(frozen=True)
class TreeReply:
    """New trees of one site.

    Attributes
    ----------
    site : str
    weight : float
        Relative weight, > 0 (the number of the site's rows).
    trees : list of dict
        XGBoost's JSON trees, in boosting order.
    tree_class : list of int
        Class index of each tree.
    """

    site: str
    weight: float
    trees: list[Document]
    tree_class: list[int]


def merge(frame: Document, replies: Sequence[TreeReply]) -> Document:
    """One round's trees of every site, leaf values scaled by the site's share of the weight.

    Parameters
    ----------
    frame : dict
        JSON form of any booster of the same kind; its trees are not used.
    replies : sequence of TreeReply
        At least one; all with the same number of trees for each class.

    Returns
    -------
    dict
        A model with the trees of this round only. It does not depend on the order of `replies`.

    Raises
    ------
    ValueError
        There is no reply, a weight is not positive, or the sites' numbers of trees differ.
    """
    if not replies:
        raise ValueError("no site replied")
    if any(not reply.weight > 0 for reply in replies):
        raise ValueError("every site's weight must be positive")
    if len({tuple(reply.tree_class) for reply in replies}) != 1:
        raise ValueError("sites replied with different numbers of trees")
    ordered = sorted(replies, key=lambda reply: reply.site)
    total = sum(reply.weight for reply in ordered)
    trees, tree_class = [], []
    for position in range(len(ordered[0].trees)):
        for reply in ordered:
            tree = deepcopy(reply.trees[position])
            share = reply.weight / total
            tree["base_weights"] = [value * share for value in tree["base_weights"]]
            tree["split_conditions"] = [
                value * share if leaf else value
                for value, leaf in zip(tree["split_conditions"], is_leaf(tree), strict=True)
            ]
            trees.append(tree)
            tree_class.append(reply.tree_class[position])
    return with_trees(frame, trees, tree_class)


def cover(merged: Document, sums: Sequence[NDArray[np.float64]]) -> Document:
    """Set the covers of a merged round to the Hessians of all sites.

    Parameters
    ----------
    merged : dict
        From `merge`.
    sums : sequence of ndarray, shape (nodes, 2)
        Gradient and Hessian by leaf, summed over the sites, one array for each tree.
    """
    trees, tree_class = new_trees(merged)
    covered = [with_covers(tree, total[:, 1]) for tree, total in zip(trees, sums, strict=True)]
    return with_trees(merged, covered, tree_class)
