"""The Flower ClientApp: what a hospital answers. Each handler hands over to a site object.

Messages carry trees as deflated JSON and weights as named arrays; a site answers with sums, counts,
trees and weights, never with rows.
"""

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from federated.plan import Plan, lanes_of
from federated.privacy.ledger import PrivacyLedger
from federated.privacy.record_linkage import draw, meet, note_duplicates, tell_marks
from federated.privacy.secure_queries import is_masked, masked, new_keys, reveal, shares_for
from federated.privacy.small_cells import floored
from federated.sites.data import SITES_VARIABLE, Site, birth_rows, ctg_rows, head_rows, mine
from federated.sites.fitness import schema
from federated.transport.errors import guarded
from federated.transport.messages import as_arrays, as_record, compressed, decode, encode
from federated.transport.packing import wrapped
from federated.trees.fusion import paired_rows
from federated.trees.site import TreeSite
from federated.trees.tasks import acidaemia_rows, pattern_rows
from federated.weights.averaging import WeightReply, join, lane_numbers, lane_of
from federated.weights.rounds import spread
from models.ctg.acidaemia import MILD
from models.ctg.calibration import Calibration
from models.synthetic.datasets import is_synthetic

if TYPE_CHECKING:  # a CTG message must not load torch
    from federated.shared.site import SharedSite
    from federated.weights.segmenter_site import ImageSite
    from models.representation.examples import Examples

app = ClientApp(mods=[guarded, wrapped, masked])


def _key(message: Message, context: Context) -> tuple[int, str, str]:
    """What a site object depends on: the node, the plan, and the run's folder of sites."""
    return int(context.node_config["partition-id"]), str(message.content["config"]["plan"]), os.environ[SITES_VARIABLE]


@lru_cache(maxsize=32)
def _tree_site(partition: int, plan_json: str, folder: str) -> TreeSite:
    plan = Plan.model_validate_json(plan_json)
    site = mine(partition)
    return tree_site(site, plan)


def tree_site(site: Site, plan: Plan) -> TreeSite:
    """The site with its own rows, for whichever trees it trains."""
    if site.modality == "ctg":
        assert plan.ctg is not None
        return TreeSite(site.name, pattern_rows(ctg_rows(site), plan.ctg), plan.ctg, seed=plan.seed)
    assert plan.acidaemia is not None
    births = birth_rows(site)
    rows = acidaemia_rows(births.names, births.ph, births.features)
    return TreeSite(site.name, rows, plan.acidaemia, seed=plan.seed)


def _restore(site: TreeSite, context: Context) -> None:
    kept = context.state["margins"]
    site.restore([kept[f"{position:03d}"].numpy() for position in range(len(kept))])


def _trees(message: Message, context: Context) -> TreeSite:
    """The site with its margins up to date: restored from the node's state, trees it has not seen absorbed."""
    site = _tree_site(*_key(message, context))
    config = message.content["config"]
    step = str(config["step"])
    if "margins" in context.state and str(context.state["seen"]["step"]) == step:
        _restore(site, context)
        return site  # the second exchange of the same round
    if config["fresh"]:
        site.restore([np.zeros_like(margin) for margin in site.margins()])
    else:
        _restore(site, context)
    # Keys are "lane.round": absorbed one round after the other, as in a run that was never interrupted.
    for name, array in sorted(message.content["model"].items(), key=lambda item: item[0].partition(".")[2]):
        site.absorb(int(name.partition(".")[0]), decode(array))
    context.state["margins"] = as_record({f"{position:03d}": margin for position, margin in enumerate(site.margins())})
    context.state["seen"] = ConfigRecord({"step": step})
    return site


@app.query("describe")
def describe(message: Message, context: Context) -> Message:
    """Name, modality and rows."""
    site = mine(int(context.node_config["partition-id"]))
    record = ConfigRecord(
        {
            "name": site.name,
            "modality": site.modality,
            "rows": site.rows,
            "groups": len(site.groups),
            "strata": [floored(count) for count in site.strata],
            "classes": sum(count > 0 for count in site.strata),
            "schema": schema(),
            "data": json.dumps({"modality": site.modality, "synthetic": is_synthetic(Path(site.data))}),
        }
    )
    return Message(RecordDict({"site": record}), reply_to=message)


app.query("keys")(new_keys)
app.query("shares")(shares_for)
app.query("unmask")(reveal)
app.query("meet")(meet)
app.query("draw")(draw)
app.query("marks")(tell_marks)
app.query("duplicates")(note_duplicates)


