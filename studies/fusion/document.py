"""The fusion's evidence on real pairs: discrimination, calibration, decisions, sets, subgroups."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from models.ctg.acidaemia import MILD, SEVERE
from models.evaluation.decisions import THRESHOLDS, net_benefit, net_benefit_difference, treat_all
from models.evaluation.metrics import auc, expected_calibration_error
from models.evaluation.outcome import calibration_line, ece_limit
from models.evaluation.repeats import difference, over_repeats
from models.fusion.pooling import POOLING, FusionRule
from studies.fusion import cohorts_document
from studies.fusion.stored_pairs import StoredPairs
from studies.stored import signed, table, words

Array = NDArray[np.float64]
Event = NDArray[np.bool_]
Rows = NDArray[np.int64]
EVENTS = {MILD.name: "pH <= 7.15", SEVERE.name: "pH < 7.05"}
LEAST = 50
MADE = """\
Made by `python -m studies store fusion DATA` (3 s), then `make evidence`; cohorts of one's own by
`python -m studies cohort build`. The predictions behind it are those of `docs/evidence/ctg.md` and `ultrasound.md`.
"""


@dataclass(frozen=True)
class Way:
    """One way to score the births: repeats of each target."""

    words: str
    scores: dict[str, list[Array]]


def ways(stored: StoredPairs) -> dict[str, Way]:
    """Every way that is compared."""

    def both(make: Callable[[str], list[Array]]) -> dict[str, list[Array]]:
        return {name: make(name) for name in EVENTS}

    def clinical(name: str) -> list[Array]:
        score = np.array([float(row[f"clinical_{name}"]) for row in stored.rows])
        return [score] * len(stored.folds)

    return {
        "ctg": Way("CTG only", both(lambda name: stored.distress[name])),
        "fused": Way("**fused: pooling (shipped)**", both(stored.fused)),
        "stacked": Way("fused: stacked, weights from the other folds", both(stored.stacked)),
        "noisy-or": Way("fused: noisy-OR", both(lambda name: stored.fused(name, FusionRule("noisy-or")))),
        "size": Way("growth only (size at birth)", both(stored.by_size)),
        "clinical": Way("parity and age, logistic", both(clinical)),
    }


def over(
    stored: StoredPairs, scores: list[Array], name: str, statistic: Callable[[Event, Array], float]
) -> dict[str, Any]:
    """Mean over the repeats with its interval over births."""
    return over_repeats(stored.event(name), scores, statistic, draws=300)


def gain(stored: StoredPairs, ours: list[Array], others: list[Array], name: str) -> dict[str, Any]:
    """Paired difference in AUC."""
    return difference(stored.event(name), ours, others, auc, draws=500)


def read_experts(folder: Path) -> dict[str, Any] | None:
    """Aggregates of the panel of experts, or None."""
    path = folder / "fusion_experts.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def document(folder: Path) -> str:
    """The whole document."""
    stored = StoredPairs.read(folder)
    compared = ways(stored)
    experts = read_experts(folder)
    return "\n".join(
        [
            "# Fusion: out-of-fold evidence",
            "",
            *_about(stored),
            *_discrimination(stored, compared, experts),
            *_calibration(stored, compared),
            *_decisions(stored, compared),
            *_sets(stored, compared),
            *_subgroups(stored, compared),
            *_sensitivity(stored),
            *cohorts_document.lines(stored, folder),
            MADE,
        ]
    )


def _about(stored: StoredPairs) -> list[str]:
    has_size = np.isfinite(stored.z())
    z = stored.z()[has_size]
    return [
        "## What is fused",
        "",
        "Out-of-fold log-odds of distress, plus what published odds ratios say of the size: 3.53 (3.06 to 4.07) below the 3rd",
        "centile (Yu 2017, a composite that includes severe acidosis), smooth, 0 at the median, centred so that a population keeps",
        "its mean odds. `models/fusion/growth_odds.py`.",
        "",
        "![The growth term](../images/evidence-growth-term.png)",
        "",
        "## Layer 1: real pairs (CTU-UHB, development portion)",
        "",
        f"{len(stored.ph)} births, one a woman as far as known: trace, cord pH, and the size **at birth** in place of a scan",
        f"({len(z)} known; FMF 2018 at completed weeks + 0.5, second-hand; sex not used). {int(stored.event(SEVERE.name).sum())} with pH < 7.05,",
        f"{int(stored.event(MILD.name).sum())} with pH <= 7.15. Five folds by record, {len(stored.folds)} repeats of the federation's recipe (4 sites); intervals are 95 %,",
        "paired bootstrap of births of the mean over the repeats. Births without a known trace or size are scored too (prevalence,",
        "distress alone).",
        "",
        f"On this chart the z-scores have mean {z.mean():+.2f} and SD {z.std():.2f}; {int((z < -1.881).sum())} births lie below the 3rd centile (12 would be",
        "expected). The excess spread is treated as measurement error of age and chart, so that true sizes are standard normal. This",
        "uses no outcome; mean and SD come from the other folds. *Without it the fused score is worse than that of the CTG: see",
        "the sensitivity below.* We saw this before we chose it.",
        "",
    ]


def _discrimination(stored: StoredPairs, compared: dict[str, Way], experts: dict[str, Any] | None) -> list[str]:
    body = []
    for key, way in compared.items():
        row = [way.words]
        for name in EVENTS:
            row.append(words(over(stored, way.scores[name], name, auc)))
            row.append(
                "-" if key == "ctg" else signed(gain(stored, way.scores[name], compared["ctg"].scores[name], name))
            )
        body.append(row)
    if experts is not None:
        row = [f"nine experts, mean reading (n = {experts['n']})"]
        for name in EVENTS:
            panel = experts["targets"][name]
            row += [words(panel["auc"]), f"fused is better by {signed(panel['fused_minus_panel'])}"]
        body.append(row)
    head = [""]
    for event in EVENTS.values():
        head += [f"AUC, {event}", "against CTG only"]
    return [
        "### Discrimination",
        "",
        *table(head, body),
        "The goal is non-inferiority (lower bound above -.020). A gain is not claimed: in these births the size adds little.",
        "",
    ]


def _calibration(stored: StoredPairs, compared: dict[str, Way]) -> list[str]:
    body = []
    for key in ("ctg", "fused", "stacked", "noisy-or"):
        way = compared[key]
        for name, event in EVENTS.items():
            scores = way.scores[name]
            limit = float(np.mean([ece_limit(score, draws=300) for score in scores]))
            ece = over(stored, scores, name, expected_calibration_error)
            body.append(
                [
                    way.words,
                    event,
                    f"{ece['value']:.3f}, limit {limit:.3f}",
                    words(over(stored, scores, name, lambda e, p: calibration_line(e, p)[1]), 2),
                    words(over(stored, scores, name, lambda e, p: calibration_line(e, p)[0]), 2),
                    f"{np.mean([np.mean((score - stored.event(name)) ** 2) for score in scores]):.4f}",
                ]
            )
    head = ["", "event", "ECE and the 95th centile of a calibrated twin", "slope", "intercept", "Brier"]
    return [
        "### Calibration",
        "",
        "ECE: ten bins of equal mass, mean over the repeats.",
        "",
        *table(head, body),
        "![Reliability](../images/evidence-fusion-reliability.png)",
        "",
    ]


def _decisions(stored: StoredPairs, compared: dict[str, Way]) -> list[str]:
    body = []
    for name, event in EVENTS.items():
        happened = stored.event(name)
        for at in THRESHOLDS:
            ours, theirs = compared["fused"].scores[name], compared["ctg"].scores[name]
            shown = [
                f"{np.mean([net_benefit(happened, score, at) for score in scores]):.4f}" for scores in (ours, theirs)
            ]
            margin = net_benefit_difference(happened, ours, theirs, at)
            low, high = margin["ci95"]
            body.append(
                [
                    event,
                    f"{100 * at:.0f} %",
                    *shown,
                    f"{treat_all(happened, at):.4f}",
                    f"{margin['value']:+.4f} ({low:+.4f} to {high:+.4f})",
                ]
            )
    head = ["event", "threshold", "fused", "CTG only", "treat all", "fused minus CTG only"]
    return [
        "### Decisions",
        "",
        "Net benefit (Vickers); treat none is 0. The goal is a lower bound of the difference above -.005.",
        "",
        *table(head, body),
        "![Decision curves](../images/evidence-fusion-decisions.png)",
        "",
    ]


def coverage(covers: list[Event], rows: Event) -> str:
    """Share covered, mean over repeats, with the binomial interval of one repeat's births."""
    number = int(rows.sum())
    share = float(np.mean([cover[rows].mean() for cover in covers]))
    interval = binomtest(round(share * number), number).proportion_ci(0.95)
    mark = "" if interval.low <= 0.90 <= interval.high else " **no**"
    return f"{share:.3f} ({interval.low:.3f} to {interval.high:.3f}){mark}"


