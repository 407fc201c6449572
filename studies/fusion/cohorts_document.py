"""Evidence of the fusion on semi-real and copula cohorts, on the three families, and by random probes."""

from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from models.bundle import Bundle, shipped
from models.ctg.acidaemia import MILD, SEVERE
from models.errors import RangeError
from models.evaluation.decisions import net_benefit_difference
from models.evaluation.metrics import auc, expected_calibration_error
from models.evaluation.outcome import calibration_line, ece_limit
from models.evaluation.repeats import difference, over_repeats
from models.fusion.growth_odds import (
    PUBLISHED_LOG_ODDS,
    PUBLISHED_SD,
    doppler_term,
    growth_log_odds,
    growth_term,
    tracked,
)
from models.fusion.held_out_births import CLIP, BirthSizes, fused
from models.fusion.pooling import POOLING, FusionRule, fuse
from models.fusion.rule_learning import choose, log_losses, loss_sums, stack
from models.fusion.terms import Term
from models.growth.assessment import Age, assess_growth
from models.growth.dopplers import Dopplers
from models.growth.measures import HC, NORMAL_90, Measured
from studies.families.document import ARMS, predictions
from studies.fusion.cohorts import Assumptions, CopulaCohort, copula_cohort
from studies.fusion.stored_pairs import StoredPairs
from studies.stored import Rows, column, part, read, signed, table, words

Array = NDArray[np.float64]
Event = NDArray[np.bool_]
ODDS_RATIOS = (1.0, 1.1, 1.5, 2.0, 3.5, 6.0)
DEPENDENCE = (0.0, 0.1, 0.2, 0.3)
PRIORS = (0.028, 0.05, 0.10, 0.40)
PROBES = 10_000
NOISY_OR = FusionRule("noisy-or")


def lines(stored: StoredPairs, folder: Path) -> list[str]:
    """Give this part of the document as lines of Markdown."""
    return [
        *_semi_real(stored, read(folder / "semi_real.csv")),
        *_copula(stored),
        *_families(stored, read(folder / "families.csv.gz")),
        *_probes(),
    ]


def head_term(estimate_mm: float, scan_days: float, days_before_birth: float, bundle: Bundle) -> Term | None:
    """The growth term on the day of birth of a head that was measured earlier; None outside the chart."""
    low, high = bundle.intervals.interval(HC, estimate_mm, estimate_mm)
    head = Measured(estimate_mm, (high - low) / (2 * NORMAL_90), "model")
    try:
        size = assess_growth({HC: head}, Age(scan_days, "constructed")).size
        assert size is not None
    except RangeError:
        return None
    return growth_term(*tracked(size.true_z_mean, size.true_z_sd, days_before_birth), head_only=True)


def _semi_real(stored: StoredPairs, rows: Rows) -> list[str]:
    bundle = Bundle(shipped())
    names = {row["record"]: number for number, row in enumerate(stored.rows)}
    body, images = [], set()
    valid = 0.0
    for name in dict.fromkeys(row["part"] for row in rows):
        draw = part(rows, name)
        images |= {row["image"] for row in draw}
        valid = max(valid, float(np.mean(column(draw, "days_before_birth") <= 28)))
    for correlation in dict.fromkeys(row["part"].partition("/")[0] for row in rows):
        parts = [
            part(rows, name) for name in dict.fromkeys(r["part"] for r in rows) if name.startswith(f"{correlation}/")
        ]
        terms = [[_term_of(row, bundle) for row in draw] for draw in parts]
        index = np.array([names[row["record"]] for row in parts[0]])
        row = [correlation, f"{np.mean([len({r['image'] for r in draw}) for draw in parts]):.0f}"]
        for target in (MILD.name, SEVERE.name):
            event = stored.event(target)[index]
            ctg = [score[index] for score in stored.distress[target][: len(parts)]]
            both = [fused(POOLING, stored.prior(MILD.name), c, t) for c, t in zip(ctg, terms, strict=True)]
            clusters = np.array([r["image"] for r in parts[0]])
            by_woman = difference(event, both, ctg, auc, draws=300)
            by_image = difference(event, both, ctg, auc, clusters, draws=300)
            row += [signed(by_woman), f"{by_image['ci95'][0]:+.3f} to {by_image['ci95'][1]:+.3f}"]
            if target == MILD.name:
                slope = float(np.mean([calibration_line(event, score)[1] for score in both]))
        row.append(f"{slope:.2f}")
        body.append(row)
    return [
        "## Layer 2: semi-real (CTU-UHB births, HC18 heads)",
        "",
        f"Each of {len(part(rows, rows[0]['part']))} births gets a head at the age (14 to 36 weeks) at which its z-score is the standardised size at",
        "birth times the correlation, plus noise; three draws each. Heads and traces are scored out of fold: no model was trained on",
        f"that examination or that birth; {len(images)} distinct images are used. The scan lies weeks",
        f"before the birth: as served (at most 28 days) it would enter the score in at most {100 * valid:.0f} % of them. Here it enters always,",
        "carried forward to the day of birth, and as a head alone (half the odds). **Trace, outcome and pixels are real, but",
        "their combination is not: this shows that the chain works, and proves nothing clinical.**",
        "",
        *table(
            [
                "correlation of head and birth z",
                "images a draw",
                "AUC against CTG only, pH <= 7.15 (by birth)",
                "interval by image",
                "pH < 7.05 (by birth)",
                "interval by image",
                "slope, pH <= 7.15",
            ],
            body,
        ),
    ]


