"""Out-of-fold pattern: five seeds, two partitions beside central training, one part by recording and one by row."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from federated.plan import CtgPlan, Plan
from federated.sites.partition import ctg_sites
from federated.trees.rounds import frame_of
from federated.trees.site import TreeSite
from federated.trees.tasks import pattern_rows
from models.ctg.boosting import booster_from
from models.ctg.features import as_trace_would
from models.ctg.pattern import PatternModel, View
from models.datasets import uci_ctg
from studies.in_process import train_sites
from studies.resume import FOLDS, SEEDS, Rows, resume

FAMILY_SITES = 4
BAGGING_SEEDS = 3


def parts() -> list[str]:
    """``training/view/seed``: "unmerged" tells small leaves as they are; two leave out recordings or rows."""
    names = [f"{training}/table/{seed}" for seed in range(SEEDS) for training in ("family", "central", "dirichlet")]
    names += [f"unmerged/table/{seed}" for seed in range(SEEDS)]
    names += [f"{training}/table/{seed}" for seed in range(BAGGING_SEEDS) for training in ("bagging", "bagging family")]
    return [*names, "dirichlet/trace/0", "recording/table/0", "row/table/0"]


def study(folder: Path, plan: Plan, output: Path, wanted: list[str]) -> None:
    """Write one row a segment, view, training and seed to ``uci.csv``."""
    section = plan.ctg or CtgPlan()
    table = uci_ctg.read(folder)

    def make(part: str) -> Rows:
        training, view_name, seed_text = part.split("/")
        view: View = "trace" if view_name == "trace" else "table"
        seed = int(seed_text)
        probability = np.zeros((len(table), 3))
        fold_of = np.zeros(len(table), dtype=np.int64)
        split = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        groups = _fold_groups(table, training)
        for fold, (train, test) in enumerate(split.split(table.features, table.state, groups)):
            inside = table.rows(train)
            site_of = _sites(inside, section, training, plan.seed + seed * 10 + fold)
            recipe = section.without_suppression() if len(np.unique(site_of)) == 1 else section
            if training == "unmerged":
                recipe = section.model_copy(update={"merge_below": 1})
            if training.startswith("bagging"):
                recipe = section.model_copy(update={"strategy": "weighted-bagging"})
            sites = [
                TreeSite(
                    f"site-{k + 1}",
                    pattern_rows(inside.rows(np.flatnonzero(site_of == k)), recipe, (view,)),
                    recipe,
                    seed=plan.seed + seed,
                )
                for k in np.unique(site_of)
            ]
            document, calibration = train_sites(sites, recipe, frame_of(recipe))[view]
            model = PatternModel(booster_from(document), calibration)
            features = table.features[test]
            probability[test] = model.probabilities(as_trace_would(features) if view == "trace" else features)
            fold_of[test] = fold
        return [
            {
                "part": part,
                "row": row,
                "woman": table.woman[row],
                "fold": fold_of[row],
                "state": table.state[row],
                **{f"p{k}": round(float(probability[row, k]), 4) for k in range(3)},
            }
            for row in range(len(table))
        ]

    resume(output / "uci.csv", "part", wanted or parts(), make)


def _fold_groups(table: uci_ctg.CtgTable, training: str) -> NDArray[np.str_]:
    if training == "row":
        return np.array([str(row) for row in range(len(table))])
    return table.examination if training == "recording" else table.woman


def _sites(inside: uci_ctg.CtgTable, section: CtgPlan, training: str, seed: int) -> NDArray[np.int64]:
    if training in {"central", "recording", "row"}:
        return np.zeros(len(inside), dtype=np.int64)
    family = training.endswith("family")
    sites = FAMILY_SITES if family else section.sites
    partition = "family" if family else "dirichlet"
    return ctg_sites(inside, section.model_copy(update={"partition": partition, "sites": sites}), seed)
