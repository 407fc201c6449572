"""Federated averaging of network weights as a Flower strategy."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np
from flwr.app import ArrayRecord, Message
from numpy.typing import NDArray

from federated.plan import SharedPlan, UltrasoundPlan
from federated.run.strategy import SiteStrategy
from federated.run.training import Training
from federated.transport.grid import ConnectedSite, in_waves
from federated.transport.messages import as_arrays, as_record
from federated.weights.averaging import WeightReply, fold_model_numbers
from federated.weights.compression import unpack
from federated.weights.rounds import Rounds
from federated.weights.weighting import SiteCounts

Weights = Mapping[str, NDArray[np.float32]]


class Averaging(SiteStrategy):
    """`federated.weights.rounds` over Flower.

    Arrays are named ``model.weight``, where ``model`` is the number of a fold model.

    Parameters
    ----------
    name : str
        Names the messages (``train.NAME``) and the checkpoint.
    training : Training
    sites : list of ConnectedSite
        Sorted by name.
    section : UltrasoundPlan or SharedPlan
        Says how weights are aggregated and compressed.
    first_round : int
    title : str, optional
        Names the rounds in events; as `name` if it is left out.
    """

    def __init__(
        self,
        name: str,
        training: Training,
        sites: list[ConnectedSite],
        section: UltrasoundPlan | SharedPlan,
        first_round: int,
        title: str = "",
    ) -> None:
        progress = training.progress(title or name, section.rounds, first_round)
        super().__init__(f"train.{name}", training, sites, first_round, progress)
        self.name = name
        self.section = section
        counts = {site.name: SiteCounts(site.rows, site.strata) for site in sites}
        self.rounds = Rounds(section.aggregation, counts)

    def restore(self, saved: Weights) -> None:
        """Restore what a checkpoint holds beside the weights."""
        if self.rounds.adam:
            self.rounds.adam.restore(saved)

    def save(self, round_number: int, arrays: Weights) -> None:
        """Write the checkpoint of a round."""
        self.training.run.save_weights(self.name, round_number, dict(arrays))

    def settings(self) -> dict[str, Any]:
        """How to compress the update."""
        return {"compression": self.section.compression.model_dump_json()}

    @property
    def _secure(self) -> bool:
        return self.training.plan.privacy.secure_sums

    def trained(self, round_number: int) -> list[ConnectedSite]:
        """All sites; under masks no site is asked by itself, because the weights are summed in another exchange."""
        return [] if self._secure else super().trained(round_number)

    def combine(self, round_number: int, replies: Iterable[Message]) -> ArrayRecord:
        """Compute and save the next weights of every fold model."""
        sent = as_arrays(self.sent["model"])
        after = self._masked(sent) if self._secure else self._open(sent, replies)
        moments = self.rounds.adam.arrays() if self.rounds.adam else {}
        self.save(round_number, {**after, **moments})
        return as_record(after)

    def _masked(self, sent: Weights) -> dict[str, NDArray[np.float32]]:
        """The mean by examples. Only the sum of the weights is seen, so that no single reply can be screened."""
        sums = self.training.summed(self.sites, self.kind, self.sent)
        rows = np.rint(sums["metrics"]["num-examples"])
        rows_of = dict(zip(sorted(fold_model_numbers(sent)), rows, strict=True))
        mean = {
            name: (total / rows_of[int(name.partition(".")[0])]).astype(np.float32)
            for name, total in sums["model"].items()
        }
        self.round_metrics["loss"] = float(sums["metrics"]["loss"][0] / rows[0])
        return self.rounds.step(sent, mean)

    def _open(self, sent: Weights, replies: Iterable[Message]) -> dict[str, NDArray[np.float32]]:
        """Read, screen and combine the sites' replies, wave by wave."""
        self.losses: dict[str, float] = {}
        waves = (list(self._read(wave, sent)) for wave in in_waves(replies))
        after, rejected = self.rounds.combine(sent, waves)
        rows = {site.name: site.rows for site in self.sites}
        if self.losses:
            total = sum(rows[name] for name in self.losses)
            self.round_metrics["loss"] = sum(rows[name] * loss for name, loss in self.losses.items()) / total
        self.round_metrics["site_loss"] = {name: round(value, 4) for name, value in self.losses.items()}
        if rejected:
            self.round_metrics["rejected"] = [rejection.words() for rejection in rejected]
        return after

    def sent_to(self, reply: Message, sent: Weights) -> Weights:
        """Those of the sent weights that the site of this reply trains."""
        return sent

    def _read(self, wave: list[Message], sent: Weights) -> Iterator[WeightReply]:
        for reply in wave:
            name, metrics = self.names[reply.metadata.src_node_id], reply.content["metrics"]
            mean, variance = cast(list[float], metrics["loss"])
            if np.isfinite(mean):
                self.losses[name] = mean
            try:
                arrays = unpack(as_arrays(reply.content["model"]), self.sent_to(reply, sent), self.section.compression)
            except ValueError as error:
                self.drop(name, f"it replied with {error}: install the same version everywhere")
                continue
            rows_of = dict(enumerate(cast(list[int], metrics["num-examples"])))
            yield self.rounds.reply(name, arrays, rows_of, (mean, variance))