@app.train("trees")
def train_trees(message: Message, context: Context) -> Message:
    """Grow the round's trees on every lane."""
    site = _trees(message, context)
    round_number = int(message.content["config"]["round"])
    arrays = {}
    for lane in range(len(site.lanes)):
        reply = site.step(lane, round_number)
        arrays[str(lane)] = encode({"trees": reply.trees, "tree_class": reply.tree_class})
    metrics = MetricRecord({"weight": site.weight})
    return Message(RecordDict({"model": ArrayRecord(arrays), "metrics": metrics}), reply_to=message)


@app.query("leaves")
def leaves(message: Message, context: Context) -> Message:
    """Gradient and Hessian sums in every leaf of the round's proposals, all lanes; losses of the rows left out."""
    site = _trees(message, context)
    sums = {
        lane: np.concatenate(site.leaf_sums(int(lane), decode(array)))
        for lane, array in message.content["proposals"].items()
    }
    metrics = MetricRecord({"left-out": site.left_out_losses().ravel().tolist()})
    return Message(RecordDict({"sums": as_record(sums), "metrics": metrics}), reply_to=message)


def _calibration(message: Message, target: str) -> Calibration:
    return Calibration.from_dict(json.loads(str(message.content["config"][target])))


@app.query("calibrate")
def calibrate(message: Message, context: Context) -> Message:
    """Sums for one Newton step of every target's calibration."""
    site = _trees(message, context)
    metrics: dict[str, int | float | list[int] | list[float]] = {}
    for target in site.rows.targets:
        sums = site.calibration_sums(target, _calibration(message, target))
        metrics[f"{target}-gradient"] = sums.gradient.tolist()
        metrics[f"{target}-hessian"] = sums.hessian.ravel().tolist()
        metrics[f"{target}-counts"] = [sums.rows, sums.events, sums.women]
    return Message(RecordDict({"metrics": MetricRecord(metrics)}), reply_to=message)


@app.query("summarise")
def summarise(message: Message, context: Context) -> Message:
    """Out-of-fold summaries under the final calibration, and the range of the features."""
    from federated.trees.summaries import feature_range, summarise_target

    site = _trees(message, context)
    metrics: dict[str, int | float | list[int] | list[float]] = {}
    compare = Plan.model_validate_json(str(message.content["config"]["plan"])).gate.never_worse_than_local
    for target in site.rows.targets:
        for name, value in summarise_target(site, target, _calibration(message, target)).items():
            metrics[f"{target}-{name}"] = value
        if compare:
            metrics[f"{target}-local"] = site.against_local(target)
    metrics["low"], metrics["high"] = feature_range(site)
    return Message(RecordDict({"metrics": MetricRecord(metrics)}), reply_to=message)


@app.query("reference")
def reference(message: Message, context: Context) -> Message:
    """Counts of each feature over the range of all sites."""
    from federated.trees.summaries import feature_counts

    site = _trees(message, context)
    low, high = (np.array(json.loads(str(message.content["config"][key]))) for key in ("low", "high"))
    metrics = MetricRecord({"counts": feature_counts(site, low, high)})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)


@app.query("fusion")
def fusion(message: Message, context: Context) -> Message:
    """What births with a weight teach about the fusion: sums and histograms."""
    site = _trees(message, context)
    births = birth_rows(mine(int(context.node_config["partition-id"])))
    config = message.content["config"]
    rows = paired_rows(site, births.names, births.birth_z, _calibration(message, MILD.name))
    told = rows.answer(str(config["ask"]), json.loads(str(config["asked"])), alone=not is_masked(message))
    return Message(RecordDict({"metrics": MetricRecord(dict(told))}), reply_to=message)


@lru_cache(maxsize=8)
def _image_site(partition: int, plan_json: str, folder: str) -> "ImageSite":
    from federated.weights.segmenter_site import ImageSite

    plan = Plan.model_validate_json(plan_json)
    site = mine(partition)
    assert plan.ultrasound is not None
    ledger = PrivacyLedger(Path(folder) / str(partition))
    return ImageSite(site.name, head_rows(site), plan.ultrasound, seed=plan.seed, ledger=ledger)


@lru_cache(maxsize=32)
def _examples(partition: int, plan_json: str, folder: str) -> "Examples":
    from federated.shared.data import site_examples

    return site_examples(mine(partition), Plan.model_validate_json(plan_json))