def _term_of(row: dict[str, str], bundle: Bundle) -> Term | None:
    return head_term(float(row["estimate_mm"]), float(row["scan_days"]), float(row["days_before_birth"]), bundle)


def exact_terms(z: Array) -> list[Term | None]:
    """Terms of sizes that are known without error, as `growth_term` gives them with a standard deviation of 0."""
    published = growth_log_odds(np.nan_to_num(z))
    average = growth_term(0.0, 0.0).log_odds
    spread = PUBLISHED_SD / PUBLISHED_LOG_ODDS * np.abs(published)
    return [
        Term(average + float(odds), float(sd)) if measured else None
        for odds, sd, measured in zip(published, spread, np.isfinite(z), strict=True)
    ]


class Copula:
    """One cohort in two halves: rules are learned on the first half and scored on the second."""

    def __init__(self, cohort: CopulaCohort, prior: float) -> None:
        half = len(cohort.event) // 2
        terms, base = exact_terms(cohort.z), float(logit(prior))
        self.event = cohort.event[half:]
        first, distress = terms[:half], expit(cohort.trace)
        rules = {
            "pooling": POOLING,
            "stacked": stack(base, cohort.trace[:half] - base, first, cohort.event[:half]),
            "noisy-OR": NOISY_OR,
        }
        self.scores = {"CTG only": distress[half:]}
        losses = {}
        for name, rule in rules.items():
            losses[name] = log_losses(fused(rule, prior, distress[:half], first), cohort.event[:half])
            self.scores[name] = fused(rule, prior, distress[half:], terms[half:])
        self.chosen = choose({name: loss_sums(loss, losses["pooling"]) for name, loss in losses.items()})

    def gain(self, name: str) -> float:
        """AUC against the CTG alone."""
        return auc(self.event, self.scores[name]) - auc(self.event, self.scores["CTG only"])

    def ranking(self) -> list[str]:
        """Rules by log-loss, the best first; what differs by less than .0005 stays in this order."""
        return sorted(self.scores, key=lambda name: round(float(log_losses(self.scores[name], self.event).mean()), 3))


def _copula(stored: StoredPairs) -> list[str]:
    trace = logit(np.clip(stored.distress[MILD.name][0], CLIP, 1 - CLIP))
    prior = float(expit(trace).mean())
    body, rankings = [], {}
    for ratio, dependence in product(ODDS_RATIOS, DEPENDENCE):
        copula = Copula(copula_cohort(Assumptions(ratio, dependence, prior), trace, seed=1), prior)
        line = calibration_line(copula.event, copula.scores[copula.chosen])
        rankings[ratio, dependence] = copula.ranking()
        body.append(
            [
                f"{ratio:g}",
                f"{dependence:g}",
                f"{auc(copula.event, copula.scores['CTG only']):.3f}",
                *(f"{copula.gain(name):+.4f}" for name in ("pooling", "stacked", "noisy-OR")),
                copula.chosen,
                f"{copula.gain(copula.chosen):+.4f}",
                f"{line[1]:.2f}",
                " > ".join(copula.ranking()),
            ]
        )
    stable = sum(len({rankings[ratio, d][0] for d in DEPENDENCE}) == 1 for ratio in ODDS_RATIOS)
    return [
        "## Layer 3: copula cohorts (synthetic; what would follow from an assumption)",
        "",
        "The log-odds of the trace are those of out-of-fold births, taken as calibrated. Log-odds of the event are linear in the size, with the odds",
        "ratio at the mean of those below the 3rd centile; sizes known without error. 20,000 births a cohort: one half trains the stacked",
        "rule and chooses (pooling, unless the log-loss of another rule is lower beyond chance, as in a retraining); the other half is scored.",
        "",
        *table(
            [
                "odds ratio below the 3rd centile",
                "dependence",
                "AUC, CTG only",
                "pooling",
                "stacked",
                "noisy-OR",
                "chosen",
                "its gain",
                "its slope",
                "by log-loss",
            ],
            body,
        ),
        f"The best rule is the same at every dependence for {stable} of {len(ODDS_RATIOS)} odds ratios (log-loss to three digits). With an odds ratio of 1.0 published odds",
        "cost AUC (*pooling*), which only stacking on such births avoids: pooling relies on the literature, stacking on the births.",
        "",
        *_missing(trace, prior),
        *_prior_shift(trace, prior),
    ]


def _missing(trace: Array, prior: float) -> list[str]:
    body = []
    for share in (0.0, 0.3, 0.6, 0.9):
        copula = Copula(copula_cohort(Assumptions(3.5, 0.1, prior, share), trace, seed=2), prior)
        line = calibration_line(copula.event, copula.scores["pooling"])
        body.append([f"{100 * share:.0f} %", f"{copula.gain('pooling'):+.4f}", f"{line[1]:.2f}", f"{line[0]:+.2f}"])
    return [
        "### Missing sizes (odds ratio 3.5, dependence .1)",
        "",
        *table(["without a size", "pooling against CTG only, AUC", "slope", "intercept"], body),
    ]


