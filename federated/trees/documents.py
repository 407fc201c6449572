"""XGBoost's JSON trees: taking them out, putting them in, cutting back leaves, and what of a tree may travel."""

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
    """`frame` with these trees instead of its own, counters in agreement: one round holds them all."""
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
    """True at the nodes without children."""
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
    """Refuse what is not a round of trees for this model.

    Raises
    ------
    ValueError
        Saying what is wrong: another number of trees a class, fields that are missing or of other lengths, splits on
        columns that there are not, numbers that are not finite, children that are not there.
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
    kept = _reachable(left, right)
    place = {node: position for position, node in enumerate(kept)}
    made = {**tree, **{name: [tree[name][node] for node in kept] for name in _BY_NODE}}
    made["left_children"] = [place.get(left[node], -1) for node in kept]
    made["right_children"] = [place.get(right[node], -1) for node in kept]
    made["parents"] = [place.get(tree["parents"][node], ROOT_PARENT) for node in kept]
    for position, node in enumerate(kept):
        if left[node] == -1 and tree["left_children"][node] != -1:  # now a leaf
            made["base_weights"][position] = learning_rate * tree["base_weights"][node]
            made["split_conditions"][position] = made["base_weights"][position]
            made["split_indices"][position] = made["default_left"][position] = 0
    made["tree_param"] = {**tree["tree_param"], "num_nodes": str(len(kept))}
    return made


def _reachable(left: Sequence[int], right: Sequence[int]) -> list[int]:
    kept, ahead = [], [0]
    while ahead:
        node = ahead.pop(0)
        kept.append(node)
        if left[node] != -1:
            ahead += [left[node], right[node]]
    return sorted(kept)


def without_statistics(tree: Document) -> Document:
    """Zeros for the counts that XGBoost writes beside a tree: they tell how many rows ended where."""
    nodes = len(tree["left_children"])
    return {**tree, "sum_hessian": [0.0] * nodes, "loss_changes": [0.0] * nodes}


def structure(tree: Document) -> Document:
    """The splits alone: leaves that are to be refitted need not be told."""
    conditions = np.where(is_leaf(tree), 0.0, tree["split_conditions"]).tolist()
    return {**without_statistics(tree), "base_weights": [0.0] * len(conditions), "split_conditions": conditions}


def with_covers(tree: Document, at_leaves: NDArray[np.float64]) -> Document:
    """The tree with covers summed up from its leaves, for TreeSHAP, which divides by them."""
    # A leaf that no row reaches still needs a cover.
    covers = node_totals(tree, np.where(is_leaf(tree), np.maximum(at_leaves, 1e-6), 0.0))
    return {**tree, "sum_hessian": covers.tolist(), "loss_changes": [0.0] * len(covers)}


def merge_small_leaves(tree: Document, counts: NDArray[np.float64], sums: NDArray[np.float64], minimum: int) -> None:
    """Add what few rows contribute to the fullest leaf nearby, in place; totals stay.

    Leaving a small cell out would not hide it: it is the difference to the total, which every tree tells.

    Parameters
    ----------
    tree : dict
    counts : ndarray, shape (nodes,)
        Rows in each leaf; changed along with `sums`.
    sums : ndarray, shape (nodes, ...)
    minimum : int
        Leaves with fewer rows, but not none, are small. Where the whole tree has fewer, all becomes 0.
    """
    if counts.sum() < minimum:
        counts[:] = 0
        sums[:] = 0
        return
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


def _leaves_below(tree: Document) -> dict[int, list[int]]:
    below: dict[int, list[int]] = {}
    for node in reversed(range(len(tree["left_children"]))):
        left, right = tree["left_children"][node], tree["right_children"][node]
        below[node] = [node] if left == -1 else below[left] + below[right]
    return below
