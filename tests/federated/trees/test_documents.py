"""Trees cut back, stripped, covered; small leaves told together."""

import numpy as np
import pytest

from federated.sites.partition import ctg_sites
from federated.trees.documents import (
    check_trees,
    is_leaf,
    merge_small_leaves,
    new_trees,
    node_totals,
    pruned,
    structure,
    with_trees,
)
from federated.trees.rounds import empty_frame, frame_of
from federated.trees.site import TreeSite
from models.ctg.boosting import booster_from, margins, matrix
from models.ctg.features import DESIGN_NAMES, design
from models.datasets.uci_ctg import CtgTable
from studies.in_process import boost_sites
from tests.federated.conftest import PLAN, site

FRAME = empty_frame(PLAN.boosting.settings(), 3, DESIGN_NAMES)
# 0 splits into leaf 1 and node 2, which splits into leaves 3 and 4.
TREE = {
    "left_children": [1, -1, 3, -1, -1],
    "right_children": [2, -1, 4, -1, -1],
    "parents": [2147483647, 0, 0, 2, 2],
    "base_weights": [0.0, 1.0, 2.0, 3.0, 4.0],
    "split_conditions": [0.5, 0.1, 0.7, 0.3, 0.4],
    "split_indices": [3, 0, 4, 0, 0],
    "split_type": [0] * 5,
    "default_left": [1, 0, 1, 0, 0],
    "sum_hessian": [9.0] * 5,
    "loss_changes": [9.0] * 5,
    "tree_param": {"num_nodes": "5"},
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"split_conditions": [float("nan"), 0, 0, 0, 0]}, "not finite"),
        ({"split_indices": [99, 0, 4, 0, 0]}, "a split on column 99 of 8"),
        ({"split_indices": [3, 0, 4, 0]}, "different lengths"),
        ({"left_children": [1, -1, 2, -1, -1]}, r"node 2 with children \(2, 4\)"),
        ({"left_children": [1, -1, 7, -1, -1]}, r"node 2 with children \(7, 4\)"),
    ],
)
def test_trees_that_are_none_are_refused(change: dict[str, object], words: str) -> None:
    check_trees([TREE, TREE], [0, 1], 8, 2)
    with pytest.raises(ValueError, match=words):
        check_trees([{**TREE, **change}, TREE], [0, 1], 8, 2)
    with pytest.raises(ValueError, match=r"2 trees of the classes \[0\] instead of 2"):
        check_trees([TREE, TREE], [0, 0], 8, 2)
    without = {name: values for name, values in TREE.items() if name != "default_left"}
    with pytest.raises(ValueError, match="without default_left"):
        check_trees([without, TREE], [0, 1], 8, 2)


def test_totals_go_up_the_tree() -> None:
    assert is_leaf(TREE).tolist() == [False, True, False, True, True]
    assert node_totals(TREE, np.array([0, 5.0, 0, 2.0, 3.0])).tolist() == [10, 5, 5, 2, 3]


def test_splits_with_a_small_leaf_are_cut() -> None:
    made = pruned(TREE, np.array([0, 20.0, 0, 2.0, 30.0]), 5, learning_rate=0.1)
    assert made["left_children"] == [1, -1, -1]
    assert made["right_children"] == [2, -1, -1]
    assert made["split_conditions"] == pytest.approx([0.5, 0.1, 0.2])  # 0.1 times the weight of the inner node
    assert made["tree_param"]["num_nodes"] == "3"
    assert made["parents"] == [2147483647, 0, 0]
    whole = pruned(TREE, np.array([0, 2.0, 0, 20.0, 30.0]), 5, learning_rate=0.1)
    assert whole["left_children"] == [-1]
    assert pruned(TREE, np.array([0, 20.0, 0, 20.0, 30.0]), 5, learning_rate=0.1) == {**TREE}


def test_small_leaves_join_the_fullest_neighbour_and_totals_stay() -> None:
    counts, sums = np.array([0, 50.0, 0, 2.0, 30.0]), np.array([0, 5.0, 0, 0.2, 3.0])
    counts, sums = merge_small_leaves(TREE, counts, sums, 5)
    assert counts.tolist() == [0, 50, 0, 0, 32]
    assert sums.tolist() == pytest.approx([0, 5, 0, 0, 3.2])
    counts, sums = np.array([0, 50.0, 0, 2.0, 1.0]), np.array([0, 5.0, 0, 0.2, 0.1])
    counts, sums = merge_small_leaves(TREE, counts, sums, 5)
    assert counts.tolist() == [0, 53, 0, 0, 0]
    counts, sums = np.array([0, 1.0, 0, 2.0, 1.0]), np.ones(5)
    counts, sums = merge_small_leaves(TREE, counts, sums, 5)
    assert not counts.any()
    assert not sums.any()


