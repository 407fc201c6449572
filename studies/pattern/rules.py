"""Decision rules of the pattern model, cross-fitted on stored predictions: each fold's rule comes from the others."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, precision_score, recall_score

from federated.trees.summaries import DECISIONS, best_decision, confusions, macro_f1
from models.evaluation.metrics import bootstrap
from studies.stored import Rows, column, seeds, table, words

Choose = Callable[[NDArray[np.int64]], int]


def by_macro_f1(counts: NDArray[np.int64]) -> int:
    """The rule with the largest macro-F1, as earlier bundles chose it."""
    return int(np.argmax([macro_f1(count) for count in counts]))


RULES: dict[str, Choose] = {"least cost (served)": best_decision, "largest macro-F1 (before)": by_macro_f1}


def chosen(rows: Rows, choose: Choose = best_decision) -> NDArray[np.int64]:
    """The state that each row is given, shape (rows,); no woman chooses the rule that judges her."""
    state, fold = column(rows, "state").astype(np.int64), column(rows, "fold").astype(np.int64)
    probability = np.column_stack([column(rows, f"p{k}") for k in range(3)])
    given = np.zeros(len(rows), dtype=np.int64)
    for number in np.unique(fold):
        inside = fold == number
        rule = DECISIONS[choose(confusions(probability[~inside], state[~inside]))]
        given[inside] = rule.states(probability[inside])
    return given


def lines(rows: Rows, trainings: dict[str, str]) -> list[str]:
    """Recall, precision and macro-F1 of both rules, mean over seeds, as lines of Markdown."""
    body = [
        "### What the decision rule costs",
        "",
        "The state of a row is the class with the largest weighted probability. The served rule is the one whose errors",
        "cost least, where a missed pathological row counts three times a false one. It is chosen by the hospitals' summed",
        "counts. Here each fold's rule is chosen on the other folds (by woman). Mean of five seeds; the interval is that of",
        "the first seed.",
        "",
    ]
    cells = []
    for training, name in trainings.items():
        parts = seeds(rows, f"{training}/table")
        for rule, choose in RULES.items():
            cells.append([name, rule, *_figures(parts, choose)])
    return body + table(["training", "rule", "recall of pathological", "its precision", "macro-F1"], cells)


Score = Callable[[NDArray[np.int64], NDArray[np.int64]], float]


def _recall(true: NDArray[np.int64], given: NDArray[np.int64]) -> float:
    return float(recall_score(true == 2, given == 2, zero_division=np.nan))


def _precision(true: NDArray[np.int64], given: NDArray[np.int64]) -> float:
    return float(precision_score(true == 2, given == 2, zero_division=np.nan))


def _macro_f1(true: NDArray[np.int64], given: NDArray[np.int64]) -> float:
    return float(f1_score(true, given, average="macro", labels=[0, 1, 2], zero_division=0))


def _figures(parts: list[Rows], choose: Choose) -> list[str]:
    pairs = [(column(some, "state").astype(np.int64), chosen(some, choose)) for some in parts]
    woman = np.array([row["woman"] for row in parts[0]])
    return [_figure(score, pairs, woman) for score in (_recall, _precision, _macro_f1)]


def _figure(score: Score, pairs: list[tuple[NDArray[np.int64], NDArray[np.int64]]], woman: NDArray[np.str_]) -> str:
    mean = float(np.mean([score(true, given) for true, given in pairs]))
    true, given = pairs[0]
    return f"{mean:.3f} ({words(bootstrap(woman, lambda rows: score(true[rows], given[rows]), draws=300))})"
