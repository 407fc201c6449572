"""Priors, contradictions, older scans, Dopplers, several fetuses, sets and alternatives in the whole answer."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import logit

from models.bundle import Acidaemia, Bundle
from models.ctg.analysis import analyse
from models.errors import InputError
from models.fusion.answer import RiskAssessment
from models.fusion.circumstances import ORDINARY, Circumstances
from models.fusion.conformal import EVENT, NO_EVENT
from models.fusion.growth_odds import ANCHOR_Z
from models.fusion.held_out_births import HeldOut, PairedFusion
from models.fusion.inputs import CtgInput, ScanInput
from models.fusion.pooling import FusionRule
from models.fusion.prior import POPULATION_PRIOR, Prior
from models.fusion.risk import assess
from models.growth.assessment import Age
from models.growth.biometry_standards import BIOMETRY
from models.growth.dopplers import Dopplers
from models.growth.measures import AC, HC
from tests.examples import HEALTHY, LABOUR, check

TRACE = CtgInput(analysis=analyse(LABOUR), stage="labour", age_days=273)
SCAN = ScanInput(typed={AC: 340.0}, age=Age(273, "test"))
SMALL = replace(SCAN, typed={AC: 301.0})


def trained(bundle: Bundle) -> Acidaemia:
    assert bundle.acidaemia is not None
    return bundle.acidaemia


def odds(assessment: RiskAssessment) -> float:
    assert assessment.score is not None
    return assessment.score / (100 - assessment.score)


def _abdomen(z: float) -> float:
    """The abdomen, mm, whose measured z-score at 39 weeks is z."""
    return float(brentq(lambda value: BIOMETRY[AC].curve.score(value, 39.0) - z, 250.0, 420.0))


def test_growth_below_the_3rd_centile_multiplies_the_odds_at_a_fixed_trace(bundle: Bundle) -> None:
    median, below = (assess(bundle, TRACE, replace(SCAN, typed={AC: _abdomen(z)})) for z in (0.0, ANCHOR_Z))
    assert 3.06 < odds(below) / odds(median) < 4.07


def test_another_prior_shifts_the_number_and_never_the_state(bundle: Bundle) -> None:
    ordinary = check(assess(bundle, TRACE, SMALL))
    for prior in (Prior.parse("population"), Prior.parse("0.06")):
        assessment = check(assess(bundle, TRACE, SMALL, Circumstances(prior)))
        shift = prior.shift(trained(bundle).prevalence)
        assert assessment.score is not None
        assert ordinary.score is not None
        assert logit(assessment.score / 100) == pytest.approx(logit(ordinary.score / 100) + shift)
        assert logit(assessment.distress.probability) == pytest.approx(logit(ordinary.distress.probability) + shift)
        assert assessment.state == ordinary.state
        assert assessment.certainty == ordinary.certainty
        assert assessment.severe is not None
        assert assessment.severe <= assessment.score
        assert assessment.circumstances["prior"]["source"] == prior.source
        assert f"at a prevalence of {100 * prior.of(0.2):.3g} %" in assessment.meaning


def test_priors_are_read_or_refused() -> None:
    assert Prior.parse("training") == ORDINARY.prior
    assert Prior.parse("population").value == pytest.approx(POPULATION_PRIOR) == pytest.approx(0.028, abs=0.001)
    assert Prior.parse("0.06") == Prior("unit", 0.06)
    for wrong in ("often", "0", "1", "6", "nan"):
        with pytest.raises(InputError, match="prior"):
            Prior.parse(wrong)


def test_what_experts_would_say_is_not_shifted(bundle: Bundle) -> None:
    table = CtgInput(features=dict(HEALTHY))
    assessment = check(assess(bundle, table, None, Circumstances(Prior.parse("population"))))
    assert assessment.score == assess(bundle, table, None).score
    assert any("is not shifted" in line for line in assessment.remarks)
    assert assessment.severe is None


@pytest.mark.parametrize(
    ("scan", "words"),
    [
        (replace(SMALL, days_before_ctg=29), "29 days from the CTG"),
        (replace(SMALL, age=Age(230, "test")), "the ages contradict each other: 39\\+0 weeks at the CTG, but 32\\+6"),
        (ScanInput(typed={HC: 115.0}, age=Age(105, "test")), "contradict|labour trace with"),
    ],
)
def test_what_contradicts_stands_for_itself(bundle: Bundle, scan: ScanInput, words: str) -> None:
    alone = assess(bundle, TRACE, None)
    assessment = check(assess(bundle, TRACE, scan))
    assert assessment.score == alone.score
    assert assessment.growth.probability is not None
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(assessment.missing)


def test_a_scan_of_week_15_is_not_the_growth_of_a_labour_whose_age_is_unknown(bundle: Bundle) -> None:
    early = ScanInput(typed={HC: 115.0}, age=Age(105, "test"))
    assessment = check(assess(bundle, replace(TRACE, age_days=None), early))
    assert any("a labour trace with a scan of 15+0 weeks" in line for line in assessment.missing)


def test_an_older_scan_counts_less_and_says_so(bundle: Bundle) -> None:
    now = check(assess(bundle, TRACE, SMALL))
    then = check(assess(bundle, TRACE, replace(SMALL, age=Age(252, "test"), typed={AC: 285.0}, days_before_ctg=21)))
    assert any("21 days from the CTG" in line for line in then.remarks)
    assert any("21 days before the CTG" in reason.text for reason in then.reasons)
    assert now.interval is not None


def test_dopplers_enter_the_score_and_its_reasons(bundle: Bundle) -> None:
    low = check(assess(bundle, TRACE, replace(SMALL, dopplers=Dopplers(cerebroplacental_ratio_below_5th=True))))
    without = check(assess(bundle, TRACE, SMALL))
    normal = check(assess(bundle, TRACE, replace(SMALL, dopplers=Dopplers(cerebroplacental_ratio_below_5th=False))))
    assert odds(low) > odds(without) > odds(normal)
    reason = next(reason for reason in low.reasons if "Doppler" in reason.text)
    assert reason.log_odds == pytest.approx(np.log(odds(low) / odds(without)))
    uterine = assess(bundle, TRACE, replace(SMALL, dopplers=Dopplers(uterine_artery_pi_above_95th=True)))
    assert uterine.score == without.score


def test_one_of_several_fetuses_and_a_large_one_are_said(bundle: Bundle) -> None:
    assessment = check(assess(bundle, TRACE, replace(SCAN, typed={AC: 400.0}), Circumstances(fetuses=2)))
    assert any("several fetuses" in line for line in assessment.warnings)
    assert any("97th centile" in line for line in assessment.remarks)


def test_alternatives_name_what_would_change_it(bundle: Bundle) -> None:
    assessment = check(assess(bundle, TRACE, SMALL))
    known = {alternative.change: alternative for alternative in assessment.alternatives}
    alone = assess(bundle, TRACE, None)
    assert assessment.score is not None
    assert known["Without the scan"].score == pytest.approx(alone.score)
    assert known["If the weight were on the 50th centile"].score < assessment.score
    assert known["If the cerebroplacental ratio were below the 5th centile"].score > assessment.score
    there = known["At a prevalence of 2.8 %"]
    population = assess(bundle, TRACE, SMALL, Circumstances(Prior.parse("population")))
    assert there.score == pytest.approx(population.score)
    missing = {alternative.change for alternative in alone.alternatives}
    assert "If a scan showed the weight well below the 3rd centile" in missing
    assert "Without the scan" not in missing


class Paired(Bundle):
    """The shipped bundle with pairs of a test's own."""

    def __init__(self, bundle: Bundle, fusion: PairedFusion) -> None:
        super().__init__(bundle.folder)
        self.__dict__["acidaemia"] = replace(trained(bundle), fusion=fusion)


