"""From inputs to one `RiskAssessment`, which page, JSON and print show.

The state and the score are two answers. The state rests on the reading of the trace (`models.fusion.state`). The score
needs a CTG that a model can judge; a scan adds to it and never replaces it. In labour it is the probability of a low
cord pH; outside labour that at least one of trace and size is abnormal (`models.fusion.either`), and then it has no
state. A missing examination, an unusable signal or an unknown age is said with its reason, and never filled in.
"""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
from scipy.special import logit

from models.bundle import Acidaemia, Bundle
from models.fusion.answer import RiskAssessment
from models.fusion.circumstances import ORDINARY, Circumstances
from models.fusion.conformal import NO_EVENT, certainty
from models.fusion.distress import DistressPart, distress_part
from models.fusion.either import at_least_one
from models.fusion.growth_contribution import GrowthContribution, growth_contribution
from models.fusion.growth_odds import missing_growth_sd
from models.fusion.held_out_births import PairedFusion, Pattern
from models.fusion.inputs import CtgInput, ScanInput
from models.fusion.part import Reason
from models.fusion.pooling import Fused, fuse
from models.fusion.prior import WORDS, Prior
from models.fusion.state import CANNOT_ASSESS, Evidence, ScoreState, judge
from models.fusion.terms import CLIP, Distress, shifted
from models.fusion.what_if import alternatives
from models.growth import delphi
from models.growth.assessment import GrowthAssessment
from models.growth.dopplers import UNKNOWN

MULTIPLE_WARNING = "One of several fetuses: the models and the size charts are for single fetuses only."
PATTERN_PRIOR_WARNING = (
    "The configured prevalence is that of a low cord pH. The judgement of experts is not shifted by it."
)


def assess(
    bundle: Bundle,
    ctg: CtgInput | None,
    scan: ScanInput | None,
    circumstances: Circumstances = ORDINARY,
    judged: DistressPart | None = None,
) -> RiskAssessment:
    """Assess the available examinations, and name what is missing.

    Parameters
    ----------
    judged : DistressPart or None
        What `distress_part` returned for this CTG, bundle and prior before. It is computed here if None.

    Raises
    ------
    InputError, RangeError
        A given value is unknown or impossible. A state with a reason is not an error.
    """
    distress = judged or distress_part(bundle, ctg, circumstances.prior, circumstances.nice)
    growth = growth_contribution(bundle, ctg, scan, circumstances.scan_valid_days)
    warnings, remarks = distress.warnings + growth.warnings, distress.remarks + growth.remarks
    if circumstances.fetuses > 1:
        warnings.append(MULTIPLE_WARNING)
    if distress.distress is not None and distress.severe is None and circumstances.prior.value is not None:
        remarks.append(PATTERN_PRIOR_WARNING)
    missing = []
    if distress.distress is None:
        missing.append(f"CTG: {distress.part.refusal}")
    if growth.refusal is not None:
        missing.append(f"Ultrasound: {growth.refusal}")
    dopplers = scan.dopplers if scan is not None else UNKNOWN
    evidence = Evidence(
        has_ctg=ctg is not None,
        trace=distress.trace,
        fetuses=circumstances.fetuses,
        no_score=distress.part.refusal or "",
        dopplers=dopplers,
        growth_finding="" if ctg is not None and ctg.stage == "antepartum" else _growth_finding(growth.growth),
    )
    answer = RiskAssessment(
        state=CANNOT_ASSESS,
        score=None,
        interval=None,
        meaning="There is no score, because there is no CTG that the model can judge.",
        distress=distress.part,
        growth=growth.part,
        reasons=[],
        missing=missing,
        warnings=warnings,
        remarks=remarks,
        bundle=bundle.identifier,
        circumstances=circumstances.as_dict(),
    )
    if distress.distress is not None:
        answer, scores = _scored(answer, bundle, distress, growth, circumstances)
        evidence = replace(evidence, scores=scores)
    verdict = judge(evidence)
    return replace(
        answer,
        state=verdict.state,
        state_basis=verdict.basis,
        state_reasons=list(verdict.reasons),
        settles=list(verdict.settles),
    )


def _scored(
    answer: RiskAssessment,
    bundle: Bundle,
    distress: DistressPart,
    growth: GrowthContribution,
    circumstances: Circumstances,
) -> tuple[RiskAssessment, tuple[ScoreState, ...]]:
    """The answer with its score, and what the scores say of the state."""
    if bundle.acidaemia is None or distress.severe is None:
        return _of_either(answer, distress, growth), _of_table(distress)
    return _of_outcome(answer, bundle.acidaemia, distress, growth, circumstances)


