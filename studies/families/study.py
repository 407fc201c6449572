"""Ensemble, multi-task, transfer: the same sites and folds, every row predicted out of fold."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from federated.plan import Plan, SharedPlan, TreePlan, load, shipped_plans
from federated.shared.site import SharedSite
from federated.shared.tasks import scan_examples, table_examples, trace_examples
from federated.sites.births import Births, measured_features
from federated.sites.partition import birth_sites, ctg_sites, head_sites
from federated.sites.site import LABELS
from federated.trees.rounds import frame_of
from federated.trees.site import SiteRows, TreeSite
from federated.trees.tasks import acidaemia_rows, pattern_rows
from models.ctg.acidaemia import MILD
from models.datasets import ctu_uhb, hc18, uci_ctg
from models.errors import DataSetError
from models.growth.biometry_standards import HEAD_CIRCUMFERENCE as STANDARD
from models.growth.measures import BPD, HC, OFD
from models.representation.examples import Array, Examples, Modality
from models.representation.growth_class import SMALL_Z
from studies.in_process import boost_sites, train_shared_sites
from studies.resume import Rows, resume

SEEDS = 3
# Arm: what differs from the plan multi-task.toml.
ARMS: dict[str, dict[str, Any]] = {
    "separate": {"mode": "separate"},
    "multi-task": {"mode": "multi-task"},
    "multi-task prototypes": {"mode": "multi-task", "align": ("prototypes",)},
    "multi-task coral": {"mode": "multi-task", "align": ("coral",)},
    "multi-task personal heads": {"mode": "multi-task", "personal_heads": True},
    **{
        f"transfer from {source}{' ' + align if align else ''}": {
            "mode": "transfer",
            "source": source,
            "align": (align,) if align else (),
        }
        for source in ("ctg", "ultrasound")
        for align in ("", "prototypes", "coral", "cca")
    },
}


@dataclass(frozen=True)
class Cohort:
    """All data of the three kinds of hospital."""

    table: uci_ctg.CtgTable
    births: Births
    heads: list[hc18.HeadImage]
    measured: Mapping[str, Mapping[str, float]]


def study(folder: Path, plan: Plan, output: Path, wanted: list[str]) -> None:
    """Write ``families.csv.gz``: one row a record, task and part (``arm/seed``); and what CCA found to ``cca.csv``.

    Heads are those that the fold models of the shipped segmenter measured (``hc18.csv`` beside the output).
    """
    assert plan.shared is not None
    section = plan.shared

    @cache
    def cohort() -> Cohort:
        folders = uci_ctg.find(folder), ctu_uhb.find(folder), hc18.find(folder)
        if None in folders:
            raise DataSetError(f"{folder}: UCI, CTU-UHB and HC18 are all needed")
        records = ctu_uhb.read(folders[1])  # type: ignore[arg-type]
        heads = [record for record in hc18.read(folders[2]) if record.same_frame_as is None]  # type: ignore[arg-type]
        stored = _measured_heads(output / "hc18.csv")
        return Cohort(uci_ctg.read(folders[0]), Births.of(records, measured_features(records)), heads, stored)  # type: ignore[arg-type]

    def make(part: str) -> Rows:
        arm, _, number = part.partition("/")
        seed = plan.seed + int(number)
        if arm == "ensemble":
            return _ensemble(part, cohort(), section, seed)
        return _shared(part, cohort(), section.model_copy(update=ARMS[arm]), seed, output)

    parts = [f"{arm}/{seed}" for seed in range(SEEDS) for arm in ("ensemble", *ARMS)]
    resume(output / "families.csv.gz", "part", wanted or parts, make)


def _measured_heads(path: Path) -> dict[str, dict[str, float]]:
    """The out-of-fold measures of each image that was not refused, mm."""
    columns = {HC: "estimate_mm", BPD: "bpd_mm", OFD: "ofd_mm"}
    with path.open(newline="", encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if not row["refusal"]]
    return {row["image"]: {measure: float(row[column]) for measure, column in columns.items()} for row in rows}


def site_index(cohort: Cohort, section: SharedPlan, seed: int) -> dict[Modality, Any]:
    """Site of each row of each modality."""
    assert section.table is not None
    assert section.trace is not None
    assert section.scan is not None
    return {
        "table": ctg_sites(cohort.table, section.table, seed),
        "trace": birth_sites(cohort.births.names, cohort.births.labels, section.trace, seed),
        "scan": head_sites(cohort.heads, section.scan, seed),
    }


def _shared(part: str, cohort: Cohort, section: SharedPlan, seed: int, output: Path) -> Rows:
    index = site_index(cohort, section, seed)
    sites = []
    for modality, choose in _examples(cohort, section).items():
        for k in np.unique(index[modality]):
            name = f"{_label(modality)}-{k + 1}"
            sites.append(SharedSite(name, choose(np.flatnonzero(index[modality] == k)), section, seed=seed))
    out_of_fold, notes, judged = train_shared_sites(sites, section, seed)
    if judged is not None:
        row = {
            "part": part,
            **{k: getattr(judged, k) for k in ("correlation", "null_95", "p_value", "dimensions", "pairs")},
        }
        resume(output / "cca.csv", "part", [part], lambda _: [{**row, "note": notes["cca"]}])
    rows: Rows = []
    for site in sites:
        for task, margin in out_of_fold[site.name].items():
            rows += _rows(part, site.name, task, site.examples.group, site.fold, site.examples.labels[task], margin)
    return rows


def _examples(cohort: Cohort, section: SharedPlan) -> dict[Modality, Callable[[Any], Examples]]:
    births, heads = cohort.births, cohort.heads

    def scans(rows: Any) -> Examples:
        chosen = [heads[i] for i in rows]
        reference = np.array([head.head_circumference_mm for head in chosen])
        return scan_examples(
            [head.name for head in chosen], [head.examination for head in chosen], reference, cohort.measured
        )

    def traces(rows: Any) -> Examples:
        some = births.rows(rows)
        return trace_examples(some.names, some.ph, some.features, some.birth_z)

    return {"table": lambda rows: table_examples(cohort.table.rows(rows), section), "trace": traces, "scan": scans}


def _label(modality: Modality) -> str:
    return LABELS[{"table": "ctg", "trace": "acidaemia", "scan": "ultrasound"}[modality]]  # type: ignore[index]


def _ensemble(part: str, cohort: Cohort, section: SharedPlan, seed: int) -> Rows:
    """Trees on tables and traces by the shipped recipes, the chart on measured heads."""
    index = site_index(cohort, section, seed)
    rows: Rows = []
    shipped = load(shipped_plans()["default"])
    assert shipped.ctg is not None
    assert shipped.acidaemia is not None
    folds = {"calibration_folds": section.folds}
    pattern, acidaemia = shipped.ctg.model_copy(update=folds), shipped.acidaemia.model_copy(update=folds)
    trees: tuple[tuple[Modality, str, TreePlan, Callable[[Any], SiteRows], str], ...] = (
        (
            "table",
            "state",
            pattern,
            lambda k: pattern_rows(cohort.table.rows(k), pattern, ("table",)),
            "table",
        ),
        (
            "trace",
            "acidaemia",
            acidaemia,
            lambda k: acidaemia_rows(cohort.births.names[k], cohort.births.ph[k], cohort.births.features[k]),
            MILD.name,
        ),
    )
    for modality, task, plan, make, target in trees:
        sites = [
            TreeSite(f"{_label(modality)}-{k + 1}", make(np.flatnonzero(index[modality] == k)), plan, seed=seed)
            for k in np.unique(index[modality])
        ]
        boost_sites(sites, plan, frame_of(plan))
        for site in sites:
            label = site.rows.targets[target][1]
            margin = np.zeros((len(label), 3 if task == "state" else 2))
            for out, values, _ in site.out_of_fold_by_fold(target):
                margin[out] = values
            rows += _rows(part, site.name, task, site.rows.group, site.fold, label, margin)
    choose = _examples(cohort, section)["scan"]
    for k in np.unique(index["scan"]):
        some = choose(np.flatnonzero(index["scan"] == k))
        scans = SharedSite(f"{_label('scan')}-{k + 1}", some, section, seed=seed)
        margin = chart_log_odds(some.features)
        rows += _rows(part, scans.name, "growth", some.group, scans.fold, some.labels["growth"], margin)
    return rows


# Error of a measured head as a share of the circumference (`docs/evidence/ultrasound.md`: MAE 1.9 mm of 175 mm).
HEAD_ERROR_SHARE = 0.014


def chart_log_odds(features: Array) -> Array:
    """Log-probability that a measured head is small, appropriate, large, shape (n, 3): the chart, and no training."""
    log_odds = []
    for row in features:
        circumference, days = float(np.exp(row[0])), 7.0 * float(row[4])
        z = STANDARD.z_score(circumference, days)
        error = abs(STANDARD.z_score(circumference * (1 + HEAD_ERROR_SHARE), days) - z)
        small, large = norm.logcdf((SMALL_Z - z) / error), norm.logcdf((z + SMALL_Z) / error)
        between = np.log(max(1.0 - np.exp(small) - np.exp(large), 1e-12))
        log_odds.append([small, between, large])
    return np.clip(np.array(log_odds), -30, 0)


def _rows(part: str, site: str, task: str, group: Any, fold: Any, label: Any, margin: Array) -> Rows:
    return [
        {
            "part": part,
            "site": site,
            "task": task,
            "row": row,
            "group": group[row],
            "fold": int(fold[row]),
            "label": int(label[row]),
            **{f"m{k}": round(float(margin[row, k]), 2) if k < margin.shape[1] else "" for k in range(3)},
        }
        for row in range(len(group))
        if label[row] >= 0
    ]
