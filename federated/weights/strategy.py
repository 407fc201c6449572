"""Federated averaging of network weights as a Flower strategy."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np
from flwr.app import ArrayRecord, Message
from numpy.typing import NDArray

from federated.plan import AggregationPlan, CompressionPlan, Plan
from federated.privacy.secure_queries import summed
from federated.transport.grid import Node, in_waves
from federated.transport.messages import as_arrays, as_record
from federated.transport.strategy import Progress, SiteStrategy
from federated.weights.averaging import WeightReply, lane_numbers
from federated.weights.compression import unpack
from federated.weights.rounds import Rounds
from federated.weights.weighting import SiteCounts


class Averaging(SiteStrategy):
    """`federated.weights.rounds` over Flower; arrays are named ``lane.weight``.

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
