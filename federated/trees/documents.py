"""XGBoost's JSON trees: reading, combining and pruning them, and removing what may not leave a site."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Document = dict[str, Any]
_BY_NODE = (
    "base_weights",
    "default_left",
    "left_children",
    "loss_changes",
    "parents",
    "right_children",
    "split_conditions",
    "split_indices",
    "split_type",
    "sum_hessian",
)
ROOT_PARENT = 2147483647


def new_trees(document: Document) -> tuple[list[Document], list[int]]:
    """The trees of a booster's JSON form, with their classes."""
    model = document["learner"]["gradient_booster"]["model"]
    return model["trees"], [int(index) for index in model["tree_info"]]


def with_trees(frame: Document, trees: Sequence[Document], tree_class: Sequence[int]) -> Document:
    """`frame` with these trees instead of its own, as one boosting round, with matching counters."""
    learner = {**frame["learner"], "attributes": {}}
    model = dict(learner["gradient_booster"]["model"])
    model["trees"] = [{**tree, "id": position} for position, tree in enumerate(trees)]
    model["tree_info"] = list(tree_class)
    model["gbtree_model_param"] = {**model["gbtree_model_param"], "num_trees": str(len(trees))}
    model["iteration_indptr"] = [0, len(trees)]
    learner["gradient_booster"] = {**learner["gradient_booster"], "model": model}
    return {**frame, "learner": learner}


def concatenate(documents: Sequence[Document]) -> Document:
    """The model whose margin is the sum of the given models' margins."""
    models = [document["learner"]["gradient_booster"]["model"] for document in documents]
    trees = [tree for model in models for tree in model["trees"]]
    return with_trees(documents[0], trees, [int(index) for model in models for index in model["tree_info"]])


def is_leaf(tree: Document) -> NDArray[np.bool_]:
    """Mask of the nodes without children."""
    leaves: NDArray[np.bool_] = np.asarray(tree["left_children"]) == -1
    return leaves


