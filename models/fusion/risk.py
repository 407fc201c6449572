"""From inputs to one `RiskAssessment`, which page, JSON and print show.

A missing modality, an unusable signal or an unknown age is a state with a reason, never a filled-in
value. With neither modality the answer is "cannot assess".
"""

from dataclasses import asdict
from typing import Any

from scipy.special import logit

from models.bundle import Bundle
from models.ctg.guidelines import figo
from models.fusion.answer import CANNOT_ASSESS, HIGH, LOW, RAISED, RiskAssessment
from models.fusion.circumstances import ORDINARY, Circumstances
from models.fusion.conformal import certainty
from models.fusion.distress import DistressPart, distress_part, prior_without_ctg
from models.fusion.growth_contribution import GrowthContribution, growth_contribution
from models.fusion.growth_odds import growth_only_thresholds, missing_growth_sd
from models.fusion.held_out_births import PairedFusion, Pattern
from models.fusion.inputs import CtgInput, ScanInput
from models.fusion.part import Reason
from models.fusion.pooling import Fused, fuse
from models.fusion.prior import TRAINING, WORDS, Prior
from models.fusion.terms import Distress, shifted
from models.fusion.what_if import alternatives
from models.growth import delphi
from models.growth.assessment import GrowthAssessment

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
    distress = judged or distress_part(bundle, ctg, circumstances.prior)
    growth = growth_contribution(bundle, ctg, scan, circumstances.scan_valid_days)
    warnings = distress.warnings + growth.warnings
    if circumstances.fetuses > 1:
        warnings.append(MULTIPLE_WARNING)
    if distress.distress is not None and distress.severe is None and circumstances.prior.value is not None:
        warnings.append(PATTERN_PRIOR_WARNING)
    missing = []
    if distress.distress is None:
        missing.append(f"CTG: {distress.part.refusal}")
    if growth.refusal is not None:
        missing.append(f"Ultrasound: {growth.refusal}")
    if distress.distress is None and growth.term is None:
        return RiskAssessment(
            state=CANNOT_ASSESS,
            score=None,
            interval=None,
            meaning="Neither the CTG nor the ultrasound scan can be assessed.",
            distress=distress.part,
            growth=growth.part,
            reasons=[],
            missing=missing,
            warnings=warnings,
            bundle=bundle.identifier,
            circumstances=circumstances.as_dict(),
        )
    return _assessed(bundle, distress, growth, circumstances, missing, warnings)


def _assessed(
    bundle: Bundle,
    distress: DistressPart,
    growth: GrowthContribution,
    circumstances: Circumstances,
    missing: list[str],
    warnings: list[str],
) -> RiskAssessment:
    """The answer where at least one part is known."""
    model = bundle.acidaemia
    of_outcome = distress.severe is not None or (distress.distress is None and model is not None)
    pairs = model.fusion if model is not None and of_outcome else PairedFusion()
    chosen = circumstances.prior if of_outcome else TRAINING
    alone, spread = prior_without_ctg(bundle, chosen)
    prior = distress.prior if distress.distress else alone
    shift = chosen.shift(model.prior) if model is not None and of_outcome else 0.0
    term = distress.distress.term(prior) if distress.distress else None
    fused = fuse(pairs.rule, prior, term, growth.term, spread if term is None else missing_growth_sd())
    thresholds = _thresholds(pairs, distress, growth, prior, shift)

    def state_of(probability: float) -> str:
        return HIGH if probability >= thresholds[1] else RAISED if probability >= thresholds[0] else LOW

    reasons = [*distress.reasons, *growth.reasons(fused.growth_log_odds)]
    started = float(logit(fused.probability)) - sum(reason.log_odds for reason in reasons)
    start = Reason("an average trace" if term else f"prevalence of {100 * prior:.0f} %, as there is no CTG", started)
    state = state_of(fused.probability)
    basis, finding = _guideline(distress, growth.growth) if state == LOW else (None, "")
    explanation = _STATE_WORDS[state]
    if basis is not None:
        state = RAISED
        explanation = f"{basis} {finding}: raised for this reason; by the score alone it would be low."
    meaning = f"{_meaning(distress, fused.probability, prior, chosen, growth)} {explanation}"
    return RiskAssessment(
        state=state,
        score=100 * fused.probability,
        interval=(100 * fused.interval[0], 100 * fused.interval[1]),
        meaning=meaning,
        distress=distress.part,
        growth=growth.part,
        reasons=sorted(reasons, key=lambda reason: -abs(reason.log_odds)),
        missing=missing,
        warnings=warnings,
        bundle=bundle.identifier,
        state_basis=basis or "score",
        start=start,
        severe=_severe(pairs, distress, growth, fused),
        method=pairs.rule.method,
        certainty=_certainty(pairs, distress, growth, fused, shift),
        alternatives=alternatives(pairs.rule, prior, distress, growth, state_of),
        circumstances=circumstances.as_dict(),
    )


