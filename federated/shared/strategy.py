"""Training of the shared representation over Flower: each site gets and answers only the parts that it has data for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from federated.plan import SharedPlan, fold_models_of
from federated.run.training import Training
from federated.shared.metrics import figures
from federated.shared.site import Stage, Summaries, initial_fold_models, part_of, travels
from federated.shared.stages import add_summaries, aligned, modalities_of, stages, start_of
from federated.sites.site import MODALITY_OF
from federated.transport.grid import ConnectedSite
from federated.transport.messages import as_arrays, as_record
from federated.weights.arrays import Weights
from federated.weights.strategy import Averaging
from federated.weights.strategy import Weights as AnyWeights
from models.representation.examples import Array, Modality

SUMMARY = "summary:"
NAME = "shared"


@dataclass(frozen=True)
class SharedTraining:
    """A training of the shared representation.

    Attributes
    ----------
    training : Training
    sites : list of ConnectedSite
    standard : mapping of modality to ndarray
        Sums over the sites that the features of each modality are scaled by.
    """

    training: Training
    sites: list[ConnectedSite]
    standard: Mapping[Modality, Array]

    @property
    def section(self) -> SharedPlan:
        """The plan's section."""
        assert self.training.plan.shared is not None
        return self.training.plan.shared

    def members(self, *modalities: Modality) -> list[ConnectedSite]:
        """The sites of these modalities."""
        return [site for site in self.sites if MODALITY_OF[site.modality] in modalities]

    def ask(self, kind: str, modality: Modality, arrays: Weights) -> Iterable[tuple[str, Message]]:
        """Ask the sites of a modality about the parts of the network that they have data for."""
        content = self.training.content(as_record(part_of(arrays, modality)))
        content["standard"] = as_record({"sums": self.standard[modality]})
        return self.training.ask(self.members(modality), kind, content)


