"""The Flower ClientApp: how a site answers messages. Each handler calls a site object.

Messages carry trees as deflated JSON and weights as named arrays. A site answers with sums, counts, trees and weights,
never with rows.
"""

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from federated.plan import Plan, fold_models_of, plan_from_json
from federated.privacy.ledger import PrivacyLedger
from federated.privacy.record_linkage import answer_marks, draw, meet, note_duplicates
from federated.privacy.secure_queries import is_masked, masked, new_keys, reveal, shares_for
from federated.privacy.small_cells import suppress_small
from federated.sites.data import birth_rows, ctg_rows, graded_rows, head_rows
from federated.sites.eligibility import schema
from federated.sites.site import SITES_VARIABLE, Site, site_of_partition
from federated.transport.errors import guarded
from federated.transport.messages import as_arrays, as_record, decode, encode
from federated.transport.packing import wrapped
from federated.trees.fusion import paired_rows
from federated.trees.site import TreeSite
from federated.trees.tasks import acidaemia_rows, grader_rows, pattern_rows
from federated.weights.averaging import WeightReply, fold_model_numbers, fold_model_of, join
from federated.weights.compressed_replies import compressed
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
    """What a site object depends on: the node, the plan, and the run's folder of sites; the key of the caches below."""
    return int(context.node_config["partition-id"]), str(message.content["config"]["plan"]), os.environ[SITES_VARIABLE]


@lru_cache(maxsize=32)
def _tree_site(partition: int, plan_json: str, folder: str) -> TreeSite:
    return tree_site(site_of_partition(partition), plan_from_json(plan_json))


def tree_site(site: Site, plan: Plan) -> TreeSite:
    """The site with its own rows, prepared for the trees that it trains."""
    if site.modality == "ctg":
        assert plan.ctg is not None
        return TreeSite(site.name, pattern_rows(ctg_rows(site), plan.ctg), plan.ctg, seed=plan.seed)
    if site.modality == "grader":
        assert plan.grader is not None
        graded = graded_rows(site)
        graded_windows = grader_rows(graded.woman, graded.reading, graded.features, plan.grader)
        return TreeSite(site.name, graded_windows, plan.grader, seed=plan.seed)
    assert plan.acidaemia is not None
    births = birth_rows(site)
    rows = acidaemia_rows(births.names, births.ph, births.features)
    return TreeSite(site.name, rows, plan.acidaemia, seed=plan.seed)


def _restore(site: TreeSite, context: Context) -> None:
    margins = context.state["margins"]
    site.restore([margins[f"{position:03d}"].numpy() for position in range(len(margins))])


def _trees(message: Message, context: Context) -> TreeSite:
    """The site with up-to-date margins: restored from the node's state, with the trees of the message absorbed."""
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
    # Keys are "model.round": absorbed one round after the other, as in a run that was never interrupted.
    for name, array in sorted(message.content["model"].items(), key=lambda item: item[0].partition(".")[2]):
        site.absorb(int(name.partition(".")[0]), decode(array))
    context.state["margins"] = as_record({f"{position:03d}": margin for position, margin in enumerate(site.margins())})
    context.state["seen"] = ConfigRecord({"step": step})
    return site