def _pattern(distress: DistressPart, growth: GrowthContribution) -> Pattern:
    if distress.distress is None:
        return "ultrasound only"
    return "both" if growth.term else "ctg only"


def _thresholds(
    pairs: PairedFusion, distress: DistressPart, growth: GrowthContribution, prior: float, shift: float
) -> tuple[float, float]:
    """Thresholds of raised and high: learned for the fused score if available, else those of the trace or the size."""
    if distress.distress is None:
        return growth_only_thresholds(prior, growth.head_only)
    held_out = pairs.held_out.get(_pattern(distress, growth))
    if held_out is None:
        return distress.thresholds
    raised, high = (shifted(threshold, shift) for threshold in held_out.thresholds())
    return raised, high


def _severe(pairs: PairedFusion, distress: DistressPart, growth: GrowthContribution, fused: Fused) -> float | None:
    """The more severe event, fused by the same rule. It cannot be more probable than the milder event."""
    if distress.severe is None:
        return None
    grave = Distress(distress.severe, 0.0)
    severe = fuse(pairs.rule, distress.prior, grave.term(distress.prior), growth.term)
    return 100 * min(severe.probability, fused.probability)


def _certainty(
    pairs: PairedFusion, distress: DistressPart, growth: GrowthContribution, fused: Fused, shift: float
) -> dict[str, Any] | None:
    """The conformal set at the prevalence of its calibration, or None if none was calibrated."""
    pattern = _pattern(distress, growth)
    quantiles = pairs.quantiles(pattern)
    if quantiles is None:
        return None
    return asdict(certainty(quantiles, shifted(fused.probability, -shift), pattern))


def _guideline(distress: DistressPart, growth: GrowthAssessment | None) -> tuple[str | None, str]:
    """The guideline that makes the state at least raised, FIGO or the Delphi consensus, and its finding."""
    answers = distress.part.detail.get("guidelines", [])
    if any(a["rules"] == figo.RULES and a["severity"] == 2 for a in answers):
        return figo.RULES, "calls the trace pathological"
    if growth is not None and growth.delphi.verdict == delphi.MET:
        return delphi.RULES, f"criteria of {growth.delphi.phase} fetal growth restriction are met"
    return None, ""


_STATE_WORDS = {
    LOW: "Low: 80 % of births without the event score in this range.",
    RAISED: "Raised: more than 80 % of births without the event score lower.",
    HIGH: "High: more than 95 % of births without the event score lower.",
}


def _meaning(
    distress: DistressPart, probability: float, prior: float, chosen: Prior, growth: GrowthContribution
) -> str:
    basis = "this trace" if distress.distress else "traces in general (no CTG could be assessed)"
    size = " and the published odds for this size" if growth.term else ", the size unknown"
    where = f"at a prevalence of {100 * prior:.3g} % ({WORDS[chosen.source]})"
    return f"About {100 * probability:.0f} %: the probability that {distress.part.event}, given {basis}{size}, {where}."
