"""The stages of a shared training, and the loop that Flower's messages carry, called in-process."""

from collections.abc import Mapping

import numpy as np

from federated.plan import SharedPlan, lanes_of
from federated.shared.site import Stage, Summaries
from federated.weights.arrays import Weights
from federated.weights.averaging import Arrays
from models.representation.alignment import Canonical, canonical, match
from models.representation.examples import Array, Modality

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