@app.query("describe")
def describe(message: Message, context: Context) -> Message:
    """Answer with name, modality, counts of rows and the schema."""
    site = site_of_partition(int(context.node_config["partition-id"]))
    record = ConfigRecord(
        {
            "name": site.name,
            "modality": site.modality,
            "rows": site.rows,
            "groups": len(site.groups),
            "strata": [suppress_small(count) for count in site.strata],
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
app.query("marks")(answer_marks)
app.query("duplicates")(note_duplicates)


@app.train("trees")
def train_trees(message: Message, context: Context) -> Message:
    """Grow the round's trees of every fold model."""
    site = _trees(message, context)
    round_number = int(message.content["config"]["round"])
    arrays = {}
    for fold_model in range(len(site.fold_models)):
        reply = site.step(fold_model, round_number)
        arrays[str(fold_model)] = encode({"trees": reply.trees, "tree_class": reply.tree_class})
    metrics = MetricRecord({"weight": site.weight})
    return Message(RecordDict({"model": ArrayRecord(arrays), "metrics": metrics}), reply_to=message)


@app.query("leaves")
def leaves(message: Message, context: Context) -> Message:
    """Answer with the gradient and Hessian sums in every leaf of the proposals, and the losses of out-of-fold rows."""
    site = _trees(message, context)
    sums = {
        fold_model: np.concatenate(site.leaf_sums(int(fold_model), decode(array)))
        for fold_model, array in message.content["proposals"].items()
    }
    metrics = MetricRecord({"left-out": site.out_of_fold_losses().ravel().tolist()})
    return Message(RecordDict({"sums": as_record(sums), "metrics": metrics}), reply_to=message)


def _calibration(message: Message, target: str) -> Calibration:
    return Calibration.from_dict(json.loads(str(message.content["config"][target])))


@app.query("calibrate")
def calibrate(message: Message, context: Context) -> Message:
    """Answer with the sums for one Newton step of every target's calibration."""
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
    """Answer with out-of-fold summaries under the final calibration, and the range of the features."""
    from federated.trees.summaries import feature_range, summarise_target

    site = _trees(message, context)
    metrics: dict[str, int | float | list[int] | list[float]] = {}
    compare = plan_from_json(str(message.content["config"]["plan"])).gate.never_worse_than_local
    for target in site.rows.targets:
        for name, value in summarise_target(site, target, _calibration(message, target)).items():
            metrics[f"{target}-{name}"] = value
        if compare:
            metrics[f"{target}-local"] = site.against_local(target)
    metrics["low"], metrics["high"] = feature_range(site)
    return Message(RecordDict({"metrics": MetricRecord(metrics)}), reply_to=message)


@app.query("reference")
def reference(message: Message, context: Context) -> Message:
    """Answer with counts of each feature over the range of all sites."""
    from federated.trees.summaries import feature_counts

    site = _trees(message, context)
    low, high = (np.array(json.loads(str(message.content["config"][key]))) for key in ("low", "high"))
    metrics = MetricRecord({"counts": feature_counts(site, low, high)})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)


@app.query("fusion")
def fusion(message: Message, context: Context) -> Message:
    """Answer with sums and histograms of births with a weight, from which the fusion is learned."""
    site = _trees(message, context)
    births = birth_rows(site_of_partition(int(context.node_config["partition-id"])))
    config = message.content["config"]
    rows = paired_rows(site, births.names, births.birth_z, _calibration(message, MILD.name))
    reply = rows.answer(str(config["ask"]), json.loads(str(config["asked"])), alone=not is_masked(message))
    return Message(RecordDict({"metrics": MetricRecord(dict(reply))}), reply_to=message)


@lru_cache(maxsize=8)
def _image_site(partition: int, plan_json: str, folder: str) -> "ImageSite":
    from federated.weights.segmenter_site import ImageSite

    plan = plan_from_json(plan_json)
    site = site_of_partition(partition)
    assert plan.ultrasound is not None
    ledger = PrivacyLedger(Path(folder) / str(partition))
    return ImageSite(site.name, head_rows(site), plan.ultrasound, seed=plan.seed, ledger=ledger)


@lru_cache(maxsize=32)
def _examples(partition: int, plan_json: str, folder: str) -> "Examples":
    from federated.shared.data import site_examples

    return site_examples(site_of_partition(partition), plan_from_json(plan_json))


def _shared_site(message: Message, context: Context) -> "SharedSite":
    """The site with scaled features, and with its personal heads if it has any."""
    from federated.shared.site import SharedSite

    partition, plan_json, folder = _key(message, context)
    plan = plan_from_json(plan_json)
    assert plan.shared is not None
    site = SharedSite(
        site_of_partition(partition).name, _examples(partition, plan_json, folder), plan.shared, seed=plan.seed
    )
    if "standard" in message.content:
        site.standardise(message.content["standard"]["sums"].numpy())
    if "personal" in context.state:
        heads = as_arrays(context.state["personal"])
        site.personal = {number: fold_model_of(heads, number) for number in fold_model_numbers(heads)}
    return site


@app.query("features")
def features(message: Message, context: Context) -> Message:
    """Answer with the sums that features are scaled by."""
    site = _shared_site(message, context)
    return Message(RecordDict({"sums": as_record({"features": site.feature_sums()})}), reply_to=message)


@app.train("shared", mods=[compressed])
def train_shared(message: Message, context: Context) -> Message:
    """Train every fold model for the local epochs, on the parts of the network that the site has data for."""
    from federated.shared.stages import stages

    site, config = _shared_site(message, context), message.content["config"]
    stage = stages(site.plan)[int(config["stage"])]
    arrays, summaries = as_arrays(message.content["model"]), as_arrays(message.content["summaries"])
    replies, losses, new_summaries = site.train(arrays, stage, int(config["round"]), summaries)
    if site.personal:
        context.state["personal"] = as_record(join(site.personal))
    reply = weight_reply(message, replies, losses)
    reply.content["summaries"] = as_record(new_summaries)
    return reply


@app.query("judge")
def judge(message: Message, context: Context) -> Message:
    """Answer with figures of the out-of-fold rows."""
    from federated.shared.metrics import judged

    site = _shared_site(message, context)
    metrics = judged(site.examples.labels, site.out_of_fold(as_arrays(message.content["model"])))
    return Message(RecordDict({"metrics": MetricRecord(dict(metrics))}), reply_to=message)


@app.query("means")
def means(message: Message, context: Context) -> Message:
    """Answer with resampled means of growth cells by fold model; a row holds the cell and the embedding."""
    site, arrays = _shared_site(message, context), as_arrays(message.content["model"])
    by_fold_model = {
        str(fold_model): np.array([[cell, *mean] for cell, mean in site.matched_means(arrays, fold_model)]).reshape(
            -1, 17
        )
        for fold_model in fold_models_of(site.plan)
    }
    return Message(RecordDict({"means": as_record(by_fold_model)}), reply_to=message)


@app.train("ultrasound", mods=[compressed])
def train_ultrasound(message: Message, context: Context) -> Message:
    """Train every fold model for the local epochs, from its global weights."""
    site = _image_site(*_key(message, context))
    replies, losses = site.train(as_arrays(message.content["model"]), int(message.content["config"]["round"]))
    return weight_reply(message, replies, losses)


def weight_reply(message: Message, replies: dict[int, WeightReply], losses: list[float]) -> Message:
    """A reply with the trained weights, the rows of each fold model, and mean and variance of the loss over batches.

    Under masks the reply holds what can be summed instead: weights and loss, each times the rows.
    """
    rows = [int(reply.weight) for reply in replies.values()]
    if is_masked(message):
        trained = join({number: reply.arrays for number, reply in replies.items()})
        factor = {str(number): reply.weight for number, reply in replies.items()}
        sums = {name: values.astype(np.float64) * factor[name.partition(".")[0]] for name, values in trained.items()}
        metrics = MetricRecord({"num-examples": rows, "loss": float(np.mean(losses)) * rows[0]})
        return Message(RecordDict({"model": as_record(sums), "metrics": metrics}), reply_to=message)
    record = as_record(join({number: reply.arrays for number, reply in replies.items()}))
    metrics = MetricRecord({"num-examples": rows, "loss": list(spread(losses))})
    return Message(RecordDict({"model": record, "metrics": metrics}), reply_to=message)


@app.query("measure")
def measure(message: Message, context: Context) -> Message:
    """Answer with the errors of every fold model on the examinations that it left out."""
    site = _image_site(*_key(message, context))
    counts, sums = site.errors(as_arrays(message.content["model"]))
    privacy = {} if site.epsilon is None else {"epsilon": site.epsilon}
    metrics = MetricRecord({"counts": [int(n) for n in counts.ravel()], **sums, **privacy})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
