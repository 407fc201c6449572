"""What Flower's own merge gets wrong with three classes, and ours does not."""

import importlib.util
import json
from itertools import permutations

import numpy as np
import pytest

from federated.trees.bagging import TreeReply, merge
from federated.trees.documents import Document, new_trees, with_trees
from federated.trees.rounds import empty_frame
from federated.trees.site import TreeSite
from federated.weights.averaging import WeightReply
from federated.weights.screening import screen
from models.ctg.boosting import booster_from, margins
from models.ctg.features import DESIGN_NAMES, design
from models.datasets.uci_ctg import CtgTable
from tests.conftest import need
from tests.federated.conftest import PLAN, site

BAGGING = PLAN.model_copy(update={"strategy": "weighted-bagging"})
FRAME = empty_frame(PLAN.boosting.settings(), 3, DESIGN_NAMES)
LOCAL_ROUNDS = 2


@pytest.fixture(scope="module")
def replies(table: CtgTable) -> list[TreeReply]:
    """Three sites of unequal size, two local rounds each."""
    cuts = np.array_split(np.arange(len(table)), [20, len(table) // 3])
    sites: list[TreeSite] = [site(f"s{k}", table.rows(rows), BAGGING, seed=5) for k, rows in enumerate(cuts)]
    assert len({len(one.rows) for one in sites}) == 3
    return [one.step(0, 1, rounds=LOCAL_ROUNDS) for one in sites]


def stock(replies: list[TreeReply]) -> Document:
    """`FedXgbBagging` over the same replies."""
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")
    from federated.transport.flower_private import aggregate_bagging

    model = b""
    for reply in replies:
        model = aggregate_bagging(model, json.dumps(with_trees(FRAME, reply.trees, reply.tree_class)).encode())
    made: Document = json.loads(model)
    return made


def scores(document: Document, table: CtgTable) -> np.ndarray:
    return margins(booster_from(document), design(table.features), DESIGN_NAMES)


@pytest.mark.slow
def test_every_class_has_as_many_trees(replies: list[TreeReply]) -> None:
    ours = new_trees(merge(FRAME, replies))[1]
    theirs = new_trees(stock(replies))[1]
    assert [ours.count(k) for k in range(3)] == [3 * LOCAL_ROUNDS] * 3
    assert [theirs.count(k) for k in range(3)] != [3 * LOCAL_ROUNDS] * 3
    assert len(theirs) < len(ours)  # later local rounds are lost as well


def test_the_margin_is_the_weighted_sum_for_every_class_in_any_order(replies: list[TreeReply], table: CtgTable) -> None:
    total = sum(reply.weight for reply in replies)
    expected = sum(
        reply.weight / total * scores(with_trees(FRAME, reply.trees, reply.tree_class), table) for reply in replies
    )
    for order in permutations(replies):
        np.testing.assert_allclose(scores(merge(FRAME, order), table), expected, atol=1e-5)
    assert np.abs(scores(stock(replies), table) - expected).max() > 0.05
    first, *rest = replies
    assert np.abs(scores(stock(replies), table) - scores(stock([*rest, first]), table)).max() > 0.05


def test_every_site_starts_from_the_same_base_score(replies: list[TreeReply]) -> None:
    """Since XGBoost 2.0 a base score is estimated from the rows at hand, unless it is set."""
    base = json.loads(FRAME["learner"]["learner_model_param"]["base_score"])
    assert set(np.ravel(base).tolist()) == {0}
    assert {json.dumps(merge(FRAME, order)["learner"]["learner_model_param"]) for order in permutations(replies)} == {
        json.dumps(FRAME["learner"]["learner_model_param"])
    }


def test_a_reply_that_is_not_finite_is_left_out() -> None:
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")
    from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict

    from federated.transport.flower_private import aggregate_arrayrecords

    current = {"w": np.zeros(2, np.float32)}
    sound = [WeightReply(name, 1.0, {"w": np.full(2, 1.0, np.float32)}) for name in "ab"]
    bad = WeightReply("c", 1.0, {"w": np.full(2, np.nan, np.float32)})
    accepted, rejected = screen([*sound, bad], current, 5.0)
    assert [reply.site for reply in accepted] == ["a", "b"]
    assert [rejection.site for rejection in rejected] == ["c"]
    records = [
        RecordDict(
            {"arrays": ArrayRecord({"w": Array(np.asarray(r.arrays["w"]))}), "m": MetricRecord({"num-examples": 1})}
        )
        for r in [*sound, bad]
    ]
    assert np.isnan(aggregate_arrayrecords(records, "num-examples")["w"].numpy()).all()
