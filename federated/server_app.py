"""The Flower ServerApp: it asks which sites take part and trains the plan's models one after the other."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp
from numpy.typing import NDArray

from federated.plan import Plan, TreePlan, load
from federated.privacy.record_linkage import check_linkage
from federated.run.folder import RunFolder
from federated.run.training import Training
from federated.sites.eligibility import check_modalities, check_site
from federated.transport.grid import ConnectedSite, SiteGroup
from federated.transport.messages import as_record
from federated.transport.roster import Roster, SiteFailureError
from federated.trees.fusion import learn
from federated.trees.rounds import NEWTON_STEPS
from federated.trees.saved import best_trees
from federated.trees.strategy import Trees, trees_record
from federated.trees.tasks import task_of
from federated.weights.strategy import Averaging
from models.ctg.acidaemia import MILD
from models.ctg.calibration import Calibration, CalibrationSums, newton_step
from models.drift import BINS
from models.errors import FetalHealthError

RUN_VARIABLE = "FETAL_HEALTH_RUN"
FAILURE = "failure"
UNNAMED = "node "  # no hospital's name contains a space

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train what the run folder's plan asks for; leave the results there, or the reason why there are none."""
    run = RunFolder(Path(os.environ[RUN_VARIABLE]))
    plan = load(run.path / "plan.toml")
    training = training_of(grid, run, plan)
    try:
        expected = len(list(run.sites.iterdir()))
        train(training, wait_for_nodes(training.sites, expected, plan.participation.connect_within_s))
    except FetalHealthError as error:
        run.save_results(FAILURE, {"reason": str(error)})


def training_of(grid: Grid, run: RunFolder, plan: Plan) -> Training:
    """Bind a grid to a run and its plan, with the plan's minimum number of sites and its deadline for replies."""
    roster = Roster(plan.participation.minimum_sites, lambda site, why: run.event("lost", site=site, why=why))
    return Training(SiteGroup(grid, roster, plan.participation.answer_within_s), run, plan)


def train(training: Training, connected: list[ConnectedSite]) -> None:
    """Train all models of a plan and leave the results in the run folder.

    Parameters
    ----------
    training : Training
        Its run folder holds the rounds that are done already.
    connected : list of ConnectedSite
        The sites that may be asked; their rows are not known yet.

    Raises
    ------
    FetalHealthError
        The run cannot go on; the message says why.
    """
    plan, run = training.plan, training.run
    sites, data = _described(training, connected)
    results: dict[str, Any] = {"data": data}
    for modality, section in plan.trees():
        members = [site for site in sites if site.modality == modality]
        results[modality] = _train_trees(training, modality, section, members)
        if modality == "acidaemia":
            results[modality]["fusion"] = _learn_fusion(training, members, results[modality]["calibration"])
    if plan.ultrasound:
        results["ultrasound"] = _train_ultrasound(training, [site for site in sites if site.modality == "ultrasound"])
    if plan.shared:
        from federated.shared.strategy import train_shared

        results["shared"] = train_shared(training, sites)
    if training.sites.roster.lost:
        results["lost"] = training.sites.roster.lost
    (run.path / "results.json").write_text(json.dumps(results), encoding="utf-8")


def wait_for_nodes(group: SiteGroup, expected: int, within_s: float) -> list[ConnectedSite]:
    """Wait until all nodes of a simulation are connected.

    Raises
    ------
    SiteFailureError
        They are not, in time.
    """
    deadline = time.monotonic() + within_s
    while len(nodes := sorted(group.grid.get_node_ids())) < expected:
        if time.monotonic() > deadline:
            raise SiteFailureError(f"only {len(nodes)} of {expected} sites connected within {within_s:g} s")
        time.sleep(0.2)
    return [ConnectedSite(node, f"{UNNAMED}{node}", "", 0, 0) for node in nodes]


def _described(training: Training, connected: list[ConnectedSite]) -> tuple[list[ConnectedSite], dict[str, Any]]:
    """Ask each site about its rows; refuse ineligible sites, and women whose rows are at two sites."""
    sites, data = [], {}
    plan = training.plan
    for known_name, reply in training.ask(connected, "query.describe", RecordDict()):
        site = reply.content["site"]
        # The key of a hospital has proved its name; a simulated site states its own.
        name = str(site["name"]) if known_name.startswith(UNNAMED) else known_name
        modality, rows = str(site["modality"]), int(site["rows"])
        check_site(name, modality, plan.modalities(), rows, int(site["classes"]), str(site["schema"]))
        node = reply.metadata.src_node_id
        sites.append(ConnectedSite(node, name, modality, rows, int(site["groups"]), tuple(site["strata"])))
        data[name] = json.loads(str(site["data"]))
    sites = sorted(sites, key=lambda site: site.name)
    check_modalities({site.modality for site in sites}, plan)
    check_linkage(training.sites, sites)
    return sites, data


def _train_trees(training: Training, modality: str, section: TreePlan, sites: list[ConnectedSite]) -> dict[str, Any]:
    run, rounds = training.run, section.rounds
    saved_rounds = run.trees(modality)
    arrays = trees_record(dict(enumerate(saved_rounds, start=1)))
    if len(saved_rounds) < rounds:
        strategy = Trees(training, sites, modality, section, first_round=len(saved_rounds) + 1)
        # A resumed run sends all saved trees once; after that only each round's new trees travel.
        arrays = strategy.run(arrays, rounds - len(saved_rounds))
    if section.best_round:
        # Sites start anew with the trees that are kept.
        arrays = trees_record(dict(enumerate(best_trees(run, modality, section), start=1)))
    fresh = section.best_round or len(saved_rounds) == rounds
    return _calibrate(training, section, sites, arrays, fresh=fresh)


