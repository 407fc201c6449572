"""The base of our Flower strategies: a fixed set of sites, and no evaluation within a round."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from federated.run.training import Progress, Training
from federated.transport.grid import ConnectedSite


class SiteStrategy(Strategy):
    """Train at a fixed set of sites; the job asks for an evaluation when all rounds are done.

    Parameters
    ----------
    kind : str
        Type of the messages that ask for training, e.g. ``train.trees``.
    training : Training
    sites : list of ConnectedSite
        Sorted by name.
    first_round : int
        1, or one more than the rounds already done when a run is resumed.
    progress : callable
        Called after every aggregated round.
    """

    def __init__(
        self, kind: str, training: Training, sites: list[ConnectedSite], first_round: int, progress: Progress
    ) -> None:
        self.kind = kind
        self.training = training
        self.sites = sites
        self.names = {site.node: site.name for site in sites}
        self.first_round = first_round
        self.progress = progress

    def run(self, arrays: ArrayRecord, rounds: int) -> ArrayRecord:
        """Train all rounds and return the last arrays."""
        self.grid = self.training.sites.of(self.sites)
        return self.start(self.grid, arrays, num_rounds=rounds).arrays

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """One message for each site; ``fresh`` in the first round of a run, when nodes have no state yet."""
        traffic = self.training.sites.traffic
        traffic.up = traffic.down = 0
        round_number = self.first_round + server_round - 1
        self.sent = self.training.content(
            arrays,
            round=round_number,
            fresh=server_round == 1,
            step=f"{self.kind} {round_number}",
            **self.settings(),
        )
        return (
            Message(self.sent, message_type=self.kind, dst_node_id=site.node) for site in self.trained(round_number)
        )

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Take in the replies, wave by wave."""
        round_number = self.first_round + server_round - 1
        self.round_metrics: dict[str, Any] = {}
        arrays = self.combine(round_number, replies)
        self.round_metrics["sites"] = float(len(self.present))
        traffic = self.training.sites.traffic
        size = {"bytes": float(traffic.up), "bytes_down": float(traffic.down)}
        self.progress(round_number, {**size, **self.round_metrics})
        return arrays, None

    @abstractmethod
    def combine(self, round_number: int, replies: Iterable[Message]) -> ArrayRecord:
        """Aggregate and save one round; figures to report go to `round_metrics`."""

    @property
    def present(self) -> list[ConnectedSite]:
        """The sites that are still in the run."""
        return self.training.sites.roster.present(self.sites)

    def drop(self, name: str, why: str) -> None:
        """Take a site whose reply cannot be used out of the run; raises as `Roster.drop`."""
        self.training.sites.roster.drop(self.sites, [name], why)

    def trained(self, round_number: int) -> list[ConnectedSite]:
        """The sites that train in this round."""
        return self.present

    def settings(self) -> dict[str, Any]:
        """Further settings that the sites get with every round."""
        return {}

    def configure_evaluate(self, *_: Any) -> Iterable[Message]:
        """No message: the job evaluates."""
        return []

    def aggregate_evaluate(self, *_: Any) -> MetricRecord | None:
        """There is nothing to aggregate."""
        return None

    def summary(self) -> None:
        """There is nothing to log: the job writes events."""
