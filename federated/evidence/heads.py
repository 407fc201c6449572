"""Out-of-fold heads: the federated segmenter, trained five times without a fifth of the examinations."""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from federated.evidence.parts import FOLDS, Rows, resume
from federated.plan import Plan, UltrasoundPlan
from federated.sites import head_sites, head_strata
from models.datasets import hc18
from models.evaluation.metrics import score_head


def head_folds(records: list[hc18.HeadImage], seed: int) -> list[tuple[Any, Any]]:
    """Five grouped folds by examination, balanced by size of the head."""
    groups = [record.examination for record in records]
    split = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed % 2**32)
    return list(split.split(np.zeros(len(records)), head_strata(records), groups))


def hc18_out_of_fold(folder: Path, plan: Plan, output: Path, checkpoints: Path, parts: list[str]) -> None:
    """Write one row an image; a fold that was interrupted goes on at its last round."""
    from federated.image_site import ImageSite, conformal_quantile, initial_arrays, network_of
    from federated.strategies.averaging import average
    from models.ultrasound.training import predict_heads

    section = plan.ultrasound or UltrasoundPlan()
    records = hc18.read(folder)
    folds = head_folds(records, plan.seed)

    def make(part: str) -> Rows:
        train, test = folds[int(part)]
        inside = [records[i] for i in train]
        site_of = head_sites(inside, section, plan.seed + int(part))
        sites = [
            ImageSite(
                f"site-{k + 1}", [r for r, s in zip(inside, site_of, strict=True) if s == k], section, seed=plan.seed
            )
            for k in range(section.sites)
        ]
        checkpoint = checkpoints / f"hc18-fold-{part}.npz"
        start, arrays = 0, initial_arrays(plan.seed)
        if checkpoint.exists():
            with np.load(checkpoint) as stored:
                start = int(stored["round"])
                arrays = {name: stored[name] for name in stored.files if name != "round"}
        for round_number in range(start + 1, section.rounds + 1):
            replies = [site.train(arrays, round_number) for site in sites]
            arrays = average([reply for reply, _ in replies])
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            np.savez(checkpoint.with_suffix(".part.npz"), round=round_number, **arrays)  # type: ignore[arg-type]
            checkpoint.with_suffix(".part.npz").replace(checkpoint)
            print(f"fold {part} round {round_number}: loss {np.mean([loss for _, loss in replies]):.3f}", flush=True)
        quantile = conformal_quantile(np.sum([site.errors(arrays)[0] for site in sites], axis=0))
        outside = [records[i] for i in test]
        heads = predict_heads(network_of(arrays), outside)
        return [_head_row(part, record, head, quantile) for record, head in zip(outside, heads, strict=True)]

    resume(output / "hc18.csv", "fold", parts, make)


def _head_row(part: str, record: hc18.HeadImage, head: Any, quantile: float) -> dict[str, Any]:
    estimate, overlap, distance = score_head(head, record)
    return {
        "fold": part,
        "image": record.name,
        "examination": record.examination,
        "reference_mm": round(record.head_circumference_mm, 3),
        "estimate_mm": round(estimate, 3),
        "interval_share": round(quantile, 4),
        "dice": round(overlap, 5),
        "hausdorff_mm": round(distance, 4),
        "refusal": head.refusal or "",
    }
