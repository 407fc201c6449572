"""What the evidence on fusion needs of the data, stored: ``python -m studies store fusion DATA``.

Reads CTU-UHB below DATA and the held-out predictions in OOF (`ctu_uhb.csv`, `hc18.csv`); writes ``pairs.csv`` (sizes at
birth, held-out probabilities of a logistic regression on parity and age), ``semi_real.csv`` (which head each birth gets
and what the network that never saw it measured) and ``fusion_experts.json`` (aggregates, for the experts' file has no
licence).
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from models.ctg.acidaemia import TARGETS, low_ph
from models.datasets import ctu_uhb
from models.datasets.ctu_uhb import BirthRecord
from models.errors import DataSetError
from models.evaluation.decisions import CURVE, net_benefit
from models.evaluation.metrics import auc, bootstrap
from models.evaluation.readings import panel_scores
from studies.fusion.cohorts import Rows, real_pairs, semi_real
from studies.fusion.stored_pairs import StoredPairs
from studies.stored import column, read

Array = NDArray[np.float64]
CORRELATIONS = (0.3, 0.5, 0.7)
SEEDS = 3
REPEATS = 5
PATHOLOGICAL = 2.5


def clinical_scores(parity: Array, age: Array, event: NDArray[np.bool_]) -> Array:
    """Held-out probability by parity (none or some) and age, five folds, mean of five repeats, shape (n,)."""
    predictors = np.column_stack([parity > 0, np.where(np.isfinite(age), age, np.nanmean(age)) / 10.0])
    total = np.zeros(len(event))
    for seed in range(REPEATS):
        for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(predictors, event):
            model = LogisticRegression().fit(predictors[train], event[train])
            total[test] += model.predict_proba(predictors[test])[:, 1]
    return total / REPEATS


def pairs(records: Sequence[BirthRecord]) -> Rows:
    """Rows of ``pairs.csv``: what the evidence reads, and no more of a woman than that."""
    ph = np.array([record.ph for record in records])
    parity = np.array([record.parity for record in records])
    age = np.array([record.maternal_age for record in records])
    clinical = {
        target.name: clinical_scores(parity, age, low_ph(ph, target.threshold).astype(bool)) for target in TARGETS
    }
    rows = []
    for row, values in enumerate(real_pairs(records)):
        birth = {name: values[name] for name in ("record", "ph", "z_fmf", "z_hadlock", "z_intergrowth", "second_stage")}
        birth["nulliparous"] = int(values["parity"] == 0)
        birth["from_35_years"] = int(values["maternal_age"] >= 35)
        birth["before_39_weeks"] = int(values["completed_weeks"] < 39)
        rows.append(birth | {f"clinical_{name}": round(float(score[row]), 5) for name, score in clinical.items()})
    return rows


def scans(records: Sequence[BirthRecord], heads: list[dict[str, str]]) -> Rows:
    """Rows of ``semi_real.csv``; heads that the gate refused cannot be had."""
    accepted = [head for head in heads if not head["refusal"]]
    births = real_pairs(records)
    z = np.array([float(row["z_fmf"]) if row["z_fmf"] != "" else np.nan for row in births])
    weeks = np.array([float(row["completed_weeks"]) for row in births])
    measured = {head["image"]: head["estimate_mm"] for head in accepted}
    rows: Rows = []
    for correlation in CORRELATIONS:
        for seed in range(SEEDS):
            scanned = semi_real(
                [row["record"] for row in births],
                z,
                weeks,
                [head["image"] for head in accepted],
                column(accepted, "reference_mm"),
                correlation,
                seed,
            )
            rows += [{"part": f"{correlation}/{seed}", **row, "estimate_mm": measured[row["image"]]} for row in scanned]
    return rows


def experts(records: Sequence[BirthRecord], where: Path, stored: StoredPairs) -> dict[str, Any] | None:
    """Aggregates of the panel beside the fused score on the births that it read."""
    panel = panel_scores(records, ctu_uhb.experts(where))
    read_ = np.flatnonzero(np.isfinite(panel))
    if len(read_) == 0:
        return None
    score = panel[read_]
    report: dict[str, Any] = {"n": len(read_), "targets": {}}
    for target in TARGETS:
        event = stored.event(target.name)[read_]
        ours = [fused[read_] for fused in stored.fused(target.name)]
        rows = np.arange(len(read_))

        def gain(drawn: NDArray[np.int64], e: Any = event, o: Any = ours) -> float:
            return float(np.mean([auc(e[drawn], fused[drawn]) for fused in o])) - auc(e[drawn], score[drawn])

        acted = (score >= PATHOLOGICAL).astype(np.float64)
        report["targets"][target.name] = {
            "events": int(event.sum()),
            "auc": bootstrap(rows, lambda drawn, e=event: auc(e[drawn], score[drawn])),  # type: ignore[misc]
            "fused_minus_panel": bootstrap(rows, gain),
            "net_benefit": [round(net_benefit(event, acted, at), 5) for at in CURVE],
        }
    return report


def store(data: Path, output: Path) -> list[Path]:
    """Store pairs of trace and size at birth, semi-real pairs, and aggregates of the panel; return the files."""
    where = ctu_uhb.find(data)
    if where is None:
        raise DataSetError(f"{data}: CTU-UHB is not below this folder")
    records = ctu_uhb.read(where)
    written = [
        _write(output / "pairs.csv", pairs(records)),
        _write(output / "semi_real.csv", scans(records, read(output / "hc18.csv"))),
    ]
    aggregates = experts(records, where, StoredPairs.read(output))
    if aggregates is not None:
        path = output / "fusion_experts.json"
        path.write_text(json.dumps(aggregates, indent=1) + "\n", encoding="utf-8")
        written.append(path)
    return written


def _write(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
