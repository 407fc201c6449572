"""The Flower ServerApp: it asks who is there and trains the plan's modalities one after the other."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp
from numpy.typing import NDArray

from federated.plan import Plan, TreePlan, load
from federated.privacy.record_linkage import check_linkage
from federated.privacy.secure_queries import summed
from federated.run.folder import RunFolder
from federated.sites.fitness import check_held, check_site
from federated.transport.grid import Federation, Node
from federated.transport.messages import as_record
from federated.transport.roster import Roster, SiteFailureError
from federated.transport.strategy import Progress
from federated.trees.documents import Document, concatenate
from federated.trees.fusion import learn
from federated.trees.rounds import NEWTON_STEPS, assemble, best_rounds, frame_of, is_final, until_best
from federated.trees.strategy import Trees, lane_record
from federated.trees.tasks import task_of
from federated.weights.strategy import Averaging
from models.ctg.acidaemia import MILD
from models.ctg.calibration import Calibration, CalibrationSums, newton_step
from models.drift import BINS
from models.errors import FetalHealthError

RUN_VARIABLE = "FETAL_HEALTH_RUN"
FAILURE = "failure"
UNNAMED = "node "  # no hospital is called so

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train what the run folder's plan asks for and leave the results there, or the reason why there are none."""
    run = RunFolder(Path(os.environ[RUN_VARIABLE]))
    plan = load(run.path / "plan.toml")
    try:
        federation = federation_of(grid, run, plan)
        expected = len(list(run.sites.iterdir()))
        train(federation, run, plan, everybody(federation, expected, plan.participation.connect_within_s))
    except FetalHealthError as error:
        run.keep_results(FAILURE, {"reason": str(error)})


def federation_of(grid: Grid, run: RunFolder, plan: Plan) -> Federation:
    """A grid as the plan wants it: its floor of sites, its deadline for answers."""
    roster = Roster(plan.participation.minimum_sites, partial(_lost, run))
    return Federation(grid, roster, plan.participation.answer_within_s)


def train(federation: Federation, run: RunFolder, plan: Plan, connected: list[Node]) -> None:
    """Train all modalities of a plan and leave the results in the run folder.

    Parameters
    ----------
    federation : Federation
    run : RunFolder
        Holds the rounds that are done already.
    plan : Plan
    connected : list of Node
        Who may be asked; what they hold is still to be told.

    Raises
    ------
    FetalHealthError
        The run cannot go on; the message says why.
    """
    roster = federation.roster
    nodes, data = _described(federation, connected, plan)
    results: dict[str, Any] = {"data": data}
    for modality, section in plan.trees():
        held = [node for node in nodes if node.modality == modality]
        results[modality] = _train_trees(federation, run, plan, modality, section, held)
        if modality == "acidaemia":
            results[modality]["fusion"] = _learn_fusion(federation, run, plan, held, results[modality]["calibration"])
    if plan.ultrasound:
        held = [node for node in nodes if node.modality == "ultrasound"]
        results["ultrasound"] = _train_ultrasound(federation, run, plan, held)
    if plan.shared:
        from federated.shared.strategy import train_shared

        results["shared"] = train_shared(federation, run, plan, nodes, _progress)
    if roster.lost:
        results["lost"] = roster.lost
    (run.path / "results.json").write_text(json.dumps(results), encoding="utf-8")


def _lost(run: RunFolder, site: str, why: str) -> None:
    run.event("lost", site=site, why=why)


def everybody(federation: Federation, expected: int, within_s: float) -> list[Node]:
    """Wait until so many nodes are connected: all of a simulation's.

    Raises
    ------
    SiteFailureError
        They are not, in time.
    """
    deadline = time.monotonic() + within_s
    while len(ids := sorted(federation.grid.get_node_ids())) < expected:
        if time.monotonic() > deadline:
            raise SiteFailureError(f"only {len(ids)} of {expected} sites connected within {within_s:g} s")
        time.sleep(0.2)
    return [Node(node, f"{UNNAMED}{node}", "", 0, 0) for node in ids]