def groups(stored: StoredPairs) -> dict[str, Event]:
    """Subgroups by name."""
    z, has_size = stored.z(), np.isfinite(stored.z())
    with np.errstate(invalid="ignore"):
        small = has_size & (z < -1.2816)
    return {
        "all": np.ones(len(z), dtype=bool),
        "nulliparous": stored.flag("nulliparous"),
        "parous": ~stored.flag("nulliparous"),
        "mother 35 or older": stored.flag("from_35_years"),
        "before 39+0 weeks": stored.flag("before_39_weeks"),
        "39+0 weeks or later": ~stored.flag("before_39_weeks"),
        "second stage recorded": stored.flag("second_stage"),
        "no second stage": ~stored.flag("second_stage"),
        "below the 10th centile at birth": small,
        "not below it": has_size & ~small,
    }


def by_group(stored: StoredPairs) -> dict[str, str]:
    """Calibration and coverage of the fused score in every group that is large enough, pH <= 7.15, in words."""
    scores, event = stored.fused(MILD.name), stored.event(MILD.name)
    covers = stored.covered(stored.sets(scores))
    sentences = {}
    for name, members in groups(stored).items():
        if members.sum() < LEAST:
            continue
        ece = np.mean([expected_calibration_error(event[members], score[members]) for score in scores])
        limit = np.mean([ece_limit(score[members], draws=200) for score in scores])
        key = f"fused, pH <= 7.15, {name} (n = {int(members.sum())}, {int(event[members].sum())} events)"
        sentences[key] = f"ECE {ece:.3f} (limit {limit:.3f}), 90 % sets cover {coverage(covers, members)}"
    return sentences


