"""Federated training without a transport: the same loops as a Flower run, called in this process.

Out-of-fold studies use them because they are fast. Tests prove that a Flower run gives the same bytes. Fold
model 0 trains on all rows, fold model k leaves fold k - 1 out.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from federated.plan import CompressionPlan, SharedPlan, TreePlan, UltrasoundPlan, fold_models_of
from federated.shared import site as shared_site
from federated.shared.site import SharedSite, Summaries, part_of
from federated.shared.stages import add_summaries, aligned, modalities_of, stages, start_of
from federated.trees.documents import Document, concatenate
from federated.trees.refitting import Sums
from federated.trees.rounds import (
    NEWTON_STEPS,
    add,
    assemble,
    best_rounds,
    combine,
    finish_round,
    is_final,
    proposal_of,
    proposers,
    until_best,
)
from federated.trees.site import TreeSite
from federated.weights.arrays import Weights
from federated.weights.averaging import Arrays, WeightReply, fold_model_of, join
from federated.weights.compression import Vector, pack, rounding_seed, unpack
from federated.weights.rounds import Rounds, spread
from federated.weights.segmenter_site import ImageSite, initial_fold_models
from federated.weights.weighting import SiteCounts
from models.ctg.calibration import Calibration
from models.representation.alignment import Canonical
from models.representation.examples import Array, Modality, Task

Report = Callable[[int, float, float], None]


def train_image_sites(
    sites: Sequence[ImageSite], plan: UltrasoundPlan, seed: int, fold_models: Sequence[int], report: Report
) -> Weights:
    """Train the given fold models over all rounds.

    Parameters
    ----------
    sites : sequence of ImageSite
        Sorted by name.
    plan : UltrasoundPlan
    seed : int
        Seed of the first weights.
    fold_models : sequence of int
    report : callable
        Called with the round number, the mean loss and the bytes sent up.

    Returns
    -------
    dict of str to ndarray
        Named ``fold_model.weight``.
    """
    initial = initial_fold_models(plan, seed)
    arrays: Weights = join({fold_model: fold_model_of(initial, fold_model) for fold_model in fold_models})
    rounds = Rounds(plan.aggregation, {site.name: SiteCounts(len(site.records), site.strata) for site in sites})
    local = LocalReplies(rounds, plan.compression, {site.name: position for position, site in enumerate(sites)})
    for round_number in range(1, plan.rounds + 1):
        replies: list[WeightReply] = []
        means, size = [], 0
        for site in sites:
            trained, losses = site.train(arrays, round_number, fold_models)
            reply, sent = local.reply(site.name, round_number, arrays, trained, losses)
            replies.append(reply)
            means.append(np.mean(losses))
            size += sent
        arrays, _ = rounds.combine(arrays, [replies])
        report(round_number, float(np.mean(means)), float(size))
    return arrays


class LocalReplies:
    """Turns trained weights of sites into the replies that a round combines.

    Parameters
    ----------
    rounds : Rounds
    plan : CompressionPlan
    positions : mapping of site to int
        Flower's partition of each site, which seeds the rounding of its updates.
    """

    def __init__(self, rounds: Rounds, plan: CompressionPlan, positions: Mapping[str, int]) -> None:
        self.rounds = rounds
        self.plan = plan
        self.positions = positions
        self._residuals: dict[str, dict[int, Vector]] = {}

    def reply(
        self, site: str, round_number: int, current: Arrays, trained: Mapping[int, WeightReply], losses: Sequence[float]
    ) -> tuple[WeightReply, int]:
        """A site's reply, and the bytes that it sent up.

        Parameters
        ----------
        site : str
        round_number : int
        current : mapping of str to ndarray
            At least the weights that the site received.
        trained : mapping of int to WeightReply
            By fold model: the weights that travel.
        losses : sequence of float
            Losses of its batches.
        """
        sent = join({fold_model: reply.arrays for fold_model, reply in trained.items()})
        seed = rounding_seed(self.positions[site], round_number)
        packed, self._residuals[site] = pack(sent, current, self.plan, seed, self._residuals.get(site, {}))
        before = {name: np.asarray(current[name]) for name in sent}
        rows = {fold_model: int(reply.weight) for fold_model, reply in trained.items()}
        site_reply = self.rounds.reply(site, unpack(packed, before, self.plan), rows, spread(losses))
        return site_reply, sum(values.nbytes for values in packed.values())


def boost_sites(sites: Sequence[TreeSite], plan: TreePlan, frame: Document) -> dict[str, Document]:
    """Boost over `sites`: the trees of each learner."""
    rounds: list[dict[int, Document]] = []
    losses = []
    for round_number in range(1, plan.rounds + 1):
        rounds.append({})
        losses.append(np.sum([site.out_of_fold_losses() for site in sites], axis=0))
        for fold_model in range(len(sites[0].fold_models)):
            chosen = [sites[k] for k in proposers(len(sites), plan, round_number)]
            proposal = proposal_of(plan, frame, [site.step(fold_model, round_number) for site in chosen])
            totals: list[Sums] | None = None
            for site in sites:
                totals = add(totals, site.leaf_sums(fold_model, proposal))
            merged = finish_round(plan, proposal, totals or [])
            for site in sites:
                site.absorb(fold_model, merged)
            rounds[-1][fold_model] = merged
    if plan.best_round:
        rounds = until_best(rounds, best_rounds(np.array(losses), plan.calibration_folds + 1))
        for site in sites:
            site.restore([np.zeros_like(margin) for margin in site.margins()])
            for documents in rounds:
                for fold_model, document in documents.items():
                    site.absorb(fold_model, document)
    finals = [fold_model for fold_model in rounds[0] if is_final(fold_model, plan)]
    learners = sites[0].rows.learners
    return {
        learner.name: concatenate([documents[fold_model] for documents in rounds if fold_model in documents])
        for learner, fold_model in zip(learners, finals, strict=True)
    }


def train_sites(sites: Sequence[TreeSite], plan: TreePlan, frame: Document) -> dict[str, tuple[Document, Calibration]]:
    """Boost over `sites`, then calibrate: trees and calibration of each target."""
    targets = sites[0].rows.targets
    learned = boost_sites(sites, plan, frame)
    models = assemble(frame, learned, {target: names for target, (names, _) in targets.items()})
    classes = sites[0].out_of_fold(next(iter(targets)))[0].shape[1]
    calibrated = {}
    for target, document in models.items():
        calibration = Calibration.start(classes)
        for _ in range(NEWTON_STEPS):
            calibration = combine([site.calibration_sums(target, calibration) for site in sites], calibration)
        calibrated[target] = (document, calibration)
    return calibrated


def train_shared_sites(
    sites: Sequence[SharedSite], plan: SharedPlan, seed: int, positions: Mapping[str, int] | None = None
) -> tuple[dict[str, dict[Task, Array]], dict[str, str], Canonical | None]:
    """Train all stages.

    Parameters
    ----------
    sites : sequence of SharedSite
        Their features are scaled here.
    plan : SharedPlan
    seed : int
        Seed of the first weights.
    positions : mapping of site to int, optional
        Flower's partition of each site, which seeds the rounding of its updates; else their order.

    Returns
    -------
    out_of_fold : dict of site to log-odds by task
    notes : dict of str to str
        Result of the alignment.
    judged : Canonical or None
    """
    for modality in modalities_of(plan):
        of_modality = [site for site in sites if site.modality == modality]
        total = np.sum([site.feature_sums() for site in of_modality], axis=0)
        for site in of_modality:
            site.standardise(total)
    fresh = shared_site.initial_fold_models(plan, seed)
    arrays, judged = fresh, None
    out_of_fold: dict[str, dict[Task, Array]] = {}
    notes: dict[str, str] = {}
    summaries: Summaries = {}
    place = positions or {site.name: position for position, site in enumerate(sites)}
    for stage in stages(plan):
        arrays = start_of(stage, arrays, fresh)
        taking = sorted((site for site in sites if site.modality in stage.modalities), key=lambda site: site.name)
        if stage.name == "target" and "cca" in plan.align:
            arrays, judged, notes["cca"] = aligned(arrays, plan, _means(sites, arrays, plan), seed)
        rounds = Rounds(plan.aggregation, {s.name: SiteCounts(len(s.examples)) for s in taking}, whole=False)
        local = LocalReplies(rounds, plan.compression, place)
        for round_number in range(1, plan.rounds + 1):
            replies: list[WeightReply] = []
            new: Summaries = {}
            for site in taking:
                trained, losses, site_summaries = site.train(
                    part_of(arrays, site.modality), stage, round_number, summaries
                )
                replies.append(local.reply(site.name, round_number, arrays, trained, losses)[0])
                new = add_summaries(new, site_summaries)
            arrays, _ = rounds.combine(arrays, [replies])
            summaries = {**summaries, **new}
        for site in taking:
            out_of_fold[site.name] = site.out_of_fold(part_of(arrays, site.modality))
    return out_of_fold, notes, judged


def _means(
    sites: Sequence[SharedSite], arrays: Weights, plan: SharedPlan
) -> dict[Modality, list[list[tuple[int, Array]]]]:
    means: dict[Modality, list[list[tuple[int, Array]]]] = {}
    for modality in ("trace", "scan"):
        of_modality = sorted((site for site in sites if site.modality == modality), key=lambda site: site.name)
        means[modality] = [
            [pair for site in of_modality for pair in site.matched_means(arrays, fold_model)]
            for fold_model in fold_models_of(plan)
        ]
    return means
