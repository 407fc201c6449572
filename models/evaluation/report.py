"""Evaluation of a bundle on a folder of data sets: one JSON object, every record scored."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle, file_hash
from models.ctg.acidaemia import MILD, SEVERE, low_ph
from models.ctg.analysis import CtgAnalysis, analyse
from models.ctg.reading import read
from models.ctg.trace_features import trace_features
from models.datasets import ctu_uhb, hc18, uci_ctg
from models.datasets.ctu_uhb import BirthRecord
from models.errors import DataSetError
from models.evaluation.metrics import head_metrics, score_head, state_metrics
from models.evaluation.outcome import outcome_metrics
from models.evaluation.pairs import birth_sizes, covered, fuse_births, pair_metrics
from models.evaluation.readings import kappa_with_experts
from models.evaluation.states import by_outcome, ends_below_100, states_of
from models.growth.measures import HC
from models.synthetic.datasets import is_synthetic
from models.ultrasound.interval import trimester_of

Report = dict[str, Any]


def evaluate(bundle: Bundle, data: Path) -> Report:
    """Score all data sets that are present.

    Parameters
    ----------
    data : Path
        Any folder with data sets below it in their official layouts; any may be absent.

    Raises
    ------
    DataSetError
        There is no usable data set.
    """
    datasets: Report = {}
    unusable: list[str] = []
    for name, find, score in (
        ("uci_ctg", uci_ctg.find, _uci),
        ("ctu_uhb", ctu_uhb.find, _ctu_uhb),
        ("fusion_real_pairs", ctu_uhb.find, _real_pairs),
        ("hc18", hc18.find, _hc18),
    ):
        folder = find(data)
        if folder is None:
            continue
        try:
            datasets[name] = score(bundle, folder)
        except DataSetError as error:
            unusable.append(f"{name}: {error}")
    if not datasets:
        why = "; ".join(unusable) or "none of UCI cardiotocography, CTU-UHB, HC18 below this folder"
        raise DataSetError(f"{data}: {why}")
    return {
        "bundle": bundle.identifier,
        "notice": "Research prototype. Not a medical device.",
        "intervals": "95 %, percentile bootstrap, 500 draws of whole women, records or examinations",
        "datasets": datasets,
        "unusable": unusable,
    }


def _frame(bundle: Bundle, folder: Path, files: Callable[[Path], list[Path]], n: int, groups: int) -> Report:
    hashes = {file_hash(path) for path in files(folder)}
    return {
        "n": n,
        "groups": groups,
        "in_sample": bundle.trained_on(hashes),
        "synthetic": is_synthetic(folder),
    }


def _uci(bundle: Bundle, folder: Path) -> Report:
    table = uci_ctg.read(folder)
    model = bundle.pattern["table"]
    probability = model.probabilities(table.features)
    chosen = model.decision.states(probability)
    report = _frame(bundle, folder, uci_ctg.input_files, len(table), len(np.unique(table.woman)))
    report["grouped_by"] = "woman, inferred from the file name"
    report["events"] = {"suspect": int((table.state == 1).sum()), "pathological": int((table.state == 2).sum())}
    report["refused_rate"] = 0.0
    return report | state_metrics(table.state, chosen, probability, table.woman)


@lru_cache(maxsize=1)
def _births(where: Path) -> tuple[list[BirthRecord], list[CtgAnalysis], NDArray[np.float64]]:
    """Records, their analyses and features, shape (n, 75): two scores need them."""
    records = ctu_uhb.read(where)
    analyses = [analyse(record.recording) for record in records]
    return records, analyses, np.array([trace_features(analysis) for analysis in analyses])


def _real_pairs(bundle: Bundle, where: Path) -> Report:
    """The fused score on births with a trace, a weight and a pH."""
    model = bundle.acidaemia
    if model is None:
        raise DataSetError("the bundle has no acidaemia model")
    records, _, features = _births(where)
    ph, z = np.array([record.ph for record in records]), birth_sizes(records)
    mild, severe = (model.models[target.name].probabilities_or_prior(features) for target in (MILD, SEVERE))
    both = fuse_births(model.fusion, model.prevalence, mild, severe, z)
    quantiles = model.fusion.quantiles("both")
    low = low_ph(ph, MILD.threshold).astype(bool)
    report = _frame(bundle, where, ctu_uhb.input_files, len(records), len(records))
    report["grouped_by"] = "record (one a woman as far as known)"
    report["size_known"] = int(np.isfinite(z).sum())
    report["size"] = "weight at birth for completed weeks + 0.5 (FMF 2018, second-hand); no scan; its spread as trained"
    report["events"] = {target.name: int(low_ph(ph, target.threshold).sum()) for target in (MILD, SEVERE)}
    return report | pair_metrics(ph, both, covered(quantiles, both.mild, low) if quantiles else None)


def _ctu_uhb(bundle: Bundle, where: Path) -> Report:
    model = bundle.acidaemia
    if model is None:
        raise DataSetError("the bundle has no acidaemia model")
    records, analyses, features = _births(where)
    ph = np.array([record.ph for record in records])
    assessed = np.isfinite(features).any(axis=1)
    mild, severe = (model.models[target.name].probabilities_or_prior(features) for target in (MILD, SEVERE))
    report = _frame(bundle, where, ctu_uhb.input_files, len(records), len(records))
    report["grouped_by"] = "record (one a woman as far as known)"
    report["events"] = {target.name: int(low_ph(ph, target.threshold).sum()) for target in (MILD, SEVERE)}
    report["refused_rate"] = float(1 - assessed.mean())
    report |= outcome_metrics(ph, mild, severe)
    traces = [read(analysis, "labour") for analysis in analyses]
    report["kappa_expert_majority"] = kappa_with_experts(records, traces, ctu_uhb.experts(where))
    states, severities = states_of(bundle, records, analyses)
    report["states"] = by_outcome(ph, states)
    report["ends_below_100"] = ends_below_100(records, states, severities)
    return report


def _hc18(bundle: Bundle, folder: Path) -> Report:
    records = hc18.read(folder)
    rows = []
    for record in records:
        head = bundle.segmenter.head(record.pixels)
        estimate, overlap, distance = score_head(head, record)
        low, high = bundle.intervals.interval(HC, estimate, estimate)
        covered = low <= record.head_circumference_mm <= high
        rows.append((estimate, overlap, distance, covered, head.refusal is not None))
    values = np.array(rows, dtype=np.float64)
    reference = np.array([record.head_circumference_mm for record in records])
    groups = np.array([record.examination for record in records])
    refused = values[:, 4] > 0
    report = _frame(bundle, folder, hc18.input_files, len(records), len(np.unique(groups)))
    report["grouped_by"] = "examination (one woman may have several)"
    report |= head_metrics(reference, values[:, 0], values[:, 1], values[:, 2], values[:, 3], groups)
    report["refused_rate"] = float(refused.mean())
    third = trimester_of(reference)
    error = values[:, 0] - reference
    report["by_trimester_of_size"] = {
        name: {
            "n": int((third == k).sum()),
            "mae_mm": float(np.abs(error[third == k]).mean()),
            "bias_mm": float(error[third == k].mean()),
            "coverage_90": float(values[third == k, 3].mean()),
        }
        for k, name in enumerate(("first", "second", "third"))
        if (third == k).any()
    }
    accepted = np.flatnonzero(~refused)
    if len(accepted):
        v = values[accepted]
        after = head_metrics(reference[accepted], v[:, 0], v[:, 1], v[:, 2], v[:, 3], groups[accepted])
        report["after_gate"] = {"n": len(accepted), **after}
    return report


def words(report: Report) -> str:
    """The report for a terminal."""
    lines = [f"bundle {report['bundle']}. {report['notice']}", f"Intervals: {report['intervals']}."]
    for name, values in report["datasets"].items():
        marks = [mark for mark, on in (("IN SAMPLE", values["in_sample"]), ("synthetic", values["synthetic"])) if on]
        lines.append(f"\n{name}: n = {values['n']}, groups = {values['groups']} {' '.join(marks)}")
        for metric, value in values.items():
            if isinstance(value, dict) and "ci95" in value:
                ci = value["ci95"]
                interval = f" ({ci[0]:.3f} to {ci[1]:.3f})" if ci else ""
                number = "not defined" if value["value"] is None else f"{value['value']:.3f}"
                lines.append(f"  {metric:24s} {number}{interval}")
            elif isinstance(value, float):
                lines.append(f"  {metric:24s} {value:.3f}")
    lines += [f"\nnot scored: {line}" for line in report["unusable"]]
    return "\n".join(lines)