def _shared_site(message: Message, context: Context) -> "SharedSite":
    """The site with its features scaled, and its own heads if it has any."""
    from federated.shared.site import SharedSite

    partition, plan_json, folder = _key(message, context)
    plan = Plan.model_validate_json(plan_json)
    assert plan.shared is not None
    site = SharedSite(mine(partition).name, _examples(partition, plan_json, folder), plan.shared, seed=plan.seed)
    if "standard" in message.content:
        site.standardise(message.content["standard"]["sums"].numpy())
    if "personal" in context.state:
        kept = as_arrays(context.state["personal"])
        site.personal = {lane: lane_of(kept, lane) for lane in lane_numbers(kept)}
    return site


@app.query("features")
def features(message: Message, context: Context) -> Message:
    """Sums that features are scaled by."""
    site = _shared_site(message, context)
    return Message(RecordDict({"sums": as_record({"features": site.feature_sums()})}), reply_to=message)


@app.train("shared", mods=[compressed])
def train_shared(message: Message, context: Context) -> Message:
    """Local epochs of every lane on the parts that the site has data for."""
    from federated.shared.stages import stages

    site, config = _shared_site(message, context), message.content["config"]
    stage = stages(site.plan)[int(config["stage"])]
    arrays, summaries = as_arrays(message.content["model"]), as_arrays(message.content["summaries"])
    replies, losses, told = site.train(arrays, stage, int(config["round"]), summaries)
    if site.personal:
        context.state["personal"] = as_record(join(site.personal))
    reply = weight_reply(message, replies, losses)
    reply.content["summaries"] = as_record(told)
    return reply


@app.query("judge")
def judge(message: Message, context: Context) -> Message:
    """Figures of the rows that each lane left out."""
    from federated.shared.metrics import judged

    site = _shared_site(message, context)
    metrics = judged(site.examples.labels, site.left_out(as_arrays(message.content["model"])))
    return Message(RecordDict({"metrics": MetricRecord(dict(metrics))}), reply_to=message)


@app.query("means")
def means(message: Message, context: Context) -> Message:
    """Resampled means of growth cells by lane: the cell, then the embedding, in each row."""
    site, arrays = _shared_site(message, context), as_arrays(message.content["model"])
    made = {
        str(lane): np.array([[cell, *mean] for cell, mean in site.matched_means(arrays, lane)]).reshape(-1, 17)
        for lane in lanes_of(site.plan)
    }
    return Message(RecordDict({"means": as_record(made)}), reply_to=message)


@app.train("ultrasound", mods=[compressed])
def train_ultrasound(message: Message, context: Context) -> Message:
    """Local epochs of every lane from its global weights."""
    site = _image_site(*_key(message, context))
    replies, losses = site.train(as_arrays(message.content["model"]), int(message.content["config"]["round"]))
    return weight_reply(message, replies, losses)


def weight_reply(message: Message, replies: dict[int, WeightReply], losses: list[float]) -> Message:
    """Trained lanes, the rows behind each, mean and variance of the loss over batches.

    Under masks they are what adds up: weights and loss times the rows.
    """
    rows = [int(reply.weight) for reply in replies.values()]
    if is_masked(message):
        trained = join({number: reply.arrays for number, reply in replies.items()})
        times = {str(number): reply.weight for number, reply in replies.items()}
        sums = {name: values.astype(np.float64) * times[name.partition(".")[0]] for name, values in trained.items()}
        told = MetricRecord({"num-examples": rows, "loss": float(np.mean(losses)) * rows[0]})
        return Message(RecordDict({"model": as_record(sums), "metrics": told}), reply_to=message)
    record = as_record(join({number: reply.arrays for number, reply in replies.items()}))
    metrics = MetricRecord({"num-examples": rows, "loss": list(spread(losses))})
    return Message(RecordDict({"model": record, "metrics": metrics}), reply_to=message)


@app.query("measure")
def measure(message: Message, context: Context) -> Message:
    """Errors of every lane on the examinations that it left out."""
    site = _image_site(*_key(message, context))
    counts, sums = site.errors(as_arrays(message.content["model"]))
    spent = {} if site.epsilon is None else {"epsilon": site.epsilon}
    metrics = MetricRecord({"counts": [int(n) for n in counts.ravel()], **sums, **spent})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
