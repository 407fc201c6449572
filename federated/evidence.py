"""Out-of-fold evidence for the shipped recipe: long, resumable, one stored prediction a record.

``python -m federated.evidence hc18 DATA PLAN`` trains the federated recipe five times, each time
without a fifth of the examinations, and writes what it predicts for them to
``docs/evidence/oof/hc18.csv``. ``... uci DATA PLAN`` does the same for the pattern model over five
seeds, two partitions and beside central training. Documents are written from these files in seconds.
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from federated.plan import CtgPlan, Plan, UltrasoundPlan, load
from federated.sites import ctg_sites, head_sites, head_strata
from models.ctg.features import as_trace_would
from models.ctg.pattern import View
from models.datasets import hc18, uci_ctg
from models.evaluation.metrics import score_head

FOLDS = 5
SEEDS = 5
OUTPUT = Path("docs/evidence/oof")
Rows = list[dict[str, Any]]


def _resume(path: Path, key: str, parts: list[str], make: Callable[[str], Rows]) -> None:
    """Make the parts that `path` lacks, one after the other, and append each as a whole."""
    done: set[str] = set()
    if path.exists():
        with path.open(newline="", encoding="utf-8") as handle:
            done = {row[key] for row in csv.DictReader(handle)}
    for part in parts:
        if part in done:
            continue
        rows = make(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
            if handle.tell() == 0:
                writer.writeheader()
            writer.writerows(rows)
        print(f"{path.name}: {part} done", flush=True)


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

    _resume(output / "hc18.csv", "fold", parts, make)


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


def uci_out_of_fold(folder: Path, plan: Plan, output: Path) -> None:
    """Write one row a segment, view, training (two federations and central) and seed."""
    from federated.summaries import DECISIONS, best_decision, confusions
    from federated.tree_site import TreeSite
    from federated.tree_training import train_sites

    section = plan.ctg or CtgPlan()
    table = uci_ctg.read(folder)

    def make(part: str) -> Rows:
        training, view_name, seed_text = part.split("/")
        view: View = "trace" if view_name == "trace" else "table"
        seed = int(seed_text)
        probability = np.zeros((len(table), 3))
        chosen = np.zeros(len(table), dtype=np.int64)

        def left_out(site: TreeSite) -> tuple[Any, Any]:
            return site.left_out(view)

        split = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        fold_of = np.zeros(len(table), dtype=np.int64)
        for fold, (train, test) in enumerate(split.split(table.features, table.state, table.woman)):
            inside = table.rows(train)
            if training == "central":
                site_of = np.zeros(len(inside), dtype=np.int64)
            else:
                partition = section.model_copy(
                    update={"partition": training, "sites": 4 if training == "family" else 5}
                )
                site_of = ctg_sites(inside, partition, plan.seed + seed * 10 + fold)
            sites = [
                TreeSite(
                    f"site-{k + 1}", inside.rows(np.flatnonzero(site_of == k)), section, (view,), seed=plan.seed + seed
                )
                for k in np.unique(site_of)
            ]
            model = train_sites(sites, section, (view,))[view]
            features = table.features[test]
            counts = sum(confusions(model.calibration.probabilities(m), state) for m, state in map(left_out, sites))
            rule = DECISIONS[best_decision(np.asarray(counts))]
            probability[test] = model.probabilities(as_trace_would(features) if view == "trace" else features)
            chosen[test] = rule.states(probability[test])
            fold_of[test] = fold
        return [
            {
                "part": part,
                "row": row,
                "woman": table.woman[row],
                "fold": fold_of[row],
                "state": table.state[row],
                "chosen": chosen[row],
                **{f"p{k}": round(float(probability[row, k]), 4) for k in range(3)},
            }
            for row in range(len(table))
        ]

    parts = [f"{t}/table/{seed}" for seed in range(SEEDS) for t in ("dirichlet", "family", "central")]
    _resume(output / "uci.csv", "part", [*parts, "dirichlet/trace/0"], make)


def main() -> None:
    """Run one study from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", choices=["hc18", "uci"])
    parser.add_argument("data", type=Path, help="folder with the data sets")
    parser.add_argument("plan", type=Path)
    parser.add_argument("--folds", nargs="*", help="only these folds (hc18), to share the work among processes")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--checkpoints", type=Path, default=Path("var/evidence"))
    arguments = parser.parse_args()
    plan = load(arguments.plan)
    module = hc18 if arguments.study == "hc18" else uci_ctg
    folder = module.find(arguments.data)
    if folder is None:
        parser.error(f"{arguments.data}: no {arguments.study} data set below this folder")
    if arguments.study == "hc18":
        parts = arguments.folds or [str(fold) for fold in range(FOLDS)]
        hc18_out_of_fold(folder, plan, arguments.output, arguments.checkpoints, parts)
    else:
        uci_out_of_fold(folder, plan, arguments.output)


if __name__ == "__main__":
    main()