def _sets(stored: StoredPairs, compared: dict[str, Way]) -> list[str]:
    event = stored.event(MILD.name)
    patterns = {"both": "fused", "CTG only": "ctg", "ultrasound only": "size"}
    body = []
    for label, key in patterns.items():
        scores = compared[key].scores[MILD.name]
        rows = np.isfinite(stored.z()) if key != "ctg" else np.ones(len(event), dtype=bool)
        sets = stored.sets(scores)
        covers, split = stored.covered(sets), stored.covered(stored.sets(scores, split=True))
        decided = float(np.mean([(none != some)[rows].mean() for none, some in sets]))
        body.append(
            [
                f"{label} (n = {int(rows.sum())}, {int((event & rows).sum())} events)",
                coverage(covers, rows),
                coverage(covers, rows & event),
                coverage(covers, rows & ~event),
                f"{100 * (1 - decided):.0f} %",
                coverage(split, rows),
                coverage(split, rows & event),
            ]
        )
    head = [
        "known",
        "covered",
        "of births with the event",
        "without",
        "abstains",
        "split: covered",
        "split: with the event",
    ]
    fused_covers = stored.covered(stored.sets(compared["fused"].scores[MILD.name]))
    rows_ = [
        [name, str(int(members.sum())), coverage(fused_covers, members)]
        for name, members in groups(stored).items()
        if name != "all" and members.sum() >= LEAST
    ]
    return [
        "### Conformal sets at 90 %, and abstention",
        "",
        "pH <= 7.15; quantiles from the other folds, class-conditional unless *split*. Binomial 95 % intervals. A set that contains both",
        "outcomes, or none, abstains. Split sets reach 90 % by covering the many births without the event: that is why the",
        "class-conditional ones are served.",
        "",
        *table(head, body),
        *table(["subgroup", "n", "covered (both known where they are)"], rows_),
    ]


