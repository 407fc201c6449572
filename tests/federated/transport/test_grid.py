"""Waves of sites: order, bytes, what is lost; and memory that does not grow with their number."""

import importlib.util
import tracemalloc
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from federated.plan import AggregationPlan
from federated.transport.roster import Roster, SiteFailureError
from federated.weights.averaging import WeightReply
from federated.weights.rounds import Rounds
from federated.weights.weighting import SiteCounts
from tests.conftest import need

need_flower = pytest.mark.skipif(importlib.util.find_spec("flwr") is None, reason="training is not installed")


def test_flower_is_there() -> None:
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")


class Wire:
    """Stands for the transport alone: answers each message with its own array, last one first."""

    def __init__(self, silent: set[int] | None = None) -> None:
        self.silent = silent or set()
        self.waves: list[int] = []
        self.sent: dict[str, Any] = {}

    def push_messages(self, messages: Iterable[Any]) -> list[str]:
        self.sent = {f"m{message.metadata.dst_node_id}": message for message in messages}
        self.waves.append(len(self.sent))
        return list(self.sent)

    def pull_messages(self, message_ids: Iterable[str]) -> list[Any]:
        return [
            SimpleNamespace(
                metadata=SimpleNamespace(src_node_id=self.sent[name].metadata.dst_node_id, reply_to_message_id=name),
                content=self.sent[name].content,
                has_error=lambda: False,
            )
            for name in reversed(list(message_ids))
            if self.sent[name].metadata.dst_node_id not in self.silent
        ]


@pytest.fixture(autouse=True)
def _a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flower's messages ask who sends them."""
    if importlib.util.find_spec("flwr") is not None:
        from federated.transport.flower_private import TaskIdentity

        for name in ("_task_id", "_run_id", "_node_id"):
            monkeypatch.setattr(TaskIdentity, name, 1)


def _asked(
    count: int, silent: set[int] | None = None, floor: int | None = None
) -> tuple[Any, Wire, list[tuple[str, Any]]]:
    from flwr.app import Array, ArrayRecord, RecordDict

    from federated.transport.grid import ConnectedSite, SiteGroup

    nodes = [ConnectedSite(k + 1, f"site-{k:03d}", "ctg", 10, 5) for k in range(count)]
    wire = Wire(silent)
    roster = Roster(floor)
    grid = SiteGroup(wire, roster, 0.2).of(nodes)  # type: ignore[arg-type]
    content = RecordDict({"model": ArrayRecord({"0": Array(np.zeros(100, np.uint8))})})
    return grid, wire, list(grid.ask(nodes, "query.x", content))


@need_flower
def test_replies_come_by_name_in_waves_and_are_counted() -> None:
    grid, wire, replies = _asked(40)
    assert wire.waves == [16, 16, 8]
    assert [name for name, _ in replies] == [f"site-{k:03d}" for k in range(40)]
    assert grid.traffic.up == grid.traffic.down >= 40 * 100


@need_flower
def test_a_lost_site_is_named() -> None:
    with pytest.raises(SiteFailureError, match="no usable answer from site-003, site-005"):
        _asked(10, silent={4, 6})


@need_flower
def test_above_the_floor_a_lost_site_leaves_and_is_not_asked_again() -> None:
    from flwr.app import RecordDict

    grid, wire, replies = _asked(20, silent={4, 6}, floor=15)
    assert len(replies) == 18
    assert set(grid.roster.lost) == {"site-003", "site-005"}
    assert grid.roster.lost["site-003"] == "no answer within 0.2 s"
    again = list(grid.ask(list(grid.sites.values()), "query.y", RecordDict()))
    assert [name for name, _ in again] == [name for name, _ in replies]
    assert sum(wire.waves[2:]) == 18
    with pytest.raises(SiteFailureError, match="12 of 20 ctg sites are left, 15 needed"):
        _asked(20, silent=set(range(1, 9)), floor=15)


def test_memory_of_the_aggregator_does_not_grow_with_the_sites() -> None:
    size = 50_000

    def peak(sites: int) -> int:
        rounds = Rounds(AggregationPlan(), {f"{k:04d}": SiteCounts(10) for k in range(sites)})
        current = {"0.w": np.zeros(size, np.float32)}

        def waves() -> Iterator[list[WeightReply]]:
            for first in range(0, sites, 16):
                yield [
                    WeightReply(f"{k:04d}", 10.0, {"0.w": np.full(size, 1.0, np.float32)})
                    for k in range(first, min(first + 16, sites))
                ]

        tracemalloc.start()
        after, _ = rounds.combine(current, waves())
        _, top = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert after["0.w"][0] == 1.0
        return top

    assert peak(480) < 1.2 * peak(48)
