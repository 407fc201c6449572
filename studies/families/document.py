"""The three families side by side, from stored out-of-fold log-odds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.metrics import f1_score, log_loss

from models.ctg.calibration import Calibration, calibration_sums, newton_step
from models.evaluation.metrics import auc, bootstrap
from studies.stored import Rows, signed, table, words

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

ARMS = {
    "ensemble": "ensemble: trees on CTG, chart on the measured head",
    "separate": "a network a modality, nothing shared",
    "multi-task": "multi-task, shared trunk",
    "multi-task prototypes": "multi-task + class prototypes",
    "multi-task coral": "multi-task + CORAL",
    "multi-task personal heads": "multi-task, personal heads (FedPer)",
    "transfer from ctg": "transfer CTG -> ultrasound",
    "transfer from ctg prototypes": "transfer CTG -> ultrasound + prototypes",
    "transfer from ctg coral": "transfer CTG -> ultrasound + CORAL",
    "transfer from ctg cca": "transfer CTG -> ultrasound + CCA",
    "transfer from ultrasound": "transfer ultrasound -> CTG",
    "transfer from ultrasound prototypes": "transfer ultrasound -> CTG + prototypes",
    "transfer from ultrasound coral": "transfer ultrasound -> CTG + CORAL",
    "transfer from ultrasound cca": "transfer ultrasound -> CTG + CCA",
}


@dataclass(frozen=True)
class Target:
    """One column of the table: a task at one kind of site, and the class whose detection is scored."""

    key: str
    task: str
    site: str
    event: int
    words: str


TARGETS = (
    Target("state", "state", "ctg-hospital", 2, "pathological state, AUC (UCI)"),
    Target("acidaemia", "acidaemia", "labour-ward", 1, "pH <= 7.15, AUC (CTU-UHB)"),
    Target("birth", "growth", "labour-ward", 0, "small at birth from the trace, AUC (CTU-UHB)"),
    Target("scan", "growth", "scan-hospital", 0, "small head for a constructed age, AUC (HC18)"),
)


@dataclass(frozen=True)
class Predictions:
    """Out-of-fold log-odds of one part and target, calibrated by the other folds."""

    site: NDArray[np.str_]
    group: NDArray[np.str_]
    fold: Labels
    label: Labels
    margin: Array
    event: int

    @cached_property
    def probability(self) -> Array:
        """Vector scaling fitted on the other folds, all sites together."""
        calibrated = np.zeros_like(self.margin)
        for fold in np.unique(self.fold):
            out = self.fold == fold
            calibration = Calibration.start(self.margin.shape[1])
            for _ in range(8):
                women = len(np.unique(self.group[~out]))
                sums = calibration_sums(calibration, self.margin[~out], self.label[~out], women)
                calibration = newton_step(calibration, sums)
            calibrated[out] = calibration.probabilities(self.margin[out])
        return calibrated

    @cached_property
    def rows_of_group(self) -> dict[str, Labels]:
        """Rows by group."""
        order = np.argsort(self.group, kind="stable")
        names, starts = np.unique(self.group[order], return_index=True)
        return dict(zip(names, np.split(order, starts[1:]), strict=True))

    @cached_property
    def score(self) -> Array:
        """Score of the event before calibration, because a bias fitted without a fold is low where it has many events."""
        return np.asarray(softmax(self.margin, axis=1)[:, self.event])

    def auc(self, rows: Labels) -> float:
        """Area under the ROC curve for the event."""
        return auc(self.label[rows] == self.event, self.score[rows])

    def within_sites(self, rows: Labels) -> float:
        """Mean AUC within sites that have both, weighted by their rows: what a site's prevalence cannot give."""
        parts = [(rows[self.site[rows] == name]) for name in np.unique(self.site)]
        scored = [(self.auc(part), len(part)) for part in parts if len(part)]
        defined = [(value, size) for value, size in scored if np.isfinite(value)]
        return float(np.average([v for v, _ in defined], weights=[n for _, n in defined])) if defined else float("nan")

    def macro_f1(self, rows: Labels) -> float:
        """Macro-F1 of the most probable class."""
        chosen = self.probability[rows].argmax(axis=1)
        return float(f1_score(self.label[rows], chosen, average="macro", zero_division=0))

    def log_loss(self) -> float:
        """Log-loss of the calibrated probabilities."""
        return float(log_loss(self.label, self.probability, labels=list(range(self.margin.shape[1]))))


Parts = Mapping[tuple[str, str], list[Predictions]]


def predictions(rows: Rows) -> Parts:
    """By arm and target, one entry a seed."""
    gathered: dict[tuple[str, str, str], Rows] = {}
    for row in rows:
        kind = row["site"].rpartition("-")[0]
        gathered.setdefault((row["part"], row["task"], kind), []).append(row)
    by_target: dict[tuple[str, str], list[Predictions]] = {}
    for (part, task, kind), rows_of_site in sorted(gathered.items()):
        target = next(t for t in TARGETS if (t.task, t.site) == (task, kind))
        columns = [name for name in ("m0", "m1", "m2") if rows_of_site[0][name]]
        by_target.setdefault((part.rpartition("/")[0], target.key), []).append(
            Predictions(
                np.array([row["site"] for row in rows_of_site]),
                np.array([row["group"] for row in rows_of_site]),
                np.array([int(row["fold"]) for row in rows_of_site]),
                np.array([int(row["label"]) for row in rows_of_site]),
                np.array([[float(row[name]) for name in columns] for row in rows_of_site]),
                target.event,
            )
        )
    return by_target