def _subgroups(stored: StoredPairs, compared: dict[str, Way]) -> list[str]:
    body = []
    event = stored.event(MILD.name)
    for name, members in groups(stored).items():
        rows = np.flatnonzero(members)
        cells = []
        for key in ("ctg", "fused"):
            scores = compared[key].scores[MILD.name]
            area = over_repeats(event, scores, auc, rows, draws=200)
            cells.append(words(area))
        ece = np.mean(
            [expected_calibration_error(event[rows], score[rows]) for score in compared["fused"].scores[MILD.name]]
        )
        limit = np.mean([ece_limit(score[rows], draws=200) for score in compared["fused"].scores[MILD.name]])
        body.append([name, str(len(rows)), str(int(event[rows].sum())), *cells, f"{ece:.3f}, limit {limit:.3f}"])
    return [
        "### Subgroups, pH <= 7.15",
        "",
        *table(["", "n", "events", "AUC, CTG only", "AUC, fused", "ECE of the fused and its limit"], body),
    ]


def _sensitivity(stored: StoredPairs) -> list[str]:
    repeats = range(len(stored.folds))
    variants = {
        "shipped: FMF 2018, spread as error": [stored.terms(k) for k in repeats],
        "FMF 2018 as printed": [stored.terms(k, as_on_chart=True) for k in repeats],
        "Hadlock 1991 (to 39 weeks)": [stored.terms(k, "z_hadlock") for k in repeats],
        "INTERGROWTH-21st 2020 (to 40 weeks)": [stored.terms(k, "z_intergrowth") for k in repeats],
    }
    body = []
    for label, terms in variants.items():
        sizes = sum(term is not None for term in terms[0])
        body.append([label, str(sizes), *_against_ctg(stored, {n: stored.fused(n, POOLING, terms) for n in EVENTS})])
    for weight in (0.5, 0.0):
        rule = FusionRule("pooling", 0.0, 1.0, weight)
        scores = {name: stored.fused(name, rule) for name in EVENTS}
        body.append(
            [f"growth weighted {weight:g}", str(int(np.isfinite(stored.z()).sum())), *_against_ctg(stored, scores)]
        )
    return [
        "### What the size's chart and weight change",
        "",
        *table(
            ["", "sizes known", *(f"AUC against CTG only, {event}" for event in EVENTS.values()), "slope, pH <= 7.15"],
            body,
        ),
        "A chart as printed counts every twelfth birth here as below the 3rd centile more than a population has, and gives each the",
        "published odds; they did not have them for pH <= 7.15 (observed odds ratio 1.4), but did for pH < 7.05 (3.0).",
        "",
    ]


def _against_ctg(stored: StoredPairs, scores: dict[str, list[Array]]) -> list[str]:
    cells = [signed(gain(stored, scores[name], stored.distress[name], name)) for name in EVENTS]
    slope = over(stored, scores[MILD.name], MILD.name, lambda e, p: calibration_line(e, p)[1])
    return [*cells, words(slope, 2)]
