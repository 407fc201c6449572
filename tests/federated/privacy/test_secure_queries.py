"""The exchange behind a secure sum, site by site: whoever is lost at whichever step, the sum is that of who is left."""

import importlib.util
import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from federated.transport.roster import Roster, SiteFailureError
from tests.conftest import need

need_flower = pytest.mark.skipif(importlib.util.find_spec("flwr") is None, reason="training is not installed")
SITES = 5
KIND = "query.sums"


def test_flower_is_there() -> None:
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")


class Hospitals:
    """Stands for the transport: every message goes to the site's own handlers, through the mod that masks."""

    def __init__(self, folder: Path, lost_at: dict[int, str] | None = None, strange: int | None = None) -> None:
        from flwr.app import RecordDict

        self.lost_at = lost_at or {}
        self.strange = strange
        self.seen: list[Any] = []
        self.contexts = {}
        for node in range(SITES):
            (folder / str(node)).mkdir(parents=True)
            site = {
                "name": f"s{node}",
                "modality": "ctg",
                "data": "",
                "groups": [],
                "rows": 0,
                "strata": [],
                "bundle": None,
            }
            (folder / str(node) / "site.json").write_text(json.dumps(site))
            self.contexts[node] = SimpleNamespace(node_config={"partition-id": node}, state=RecordDict())

    def push_messages(self, messages: Iterable[Any]) -> list[str]:
        from federated.transport.packing import unpack

        self.replies: dict[str, Any] = {}
        named = []
        for message in messages:
            node, kind = message.metadata.dst_node_id, message.metadata.message_type
            name = f"{kind} {node}"
            named.append(name)
            if self.lost_at.get(node) != kind:
                message.content = unpack(message.content)
                self.replies[name] = node, self.answer(node, kind, message)
        self.seen += [content for _, content in self.replies.values()]
        return named

    def pull_messages(self, message_ids: Iterable[str]) -> list[Any]:
        return [
            SimpleNamespace(
                metadata=SimpleNamespace(src_node_id=self.replies[name][0], reply_to_message_id=name),
                content=self.replies[name][1],
                has_error=lambda: False,
            )
            for name in message_ids
            if name in self.replies
        ]

    def answer(self, node: int, kind: str, message: Any) -> Any:
        from flwr.app import Message, MetricRecord, RecordDict

        from federated.privacy.secure_queries import masked, new_keys, reveal, shares_for

        context = self.contexts[node]
        handlers = {"query.keys": new_keys, "query.shares": shares_for, "query.unmask": reveal}
        if kind in handlers:
            return handlers[kind](message, context).content

        def own(message: Any, context: Any) -> Any:
            metrics = {"rows": [node + 1] * (2 if node == self.strange else 1), "gradient": [0.5 * node, -1.25]}
            return Message(RecordDict({"metrics": MetricRecord(metrics)}), reply_to=message)

        return masked(message, context, own).content


@pytest.fixture(autouse=True)
def _a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flower's messages ask who sends them."""
    if importlib.util.find_spec("flwr") is not None:
        from federated.transport.flower_private import TaskIdentity

        for name in ("_task_id", "_run_id", "_node_id"):
            monkeypatch.setattr(TaskIdentity, name, 1)


def summed_by(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, secure: bool = True, floor: int | None = 2, **more: Any
) -> tuple[Any, Hospitals, Roster]:
    from flwr.app import RecordDict

    from federated.privacy.secure_queries import summed
    from federated.sites.site import SITES_VARIABLE
    from federated.transport.grid import ConnectedSite, SiteGroup

    monkeypatch.setenv(SITES_VARIABLE, str(folder))
    wire, roster = Hospitals(folder, **more), Roster(floor)
    nodes = [ConnectedSite(k, f"s{k}", "ctg", 10, 5) for k in range(SITES)]
    federation = SiteGroup(wire, roster, 0.3)  # type: ignore[arg-type]
    return summed(federation, nodes, KIND, RecordDict(), secure=secure), wire, roster


@need_flower
def test_the_secure_sum_is_the_plain_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, _, _ = summed_by(tmp_path / "a", monkeypatch, secure=False)
    secure, wire, _ = summed_by(tmp_path / "b", monkeypatch)
    assert plain["metrics"]["rows"].tolist() == [15]
    for name, values in plain["metrics"].items():
        np.testing.assert_array_equal(secure["metrics"][name], values)
    assert not any("metrics" in content for content in wire.seen)
    assert not any("sum" in context.state for context in wire.contexts.values())  # keys serve once


@need_flower
@pytest.mark.parametrize("kind", ["query.keys", "query.shares", KIND, "query.unmask"])
@pytest.mark.parametrize("node", [0, 2, 4])
def test_a_site_may_be_lost_at_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, node: int) -> None:
    made, _, roster = summed_by(tmp_path, monkeypatch, lost_at={node: kind})
    assert list(roster.lost) == [f"s{node}"]
    # Lost after it masked, its term is in the sum: it did take part.
    expected = 15 if kind == "query.unmask" else 15 - (node + 1)
    assert made["metrics"]["rows"].tolist() == [expected]


@pytest.mark.slow
@need_flower
def test_below_the_floor_it_ends_and_below_the_threshold_nothing_is_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from federated.privacy.secure_aggregation import SecureSumError

    with pytest.raises(SiteFailureError, match="4 of 5 ctg sites are left, all needed"):
        summed_by(tmp_path / "a", monkeypatch, floor=None, lost_at={1: KIND})
    with pytest.raises(SecureSumError, match="nothing is revealed"):
        summed_by(tmp_path / "b", monkeypatch, lost_at={0: KIND, 1: KIND, 2: KIND})
    with pytest.raises(SecureSumError, match="at least three sites"):
        summed_by(tmp_path / "c", monkeypatch, lost_at={0: "query.keys", 1: "query.keys", 2: "query.keys"})


@need_flower
def test_a_site_that_sums_over_something_else_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from federated.privacy.secure_aggregation import SecureSumError

    with pytest.raises(SecureSumError, match="site s3 sums over something else"):
        summed_by(tmp_path, monkeypatch, strange=3)