def over_seeds(parts: list[Predictions], metric: str) -> dict[str, Any]:
    """Mean over seeds with an interval over groups, drawn alike in all of them."""
    names = np.unique(parts[0].group)

    def statistic(drawn: Labels) -> float:
        return float(np.mean([getattr(seed, metric)(_rows_of(seed, names[drawn])) for seed in parts]))

    return bootstrap(names, statistic, draws=200)


def gain(parts: list[Predictions], base: list[Predictions], metric: str) -> dict[str, Any]:
    """Mean paired difference over seeds with its interval over groups."""
    names = np.unique(parts[0].group)

    def statistic(drawn: Labels) -> float:
        pairs = zip(parts, base, strict=False)  # an arm may have fewer seeds
        gaps = [
            getattr(a, metric)(_rows_of(a, names[drawn])) - getattr(b, metric)(_rows_of(b, names[drawn]))
            for a, b in pairs
        ]
        return float(np.mean(gaps))

    return bootstrap(names, statistic, draws=200)


def _rows_of(seed: Predictions, names: NDArray[np.str_]) -> Labels:
    return np.concatenate([seed.rows_of_group[name] for name in names])


def lines(rows: Rows, canonical: Rows) -> list[str]:
    """Give this part of the document as lines of Markdown."""
    parts = predictions(rows)
    first = {key: parts["separate", key][0] for key in (target.key for target in TARGETS)}
    sizes = [
        f"{len(seed.label)}, {len(np.unique(seed.group))}, {int((seed.label == target.event).sum())}"
        for target, seed in ((target, first[target.key]) for target in TARGETS)
    ]
    main = [arm for arm in ARMS if not arm.endswith(("prototypes", "coral", "cca"))]
    return [
        "## The three families on the same sites and folds",
        "",
        "Twelve simulated hospitals: five with SisPorto tables, four labour wards, three with scans, cut by label or size",
        "(Dirichlet 0.5, 2, 2). Five folds inside every site; each row is predicted out of fold; F1 and",
        "log-loss after calibration by the other folds. Means of three seeds (of the cut and of the first weights); intervals are 95 %, bootstrap",
        "of women, records or examinations. The trees take the shipped settings, the networks one setting for all.",
        "The size at birth is measured (weight and age, chart of the Fetal Medicine Foundation). The age of a head is",
        "constructed, so that its size for age is known: it shows that a method works, nothing about growth restriction.",
        "",
        *table(
            ["", *(target.words for target in TARGETS)],
            [["*rows, groups, events*", *sizes], *_main_rows(parts, main)],
        ),
        *table(
            ["", "state, macro-F1", *(f"{target.key}, log-loss" for target in TARGETS)], list(_loss_rows(parts, main))
        ),
        "The ensemble has no model that reads the size of a fetus off its CTG, and needs none: the trace hardly tells it.",
        "",
        "### Does sharing help?",
        "",
        "AUC minus that of the network a modality that shares nothing, same seeds and rows. Bold: the interval excludes 0.",
        "",
        *table(
            ["", *(target.words.partition(",")[0] for target in TARGETS), "pH within sites", "state within sites"],
            list(_gain_rows(parts)),
        ),
        "Tables and traces share a trunk in both directions of transfer too: what the pH gains there is what it gains in",
        "multi-task, from the SisPorto tables. Scans add nothing to it, and CTG nothing to scans.",
        "",
        "*Within sites* compares rows of one hospital only. Heads of its own let a network know how frequent a",
        "class is at its site, which the cut by label has made informative; a gain that is gone within sites is that.",
        "",
        "### Canonical correlation of CTG and ultrasound",
        "",
        "Matched means of growth cells (small, four of appropriate, large; at least ten rows of a site behind each mean, twelve",
        "resamples), two canonical dimensions; correlation on cells that the fit did not see, against 200 matches at random.",
        "Where it does not beat them (p below .05) the spaces are left as they are, and the arm is plain transfer.",
        "",
        *table(
            ["direction, seed", "pairs", "held-out correlation", "null, 95 %", "p", "done"],
            [
                [
                    row["part"].replace(" cca/", ", seed "),
                    row["pairs"],
                    f"{float(row['correlation']):.2f}",
                    f"{float(row['null_95']):.2f}",
                    f"{float(row['p_value']):.3f}",
                    row["note"].partition(":")[0],
                ]
                for row in canonical
            ],
        ),
    ]


def _main_rows(parts: Parts, arms: list[str]) -> Iterator[list[str]]:
    for arm in arms:
        seeds = [parts.get((arm, target.key)) for target in TARGETS]
        yield [ARMS[arm], *(words(over_seeds(seeds_, "auc")) if seeds_ else "-" for seeds_ in seeds)]


def _loss_rows(parts: Parts, arms: list[str]) -> Iterator[list[str]]:
    for arm in arms:
        losses = [parts.get((arm, target.key)) for target in TARGETS]
        shown = [f"{np.mean([p.log_loss() for p in seeds]):.3f}" if seeds else "-" for seeds in losses]
        yield [ARMS[arm], words(over_seeds(parts[arm, "state"], "macro_f1")), *shown]


def _gain_rows(parts: Parts) -> Iterator[list[str]]:
    for arm in ARMS:
        if arm == "separate" or (arm, "state") not in parts:
            continue
        shown = []
        for key, metric in (
            *((t.key, "auc") for t in TARGETS),
            ("acidaemia", "within_sites"),
            ("state", "within_sites"),
        ):
            if (arm, key) not in parts:
                shown.append("-")
                continue
            difference = gain(parts[arm, key], parts["separate", key], metric)
            text = signed(difference)
            shown.append(f"**{text}**" if difference["ci95"][0] > 0 or difference["ci95"][1] < 0 else text)
        yield [ARMS[arm], *shown]