def _prior_shift(trace: Array, prior: float) -> list[str]:
    body = []
    for there in PRIORS:
        cohort = copula_cohort(Assumptions(3.5, 0.0, there, births=60_000), trace, seed=3)
        raw = fused(POOLING, prior, expit(cohort.trace), exact_terms(cohort.z))
        moved = expit(logit(raw) + float(logit(there) - logit(prior)))
        errors = [expected_calibration_error(cohort.event, score) for score in (raw, moved)]
        body.append(
            [f"{100 * there:.1f} %", *(f"{value:.4f}" for value in errors), f"{ece_limit(moved, draws=60):.4f}"]
        )
    return [
        "### Another prior (odds ratio 3.5)",
        "",
        f"Trained at a prevalence of {100 * prior:.0f} %, used at a lower or higher one; the setting shifts all log-odds.",
        "",
        *table(["prevalence", "ECE unshifted", "ECE shifted (goal .02)", "limit of a calibrated twin"], body),
    ]


def _families(stored: StoredPairs, rows: Rows) -> list[str]:
    sizes = dict(zip((row["record"] for row in stored.rows), stored.z().tolist(), strict=True))
    parts = predictions([row for row in rows if row["task"] == "acidaemia"])
    shown = [arm for arm in ARMS if not arm.endswith(("prototypes", "coral", "cca"))]
    body = []
    for arm in shown:
        seeds = parts.get((arm, "acidaemia"))
        if seeds is None:
            continue
        ours, theirs = [], []
        for seed in seeds:
            order = np.argsort(seed.group)  # a birth stands once in every seed
            z = np.array([sizes[name] for name in seed.group[order]])
            event, distress = seed.label[order] == 1, seed.probability[order, 1]
            theirs.append(distress)
            ours.append(fused(POOLING, float(event.mean()), distress, BirthSizes.of(z).terms(z)))
        area = over_repeats(event, ours, auc, draws=200)
        slope = over_repeats(event, ours, _slope, draws=200)
        ece = np.mean([expected_calibration_error(event, score) for score in ours])
        limit = np.mean([ece_limit(score, draws=200) for score in ours])
        body.append(
            [
                ARMS[arm],
                words(area),
                signed(difference(event, ours, theirs, auc, draws=300)),
                f"{ece:.3f}, limit {limit:.3f}",
                words(slope, 2),
                signed(net_benefit_difference(event, ours, theirs, 0.10, draws=200)),
            ]
        )
    return [
        "## The three families through the same fusion",
        "",
        "Distress (pH <= 7.15) by each family on the twelve sites of `federation.md`, fused with the size at birth by pooling;",
        "means of three seeds, intervals over births. After calibration by the other folds, so a little below that document's AUC.",
        "",
        *table(
            [
                "distress by",
                "AUC, fused",
                "against its CTG only",
                "ECE",
                "slope",
                "net benefit at 10 %, against CTG only",
            ],
            body,
        ),
        "Personal heads know the prevalence of their own site, which the partition by label made informative (`federation.md`). The fusion",
        "changes all families alike, and none beyond chance.",
        "",
    ]


def _slope(event: Event, score: Array) -> float:
    return calibration_line(event, score)[1]


def violations(probes: int = PROBES, seed: int = 0) -> int:
    """How often more distress, a smaller fetus or a worse Doppler lowered the fused probability, over random probes."""
    rng = np.random.default_rng(seed)
    low, normal = (doppler_term(Dopplers(cerebroplacental_ratio_below_5th=flag)) for flag in (True, False))
    assert low is not None
    assert normal is not None
    violated = 0
    for _ in range(probes):
        prior, distress, z, sd = rng.uniform(0.01, 0.5), rng.normal(0, 2), rng.normal(0, 1.5), rng.uniform(0, 0.8)
        step, rule = rng.exponential(0.5), (POOLING, NOISY_OR, FusionRule("stacked", 0.1, 1.1, 0.4))[rng.integers(3)]
        head = bool(rng.integers(2))
        size = growth_term(z, sd, head)
        here = fuse(rule, prior, Term(distress, 0.2), size).probability
        worse = (
            fuse(rule, prior, Term(distress + step, 0.2), size),
            fuse(rule, prior, Term(distress, 0.2), growth_term(z - step, sd, head)),
            fuse(rule, prior, Term(distress, 0.2), Term(size.log_odds + low.log_odds - normal.log_odds, size.sd)),
        )
        violated += any(probe.probability < here - 1e-12 for probe in worse)
    return violated


def _probes() -> list[str]:
    return [
        "## Monotonicity",
        "",
        f"{PROBES:,} random probes of the three rules (prior, distress, size, its error, head or weight): more distress, a smaller fetus or",
        f"a worse Doppler lowered the fused probability {violations()} times.",
        "",
    ]