def node_totals(tree: Document, at_leaves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values at leaves, shape (nodes, ...), summed up to every inner node."""
    totals = at_leaves.copy()
    for node in reversed(range(len(totals))):  # XGBoost numbers children after their parent
        if tree["left_children"][node] != -1:
            totals[node] = totals[tree["left_children"][node]] + totals[tree["right_children"][node]]
    return totals


def check_trees(trees: Sequence[Document], tree_class: Sequence[int], columns: int, outputs: int) -> None:
    """Refuse a reply that is not a round of trees for this model.

    Raises
    ------
    ValueError
        The number of trees for each class differs, fields are missing or of different lengths, a split is on a column
        that does not exist, a number is not finite, or a child does not exist.
    """
    if len(trees) != len(tree_class) or sorted(set(tree_class)) != list(range(outputs)):
        raise ValueError(f"{len(trees)} trees of the classes {sorted(set(tree_class))} instead of {outputs} classes")
    for tree in trees:
        missing = [name for name in _BY_NODE if name not in tree]
        if missing:
            raise ValueError(f"a tree without {missing[0]}")
        nodes = len(tree["left_children"])
        if not nodes or any(len(tree[name]) != nodes for name in _BY_NODE):
            raise ValueError("a tree whose fields have different lengths")
        numbers = np.array(
            [tree[name] for name in ("base_weights", "split_conditions", "sum_hessian")], dtype=np.float64
        )
        if not np.isfinite(numbers).all():
            raise ValueError("a tree with numbers that are not finite")
        if not 0 <= min(tree["split_indices"]) <= max(tree["split_indices"]) < columns:
            raise ValueError(f"a split on column {max(tree['split_indices'])} of {columns}")
        for node, children in enumerate(zip(tree["left_children"], tree["right_children"], strict=True)):
            if children != (-1, -1) and not all(node < child < nodes for child in children):
                raise ValueError(f"node {node} with children {children}")


def pruned(tree: Document, counts: NDArray[np.float64], minimum: int, learning_rate: float) -> Document:
    """The tree without splits that leave fewer than `minimum` rows in a leaf.

    Parameters
    ----------
    tree : dict
    counts : ndarray, shape (nodes,)
        Rows that end in each leaf, 0 at inner nodes.
    minimum : int
    learning_rate : float
        XGBoost scales leaves by it, not the weights of inner nodes.
    """
    totals = node_totals(tree, counts)
    left, right = list(tree["left_children"]), list(tree["right_children"])
    for node in reversed(range(len(left))):
        if left[node] == -1:
            continue
        children = (left[node], right[node])
        if any(left[child] == -1 and totals[child] < minimum for child in children):
            left[node] = right[node] = -1
    nodes = _reachable(left, right)
    place = {node: position for position, node in enumerate(nodes)}
    result = {**tree, **{name: [tree[name][node] for node in nodes] for name in _BY_NODE}}
    result["left_children"] = [place.get(left[node], -1) for node in nodes]
    result["right_children"] = [place.get(right[node], -1) for node in nodes]
    result["parents"] = [place.get(tree["parents"][node], ROOT_PARENT) for node in nodes]
    for position, node in enumerate(nodes):
        if left[node] == -1 and tree["left_children"][node] != -1:  # now a leaf
            result["base_weights"][position] = learning_rate * tree["base_weights"][node]
            result["split_conditions"][position] = result["base_weights"][position]
            result["split_indices"][position] = result["default_left"][position] = 0
    result["tree_param"] = {**tree["tree_param"], "num_nodes": str(len(nodes))}
    return result


def _reachable(left: Sequence[int], right: Sequence[int]) -> list[int]:
    reached, ahead = [], [0]
    while ahead:
        node = ahead.pop(0)
        reached.append(node)
        if left[node] != -1:
            ahead += [left[node], right[node]]
    return sorted(reached)


def without_statistics(tree: Document) -> Document:
    """The tree with zeros for XGBoost's statistics, which reveal how many rows are in each node."""
    nodes = len(tree["left_children"])
    return {**tree, "sum_hessian": [0.0] * nodes, "loss_changes": [0.0] * nodes}


def structure(tree: Document) -> Document:
    """The splits of a tree alone: leaf values that the server will refit need not leave the site."""
    conditions = np.where(is_leaf(tree), 0.0, tree["split_conditions"]).tolist()
    return {**without_statistics(tree), "base_weights": [0.0] * len(conditions), "split_conditions": conditions}


def with_covers(tree: Document, at_leaves: NDArray[np.float64]) -> Document:
    """The tree with covers, summed up from its leaves; TreeSHAP divides by them."""
    # A leaf without rows still needs a positive cover.
    covers = node_totals(tree, np.where(is_leaf(tree), np.maximum(at_leaves, 1e-6), 0.0))
    return {**tree, "sum_hessian": covers.tolist(), "loss_changes": [0.0] * len(covers)}


def merge_small_leaves(
    tree: Document, counts: NDArray[np.float64], sums: NDArray[np.float64], minimum: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add the rows of small leaves to the largest leaf nearby; totals do not change.

    To suppress a small leaf would not hide it: it is the difference to the total, which every tree reveals.

    Parameters
    ----------
    tree : dict
    counts : ndarray, shape (nodes,)
        Rows in each leaf.
    sums : ndarray, shape (nodes, ...)
    minimum : int
        Leaves with fewer rows, but not none, are small. If the whole tree has fewer rows, all results are 0.

    Returns
    -------
    counts, sums : ndarray
        After merging, in the shapes of the arguments.
    """
    if counts.sum() < minimum:
        return np.zeros_like(counts), np.zeros_like(sums)
    counts, sums = counts.copy(), sums.copy()
    parents = tree["parents"]
    leaves = np.flatnonzero(is_leaf(tree))
    below = _leaves_below(tree)
    while small := [leaf for leaf in leaves if 0 < counts[leaf] < minimum]:
        leaf = min(small, key=lambda node: (counts[node], node))
        ancestor = parents[leaf]
        while not (others := [node for node in below[ancestor] if node != leaf and counts[node] > 0]):
            ancestor = parents[ancestor]
        target = max(others, key=lambda node: (counts[node], -node))
        counts[target] += counts[leaf]
        sums[target] += sums[leaf]
        counts[leaf] = 0
        sums[leaf] = 0
    return counts, sums


def _leaves_below(tree: Document) -> dict[int, list[int]]:
    below: dict[int, list[int]] = {}
    for node in reversed(range(len(tree["left_children"]))):
        left, right = tree["left_children"][node], tree["right_children"][node]
        below[node] = [node] if left == -1 else below[left] + below[right]
    return below
