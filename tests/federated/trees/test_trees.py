"""Aggregation of trees: right class, right weights, any order, additive sums."""

from itertools import permutations

import numpy as np
import pytest

from federated.sites.partition import ctg_sites
from federated.trees.bagging import TreeReply, merge
from federated.trees.documents import concatenate, new_trees
from federated.trees.refitting import propose, refit
from federated.trees.rounds import best_rounds, empty_frame, proposers, until_best
from federated.trees.site import TreeSite, group_folds
from models.ctg.boosting import booster_from, margins
from models.ctg.boosting_settings import BoostingSettings
from models.ctg.features import DESIGN_NAMES, design
from models.ctg.pattern import PatternModel
from models.datasets.uci_ctg import CtgTable
from studies.in_process import boost_sites, train_sites
from tests.federated.conftest import PLAN, site

SETTINGS = BoostingSettings(learning_rate=0.3, reg_lambda=2.0)
FRAME = empty_frame(PLAN.boosting.settings(), 3, DESIGN_NAMES)


def scores(document: dict[str, object], table: CtgTable) -> np.ndarray:
    return margins(booster_from(document), design(table.features), DESIGN_NAMES)


def test_every_tree_of_every_site_in_its_class(sites: list[TreeSite]) -> None:
    replies = [site.step(0, 1, rounds=2) for site in sites]
    trees, tree_class = new_trees(merge(FRAME, replies))
    assert len(trees) == 3 * 2 * 3
    assert [tree_class.count(label) for label in range(3)] == [6, 6, 6]


def test_a_round_moves_the_margin_by_the_weighted_mean_step(sites: list[TreeSite], table: CtgTable) -> None:
    replies = [site.step(0, 1) for site in sites]
    total = sum(reply.weight for reply in replies)
    expected = np.zeros((len(table), 3))
    for reply in replies:
        alone = merge(FRAME, [TreeReply(reply.site, 1.0, reply.trees, reply.tree_class)])
        expected += reply.weight / total * scores(alone, table)
    merged = scores(merge(FRAME, replies), table)
    np.testing.assert_allclose(merged, expected, atol=1e-5)


@pytest.mark.parametrize("strategy", ["weighted-bagging", "refitted-trees"])
def test_any_order_of_replies_gives_the_same_bytes(sites: list[TreeSite], strategy: str) -> None:
    replies = [site.step(0, 1) for site in sites]
    made = set()
    for order in permutations(replies):
        if strategy == "weighted-bagging":
            document = merge(FRAME, order)
        else:
            proposal = propose(FRAME, order)
            sums = [np.sum(s, axis=0) for s in zip(*(site.leaf_sums(0, proposal) for site in sites), strict=True)]
            document = refit(proposal, sums, SETTINGS, DESIGN_NAMES)
        made.add(bytes(booster_from(document).save_raw("json")))
    assert len(made) == 1


def test_leaf_sums_add_over_sites_and_the_best_tree_is_kept(sites: list[TreeSite], table: CtgTable) -> None:
    proposal = propose(FRAME, [site.step(0, 1) for site in sites])
    pooled = site("all", table, seed=5)
    by_site = [site.leaf_sums(0, proposal) for site in sites]
    sums = [np.sum(parts, axis=0) for parts in zip(*by_site, strict=True)]
    for ours, theirs in zip(sums, pooled.leaf_sums(0, proposal), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    trees, tree_class = new_trees(refit(proposal, sums, SETTINGS, DESIGN_NAMES))
    assert tree_class == [0, 1, 2]
    for tree in trees:
        left, right, cover = tree["left_children"], tree["right_children"], tree["sum_hessian"]
        for node, child in enumerate(left):
            if child != -1:
                assert cover[node] == pytest.approx(cover[child] + cover[right[node]], abs=1e-5)


def test_a_single_site_refits_to_its_own_leaves(table: CtgTable) -> None:
    """With one site and no row sampling the refit gives XGBoost's own leaf values."""
    boosting = PLAN.boosting.model_copy(update={"subsample": 1.0})
    plan = PLAN.model_copy(update={"boosting": boosting, "strategy": "weighted-bagging", "min_leaf_rows": 1})
    only = site("only", table, plan, seed=1)
    reply = only.step(0, 1)
    proposal = propose(FRAME, [reply])
    fitted, _ = new_trees(refit(proposal, only.leaf_sums(0, proposal), SETTINGS, DESIGN_NAMES))
    for ours, theirs in zip(fitted, reply.trees, strict=True):
        np.testing.assert_allclose(ours["split_conditions"], theirs["split_conditions"], rtol=1e-3, atol=1e-4)


def test_no_sites_own_statistics_stay(sites: list[TreeSite]) -> None:
    proposal = propose(FRAME, [site.step(0, 1) for site in sites])
    sums = [np.sum(s, axis=0) for s in zip(*(site.leaf_sums(0, proposal) for site in sites), strict=True)]
    for tree in new_trees(refit(proposal, sums, SETTINGS, DESIGN_NAMES))[0]:
        assert not any(tree["loss_changes"])


def test_concatenated_models_sum_their_margins(sites: list[TreeSite], table: CtgTable) -> None:
    parts = [merge(FRAME, [site.step(0, 1)]) for site in sites]
    whole = scores(concatenate(parts), table)
    summed = sum(scores(part, table) for part in parts)
    np.testing.assert_allclose(whole, summed, atol=1e-5)


def test_absorbing_is_the_same_as_predicting(sites: list[TreeSite]) -> None:
    merged = merge(FRAME, [site.step(0, 1) for site in sites])
    first = sites[0]
    first.absorb(0, merged)
    first.absorb(0, merged)
    expected = 2 * margins(booster_from(merged), design(first.rows.features), DESIGN_NAMES)
    np.testing.assert_allclose(first.fold_models[0].margin, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ([], "no site"),
        ([TreeReply("a", 0.0, [], [])], "positive"),
        ([TreeReply("a", float("nan"), [], [])], "positive"),
        ([TreeReply("a", 1.0, [], [0]), TreeReply("b", 1.0, [], [0, 1])], "different numbers"),
    ],
)
def test_bad_replies_are_refused(replies: list[TreeReply], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        merge(FRAME, replies)


def test_folds_never_part_a_woman(table: CtgTable) -> None:
    fold = group_folds(table.woman, table.state, 4)
    for woman in np.unique(table.woman):
        assert len(np.unique(fold[table.woman == woman])) == 1
    assert set(fold) == {1, 2, 3, 4}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["weighted-bagging", "refitted-trees"])
