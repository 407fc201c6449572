"""Sums over a site's out-of-fold predictions of the shared network, and the figures of all sites that follow."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import log_softmax

from federated.privacy.small_cells import suppress_small
from federated.trees.summaries import auc, macro_f1
from models.representation.examples import CLASSES, UNKNOWN, Array, Labels, Task

BINS = 200
# The class whose detection is evaluated: pathological, low pH, small.
EVENT: dict[Task, int] = {"state": 2, "acidaemia": 1, "growth": 0}
Sums = dict[str, list[int] | list[float]]


def judged(labels: Mapping[Task, Labels], margins: Mapping[Task, Array]) -> Sums:
    """Sums by task: rows and loss, confusion by the largest score, histograms of the event's probability.

    They add over sites. A task with fewer than five labelled rows is reported as one without rows.
    """
    sums: Sums = {}
    for task, margin in margins.items():
        labelled = labels[task] != UNKNOWN
        if not suppress_small(int(labelled.sum())):
            labelled = np.zeros_like(labelled)
        label, score = labels[task][labelled], log_softmax(margin[labelled], axis=1)
        probability = np.exp(score[:, EVENT[task]])
        confusion = np.zeros((CLASSES[task], CLASSES[task]), dtype=np.int64)
        np.add.at(confusion, (label, score.argmax(axis=1)), 1)
        sums[f"{task}-loss"] = [float(len(label)), float(-score[np.arange(len(label)), label].sum())]
        sums[f"{task}-confusion"] = confusion.ravel().tolist()
        for name, rows in (("negatives", label != EVENT[task]), ("positives", label == EVENT[task])):
            sums[f"{task}-{name}"] = np.histogram(probability[rows], bins=BINS, range=(0, 1))[0].tolist()
    return sums


def figures(by_site: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Rows, events, log-loss, macro-F1 and AUC of each task over the sites that have it."""
    by_task: dict[str, dict[str, float]] = {}
    for task in CLASSES:
        parts = [sums for sums in by_site.values() if f"{task}-loss" in sums]
        if not parts:
            continue
        total = {
            k: np.sum([p[f"{task}-{k}"] for p in parts], axis=0)
            for k in ("loss", "confusion", "negatives", "positives")
        }
        rows, loss = total["loss"]
        if rows == 0:
            continue
        by_task[task] = {
            "rows": int(rows),
            "events": int(total["positives"].sum()),
            "log_loss": round(float(loss / rows), 4),
            "macro_f1": round(macro_f1(total["confusion"].reshape(CLASSES[task], -1)), 4),
        }
        if 0 < total["positives"].sum() < rows:
            by_task[task]["auc"] = round(auc(total["negatives"], total["positives"]), 4)
    return by_task
