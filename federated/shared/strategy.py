"""Part-wise averaging over Flower: a site is sent and answers only the parts that it has data for."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid
from numpy.typing import NDArray

from federated.plan import Plan, SharedPlan, lanes_of
from federated.run.folder import RunFolder
from federated.shared.metrics import figures
from federated.shared.site import Stage, Summaries, initial_lanes, part_of, travels
from federated.shared.stages import add_summaries, aligned, modalities_of, stages, start_of
from federated.sites.data import MODALITY_OF
from federated.transport.grid import Federation, Node
from federated.transport.messages import as_arrays, as_record
from federated.transport.strategy import Progress
from federated.weights.arrays import Weights
from federated.weights.strategy import Averaging
from models.representation.examples import Array, Modality

SUMMARY = "summary:"
NAME = "shared"


class PartwiseAveraging(Averaging):
    """One stage. `standard` holds what features of each modality are scaled by; `summaries` what aligns them."""

    def __init__(
        self,
        stage: Stage,
        position: int,
        standard: Mapping[Modality, Array],
        summaries: Summaries,
        nodes: list[Node],
        plan: Plan,
        first_round: int,
        progress: Progress,
        run: RunFolder,
        done: int,
    ) -> None:
        section = _section(plan)
        super().__init__(
            "train.shared",
            nodes,
            plan,
            first_round,
            progress,
            lambda number, arrays: run.keep_weights(NAME, done + number, {**arrays, **_named(self.summaries)}),
            section.aggregation,
            section.compression,
        )
        self.rounds.whole = False
        self.stage, self.position, self.standard, self.summaries = stage, position, standard, summaries
        self.modality = {node.name: MODALITY_OF[node.modality] for node in nodes}

    def details(self) -> dict[str, Any]:
        """Which stage."""
        return {**super().details(), "stage": self.position}

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """To each node its parts, the scale of its features and the summaries."""
        return map(self._for_site, super().configure_train(server_round, arrays, config, grid))

    def _for_site(self, message: Message) -> Message:
        node = message.metadata.dst_node_id
        modality = self.modality[self.names[node]]
        content = {
            **message.content,
            "model": as_record(part_of(as_arrays(message.content["model"]), modality)),
            "standard": as_record({"sums": self.standard[modality]}),
            "summaries": as_record(self.summaries),
        }
        return Message(RecordDict(content), message_type=self.kind, dst_node_id=node)

    def combine(self, round_number: int, replies: Iterable[Message]) -> ArrayRecord:
        """Weights as any average; summaries are added up over the sites."""
        self.fresh_summaries: Summaries = {}
        arrays = super().combine(round_number, replies)
        self.summaries = {**self.summaries, **self.fresh_summaries}
        return arrays

    def held(self, reply: Message, sent: Mapping[str, NDArray[np.float32]]) -> Mapping[str, NDArray[np.float32]]:
        """The weights that this site answers; its summaries are taken along."""
        self.fresh_summaries = add_summaries(self.fresh_summaries, as_arrays(reply.content["summaries"]))
        modality = self.modality[self.names[reply.metadata.src_node_id]]
        goes = partial(travels, modality=modality, stage=self.stage, plan=_section(self.plan))
        return {name: values for name, values in sent.items() if goes(name.partition(".")[2])}


def _section(plan: Plan) -> SharedPlan:
    assert plan.shared is not None
    return plan.shared


def _named(summaries: Summaries) -> Weights:
    return {f"{SUMMARY}{name}": values.astype(np.float32) for name, values in summaries.items()}


def train_shared(
    federation: Federation, run: RunFolder, plan: Plan, nodes: list[Node], progress: Any
) -> dict[str, Any]:
    """All stages; what the sites say of the rows that each lane left out, and what alignment found."""
    section = _section(plan)
    by_modality = {m: [node for node in nodes if MODALITY_OF[node.modality] == m] for m in modalities_of(section)}
    base = ConfigRecord({"plan": plan.model_dump_json()})
    standard: dict[Modality, Array] = {}
    for modality, held in by_modality.items():
        answers = federation.ask(held, "query.features", RecordDict({"config": base}))
        standard[modality] = np.sum([reply.content["sums"]["features"].numpy() for _, reply in answers], axis=0)
    fresh = initial_lanes(section, plan.seed)
    kept = None if section.personal_heads else run.weights(NAME)  # personal heads are lost with the nodes' state
    done, stored = kept or (0, fresh)
    arrays = {name: values for name, values in stored.items() if ":" not in name}
    summaries: Summaries = {
        name.removeprefix(SUMMARY): values.astype(np.float64)
        for name, values in stored.items()
        if name.startswith(SUMMARY)
    }
    results: dict[str, Any] = {"sites": {}, "notes": {}}
    for position, stage in enumerate(stages(section)):
        before = position * section.rounds
        taking = [node for node in nodes if MODALITY_OF[node.modality] in stage.modalities]
        trains = done < before + section.rounds
        if trains:
            if done <= before:
                arrays = start_of(stage, arrays, fresh)
                if stage.name == "target" and "cca" in section.align:
                    means = _means(federation, plan, by_modality, standard, arrays)
                    arrays, _, words = aligned(arrays, section, means, plan.seed)
                    run.keep_results(f"{NAME}-cca", words)
            first = max(done - before, 0) + 1
            report = progress(run, f"{NAME}-{stage.name}", section.rounds, first)
            strategy = PartwiseAveraging(stage, position, standard, summaries, taking, plan, first, report, run, before)
            strategy.restore(stored)
            arrays = as_arrays(strategy.run(federation, as_record(arrays), section.rounds - first + 1))
            summaries = strategy.summaries
        if trains or not run.has_results(f"{NAME}-{stage.name}"):  # a run may have ended after its last round
            run.keep_results(f"{NAME}-{stage.name}", _judge(federation, plan, by_modality, stage, standard, arrays))
        results["sites"] |= dict(run.results(f"{NAME}-{stage.name}"))
    if run.has_results(f"{NAME}-cca"):
        results["notes"]["cca"] = run.results(f"{NAME}-cca")
    results["figures"] = figures(results["sites"])
    results["nodes"] = {node.name: {"rows": node.rows, "groups": node.groups} for node in nodes}
    return results


def _content(plan: Plan, arrays: Weights, modality: Modality, standard: Mapping[Modality, Array]) -> RecordDict:
    return RecordDict(
        {
            "config": ConfigRecord({"plan": plan.model_dump_json()}),
            "model": as_record(part_of(arrays, modality)),
            "standard": as_record({"sums": standard[modality]}),
        }
    )


def _judge(
    federation: Federation,
    plan: Plan,
    by_modality: Mapping[Modality, list[Node]],
    stage: Stage,
    standard: Mapping[Modality, Array],
    arrays: Weights,
) -> dict[str, Any]:
    made = {}
    for modality in stage.modalities:
        held = by_modality[modality]
        content = _content(plan, arrays, modality, standard)
        for name, reply in federation.ask(held, "query.judge", content):
            made[name] = dict(reply.content["metrics"])
    return made


def _means(
    federation: Federation,
    plan: Plan,
    by_modality: Mapping[Modality, list[Node]],
    standard: Mapping[Modality, Array],
    arrays: Weights,
) -> dict[Modality, list[list[tuple[int, Array]]]]:
    section = _section(plan)
    made: dict[Modality, list[list[tuple[int, Array]]]] = {}
    for modality in by_modality.keys() & {"trace", "scan"}:
        lanes: list[list[tuple[int, Array]]] = [[] for _ in lanes_of(section)]
        held = by_modality[modality]
        for _, reply in federation.ask(held, "query.means", _content(plan, arrays, modality, standard)):
            for lane, values in as_arrays(reply.content["means"]).items():
                lanes[int(lane)] += [(int(row[0]), row[1:]) for row in values]
        made[modality] = lanes
    return made
