"""Flower strategies: fixed sites, every reply needed, aggregation by the pure functions beside this."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from federated.client_app import decode, encode
from federated.plan import Plan, TreePlan
from federated.strategies.averaging import WeightReply, average, join, lane_of
from federated.strategies.refitted_trees import propose
from federated.strategies.weighted_bagging import Document, TreeReply, merge, new_trees
from federated.tree_training import refit_lane

Progress = Callable[[int, dict[str, float]], None]


class SiteFailureError(RuntimeError):
    """A site did not answer, or answered with an error: the round is not aggregated from the others."""


@dataclass(frozen=True)
class Node:
    """A Flower node and the site behind it."""

    node: int
    name: str
    modality: str
    rows: int
    groups: int


def ask(grid: Grid, nodes: list[Node], kind: str, content: RecordDict, timeout_s: float = 3600.0) -> dict[str, Message]:
    """Send the same content to all nodes and wait for every reply, by site name in sorted order.

    Raises
    ------
    SiteFailureError
        Naming the sites that failed.
    """
    messages = [Message(content, message_type=kind, dst_node_id=node.node) for node in nodes]
    return checked(grid.send_and_receive(messages, timeout=timeout_s), nodes)


def checked(replies: Iterable[Message], nodes: list[Node]) -> dict[str, Message]:
    """Replies by site name; raises SiteFailureError unless every site gave one without error."""
    names = {node.node: node.name for node in nodes}
    good = {names[reply.metadata.src_node_id]: reply for reply in replies if not reply.has_error()}
    lost = sorted(set(names.values()) - set(good))
    if lost:
        raise SiteFailureError(f"no usable answer from {', '.join(lost)}")
    return dict(sorted(good.items()))


def bytes_of(messages: Iterable[Message]) -> int:
    """Payload of the arrays in the messages."""
    records = [record for message in messages for record in message.content.array_records.values()]
    return sum(len(array.data) for record in records for array in record.values())


class SiteStrategy(Strategy):
    """Train at a fixed set of nodes; evaluation is asked for by the job, not in every round.

    Parameters
    ----------
    kind : str
        Message type, e.g. ``train.ctg``.
    nodes : list of Node
    plan : Plan
        Sent along, so that a site knows what it takes part in.
    first_round : int
        1, or one more than the rounds already done when a run is resumed.
    progress : callable
        Told of every aggregated round.
    keep : callable
        Given the round's number and what was aggregated, for the checkpoint.
    """

    kind: str

    def __init__(
        self, nodes: list[Node], plan: Plan, first_round: int, progress: Progress, keep: Callable[[int, Any], None]
    ) -> None:
        self.nodes = nodes
        self.plan = plan
        self.first_round = first_round
        self.progress = progress
        self.keep = keep

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """One message a node; ``fresh`` in the first round of a run, when nodes keep nothing yet."""
        details = {"round": self.first_round + server_round - 1, "fresh": server_round == 1}
        config = ConfigRecord({**details, "plan": self.plan.model_dump_json()})
        content = RecordDict({"model": arrays, "config": config})
        return [Message(content, message_type=self.kind, dst_node_id=node.node) for node in self.nodes]

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """All replies or SiteFailureError."""
        good = checked(replies, self.nodes)
        arrays = self.combine(self.first_round + server_round - 1, good)
        self.progress(
            self.first_round + server_round - 1, {"bytes": float(bytes_of(good.values())), **self.metrics(good)}
        )
        return arrays, None

    @abstractmethod
    def combine(self, round_number: int, replies: dict[str, Message]) -> ArrayRecord:
        """Aggregate one round."""

    def metrics(self, replies: dict[str, Message]) -> dict[str, float]:
        """What to report of a round, beside its bytes."""
        return {"sites": float(len(replies))}

    def configure_evaluate(self, *_: Any) -> Iterable[Message]:
        """No message: the job evaluates."""
        return []

    def aggregate_evaluate(self, *_: Any) -> MetricRecord | None:
        """Nothing to aggregate."""
        return None

    def summary(self) -> None:
        """Nothing to log: the job writes events."""


class Trees(SiteStrategy):
    """Boosted trees over Flower; the arrays are the round's new trees of every lane.

    `section` is the part of the plan that these trees follow.

    With "weighted-bagging" a round is one exchange; with "refitted-trees" a second one asks all sites
    for their sums in the leaves of all proposals.
    """

    kind = "train.trees"

    def __init__(
        self,
        nodes: list[Node],
        plan: Plan,
        first_round: int,
        progress: Progress,
        keep: Callable[[int, dict[int, Document]], None],
        frame: Document,
        section: TreePlan,
    ) -> None:
        super().__init__(nodes, plan, first_round, progress, keep)
        self.section = section
        self.frame = frame
        self._grid: Grid | None = None

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Remember the grid for the second exchange."""
        self._grid = grid
        return super().configure_train(server_round, arrays, config, grid)

    def combine(self, round_number: int, replies: dict[str, Message]) -> ArrayRecord:
        """Merge every lane."""
        lanes = range(len(next(iter(replies.values())).content["model"]))
        parts = {lane: [_tree_reply(name, reply, lane) for name, reply in replies.items()] for lane in lanes}
        if self.section.strategy == "weighted-bagging":
            merged = {lane: merge(self.frame, parts[lane]) for lane in lanes}
        else:
            merged = self._refit({lane: propose(self.frame, parts[lane]) for lane in lanes})
        self.keep(round_number, merged)
        return lane_record({round_number: merged})

    def _refit(self, proposals: dict[int, Document]) -> dict[int, Document]:
        assert self._grid is not None
        record = ArrayRecord({str(lane): encode(document) for lane, document in proposals.items()})
        config = ConfigRecord({"plan": self.plan.model_dump_json()})
        answers = ask(self._grid, self.nodes, "query.leaves", RecordDict({"model": record, "config": config}))
        merged = {}
        for lane, proposal in proposals.items():
            sizes = np.cumsum([len(tree["left_children"]) for tree in new_trees(proposal)[0]])[:-1]
            by_site = [np.split(reply.content["sums"][str(lane)].numpy(), sizes) for reply in answers.values()]
            merged[lane] = refit_lane(self.section, proposal, by_site)
        return merged