def test_training_learns_and_calibrates(table: CtgTable, strategy: str) -> None:
    plan = PLAN.model_copy(update={"rounds": 12, "strategy": strategy})
    site_of = ctg_sites(table, plan, seed=3)
    sites = [site(f"site-{k}", table.rows(np.flatnonzero(site_of == k)), plan, seed=5) for k in range(3)]
    document, calibration = train_sites(sites, plan, FRAME)["table"]
    model = PatternModel(booster_from(document), calibration)
    probability = model.probabilities(table.features)
    assert (model.decision.states(probability) == table.state).mean() > 0.8
    assert calibration.rows == len(table)
    assert calibration.women == 40
    assert new_trees(document)[1].count(1) > 0


def test_out_of_fold_women_are_seen_by_no_tree_of_their_fold_model(sites: list[TreeSite]) -> None:
    first = sites[0]
    for model in first.fold_models[1:]:
        out = set(first.rows.group[model.out_of_fold])
        assert out
        assert not out & set(first.rows.group[~model.out_of_fold])
        assert model.training.num_row() == (~model.out_of_fold).sum()


def test_many_sites_take_turns_in_proposing() -> None:
    plan = PLAN.model_copy(update={"proposers": 3})
    assert proposers(3, plan, 5) == [0, 1, 2]
    turns = [proposers(7, plan, number) for number in range(1, 8)]
    assert all(len(turn) == 3 for turn in turns)
    assert sorted(site for turn in turns for site in turn) == sorted(list(range(7)) * 3)
    assert proposers(7, plan.model_copy(update={"strategy": "weighted-bagging"}), 2) == list(range(7))


def test_training_with_turns_learns(table: CtgTable) -> None:
    plan = PLAN.model_copy(update={"rounds": 12, "proposers": 1})
    index = ctg_sites(table, plan, seed=3)
    sites = [site(f"site-{k}", table.rows(np.flatnonzero(index == k)), plan, seed=5) for k in range(3)]
    document, calibration = train_sites(sites, plan, FRAME)["table"]
    chosen = PatternModel(booster_from(document), calibration).probabilities(table.features).argmax(axis=1)
    assert (chosen == table.state).mean() > 0.75


def test_each_fold_model_ends_where_the_others_do_best() -> None:
    losses = np.ones((5, 3, 2))
    losses[:, 1, 0] = [5, 4, 1, 4, 5]  # measured before each round: best after two
    losses[:, 2, 0] = [9, 7, 5, 3, 1]
    assert best_rounds(losses, 3) == [2, 4, 2]
    documents = until_best([{0: {"r": k}, 1: {"r": k}, 2: {"r": k}} for k in range(1, 6)], [2, 4, 2])
    assert [sorted(lanes) for lanes in documents] == [[0, 1, 2], [0, 1, 2], [1], [1]]


@pytest.mark.slow
def test_the_best_round_is_no_worse_on_out_of_fold_rows(table: CtgTable) -> None:
    plan = PLAN.model_copy(update={"rounds": 15, "boosting": PLAN.boosting.model_copy(update={"learning_rate": 0.9})})
    made = {}
    for best in (False, True):
        some = plan.model_copy(update={"best_round": best})
        index = ctg_sites(table, some, seed=3)
        sites = [site(f"site-{k}", table.rows(np.flatnonzero(index == k)), some, seed=5) for k in range(3)]
        trees = boost_sites(sites, some, FRAME)["table"]
        loss, rows = np.sum([s.out_of_fold_losses() for s in sites], axis=0)[1:].sum(axis=0)
        made[best] = (loss / rows, len(new_trees(trees)[0]))
    assert made[True][0] < 1.02 * made[False][0]  # a fold model does not choose by its own out-of-fold rows
    assert made[True][1] < made[False][1]


def test_a_site_alone_and_together(sites: list[TreeSite]) -> None:
    for one in sites:
        for lane in range(len(one.fold_models)):
            one.absorb(lane, merge(FRAME, [site.step(lane, 1) for site in sites]))
        groups, total, squares = one.against_local("table")
        assert groups == len(set(one.rows.group))
        assert squares >= total**2 / groups - 1e-9
        assert one.out_of_fold_losses().shape == (len(one.fold_models), 2)
        assert one.out_of_fold_losses()[1:, 1].sum() == len(one.rows)