@pytest.mark.parametrize("scale", [1.0, 0.2])
def test_sets_and_thresholds_come_from_held_out_pairs(bundle: Bundle, scale: float) -> None:
    rng = np.random.default_rng(0)
    probability = scale * rng.beta(1, 4, 600)
    held_out = HeldOut.of(probability, rng.random(600) < probability)
    paired = Paired(bundle, PairedFusion(held_out={"both": held_out}))
    assessment = check(assess(paired, TRACE, SMALL))
    assert assessment.certainty is not None
    assert set(assessment.certainty["holds"]) <= {NO_EVENT, EVENT}
    assert "600 held-out births" in assessment.certainty["calibrated_on"]
    assert assessment.score is not None
    raised, high = held_out.thresholds()
    by_score = [reason for reason in assessment.state_reasons if "CTG and scan" in reason]
    assert bool(by_score) == (assessment.score >= 100 * raised)
    assert bool(by_score) == (scale == 0.2)
    assert assessment.score < 100 * high
    assert assess(paired, TRACE, None).certainty is None


@pytest.mark.parametrize("rule", [FusionRule("stacked", 0.1, 1.1, 0.3), FusionRule("noisy-or")])
def test_another_rule_is_used_where_both_are_known_and_only_there(bundle: Bundle, rule: FusionRule) -> None:
    paired = Paired(bundle, PairedFusion(rule))
    assert assess(paired, TRACE, None).score == assess(bundle, TRACE, None).score
    assessment = check(assess(paired, TRACE, SMALL))
    assert assessment.method == rule.method
    assert assessment.score != assess(bundle, TRACE, SMALL).score
    assert assessment.score is not None
    assert assessment.start is not None
    total = assessment.start.log_odds + sum(reason.log_odds for reason in assessment.reasons)
    assert float(logit(assessment.score / 100)) == pytest.approx(total, abs=1e-9)
