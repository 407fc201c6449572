"""Flower strategies: fixed sites, every reply needed, aggregation by the pure functions beside this."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from federated.compression import unpack
from federated.disclosure import floored
from federated.messages import as_arrays, as_record, encode
from federated.plan import AggregationPlan, CompressionPlan, Plan, TreePlan
from federated.roster import SiteFailureError, UnsoundReplyError
from federated.secure_exchange import summed
from federated.site_grid import Federation, Node, in_waves
from federated.strategies.averaging import WeightReply, lane_numbers
from federated.strategies.rounds import Rounds
from federated.strategies.tree_documents import Document, new_trees
from federated.strategies.tree_replies import check_sums, trees_of
from federated.strategies.weighted_bagging import TreeReply
from federated.strategies.weighting import SiteCounts
from federated.tree_training import finish_round, proposal_of, proposers

Progress = Callable[[int, dict[str, Any]], None]


class SiteStrategy(Strategy):
    """Train at a fixed set of nodes; evaluation is asked for by the job, not in every round.

    Parameters
    ----------
    kind : str
        Message type, e.g. ``train.ctg``.
    nodes : list of Node
        Sorted by name.
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
        self.names = {node.node: node.name for node in nodes}
        self.plan = plan
        self.first_round = first_round
        self.progress = progress
        self.keep = keep

    def run(self, federation: Federation, arrays: ArrayRecord, rounds: int) -> ArrayRecord:
        """All rounds, in waves of sites."""
        self.federation = federation
        self.grid = federation.of(self.nodes)
        return self.start(self.grid, arrays, num_rounds=rounds).arrays

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """One message a node; ``fresh`` in the first round of a run, when nodes keep nothing yet."""
        traffic = self.federation.traffic
        traffic.up = traffic.down = 0
        details = {"round": self.first_round + server_round - 1, "fresh": server_round == 1, **self.details()}
        details["step"] = f"{self.kind} {details['round']}"
        self.sent = RecordDict(
            {"model": arrays, "config": ConfigRecord({**details, "plan": self.plan.model_dump_json()})}
        )
        return (
            Message(self.sent, message_type=self.kind, dst_node_id=node.node)
            for node in self.trained(self.first_round + server_round - 1)
        )

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Take the replies in, wave by wave."""
        round_number = self.first_round + server_round - 1
        self.round_metrics: dict[str, Any] = {}
        arrays = self.combine(round_number, replies)
        self.round_metrics["sites"] = float(len(self.present))
        size = {"bytes": float(self.federation.traffic.up), "bytes_down": float(self.federation.traffic.down)}
        self.progress(round_number, {**size, **self.round_metrics})
        return arrays, None

    @abstractmethod
    def combine(self, round_number: int, replies: Iterable[Message]) -> ArrayRecord:
        """Aggregate one round; what there is to report goes to `round_metrics`."""

    @property
    def present(self) -> list[Node]:
        """The nodes that are not lost."""
        return self.grid.roster.present(self.nodes)

    def trained(self, round_number: int) -> list[Node]:
        """The nodes that train in this round."""
        return self.present

    def details(self) -> dict[str, Any]:
        """More that the sites are told."""
        return {}

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

    `section` is the part of the plan that these trees follow. A round is two exchanges: some sites propose trees, then
    all sum over the leaves of the proposals ("refitted-trees") or of the merged round ("weighted-bagging": covers).
    """

    kind = "train.trees"

    def __init__(
        self,
        nodes: list[Node],
        plan: Plan,
        first_round: int,
        progress: Progress,
        keep: Callable[[int, tuple[dict[int, Document], NDArray[np.float64]]], None],
        frame: Document,
        section: TreePlan,
    ) -> None:
        super().__init__(nodes, plan, first_round, progress, keep)
        self.section = section
        self.frame = frame

    def trained(self, round_number: int) -> list[Node]:
        """The sites that propose."""
        present = self.present
        return [present[k] for k in proposers(len(present), self.section, round_number)]

    def combine(self, round_number: int, replies: Iterable[Message]) -> ArrayRecord:
        """Merge every lane."""
        parts: dict[int, list[TreeReply]] = {}
        for reply in replies:
            name = self.names[reply.metadata.src_node_id]
            weight = float(cast(float, reply.content["metrics"]["weight"]))
            try:
                grown = {lane: trees_of(self.section, array) for lane, array in reply.content["model"].items()}
            except UnsoundReplyError as error:
                self.grid.roster.lose(self.nodes, [name], str(error))
                continue
            for lane, one in grown.items():
                named = TreeReply(name, weight, one["trees"], one["tree_class"])
                parts.setdefault(int(lane), []).append(named)
        if not parts:
            raise SiteFailureError("every site that was to propose trees is lost: start the run again, it goes on")
        proposals = {lane: proposal_of(self.section, self.frame, trees) for lane, trees in parts.items()}
        merged = self._summed(proposals)
        self.keep(round_number, (merged, self.left_out))
        return lane_record({round_number: merged})

    def _summed(self, proposals: dict[int, Document]) -> dict[int, Document]:
        record = ArrayRecord({str(lane): encode(document) for lane, document in proposals.items()})
        # Sites that did not propose have yet to take in the last round's trees.
        content = RecordDict({**self.sent, "proposals": record})
        ends = {
            lane: np.cumsum([len(tree["left_children"]) for tree in new_trees(proposal)[0]])
            for lane, proposal in proposals.items()
        }
        losses: dict[str, float] = {}
        held = {node.name: node.rows for node in self.nodes}

        def look(name: str, reply: Message) -> None:
            for lane, end in ends.items():
                check_sums(reply.content["sums"][str(lane)].numpy(), int(end[-1]), held[name])
            loss, rows = np.reshape(reply.content["metrics"]["left-out"], (-1, 2)).sum(axis=0)
            if floored(int(rows)):
                losses[name] = round(float(loss / rows), 4)

        secure = self.plan.privacy.secure_sums
        total = summed(self.federation, self.nodes, "query.leaves", content, secure=secure, each=look)
        self.left_out = total["metrics"]["left-out"].reshape(-1, 2)
        self.round_metrics["left_out_loss"] = losses
        made = {}
        for lane, proposal in proposals.items():
            sums = total["sums"][str(lane)]
            check_sums(sums, int(ends[lane][-1]))
            made[lane] = finish_round(self.section, proposal, np.split(sums, ends[lane][:-1]))
        return made