def _of_either(answer: RiskAssessment, distress: DistressPart, growth: GrowthContribution) -> RiskAssessment:
    """Outside labour: at least one of the two is abnormal. With one examination the score is of that one alone."""
    trace, size = distress.part, growth.part
    assert trace.probability is not None
    assert trace.interval is not None
    probability, interval, bounds = trace.probability, trace.interval, None
    event = f"{trace.event} (the size is not known)"
    reasons = list(distress.reasons)
    if growth.size is not None and size.probability is not None and size.interval is not None:
        either = at_least_one(probability, interval, size.probability, size.interval)
        event = f"at least one holds: {trace.event}; {size.event}"
        added = float(logit(np.clip(either.probability, CLIP, 1 - CLIP)) - logit(probability))
        reasons += growth.size_reasons(added)
        probability, interval, bounds = either.probability, either.interval, _hundred(either.bounds)
    started = float(logit(np.clip(probability, CLIP, 1 - CLIP))) - sum(reason.log_odds for reason in reasons)
    between = "" if bounds is None else f" Between {bounds[0]:.0f} and {bounds[1]:.0f} %, however the two go together."
    return replace(
        answer,
        score=100 * probability,
        interval=_hundred(interval),
        score_of=_sentence(event),
        meaning=f"About {100 * probability:.0f} %: the probability that {event}.{between}",
        bounds=bounds,
        reasons=sorted(reasons, key=lambda reason: -abs(reason.log_odds)),
        start=Reason("an average trace", started),
        method="at least one",
    )


def _of_table(distress: DistressPart) -> tuple[ScoreState, ...]:
    """A table has a state from its pattern; a raw trace has its state from the reading alone."""
    if distress.trace is not None or distress.distress is None:
        return ()
    return (ScoreState("the score of the CTG", distress.distress.probability, distress.thresholds),)


def _of_outcome(
    answer: RiskAssessment,
    model: Acidaemia,
    distress: DistressPart,
    growth: GrowthContribution,
    circumstances: Circumstances,
) -> tuple[RiskAssessment, tuple[ScoreState, ...]]:
    """In labour: the fused probability of a low pH, and what it says of the state with and without the scan."""
    assert distress.distress is not None
    pairs, chosen, prior = model.fusion, circumstances.prior, distress.prior
    shift = chosen.shift(model.prevalence)
    term = distress.distress.term(prior)
    fused = fuse(pairs.rule, prior, term, growth.term, missing_growth_sd())
    reasons = [*distress.reasons, *growth.reasons(fused.growth_log_odds)]
    started = float(logit(fused.probability)) - sum(reason.log_odds for reason in reasons)
    answer = replace(
        answer,
        score=100 * fused.probability,
        interval=_hundred(fused.interval),
        score_of=_sentence(distress.part.event),
        meaning=_meaning(distress, fused.probability, prior, chosen, growth),
        reasons=sorted(reasons, key=lambda reason: -abs(reason.log_odds)),
        start=Reason("an average trace", started),
        severe=_severe(pairs, distress, growth, fused),
        method=pairs.rule.method,
        certainty=_certainty(pairs, growth.term is not None, fused.probability, shift),
        alternatives=alternatives(pairs.rule, prior, distress, growth),
    )
    return answer, _scores(pairs, distress, growth, fused, shift)


def _hundred(pair: tuple[float, float]) -> tuple[float, float]:
    return 100 * pair[0], 100 * pair[1]


def _sentence(event: str) -> str:
    return f"The score is the probability, in percent, that {event}."


def _scores(
    pairs: PairedFusion, distress: DistressPart, growth: GrowthContribution, fused: Fused, shift: float
) -> tuple[ScoreState, ...]:
    assert distress.distress is not None

    def of(words: str, probability: float, both: bool) -> ScoreState:
        held_out = pairs.held_out.get("both" if both else "ctg only")
        thresholds = distress.thresholds
        if held_out is not None:
            thresholds = tuple(shifted(threshold, shift) for threshold in held_out.thresholds())  # type: ignore[assignment]
        certain = _certainty(pairs, both, probability, shift)
        return ScoreState(words, probability, thresholds, certain is not None and certain["holds"] == (NO_EVENT,))

    alone = of("the score of the CTG", distress.distress.probability, both=False)
    if growth.term is None:
        return (alone,)
    return alone, of("the score of CTG and scan", fused.probability, both=True)


def _severe(pairs: PairedFusion, distress: DistressPart, growth: GrowthContribution, fused: Fused) -> float | None:
    """The more severe event, fused by the same rule. It cannot be more probable than the milder event."""
    if distress.severe is None:
        return None
    grave = Distress(distress.severe, 0.0)
    severe = fuse(pairs.rule, distress.prior, grave.term(distress.prior), growth.term)
    return 100 * min(severe.probability, fused.probability)


def _certainty(pairs: PairedFusion, both: bool, probability: float, shift: float) -> dict[str, Any] | None:
    """The conformal set at the prevalence of its calibration, or None if none was calibrated."""
    pattern: Pattern = "both" if both else "ctg only"
    quantiles = pairs.quantiles(pattern)
    if quantiles is None:
        return None
    return asdict(certainty(quantiles, shifted(probability, -shift), pattern))


def _growth_finding(growth: GrowthAssessment | None) -> str:
    """Growth restriction by the Delphi consensus, in words; empty without it."""
    if growth is not None and growth.delphi.verdict == delphi.MET:
        return f"{delphi.RULES}: criteria of {growth.delphi.phase} fetal growth restriction are met"
    return ""


def _meaning(
    distress: DistressPart, probability: float, prior: float, chosen: Prior, growth: GrowthContribution
) -> str:
    size = " and the published odds for this size" if growth.term else ", the size unknown"
    where = f"at a prevalence of {100 * prior:.3g} % ({WORDS[chosen.source]})"
    return (
        f"About {100 * probability:.0f} %: the probability that {distress.part.event}, given this trace{size}, {where}."
    )
