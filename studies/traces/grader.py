"""A grader that learns from a panel: window features against the majority of nine obstetricians, by record.

The experts' file carries no licence. So nothing that is trained here is stored or shipped, and only aggregates are:
the agreement with the majority, the calibration, and which windows it finds that the rules miss.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from federated.plan import load, shipped_plans
from federated.sites.partition import dirichlet_sites
from federated.trees.rounds import frame_of
from federated.trees.site import TreeSite
from federated.trees.summaries import DECISIONS, best_decision, summarise_target
from federated.trees.tasks import PANEL, grader_rows
from models.ctg.analysis import analyse
from models.ctg.boosting import booster_from
from models.ctg.grader import PanelGrader
from models.ctg.reading import read as read_trace
from models.ctg.trace_features import TRACE_FEATURE_NAMES, trace_features
from models.datasets import ctu_uhb
from models.errors import DataSetError
from models.evaluation.metrics import bootstrap, expected_calibration_error
from models.evaluation.readings import Window, graded_windows
from studies.in_process import train_sites
from studies.stored import table, words

Array = NDArray[np.float64]
FILE = "grader.json"
SEEDS, FOLDS = 3, 5
PATHOLOGICAL = 3
FEDERATED = "federated trees, 3 sites"
MODELS = ("logistic regression", "extra trees", FEDERATED)


def features(records: list[ctu_uhb.BirthRecord], windows: list[Window]) -> Array:
    """The 75 trace features of each window alone, shape (windows, 75)."""
    by_name = {record.name: record.recording for record in records}
    rows = []
    for window in windows:
        part = by_name[window.record].part(window.start_s, window.end_s)
        rows.append(trace_features(analyse(part)))
    return np.array(rows).reshape(-1, len(TRACE_FEATURE_NAMES))


def _model(name: str, seed: int) -> Any:
    if name == "extra trees":
        learner: Any = ExtraTreesClassifier(400, min_samples_leaf=3, class_weight="balanced", random_state=seed)
    else:
        learner = LogisticRegression(C=0.05, class_weight="balanced", max_iter=4000)
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), learner)


def out_of_fold(
    rows: Array, label: NDArray[np.int64], record: NDArray[np.str_], name: str, seed: int
) -> tuple[Array, NDArray[np.int64]]:
    """Probability of each class, shape (windows, 3), and the class, 1 to 3, by a model that has not seen the record."""
    probability, graded = np.zeros((len(label), 3)), np.zeros(len(label), dtype=np.int64)
    split = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in split.split(rows, label, record):
        if name == FEDERATED:
            grader = _federated(rows[train], label[train] - 1, record[train], seed)
            probability[test] = grader.probabilities(rows[test])
            graded[test] = grader.decision.states(probability[test]) + 1
            continue
        model = _model(name, seed).fit(rows[train], label[train])
        probability[np.ix_(test, model.classes_ - 1)] = model.predict_proba(rows[test])
        graded[test] = probability[test].argmax(axis=1) + 1
    return probability, graded


def _federated(rows: Array, reading: NDArray[np.int64], record: NDArray[np.str_], seed: int) -> PanelGrader:
    """The grader that three hospitals would train by `plans/grader.toml`, each with its part of the records."""
    plan = load(shipped_plans()["grader"])
    section = plan.grader
    assert section is not None
    site_of = dirichlet_sites(record, reading, sites=section.sites, alpha=section.alpha, seed=seed)
    sites = [
        TreeSite(
            f"site-{k + 1}",
            grader_rows(record[site_of == k], reading[site_of == k], rows[site_of == k], section),
            section,
            seed=plan.seed + seed,
        )
        for k in range(section.sites)
    ]
    document, calibration = train_sites(sites, section, frame_of(section))[PANEL]
    counts = np.sum([summarise_target(site, PANEL, calibration)["confusions"] for site in sites], axis=0)
    decision = DECISIONS[best_decision(counts.reshape(-1, 3, 3))]
    low, high = np.nanpercentile(rows, [0.5, 99.5], axis=0)
    return PanelGrader(booster_from(document), calibration, decision, (low, high))


def report(rows: Array, windows: list[Window]) -> dict[str, Any]:
    """Aggregates of both models over the seeds, beside the rules."""
    label = np.array([window.majority for window in windows])
    rules = np.array([window.rules for window in windows])
    record = np.array([window.record for window in windows])
    grave = label == PATHOLOGICAL
    models = {}
    for name in MODELS:
        graded, probabilities = [], []
        for seed in range(SEEDS):
            probability, classes = out_of_fold(rows, label, record, name, seed)
            probabilities.append(probability)
            graded.append(classes)
        mean = np.mean(probabilities, axis=0)
        first = graded[0]
        models[name] = {
            "kappa": bootstrap(record, lambda r, g=first: _kappa(g[r], label[r]), draws=500),  # type: ignore[misc]
            "kappa_by_seed": [round(_kappa(each, label), 3) for each in graded],
            "found": int((first[grave] == PATHOLOGICAL).sum()),
            "found_that_rules_miss": int(((first == PATHOLOGICAL) & (rules != PATHOLOGICAL) & grave).sum()),
            "false": int(((first == PATHOLOGICAL) & ~grave).sum()),
            "ece_pathological": round(expected_calibration_error(grave, mean[:, 2]), 3),
        }
    return {
        "windows": len(windows),
        "records": len(np.unique(record)),
        "pathological": int(grave.sum()),
        "rules": {
            "kappa": bootstrap(record, lambda r: _kappa(rules[r], label[r]), draws=500),
            "found": int((rules[grave] == PATHOLOGICAL).sum()),
            "false": int(((rules == PATHOLOGICAL) & ~grave).sum()),
        },
        "models": models,
    }


def _kappa(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> float:
    return float(cohen_kappa_score(ours, theirs, labels=[1, 2, 3]))


def store(data: Path, output: Path) -> Iterator[Path]:
    """Train and score, and store the aggregates.

    Raises
    ------
    DataSetError
        CTU-UHB, or the experts' readings beside it, are not below `data`.
    """
    where = ctu_uhb.find(data)
    readings = ctu_uhb.experts(where) if where else []
    if where is None or not readings:
        raise DataSetError(f"{data}: CTU-UHB with {ctu_uhb.EXPERTS} is not below this folder")
    records = ctu_uhb.read(where)
    traces = [read_trace(analyse(record.recording), "labour") for record in records]
    windows, _ = graded_windows(records, traces, readings)
    path = output / FILE
    path.write_text(json.dumps(report(features(records, windows), windows), indent=1) + "\n", encoding="utf-8")
    yield path


def lines(stored: dict[str, Any]) -> list[str]:
    """This part of the document as lines of Markdown."""
    rules = stored["rules"]
    body = [["FIGO by rules", words(rules["kappa"]), "-", str(rules["found"]), "-", str(rules["false"]), "-"]]
    body += [
        [
            name,
            words(model["kappa"]),
            ", ".join(f"{value:.2f}" for value in model["kappa_by_seed"]),
            str(model["found"]),
            str(model["found_that_rules_miss"]),
            str(model["false"]),
            f"{model['ece_pathological']:.3f}",
        ]
        for name, model in stored["models"].items()
    ]
    head = [
        "grader",
        "kappa with the majority",
        "by seed",
        "pathological found",
        "of these missed by the rules",
        "falsely pathological",
        "calibration error",
    ]
    return [
        "### A grader that learns from a panel",
        "",
        f"{stored['windows']} windows of {stored['records']} records, {stored['pathological']} pathological by majority; the 75",
        "trace features of the window alone, five folds by record, three seeds, classes weighted equally. The federated trees",
        "are those that hospitals would train from readings of their own (`plans/grader.toml`, `docs/how-to/train-a-grader.md`),",
        "and call a window pathological by the rule that costs least. A study: the",
        "experts' file carries no licence, so nothing that is trained on it is stored or shipped, and what it answers is what a",
        "panel would call the window, not FIGO. Equal weights of the classes make the probabilities of the first two too high.",
        "",
        *table(head, body),
    ]
