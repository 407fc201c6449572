"""The pattern model's part of the CTG document."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, log_loss

from models.evaluation.metrics import auc, bootstrap, state_metrics
from studies.pattern import rules
from studies.stored import Rows, column, part, seeds, table, words

TRAININGS = {
    "central": "central (one site)",
    "dirichlet": "5 sites, Dirichlet 0.5 by a woman's worst state",
    "family": "4 sites, the two file-name families halved",
}
BESIDE = {
    "unmerged": "5 sites, Dirichlet 0.5, small leaves apart",
    "bagging": "5 sites, Dirichlet 0.5, weighted bagging",
    "bagging family": "4 sites, families halved, weighted bagging",
}
LEAKAGE = {"central": "by woman", "recording": "by recording", "row": "random rows (leaks)"}
MIN_PRECISION = 0.75


def recall_at_precision(event: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Largest recall among the cuts whose precision is at least .75; the cut is read off the same rows."""
    hits = np.cumsum(event[np.argsort(-score, kind="stable")])
    precision = hits / np.arange(1, len(hits) + 1)
    reached = precision >= MIN_PRECISION
    return float(hits[reached].max() / event.sum()) if reached.any() and event.any() else float("nan")


def _columns(rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.str_]]:
    return (
        column(rows, "state").astype(np.int64),
        rules.chosen(rows),
        np.column_stack([column(rows, f"p{k}") for k in range(3)]),
        np.array([r["woman"] for r in rows]),
    )


def state_scores(rows: Rows) -> dict[str, Any]:
    """All metrics of one part."""
    state, chosen, probability, woman = _columns(rows)
    event = state == 2
    recall = bootstrap(woman, lambda r: recall_at_precision(event[r], probability[r, 2]))
    return {**state_metrics(state, chosen, probability, woman), "recall_at_precision_.75": recall}


def _f1(rows: Rows) -> float:
    return float(f1_score(column(rows, "state"), rules.chosen(rows), average="macro"))


def _log_loss(rows: Rows) -> float:
    state, _, probability, _ = _columns(rows)
    clipped = np.clip(probability, 1e-4, None)
    return float(log_loss(state, clipped / clipped.sum(axis=1, keepdims=True), labels=[0, 1, 2]))


def lines(rows: Rows) -> list[str]:
    """Give this part of the document as lines of Markdown."""
    first = part(rows, "dirichlet/table/0")
    body = [
        "## Pattern: what experts would call the trace",
        "",
        f"UCI Cardiotocography, development portion: {len(first)} segments of {len({r['woman'] for r in first})} women "
        f"(inferred from file names), {sum(r['state'] == '2' for r in first)} pathological.",
        "Five folds by woman; trees and calibration are fitted inside the training folds (nested), and each fold's decision",
        "rule on the other folds. Labels",
        "are expert opinion of the pattern, not outcome. Intervals are 95 %, bootstrap of whole women.",
        "",
    ]
    columns = [state_scores(part(rows, f"{key}/0")) for key in (*[f"{t}/table" for t in TRAININGS], "dirichlet/trace")]
    body += table(
        ["", *TRAININGS.values(), "raw-trace view, 5 sites"],
        [[metric.replace("_", " "), *(words(c[metric]) for c in columns)] for metric in columns[0]],
    )
    body += [
        "The raw-trace view uses only the nine features that a raw trace fills by the same definition (and what is derived",
        "from them), here taken from the same tables: an upper bound, for the transfer to raw traces is another matter (below).",
        "The cut of *recall at precision .75* is read off the scored rows; a deployed cut does not reach it exactly.",
        "",
        *rules.lines(rows, TRAININGS),
        "Against central training, five seeds: `federation.md`.",
        "",
        "### What leakage would have claimed",
        "",
        "The same central recipe, one seed; only the groups of the folds differ. Random rows put overlapping segments of one",
        "recording on both sides.",
        "",
    ]
    leaks = [(name, part(rows, f"{key}/table/0")) for key, name in LEAKAGE.items()]
    body += table(
        ["grouped by", "macro-F1", "AUC (pathological)"],
        [[name, f"{_f1(some):.3f}", f"{_auc(some):.3f}"] for name, some in leaks if some],
    )
    return body


def _auc(rows: Rows) -> float:
    state, _, probability, _ = _columns(rows)
    return auc(state == 2, probability[:, 2])


def federated(rows: Rows) -> list[str]:
    """Table of the trainings beside central training, all seeds."""
    by_training = {training: seeds(rows, f"{training}/table") for training in TRAININGS | BESIDE}
    central = by_training["central"]
    woman = np.array([row["woman"] for row in central[0]])
    body = []
    for training, name in (TRAININGS | BESIDE).items():
        parts = by_training[training]
        if not parts:
            continue
        scores = [_f1(some) for some in parts]
        loss = float(np.mean([_log_loss(some) for some in parts]))
        line = [name, ", ".join(f"{score:.3f}" for score in scores), f"{np.mean(scores):.3f}"]
        if training == "central":
            body.append([*line, "-", f"{loss:.3f}", "-"])
            continue
        same = central[: len(parts)]
        base = float(np.mean([_log_loss(some) for some in same]))
        gap = bootstrap(woman, _gap(same, parts), draws=300)
        body.append([*line, words(gap), f"{loss:.3f}", f"{100 * (loss / base - 1):+.1f} %"])
    head = [
        "training",
        "macro-F1 by seed",
        "mean",
        "mean loss against central (95 %, women)",
        "log-loss",
        "against central",
    ]
    return table(head, body)


def _gap(central: list[Rows], other: list[Rows]) -> Any:
    """Mean over seeds of the paired loss of macro-F1 on resampled rows."""
    states = [column(rows, "state").astype(np.int64) for rows in central]
    pairs = [(state, rules.chosen(a), rules.chosen(b)) for state, a, b in zip(states, central, other, strict=True)]

    def statistic(rows: NDArray[np.int64]) -> float:
        def f1(state: NDArray[np.int64], chosen: NDArray[np.int64]) -> float:
            return float(f1_score(state[rows], chosen[rows], average="macro", labels=[0, 1, 2], zero_division=0))

        return float(np.mean([f1(state, ours) - f1(state, theirs) for state, ours, theirs in pairs]))

    return statistic
