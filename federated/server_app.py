"""The Flower ServerApp: it asks who is there and trains the plan's modalities one after the other."""

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

from federated.plan import Plan, load
from federated.run_folder import RunFolder
from federated.strategies.flower import Averaging, Node, Progress, SiteFailureError, Trees, ask, lane_record
from federated.strategies.weighted_bagging import Document, concatenate
from federated.tree_training import NEWTON_STEPS, combine, empty_frame, is_final
from models.ctg.pattern import VIEWS, Calibration, CalibrationSums, View

RUN_VARIABLE = "FETAL_HEALTH_RUN"
CONNECT_TIMEOUT_S = 120.0

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train what the run folder's plan asks for and leave the results there."""
    run = RunFolder(Path(os.environ[RUN_VARIABLE]))
    plan = load(run.path / "plan.toml")
    nodes = _who_is_there(grid, len(list(run.sites.iterdir())))
    results: dict[str, Any] = {}
    if plan.ctg:
        results["ctg"] = _train_ctg(grid, run, plan, [node for node in nodes if node.modality == "ctg"])
    if plan.ultrasound:
        held = [node for node in nodes if node.modality == "ultrasound"]
        results["ultrasound"] = _train_ultrasound(grid, run, plan, held)
    (run.path / "results.json").write_text(json.dumps(results), encoding="utf-8")


def _who_is_there(grid: Grid, expected: int) -> list[Node]:
    """Wait for all sites, at most two minutes, and ask each for its name and modality."""
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    while len(ids := sorted(grid.get_node_ids())) < expected:
        if time.monotonic() > deadline:
            raise SiteFailureError(f"only {len(ids)} of {expected} sites connected within {CONNECT_TIMEOUT_S:.0f} s")
        time.sleep(0.2)
    unknown = [Node(node, str(node), "", 0, 0) for node in ids]
    replies = ask(grid, unknown, "query.describe", RecordDict())
    nodes = []
    for reply in replies.values():
        site = reply.content["site"]
        nodes.append(
            Node(
                reply.metadata.src_node_id,
                str(site["name"]),
                str(site["modality"]),
                int(site["rows"]),
                int(site["groups"]),
            )
        )
    return sorted(nodes, key=lambda node: node.name)


def _progress(run: RunFolder, modality: str, rounds: int, first: int) -> Progress:
    started = time.monotonic()

    def report(round_number: int, metrics: dict[str, float]) -> None:
        done = round_number - first + 1
        left = (time.monotonic() - started) / done * (rounds - round_number)
        run.event("round", modality=modality, round=round_number, rounds=rounds, seconds_left=round(left), **metrics)

    return report


def _train_ctg(grid: Grid, run: RunFolder, plan: Plan, nodes: list[Node]) -> dict[str, Any]:
    assert plan.ctg is not None
    frame = empty_frame(plan.ctg.boosting.settings())
    kept = run.trees()
    rounds = plan.ctg.rounds
    so_far = lane_record(dict(enumerate(kept, start=1)))
    if len(kept) < rounds:
        first = len(kept) + 1
        progress = _progress(run, "ctg", rounds, first)
        strategy = Trees(nodes, plan, first, progress, run.keep_trees, frame)
        # A resumed run sends everything it has once; after that only each round's new trees travel.
        so_far = strategy.start(grid, so_far, num_rounds=rounds - len(kept)).arrays
    return _calibrate(grid, run, plan, nodes, so_far, fresh=len(kept) == rounds)


def _summed(rounds: list[dict[int, Document]]) -> dict[int, Document]:
    return {lane: concatenate([lanes[lane] for lanes in rounds]) for lane in rounds[0]} if rounds else {}


def _calibrate(
    grid: Grid, run: RunFolder, plan: Plan, nodes: list[Node], model: ArrayRecord, *, fresh: bool
) -> dict[str, Any]:
    calibrations: dict[View, Calibration] = {view: Calibration() for view in VIEWS}

    def query(kind: str, arrays: ArrayRecord, fresh: bool) -> dict[str, Message]:
        config = ConfigRecord({"plan": plan.model_dump_json(), "fresh": fresh})
        for view in VIEWS:
            config[view] = json.dumps(calibrations[view].as_dict())
        return ask(grid, nodes, kind, RecordDict({"model": arrays, "config": config}))

    for step in range(NEWTON_STEPS):
        replies = query("query.calibrate", model if step == 0 else ArrayRecord(), fresh and step == 0)
        for view in VIEWS:
            sums = [_sums(reply, view) for reply in replies.values()]
            calibrations[view] = combine(sums, calibrations[view])
    run.event("calibrated", rows=calibrations["table"].rows, women=calibrations["table"].women)
    replies = query("query.summarise", ArrayRecord(), False)
    return {"calibration": {view: calibrations[view].as_dict() for view in VIEWS}, **_by_site(replies, nodes)}


def _by_site(replies: dict[str, Message], nodes: list[Node]) -> dict[str, Any]:
    """What every site answered, and how much it holds."""
    return {
        "sites": {name: dict(reply.content["metrics"]) for name, reply in replies.items()},
        "nodes": {node.name: {"rows": node.rows, "groups": node.groups} for node in nodes},
    }


def _sums(reply: Message, view: View) -> CalibrationSums:
    metrics = reply.content["metrics"]
    rows, events, women = metrics[f"{view}-counts"]
    hessian = np.array(metrics[f"{view}-hessian"]).reshape(3, 3)
    return CalibrationSums(np.array(metrics[f"{view}-gradient"]), hessian, rows, events, women)


def _train_ultrasound(grid: Grid, run: RunFolder, plan: Plan, nodes: list[Node]) -> dict[str, Any]:
    from federated.image_site import initial_arrays

    assert plan.ultrasound is not None
    done, arrays = run.weights() or (0, initial_arrays(plan.seed))
    rounds = plan.ultrasound.rounds
    record = ArrayRecord({name: Array(values) for name, values in arrays.items()})
    if done < rounds:
        progress = _progress(run, "ultrasound", rounds, done + 1)
        strategy = Averaging(nodes, plan, done + 1, progress, run.keep_weights)
        record = strategy.start(grid, record, num_rounds=rounds - done).arrays
    content = RecordDict({"model": record, "config": ConfigRecord({"plan": plan.model_dump_json()})})
    replies = ask(grid, nodes, "query.measure", content)
    return _by_site(replies, nodes)


def final_trees(run: RunFolder, plan: Plan) -> dict[View, Document]:
    """The finished trees of each view."""
    assert plan.ctg is not None
    finals = [document for lane, document in _summed(run.trees()).items() if is_final(lane, plan.ctg)]
    return dict(zip(VIEWS, finals, strict=True))
