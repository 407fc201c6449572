"""The base of our Flower strategies: a fixed set of sites, and no round of evaluation."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from federated.plan import Plan
from federated.transport.grid import Federation, Node

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