def lane_record(rounds: dict[int, dict[int, Document]]) -> ArrayRecord:
    """Trees by round and lane, under keys "lane.round"."""
    return ArrayRecord(
        {
            f"{lane}.{number:05d}": encode(document)
            for number, lanes in rounds.items()
            for lane, document in lanes.items()
        }
    )


def _tree_reply(name: str, reply: Message, lane: int) -> TreeReply:
    part = decode(reply.content["model"][str(lane)])
    return TreeReply(name, float(reply.content["metrics"]["num-examples"]), part["trees"], part["tree_class"])


class Averaging(SiteStrategy):
    """`federated.strategies.averaging` over Flower, lane by lane; arrays are named ``lane.weight``."""

    kind = "train.ultrasound"

    def combine(self, round_number: int, replies: dict[str, Message]) -> ArrayRecord:
        """Mean of each lane's weights, weighted by the rows it learned from."""
        lanes: dict[int, list[WeightReply]] = {}
        for name, reply in replies.items():
            arrays = {key: array.numpy() for key, array in reply.content["model"].items()}
            for number, rows in enumerate(reply.content["metrics"]["num-examples"]):
                lanes.setdefault(number, []).append(WeightReply(name, float(rows), lane_of(arrays, number)))
        mean = join({number: average(parts) for number, parts in lanes.items()})
        self.keep(round_number, mean)
        return ArrayRecord({key: Array(values) for key, values in mean.items()})

    def metrics(self, replies: dict[str, Message]) -> dict[str, float]:
        """Mean training loss of the lane that learns from everything, weighted by rows."""
        rows = [float(reply.content["metrics"]["num-examples"][0]) for reply in replies.values()]
        losses = [float(reply.content["metrics"]["loss"]) for reply in replies.values()]
        loss = sum(n * value for n, value in zip(rows, losses, strict=True)) / sum(rows)
        return {"sites": float(len(replies)), "loss": loss}