def _calibrate(
    training: Training, section: TreePlan, sites: list[ConnectedSite], model: ArrayRecord, *, fresh: bool
) -> dict[str, Any]:
    task = task_of(section)
    calibrations = {target: Calibration.start(task.classes) for target in task.targets}

    def query(kind: str, arrays: ArrayRecord, fresh: bool, step: int) -> RecordDict:
        texts = {target: json.dumps(calibration.as_dict()) for target, calibration in calibrations.items()}
        return training.content(arrays, fresh=fresh, step=f"{kind} {step}", **texts)

    for step in range(NEWTON_STEPS):
        arrays = model if step == 0 else ArrayRecord()
        content = query("query.calibrate", arrays, fresh and step == 0, step)
        sums = training.summed(sites, "query.calibrate", content)["metrics"]
        for target, calibration in calibrations.items():
            calibrations[target] = newton_step(calibration, _calibration_sums(sums, target))
    for target, calibration in calibrations.items():
        training.run.event("calibrated", target=target, rows=calibration.rows, events=calibration.events)
    content = query("query.summarise", ArrayRecord(), False, 0)
    by_site = _by_site(dict(training.ask(sites, "query.summarise", content)), sites)
    return {
        "calibration": {target: calibration.as_dict() for target, calibration in calibrations.items()},
        "reference": _reference(training, task.features, sites, by_site["sites"]),
        **by_site,
    }


# Settings of a query after the summaries: by then the sites have absorbed every tree.
_AFTER_SUMMARIES: dict[str, Any] = {"fresh": False, "step": "query.summarise 0"}


def _reference(
    training: Training, names: Sequence[str], sites: list[ConnectedSite], summaries: Mapping[str, Any]
) -> dict[str, Any]:
    """Distribution of the features in training, counted over the range of all sites; drift is measured against it."""
    low = np.min([summary["low"] for summary in summaries.values()], axis=0)
    high = np.max([summary["high"] for summary in summaries.values()], axis=0)
    bounds = {"low": json.dumps(low.tolist()), "high": json.dumps(high.tolist())}
    content = training.content(ArrayRecord(), **_AFTER_SUMMARIES, **bounds)
    sums = training.summed(sites, "query.reference", content)
    counts = np.rint(sums["metrics"]["counts"]).astype(np.int64).reshape(len(names), BINS)
    return {"names": list(names), "low": low.tolist(), "high": high.tolist(), "counts": counts.tolist()}


def _by_site(replies: dict[str, Message], sites: list[ConnectedSite]) -> dict[str, Any]:
    """The metrics that each site replied with, and how many rows it has."""
    return {
        "sites": {name: dict(reply.content["metrics"]) for name, reply in replies.items()},
        "nodes": {site.name: {"rows": site.rows, "groups": site.groups} for site in sites if site.name in replies},
    }


def _calibration_sums(metrics: Mapping[str, NDArray[Any]], target: str) -> CalibrationSums:
    rows, events, women = (round(float(count)) for count in metrics[f"{target}-counts"])
    gradient = metrics[f"{target}-gradient"]
    return CalibrationSums(gradient, metrics[f"{target}-hessian"].reshape(len(gradient), -1), rows, events, women)


def _learn_fusion(training: Training, sites: list[ConnectedSite], calibration: dict[str, Any]) -> dict[str, Any] | None:
    """Learn rule, sizes at birth and histograms from births with a weight; None where no site has enough of them."""
    mild = calibration[MILD.name]

    def ask(step: str, query: Mapping[str, Any]) -> list[Mapping[str, Sequence[float]]]:
        settings = {MILD.name: json.dumps(mild), "ask": step, "asked": json.dumps(query)}
        content = training.content(ArrayRecord(), **_AFTER_SUMMARIES, **settings)
        if training.plan.privacy.secure_sums:
            total = training.summed(sites, "query.fusion", content)["metrics"]
            return [{name: values.tolist() for name, values in total.items()}]
        replies = dict(training.ask(sites, "query.fusion", content))
        return [dict(reply.content["metrics"]) for _, reply in sorted(replies.items())]

    learned = learn(ask, mild["events"] / mild["rows"], training.plan.fusion)
    if learned is None:
        return None
    fusion, metrics = learned
    training.run.event("fused", method=metrics["method"], births=metrics["births_with_size"])
    return {"settings": fusion.as_dict(), "metrics": metrics}


def _train_ultrasound(training: Training, sites: list[ConnectedSite]) -> dict[str, Any]:
    from federated.weights.segmenter_site import initial_fold_models

    section = training.plan.ultrasound
    assert section is not None
    done, saved = training.run.weights("ultrasound") or (0, initial_fold_models(section, training.plan.seed))
    record = as_record({name: values for name, values in saved.items() if ":" not in name})
    if done < section.rounds:
        strategy = Averaging("ultrasound", training, sites, section, first_round=done + 1)
        strategy.restore(saved)
        record = strategy.run(record, section.rounds - done)
    return _by_site(dict(training.ask(sites, "query.measure", training.content(record))), sites)
