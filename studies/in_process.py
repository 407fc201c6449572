"""Federated training without a transport: the loops that Flower messages carry, called in this process.

Out-of-fold studies use them because they are fast. Tests prove that a Flower run gives the same bytes.
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
    sites: Sequence[ImageSite], plan: UltrasoundPlan, seed: int, lanes: Sequence[int], report: Report
) -> Weights:
    """Train the given lanes over all rounds.

    Parameters
    ----------
    sites : sequence of ImageSite
        Sorted by name.
    plan : UltrasoundPlan
    seed : int
        Of the first weights.
    lanes : sequence of int
    report : callable
        Given the round's number, the mean loss and the bytes that went up.

    Returns
    -------
    dict of str to ndarray
        Named ``lane.weight``.
    """
    initial = initial_fold_models(plan, seed)
    arrays: Weights = join({lane: fold_model_of(initial, lane) for lane in lanes})
    rounds = Rounds(plan.aggregation, {site.name: SiteCounts(len(site.records), site.strata) for site in sites})
    local = LocalReplies(rounds, plan.compression, {site.name: position for position, site in enumerate(sites)})
    for round_number in range(1, plan.rounds + 1):
        replies: list[WeightReply] = []
        means, size = [], 0
        for site in sites:
            trained, losses = site.train(arrays, round_number, lanes)
            reply, sent = local.reply(site.name, round_number, arrays, trained, losses)
            replies.append(reply)
            means.append(np.mean(losses))
            size += sent
        arrays, _ = rounds.combine(arrays, [replies])
        report(round_number, float(np.mean(means)), float(size))
    return arrays


class LocalReplies:
    """Turns what sites have trained into the replies that a round combines.

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
            At least what the site was sent.
        trained : mapping of int to WeightReply
            By lane: the weights that travel.
        losses : sequence of float
            Of its batches.
        """
        sent = join({lane: reply.arrays for lane, reply in trained.items()})
        seed = rounding_seed(self.positions[site], round_number)
        packed, self._residuals[site] = pack(sent, current, self.plan, seed, self._residuals.get(site, {}))
        before = {name: np.asarray(current[name]) for name in sent}
        rows = {lane: int(reply.weight) for lane, reply in trained.items()}
        made = self.rounds.reply(site, unpack(packed, before, self.plan), rows, spread(losses))
        return made, sum(values.nbytes for values in packed.values())


def boost_sites(sites: Sequence[TreeSite], plan: TreePlan, frame: Document) -> dict[str, Document]:
    """Boost over `sites`: the trees of each learner."""
    rounds: list[dict[int, Document]] = []
    losses = []
    for round_number in range(1, plan.rounds + 1):
        rounds.append({})
        losses.append(np.sum([site.out_of_fold_losses() for site in sites], axis=0))
        for lane in range(len(sites[0].fold_models)):
            chosen = [sites[k] for k in proposers(len(sites), plan, round_number)]
            proposal = proposal_of(plan, frame, [site.step(lane, round_number) for site in chosen])
            totals: list[Sums] | None = None
            for site in sites:
                totals = add(totals, site.leaf_sums(lane, proposal))
            merged = finish_round(plan, proposal, totals or [])
            for site in sites:
                site.absorb(lane, merged)
            rounds[-1][lane] = merged
    if plan.best_round:
        rounds = until_best(rounds, best_rounds(np.array(losses), plan.calibration_folds + 1))
        for site in sites:
            site.restore([np.zeros_like(margin) for margin in site.margins()])
            for kept in rounds:
                for lane, document in kept.items():
                    site.absorb(lane, document)
    finals = [lane for lane in rounds[0] if is_final(lane, plan)]
    learners = sites[0].rows.learners
    return {
        learner.name: concatenate([kept[lane] for kept in rounds if lane in kept])
        for learner, lane in zip(learners, finals, strict=True)
    }


def train_sites(sites: Sequence[TreeSite], plan: TreePlan, frame: Document) -> dict[str, tuple[Document, Calibration]]:
    """Boost over `sites`, then calibrate: trees and calibration of each target."""
    targets = sites[0].rows.targets
    learned = boost_sites(sites, plan, frame)
    models = assemble(frame, learned, {target: names for target, (names, _) in targets.items()})
    classes = sites[0].out_of_fold(next(iter(targets)))[0].shape[1]
    made = {}
    for target, document in models.items():
        calibration = Calibration.start(classes)
        for _ in range(NEWTON_STEPS):
            calibration = combine([site.calibration_sums(target, calibration) for site in sites], calibration)
        made[target] = (document, calibration)
    return made


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
        Of the first weights.
    positions : mapping of site to int, optional
        Flower's partition of each site, which seeds the rounding of its updates; else their order.

    Returns
    -------
    left_out : dict of site to log-odds by task
    notes : dict of str to str
        What alignment did.
    judged : Canonical or None
    """
    for modality in modalities_of(plan):
        held = [site for site in sites if site.modality == modality]
        total = np.sum([site.feature_sums() for site in held], axis=0)
        for site in held:
            site.standardise(total)
    fresh = shared_site.initial_fold_models(plan, seed)
    arrays, judged = fresh, None
    left_out: dict[str, dict[Task, Array]] = {}
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
                trained, losses, told = site.train(part_of(arrays, site.modality), stage, round_number, summaries)
                replies.append(local.reply(site.name, round_number, arrays, trained, losses)[0])
                new = add_summaries(new, told)
            arrays, _ = rounds.combine(arrays, [replies])
            summaries = {**summaries, **new}
        for site in taking:
            left_out[site.name] = site.out_of_fold(part_of(arrays, site.modality))
    return left_out, notes, judged


def _means(
    sites: Sequence[SharedSite], arrays: Weights, plan: SharedPlan
) -> dict[Modality, list[list[tuple[int, Array]]]]:
    made: dict[Modality, list[list[tuple[int, Array]]]] = {}
    for modality in ("trace", "scan"):
        held = sorted((site for site in sites if site.modality == modality), key=lambda site: site.name)
        made[modality] = [
            [pair for site in held for pair in site.matched_means(arrays, lane)] for lane in fold_models_of(plan)
        ]
    return made
