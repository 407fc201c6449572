"""The stages of a shared training, and the loop that Flower's messages carry, called in-process."""

from collections.abc import Mapping, Sequence

import numpy as np

from federated.local_replies import LocalReplies
from federated.network_weights import Weights
from federated.plan import SharedPlan, lanes_of
from federated.shared_site import SharedSite, Stage, Summaries, initial_lanes, part_of
from federated.strategies.averaging import Arrays, WeightReply
from federated.strategies.rounds import Rounds
from federated.strategies.weighting import SiteCounts
from models.representation.alignment import Canonical, canonical, match
from models.representation.examples import Array, Modality, Task

CTG: tuple[Modality, ...] = ("table", "trace")
PERMUTATIONS = 200


def modalities_of(plan: SharedPlan) -> tuple[Modality, ...]:
    """Those that the plan has sites for."""
    cuts: dict[Modality, object] = {"table": plan.table, "trace": plan.trace, "scan": plan.scan}
    return tuple(name for name, cut in cuts.items() if cut is not None)


def stages(plan: SharedPlan) -> list[Stage]:
    """What is trained one after the other. The predictions for a modality are those after its last stage."""
    held = modalities_of(plan)
    penalties = tuple(name for name in plan.align if name != "cca")
    if plan.mode == "multi-task":
        return [Stage("multi-task", held, align=penalties)]
    if plan.mode == "separate":
        return [Stage(modality, (modality,), fresh_trunk=True) for modality in held]
    source = tuple(m for m in held if (m in CTG) == (plan.source == "ctg"))
    target = tuple(m for m in held if m not in source)
    frozen = ("trunk.",) if plan.freeze_trunk else ()
    warm_up = [Stage("warm-up", target, fresh_trunk=True)] if "cca" in plan.align else []
    # The source keeps telling where its embeddings lie while the target learns.
    return [
        *warm_up,
        Stage("source", source, fresh_trunk=True, align=penalties),
        Stage("target", target, frozen=frozen, align=penalties),
    ]


def start_of(stage: Stage, arrays: Weights, fresh: Arrays) -> Weights:
    """The weights that a stage starts from."""
    if not stage.fresh_trunk:
        return arrays
    anew = [name for name in arrays if name.partition(".")[2].startswith(("trunk.", "head."))]
    return {**arrays, **{name: fresh[name] for name in anew}}


def aligned(
    arrays: Weights, plan: SharedPlan, means: Mapping[Modality, list[list[tuple[int, Array]]]], seed: int
) -> tuple[Weights, Canonical | None, str]:
    """Let the target's encoders speak in the source's space, if canonical correlation beats its null.

    Parameters
    ----------
    arrays : dict
        All lanes.
    plan : SharedPlan
    means : mapping of modality to a list, one entry a lane, of (cell, mean)
    seed : int

    Returns
    -------
    arrays : dict
    judged : Canonical or None
        Of lane 0.
    words : str
        What was done, and why.
    """
    ours, theirs = ("trace", "scan") if plan.source == "ctg" else ("scan", "trace")
    after, judged = dict(arrays), None
    for lane in lanes_of(plan):
        try:
            found = canonical(
                *match(means[ours][lane], means[theirs][lane], seed),  # type: ignore[index]
                dimensions=plan.cca_dimensions,
                permutations=PERMUTATIONS if lane == 0 else 0,
                seed=seed,
            )
        except ValueError as error:
            return arrays, None, f"not aligned: {error}"
        if lane == 0:
            judged = found
            if not found.beats_null:
                return arrays, found, f"not aligned: {found.words()}"
        name = f"{lane}.encoder.{theirs}.4."
        weight, bias = arrays[f"{name}weight"].astype(np.float64), arrays[f"{name}bias"].astype(np.float64)
        after[f"{name}weight"] = (found.weight @ weight).astype(np.float32)
        after[f"{name}bias"] = (found.weight @ bias + found.shift).astype(np.float32)
    return after, judged, f"aligned: {judged.words()}" if judged else "aligned"


def add_summaries(total: Summaries, more: Mapping[str, Array]) -> Summaries:
    """Sums over sites by name."""
    made = dict(total)
    for name, sums in more.items():
        made[name] = made[name] + sums if name in made else sums
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
    fresh = initial_lanes(plan, seed)
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
            left_out[site.name] = site.left_out(part_of(arrays, site.modality))
    return left_out, notes, judged


def _means(
    sites: Sequence[SharedSite], arrays: Weights, plan: SharedPlan
) -> dict[Modality, list[list[tuple[int, Array]]]]:
    made: dict[Modality, list[list[tuple[int, Array]]]] = {}
    for modality in ("trace", "scan"):
        held = sorted((site for site in sites if site.modality == modality), key=lambda site: site.name)
        made[modality] = [
            [pair for site in held for pair in site.matched_means(arrays, lane)] for lane in lanes_of(plan)
        ]
    return made