def _described(federation: Federation, connected: list[Node], plan: Plan) -> tuple[list[Node], dict[str, Any]]:
    """Ask each site what it holds, refuse those that cannot take part, and women who stand at two sites."""
    nodes, data = [], {}
    for known, reply in federation.ask(connected, "query.describe", RecordDict()):
        site = reply.content["site"]
        # Who a site of a deployment is, its key has told; a simulated one says it.
        name = str(site["name"]) if known.startswith(UNNAMED) else known
        held = (name, str(site["modality"]), plan.modalities())
        check_site(*held, int(site["rows"]), int(site["classes"]), str(site["schema"]))
        counts = int(site["rows"]), int(site["groups"]), tuple(site["strata"])
        nodes.append(Node(reply.metadata.src_node_id, name, str(site["modality"]), *counts))
        data[name] = json.loads(str(site["data"]))
    nodes = sorted(nodes, key=lambda node: node.name)
    check_held({node.modality for node in nodes}, plan)
    check_linkage(federation, nodes)
    return nodes, data


def _progress(run: RunFolder, modality: str, rounds: int, first: int) -> Progress:
    started = time.monotonic()

    def report(round_number: int, metrics: dict[str, Any]) -> None:
        done = round_number - first + 1
        left = (time.monotonic() - started) / done * (rounds - round_number)
        run.event("round", modality=modality, round=round_number, rounds=rounds, seconds_left=round(left), **metrics)

    return report


def _train_trees(
    federation: Federation, run: RunFolder, plan: Plan, modality: str, section: TreePlan, nodes: list[Node]
) -> dict[str, Any]:
    frame = frame_of(section)
    kept = run.trees(modality)
    rounds = section.rounds
    so_far = lane_record(dict(enumerate(kept, start=1)))
    if len(kept) < rounds:
        first = len(kept) + 1
        progress = _progress(run, modality, rounds, first)
        strategy = Trees(nodes, plan, first, progress, partial(_keep_round, run, modality), frame, section)
        # A resumed run sends everything it has once; after that only each round's new trees travel.
        so_far = strategy.run(federation, so_far, rounds - len(kept))
    if section.best_round:
        # Sites start anew with the trees that stay.
        so_far = lane_record(dict(enumerate(best_trees(run, modality, section), start=1)))
    fresh = section.best_round or len(kept) == rounds
    return _calibrate(federation, run, plan, section, nodes, so_far, fresh=fresh)


def _keep_round(run: RunFolder, modality: str, number: int, kept: tuple[dict[int, Document], Any]) -> None:
    trees, losses = kept
    run.keep_results(f"{modality}-{number:05d}-left-out", losses.tolist())
    run.keep_trees(modality, number, trees)


def _calibrate(
    federation: Federation,
    run: RunFolder,
    plan: Plan,
    section: TreePlan,
    nodes: list[Node],
    model: ArrayRecord,
    *,
    fresh: bool,
) -> dict[str, Any]:
    task = task_of(section)
    calibrations = {target: Calibration.start(task.classes) for target in task.targets}

    def asked(kind: str, arrays: ArrayRecord, fresh: bool, step: int) -> RecordDict:
        config = ConfigRecord({"plan": plan.model_dump_json(), "fresh": fresh, "step": f"{kind} {step}"})
        for target, calibration in calibrations.items():
            config[target] = json.dumps(calibration.as_dict())
        return RecordDict({"model": arrays, "config": config})

    for step in range(NEWTON_STEPS):
        arrays = model if step == 0 else ArrayRecord()
        content = asked("query.calibrate", arrays, fresh and step == 0, step)
        told = summed(federation, nodes, "query.calibrate", content, secure=plan.privacy.secure_sums)["metrics"]
        for target, calibration in calibrations.items():
            calibrations[target] = newton_step(calibration, _sums(told, target))
    for target, calibration in calibrations.items():
        run.event("calibrated", target=target, rows=calibration.rows, events=calibration.events)
    content = asked("query.summarise", ArrayRecord(), False, 0)
    by_site = _by_site(dict(federation.ask(nodes, "query.summarise", content)), nodes)
    return {
        "calibration": {t: c.as_dict() for t, c in calibrations.items()},
        "reference": _reference(federation, plan, task.features, nodes, by_site["sites"]),
        **by_site,
    }


def _seen(plan: Plan) -> dict[str, Any]:
    """Of a query after the summaries: sites have absorbed every tree."""
    return {"plan": plan.model_dump_json(), "fresh": False, "step": "query.summarise 0"}