def test_a_structure_tells_splits_alone() -> None:
    told = structure(TREE)
    assert told["split_conditions"] == [0.5, 0, 0.7, 0, 0]
    for name in ("base_weights", "sum_hessian", "loss_changes"):
        assert not any(told[name])


@pytest.mark.parametrize("strategy", ["refitted-trees", "weighted-bagging"])
def test_uploads_tell_no_statistics_and_no_small_leaf(table: CtgTable, strategy: str) -> None:
    plan = PLAN.model_copy(update={"strategy": strategy})
    one = site("one", table, plan, seed=1)
    reply = one.step(0, 1, rounds=3)
    for tree in reply.trees:
        assert len(tree["sum_hessian"]) == len(tree["left_children"])  # XGBoost wants the fields
        assert not any(tree["sum_hessian"])
        assert not any(tree["loss_changes"])
        if strategy == "refitted-trees":
            assert not np.asarray(tree["split_conditions"])[is_leaf(tree)].any()
    document = with_trees(FRAME, reply.trees, reply.tree_class)
    _, counts = one.fold_models[0].leaves(document)
    assert min(float(n[is_leaf(t)].min()) for t, n in zip(reply.trees, counts, strict=True)) >= plan.min_leaf_rows
    assert len(one.rows) == counts[0].sum()


def test_a_pruned_tree_predicts_as_the_shallow_part_of_it(table: CtgTable) -> None:
    """The value of a cut branch is XGBoost's own for its rows: a depth-1 tree of the same data gives it."""
    boosting = PLAN.boosting.model_copy(update={"subsample": 1.0, "colsample_bynode": 1.0, "max_depth": 2})
    plan = PLAN.model_copy(update={"boosting": boosting, "strategy": "weighted-bagging", "min_leaf_rows": 1})
    stump = plan.model_copy(update={"boosting": boosting.model_copy(update={"max_depth": 1})})
    deep, shallow = (site("one", table, some, seed=1) for some in (plan, stump))
    reply = deep.step(0, 1)
    cut = []
    for tree in reply.trees:
        counts = np.where(is_leaf(tree), 10.0, 0.0)
        for node in (tree["left_children"][0], tree["right_children"][0]):
            if tree["left_children"][node] != -1:
                counts[[tree["left_children"][node], tree["right_children"][node]]] = [1.0, 20.0]
        cut.append(pruned(tree, counts, 5, boosting.learning_rate))
    ours = margins(booster_from(with_trees(FRAME, cut, reply.tree_class)), design(table.features), DESIGN_NAMES)
    alone = shallow.step(0, 1)
    theirs = margins(
        booster_from(with_trees(FRAME, alone.trees, alone.tree_class)), design(table.features), DESIGN_NAMES
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("strategy", ["refitted-trees", "weighted-bagging"])
def test_contributions_of_the_merged_model_are_finite_and_add_up(table: CtgTable, strategy: str) -> None:
    plan = PLAN.model_copy(update={"strategy": strategy})
    index = ctg_sites(table, plan, seed=3)
    sites: list[TreeSite] = [site(f"s{k}", table.rows(np.flatnonzero(index == k)), plan, seed=5) for k in range(3)]
    document = boost_sites(sites, plan, frame_of(plan))["table"]
    for tree in new_trees(document)[0]:
        cover, left = tree["sum_hessian"], tree["left_children"]
        for node, child in enumerate(left):
            assert cover[node] > 0
            if child != -1:
                assert cover[node] == pytest.approx(cover[child] + cover[tree["right_children"][node]])
    booster = booster_from(document)
    rows = matrix(design(table.features), DESIGN_NAMES)
    contributions = booster.predict(rows, pred_contribs=True)
    assert np.isfinite(contributions).all()
    margin = booster.predict(rows, output_margin=True)
    np.testing.assert_allclose(contributions.sum(axis=2), margin, atol=1e-4)
