"""The stages of a training of the shared representation. Used with and without Flower."""

from collections.abc import Mapping

import numpy as np

from federated.plan import SharedPlan, fold_models_of
from federated.shared.site import Stage, Summaries
from federated.weights.arrays import Weights
from federated.weights.averaging import Arrays
from models.representation.alignment import Canonical, canonical, match
from models.representation.examples import Array, Modality

CTG: tuple[Modality, ...] = ("table", "trace")
PERMUTATIONS = 200


def modalities_of(plan: SharedPlan) -> tuple[Modality, ...]:
    """The modalities that the plan has sites for."""
    partitions: dict[Modality, object] = {"table": plan.table, "trace": plan.trace, "scan": plan.scan}
    return tuple(name for name, partition in partitions.items() if partition is not None)


def stages(plan: SharedPlan) -> list[Stage]:
    """The stages, in order. The predictions for a modality are those after its last stage."""
    modalities = modalities_of(plan)
    penalties = tuple(name for name in plan.align if name != "cca")
    if plan.mode == "multi-task":
        return [Stage("multi-task", modalities, align=penalties)]
    if plan.mode == "separate":
        return [Stage(modality, (modality,), fresh_trunk=True) for modality in modalities]
    source = tuple(m for m in modalities if (m in CTG) == (plan.source == "ctg"))
    target = tuple(m for m in modalities if m not in source)
    frozen = ("trunk.",) if plan.freeze_trunk else ()
    warm_up = [Stage("warm-up", target, fresh_trunk=True)] if "cca" in plan.align else []
    # In the first stage the source also sends sums over its embeddings, which the target is aligned with.
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
    """Map the target's embeddings into the source's space, if their canonical correlation is significant.

    Parameters
    ----------
    arrays : dict
        Weights of all fold models.
    plan : SharedPlan
    means : mapping of modality to a list, one entry a fold_model, of (cell, mean)
    seed : int

    Returns
    -------
    arrays : dict
    judged : Canonical or None
        Result of fold model 0.
    words : str
        What was done, and why, as a sentence.
    """
    ours, theirs = ("trace", "scan") if plan.source == "ctg" else ("scan", "trace")
    after, judged = dict(arrays), None
    for fold_model in fold_models_of(plan):
        try:
            correlation = canonical(
                *match(means[ours][fold_model], means[theirs][fold_model], seed),  # type: ignore[index]
                dimensions=plan.cca_dimensions,
                permutations=PERMUTATIONS if fold_model == 0 else 0,
                seed=seed,
            )
        except ValueError as error:
            return arrays, None, f"not aligned: {error}"
        if fold_model == 0:
            judged = correlation
            if not correlation.beats_null:
                return arrays, correlation, f"not aligned: {correlation.words()}"
        name = f"{fold_model}.encoder.{theirs}.4."
        weight, bias = arrays[f"{name}weight"].astype(np.float64), arrays[f"{name}bias"].astype(np.float64)
        after[f"{name}weight"] = (correlation.weight @ weight).astype(np.float32)
        after[f"{name}bias"] = (correlation.weight @ bias + correlation.shift).astype(np.float32)
    return after, judged, f"aligned: {judged.words()}" if judged else "aligned"


def add_summaries(total: Summaries, more: Mapping[str, Array]) -> Summaries:
    """Add the summaries of one more site, by name."""
    sums = dict(total)
    for name, values in more.items():
        sums[name] = sums[name] + values if name in sums else values
    return sums