def _reference(
    federation: Federation, plan: Plan, names: Sequence[str], nodes: list[Node], sites: Mapping[str, Any]
) -> dict[str, Any]:
    """Features as they are in training, counted over all sites' range: what drift is measured against."""
    low = np.min([site["low"] for site in sites.values()], axis=0)
    high = np.max([site["high"] for site in sites.values()], axis=0)
    config = ConfigRecord({**_seen(plan), "low": json.dumps(low.tolist()), "high": json.dumps(high.tolist())})
    content = RecordDict({"model": ArrayRecord(), "config": config})
    told = summed(federation, nodes, "query.reference", content, secure=plan.privacy.secure_sums)
    counts = np.rint(told["metrics"]["counts"]).astype(np.int64).reshape(len(names), BINS)
    return {"names": list(names), "low": low.tolist(), "high": high.tolist(), "counts": counts.tolist()}


def _summed(rounds: list[dict[int, Document]]) -> dict[int, Document]:
    return (
        {lane: concatenate([lanes[lane] for lanes in rounds if lane in lanes]) for lane in rounds[0]} if rounds else {}
    )


def _by_site(replies: dict[str, Message], nodes: list[Node]) -> dict[str, Any]:
    """What every site answered, and how much it holds."""
    return {
        "sites": {name: dict(reply.content["metrics"]) for name, reply in replies.items()},
        "nodes": {node.name: {"rows": node.rows, "groups": node.groups} for node in nodes if node.name in replies},
    }


def _sums(told: Mapping[str, NDArray[Any]], target: str) -> CalibrationSums:
    rows, events, women = (round(float(count)) for count in told[f"{target}-counts"])
    gradient = told[f"{target}-gradient"]
    return CalibrationSums(gradient, told[f"{target}-hessian"].reshape(len(gradient), -1), rows, events, women)


def _learn_fusion(
    federation: Federation, run: RunFolder, plan: Plan, nodes: list[Node], calibration: dict[str, Any]
) -> dict[str, Any] | None:
    """Rule, sizes at birth and histograms from births with a weight; None where no site has enough."""
    mild = calibration[MILD.name]

    def ask(step: str, asked: Mapping[str, Any]) -> list[Mapping[str, Sequence[float]]]:
        config = ConfigRecord({**_seen(plan), MILD.name: json.dumps(mild), "ask": step, "asked": json.dumps(asked)})
        content = RecordDict({"model": ArrayRecord(), "config": config})
        if plan.privacy.secure_sums:
            total = summed(federation, nodes, "query.fusion", content, secure=True)["metrics"]
            return [{name: values.tolist() for name, values in total.items()}]
        replies = dict(federation.ask(nodes, "query.fusion", content))
        return [dict(reply.content["metrics"]) for _, reply in sorted(replies.items())]

    learned = learn(ask, mild["events"] / mild["rows"], plan.fusion)
    if learned is None:
        return None
    fusion, metrics = learned
    run.event("fused", method=metrics["method"], births=metrics["births_with_size"])
    return {"settings": fusion.as_dict(), "metrics": metrics}


def _train_ultrasound(federation: Federation, run: RunFolder, plan: Plan, nodes: list[Node]) -> dict[str, Any]:
    from federated.weights.segmenter_site import initial_lanes

    assert plan.ultrasound is not None
    section = plan.ultrasound
    done, kept = run.weights("ultrasound") or (0, initial_lanes(section, plan.seed))
    record = as_record({name: values for name, values in kept.items() if ":" not in name})
    if done < section.rounds:
        strategy = Averaging(
            "train.ultrasound",
            nodes,
            plan,
            done + 1,
            _progress(run, "ultrasound", section.rounds, done + 1),
            partial(run.keep_weights, "ultrasound"),
            section.aggregation,
            section.compression,
        )
        strategy.restore(kept)
        record = strategy.run(federation, record, section.rounds - done)
    content = RecordDict({"model": record, "config": ConfigRecord({"plan": plan.model_dump_json()})})
    return _by_site(dict(federation.ask(nodes, "query.measure", content)), nodes)


def best_trees(run: RunFolder, modality: str, section: TreePlan) -> list[dict[int, Document]]:
    """The kept rounds, each lane only as far as its best one."""
    losses = np.array([run.results(f"{modality}-{number:05d}-left-out") for number in range(1, section.rounds + 1)])
    return until_best(run.trees(modality), best_rounds(losses, section.calibration_folds + 1))


def final_trees(run: RunFolder, modality: str, section: TreePlan) -> dict[str, Document]:
    """The finished trees of each target."""
    rounds = best_trees(run, modality, section) if section.best_round else run.trees(modality)
    finals = [document for lane, document in _summed(rounds).items() if is_final(lane, section)]
    task = task_of(section)
    return assemble(frame_of(section), dict(zip(task.learners, finals, strict=True)), task.targets)