def lane_record(rounds: dict[int, dict[int, Document]]) -> ArrayRecord:
    """Trees by round and lane, under keys "lane.round"."""
    return ArrayRecord(
        {
            f"{lane}.{number:05d}": encode(document)
            for number, lanes in rounds.items()
            for lane, document in lanes.items()
        }
    )


class Averaging(SiteStrategy):
    """`federated.strategies.rounds` over Flower; arrays are named ``lane.weight``.

    Parameters
    ----------
    kind : str
        Message type.
    aggregation, compression : AggregationPlan, CompressionPlan
    """

    def __init__(
        self,
        kind: str,
        nodes: list[Node],
        plan: Plan,
        first_round: int,
        progress: Progress,
        keep: Callable[[int, dict[str, NDArray[np.float32]]], None],
        aggregation: AggregationPlan,
        compression: CompressionPlan,
    ) -> None:
        super().__init__(nodes, plan, first_round, progress, keep)
        self.kind = kind
        self.compression = compression
        counts = {node.name: SiteCounts(node.rows, node.strata) for node in nodes}
        self.rounds = Rounds(aggregation, counts)

    def restore(self, kept: Mapping[str, NDArray[np.float32]]) -> None:
        """Put back what a checkpoint holds beside the weights."""
        if self.rounds.adam:
            self.rounds.adam.restore(kept)

    def details(self) -> dict[str, Any]:
        """How to pack the update."""
        return {"compression": self.compression.model_dump_json()}

    def trained(self, round_number: int) -> list[Node]:
        """All; nobody is asked one by one where the weights are summed under masks."""
        return [] if self.plan.privacy.secure_sums else super().trained(round_number)

    def combine(self, round_number: int, replies: Iterable[Message]) -> ArrayRecord:
        """The next weights of every lane."""
        sent = as_arrays(self.sent["model"])
        after = self._masked(sent) if self.plan.privacy.secure_sums else self._open(sent, replies)
        extra = self.rounds.adam.arrays() if self.rounds.adam else {}
        self.keep(round_number, {**after, **extra})
        return as_record(after)

    def _masked(self, sent: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """The mean by examples of weights that only their sum shows; nothing is screened, for nothing is seen."""
        told = summed(self.federation, self.nodes, self.kind, self.sent, secure=True)
        rows = np.rint(told["metrics"]["num-examples"])
        lane_rows = dict(zip(sorted(lane_numbers(sent)), rows, strict=True))
        mean = {
            name: (total / lane_rows[int(name.partition(".")[0])]).astype(np.float32)
            for name, total in told["model"].items()
        }
        self.round_metrics["loss"] = float(told["metrics"]["loss"][0] / rows[0])
        return self.rounds.step(sent, mean)

    def _open(
        self, sent: Mapping[str, NDArray[np.float32]], replies: Iterable[Message]
    ) -> dict[str, NDArray[np.float32]]:
        losses: dict[str, float] = {}
        waves = (list(self._read(wave, sent, losses)) for wave in in_waves(replies))
        after, rejected = self.rounds.combine(sent, waves)
        rows = {node.name: node.rows for node in self.nodes}
        if losses:
            total = sum(rows[name] for name in losses)
            self.round_metrics["loss"] = sum(rows[name] * loss for name, loss in losses.items()) / total
        self.round_metrics["site_loss"] = {name: round(value, 4) for name, value in losses.items()}
        if rejected:
            self.round_metrics["rejected"] = [rejection.words() for rejection in rejected]
        return after

    def held(self, reply: Message, sent: Mapping[str, NDArray[np.float32]]) -> Mapping[str, NDArray[np.float32]]:
        """Those of the weights that were sent which this site answers."""
        return sent

    def _read(
        self, wave: list[Message], sent: Mapping[str, NDArray[np.float32]], losses: dict[str, float]
    ) -> Iterator[WeightReply]:
        for reply in wave:
            name, metrics = self.names[reply.metadata.src_node_id], reply.content["metrics"]
            mean, variance = cast(list[float], metrics["loss"])
            if np.isfinite(mean):
                losses[name] = mean
            try:
                arrays = unpack(as_arrays(reply.content["model"]), self.held(reply, sent), self.compression)
            except ValueError as error:
                self.grid.roster.lose(
                    self.nodes, [name], f"it replied with {error}: install the same version everywhere"
                )
                continue
            lane_rows = dict(enumerate(cast(list[int], metrics["num-examples"])))
            yield self.rounds.reply(name, arrays, lane_rows, (mean, variance))