class PartwiseAveraging(Averaging):
    """Averaging of one stage, in which each site trains only the parts of the network that it has data for.

    Parameters
    ----------
    shared : SharedTraining
    stage : Stage
    position : int
        Of the stage among all stages.
    summaries : dict of str to ndarray
        Sums over the sites' embeddings, which align the modalities.
    first_round : int
        Of the stage.
    """

    def __init__(
        self, shared: SharedTraining, stage: Stage, position: int, summaries: Summaries, first_round: int
    ) -> None:
        sites = shared.members(*stage.modalities)
        title = f"{NAME}-{stage.name}"
        super().__init__(NAME, shared.training, sites, shared.section, first_round, title)
        self.rounds.whole = False
        self.shared = shared
        self.stage, self.position = stage, position
        self.summaries = summaries
        self.modality = {site.name: MODALITY_OF[site.modality] for site in sites}

    def save(self, round_number: int, arrays: AnyWeights) -> None:
        """Write the checkpoint, with the summaries; rounds are counted over all stages."""
        done = self.position * self.section.rounds
        super().save(done + round_number, {**arrays, **_named(self.summaries)})

    def settings(self) -> dict[str, Any]:
        """The position of the stage, beside the settings of any averaging."""
        return {**super().settings(), "stage": self.position}

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Send each site its parts of the network, the scale of its features, and the summaries."""
        return map(self._for_site, super().configure_train(server_round, arrays, config, grid))

    def _for_site(self, message: Message) -> Message:
        node = message.metadata.dst_node_id
        modality = self.modality[self.names[node]]
        content = {
            **message.content,
            "model": as_record(part_of(as_arrays(message.content["model"]), modality)),
            "standard": as_record({"sums": self.shared.standard[modality]}),
            "summaries": as_record(self.summaries),
        }
        return Message(RecordDict(content), message_type=self.kind, dst_node_id=node)

    def combine(self, round_number: int, replies: Iterable[Message]) -> ArrayRecord:
        """Average the weights, and add up the summaries of all sites."""
        self.round_summaries: Summaries = {}
        arrays = super().combine(round_number, self._collecting_summaries(replies))
        self.summaries = {**self.summaries, **self.round_summaries}
        return arrays

    def _collecting_summaries(self, replies: Iterable[Message]) -> Iterable[Message]:
        for reply in replies:
            self.round_summaries = add_summaries(self.round_summaries, as_arrays(reply.content["summaries"]))
            yield reply

    def sent_to(self, reply: Message, sent: AnyWeights) -> AnyWeights:
        """Those of the sent weights that the site of this reply trains in this stage."""
        modality = self.modality[self.names[reply.metadata.src_node_id]]
        trains = partial(travels, modality=modality, stage=self.stage, plan=self.shared.section)
        return {name: values for name, values in sent.items() if trains(name.partition(".")[2])}


def _named(summaries: Summaries) -> Weights:
    return {f"{SUMMARY}{name}": values.astype(np.float32) for name, values in summaries.items()}


def _stored_summaries(arrays: AnyWeights) -> Summaries:
    """The summaries of a checkpoint; inverse of `_named`."""
    return {
        name.removeprefix(SUMMARY): values.astype(np.float64)
        for name, values in arrays.items()
        if name.startswith(SUMMARY)
    }


def train_shared(training: Training, sites: list[ConnectedSite]) -> dict[str, Any]:
    """Train all stages; return the figures of out-of-fold rows, and what alignment found."""
    shared = SharedTraining(training, sites, _standard(training, sites))
    section, run = shared.section, training.run
    fresh = initial_fold_models(section, training.plan.seed)
    # Personal heads are lost with the state of the nodes, so that such a training begins again.
    checkpoint = None if section.personal_heads else run.weights(NAME)
    done, stored = checkpoint or (0, fresh)
    arrays = {name: values for name, values in stored.items() if ":" not in name}
    summaries = _stored_summaries(stored)
    results: dict[str, Any] = {"sites": {}, "notes": {}}
    for position, stage in enumerate(stages(section)):
        before, name = position * section.rounds, f"{NAME}-{stage.name}"
        trains = done < before + section.rounds
        if trains:
            if done <= before:
                arrays = _start(shared, stage, arrays, fresh)
            first_round = max(done - before, 0) + 1
            strategy = PartwiseAveraging(shared, stage, position, summaries, first_round)
            strategy.restore(stored)
            arrays = as_arrays(strategy.run(as_record(arrays), section.rounds - first_round + 1))
            summaries = strategy.summaries
        if trains or not run.has_results(name):  # an earlier run may have ended after the last round of the stage
            run.save_results(name, _judge(shared, stage, arrays))
        results["sites"] |= dict(run.results(name))
    if run.has_results(f"{NAME}-cca"):
        results["notes"]["cca"] = run.results(f"{NAME}-cca")
    results["figures"] = figures(results["sites"])
    results["nodes"] = {site.name: {"rows": site.rows, "groups": site.groups} for site in sites}
    return results


def _standard(training: Training, sites: list[ConnectedSite]) -> dict[Modality, Array]:
    """Sums over the sites that the features of each modality are scaled by."""
    standard: dict[Modality, Array] = {}
    assert training.plan.shared is not None
    for modality in modalities_of(training.plan.shared):
        members = [site for site in sites if MODALITY_OF[site.modality] == modality]
        replies = training.ask(members, "query.features", training.content())
        standard[modality] = np.sum([reply.content["sums"]["features"].numpy() for _, reply in replies], axis=0)
    return standard


def _start(shared: SharedTraining, stage: Stage, arrays: Weights, fresh: Weights) -> Weights:
    """The weights that a stage starts from; the target's are aligned with the source where the plan asks for it."""
    arrays = start_of(stage, arrays, fresh)
    if stage.name != "target" or "cca" not in shared.section.align:
        return arrays
    arrays, _, words = aligned(arrays, shared.section, _means(shared, arrays), shared.training.plan.seed)
    shared.training.run.save_results(f"{NAME}-cca", words)
    return arrays


def _judge(shared: SharedTraining, stage: Stage, arrays: Weights) -> dict[str, Any]:
    """Figures of each site's out-of-fold rows after a stage."""
    return {
        name: dict(reply.content["metrics"])
        for modality in stage.modalities
        for name, reply in shared.ask("query.judge", modality, arrays)
    }


def _means(shared: SharedTraining, arrays: Weights) -> dict[Modality, list[list[tuple[int, Array]]]]:
    """Means of the embeddings of each growth cell, by modality and fold model."""
    by_modality: dict[Modality, list[list[tuple[int, Array]]]] = {}
    for modality in set(modalities_of(shared.section)) & {"trace", "scan"}:
        means: list[list[tuple[int, Array]]] = [[] for _ in fold_models_of(shared.section)]
        for _, reply in shared.ask("query.means", modality, arrays):
            for number, values in as_arrays(reply.content["means"]).items():
                means[int(number)] += [(int(row[0]), row[1:]) for row in values]
        by_modality[modality] = means
    return by_modality
