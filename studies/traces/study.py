"""Measuring, guidelines and obstetricians on the data: ``python -m studies store traces DATA``.

Writes aggregates to ``OOF_FOLDER/measuring.json``; reads the out-of-fold predictions ``ctu_uhb.csv`` there.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle, shipped
from models.ctg.acidaemia import MILD, SEVERE, low_ph
from models.ctg.analysis import CtgAnalysis, analyse
from models.ctg.features import FEATURES, FROM_TRACE, vector
from models.ctg.reading import read as read_trace
from models.datasets import ctu_uhb, fhrma, uci_ctg
from models.evaluation.metrics import auc, bootstrap
from models.evaluation.outcome import sensitivity_at
from models.evaluation.readings import NOT_INTERPRETABLE, by_expert, kappa_with_experts
from studies.acidaemia.document import EVENTS, scores
from studies.stored import Rows, read, seeds
from studies.traces.signal_methods import against_methods, false_signal, simulated

Array = NDArray[np.float64]
PATHOLOGICAL = 3


def last_readings(readings: list[ctu_uhb.ExpertReading]) -> dict[str, dict[int, int]]:
    """Class by record and expert: that of the last window each could interpret."""
    table: dict[str, dict[int, int]] = {}
    for (record, _), grades in sorted(by_expert(readings).items()):
        for expert, grade in grades.items():
            if grade != NOT_INTERPRETABLE:
                table.setdefault(record, {})[expert] = grade
    return table


def beside_experts(rows: Rows, readings: list[ctu_uhb.ExpertReading]) -> dict[str, Any]:
    """AUC of model and panel, their paired difference, and each reader at his own false-positive rate."""
    parts = seeds(rows, "dirichlet")
    table = last_readings(readings)
    read_ = np.array([row["record"] in table for row in parts[0]])
    names = [row["record"] for row, is_read in zip(parts[0], read_, strict=True) if is_read]
    panel = np.array([np.mean(list(table[name].values())) for name in names])
    report: dict[str, Any] = {"records": len(names), "events": {}}
    for target, label in EVENTS.items():
        event = scores(parts[0], target)[0][read_]
        ours = [scores(some, target)[1][read_] for some in parts]

        def model(r: NDArray[np.int64], e: NDArray[np.bool_] = event, s: list[Array] = ours) -> float:
            return float(np.mean([auc(e[r], score[r]) for score in s]))

        def people(r: NDArray[np.int64], e: NDArray[np.bool_] = event) -> float:
            return auc(e[r], panel[r])

        records = np.arange(len(names))
        readers = _readers(names, table, event, ours)
        report["events"][label] = {
            "events": int(event.sum()),
            "ours": bootstrap(records, model),
            "panel": bootstrap(records, people),
            "difference": bootstrap(records, lambda r, a=model, b=people: a(r) - b(r)),  # type: ignore[misc]
            "readers": readers,
            "mean_reader_sensitivity": float(np.mean([reader["sensitivity"] for reader in readers])),
            "mean_ours_sensitivity": float(np.mean([reader["ours"] for reader in readers])),
        }
    return report


def _readers(
    names: list[str], table: dict[str, dict[int, int]], event: NDArray[np.bool_], ours: list[Array]
) -> list[dict[str, float]]:
    readers = []
    for expert in sorted({expert for grades in table.values() for expert in grades}):
        seen = np.array([expert in table[name] for name in names])
        called = np.array([table[name].get(expert, 0) == PATHOLOGICAL for name in names])
        specificity = float(np.mean(~called[seen & ~event]))
        mine = [sensitivity_at(event[seen], score[seen], specificity) for score in ours]
        readers.append(
            {
                "specificity": specificity,
                "sensitivity": float(np.mean(called[seen & event])),
                "ours": float(np.mean(mine)),
            }
        )
    return readers


def shift(table: uci_ctg.CtgTable, analyses: list[CtgAnalysis], ph: Array, bundle: Bundle) -> dict[str, Any]:
    """The shared features on both sources, and what the pattern model makes of labour traces."""
    usable = [index for index, analysis in enumerate(analyses) if analysis.windows]
    rows = np.array([vector(analyses[index].windows[-1].features) for index in usable])
    low, high = np.percentile(table.features, [0.5, 99.5], axis=0)
    with np.errstate(invalid="ignore"):
        outside = (rows < low) | (rows > high)
    features = {}
    for index in np.flatnonzero(FROM_TRACE):
        table_values, own = table.features[:, index], rows[:, index]
        features[FEATURES[int(index)].label] = {
            "table_median": float(np.median(table_values)),
            "trace_median": float(np.nanmedian(own)),
            "difference_sd": float((np.nanmean(own) - table_values.mean()) / table_values.std()),
            "outside": float(outside[:, index].mean()),
        }
    pattern = bundle.pattern["trace"].probabilities(rows)[:, 2]
    mild, severe = (low_ph(ph[usable], target.threshold).astype(bool) for target in (MILD, SEVERE))
    return {
        "segments": len(table),
        "records": len(usable),
        "features": features,
        "any_outside": float(outside.any(axis=1).mean()),
        "link": {
            "auc_le": auc(mild, pattern),
            "auc_lt": auc(severe, pattern),
            "mean_pattern": float(pattern.mean()),
            "rate_le": float(mild.mean()),
        },
    }


def measure(data: Path, output: Path) -> dict[str, Any]:
    """Whatever the data sets that are there allow."""
    report: dict[str, Any] = {"simulated": simulated()}
    if (folder := fhrma.find(data)) is not None:
        report["methods"] = against_methods(folder)
        report["false_signal"] = false_signal(folder)
    where, tables = ctu_uhb.find(data), uci_ctg.find(data)
    if where is not None:
        records = ctu_uhb.read(where)
        analyses = [analyse(record.recording) for record in records]
        readings = ctu_uhb.experts(where)
        if readings:
            report["experts"] = beside_experts(read(output / "ctu_uhb.csv"), readings)
            report["experts"]["kappa"] = kappa_with_experts(
                records, [read_trace(one, "labour") for one in analyses], readings
            )
        if tables is not None:
            ph = np.array([record.ph for record in records])
            report["shift"] = shift(uci_ctg.read(tables), analyses, ph, Bundle(shipped()))
    return report


def store(data: Path, output: Path) -> list[Path]:
    """Store what was measured; a data set that is not there leaves what was stored of it before."""
    path = output / "measuring.json"
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    stored |= measure(data, output)
    path.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    return [path]
