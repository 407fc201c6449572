"""From inputs to one `RiskAssessment`: what page, JSON and print all show.

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
from models.fusion.distress import AcutePart, distress_part, shifted, without_ctg
from models.fusion.growth_contribution import ChronicPart, chronic_part
from models.fusion.growth_odds import growth_only_cuts, missing_growth_sd
from models.fusion.held_out_births import PairedFusion, Pattern
from models.fusion.inputs import CtgInput, ScanInput
from models.fusion.part import Reason
from models.fusion.pooling import Distress, Fused, fuse
from models.fusion.prior import TRAINING, WORDS, Prior
from models.fusion.what_if import alternatives
from models.growth import delphi
from models.growth.assessment import GrowthAssessment

MULTIPLE_WARNING = "One of several fetuses: the models and the size charts know single ones only."
PATTERN_PRIOR_WARNING = "The prior that is set speaks of the cord pH; what experts would say is not shifted by it."


def assess(
    bundle: Bundle,
    ctg: CtgInput | None,
    scan: ScanInput | None,
    circumstances: Circumstances = ORDINARY,
    acute: AcutePart | None = None,
) -> RiskAssessment:
    """Assess what is there; say what is not.

    Parameters
    ----------
    acute : AcutePart or None
        What `distress_part` gave for this CTG, bundle and prior; computed here where it is None.

    Raises
    ------
    InputError, RangeError
        A given value is unknown or impossible (a state with a reason is no error).
    """
    acute = acute or distress_part(bundle, ctg, circumstances.prior)
    warnings = list(acute.warnings)
    chronic = chronic_part(bundle, ctg, scan, circumstances.scan_valid_days, warnings)
    if circumstances.fetuses > 1:
        warnings.append(MULTIPLE_WARNING)
    if acute.distress is not None and acute.severe is None and circumstances.prior.value is not None:
        warnings.append(PATTERN_PRIOR_WARNING)
    missing = []
    if acute.distress is None:
        missing.append(f"CTG: {acute.part.refusal}")
    if chronic.refusal is not None:
        missing.append(f"Ultrasound: {chronic.refusal}")
    if acute.distress is None and chronic.term is None:
        meaning = "Neither the CTG nor the ultrasound scan can be assessed."
        return RiskAssessment(
            CANNOT_ASSESS,
            None,
            None,
            meaning,
            acute.part,
            chronic.part,
            [],
            missing,
            warnings,
            bundle.identifier,
            circumstances=circumstances.as_dict(),
        )
    return _assessed(bundle, acute, chronic, circumstances, missing, warnings)


def _assessed(
    bundle: Bundle,
    acute: AcutePart,
    chronic: ChronicPart,
    circumstances: Circumstances,
    missing: list[str],
    warnings: list[str],
) -> RiskAssessment:
    """The answer where at least one part is known."""
    model = bundle.acidaemia
    of_outcome = acute.severe is not None or (acute.distress is None and model is not None)
    pairs = model.fusion if model is not None and of_outcome else PairedFusion()
    chosen = circumstances.prior if of_outcome else TRAINING
    alone, spread = without_ctg(bundle, chosen)
    prior = acute.prior if acute.distress else alone
    shift = chosen.shift(model.prior) if model is not None and of_outcome else 0.0
    term = acute.distress.term(prior) if acute.distress else None
    fused = fuse(pairs.rule, prior, term, chronic.term, spread if term is None else missing_growth_sd())
    cuts = _cuts(pairs, acute, chronic, prior, shift)

    def state_of(probability: float) -> str:
        return HIGH if probability >= cuts[1] else RAISED if probability >= cuts[0] else LOW

    reasons = [*acute.reasons, *chronic.reasons(fused.growth_log_odds)]
    started = float(logit(fused.probability)) - sum(reason.log_odds for reason in reasons)
    start = Reason("an average trace" if term else f"{100 * prior:.0f} of 100, as no CTG is known", started)
    state = state_of(fused.probability)
    basis, finding = _guideline(acute, chronic.growth) if state == LOW else (None, "")
    said = _STATE_WORDS[state]
    if basis is not None:
        state = RAISED
        said = f"{basis} {finding}: raised for that, by the score alone it would be low."
    meaning = f"{_meaning(acute, fused.probability, prior, chosen, chronic)} {said}"
    return RiskAssessment(
        state,
        100 * fused.probability,
        (100 * fused.interval[0], 100 * fused.interval[1]),
        meaning,
        acute.part,
        chronic.part,
        sorted(reasons, key=lambda reason: -abs(reason.log_odds)),
        missing,
        warnings,
        bundle.identifier,
        basis or "score",
        start,
        _severe(pairs, acute, chronic, fused),
        pairs.rule.method,
        _certainty(pairs, acute, chronic, fused, shift),
        alternatives(pairs.rule, prior, acute, chronic, state_of),
        circumstances.as_dict(),
    )


def _pattern(acute: AcutePart, chronic: ChronicPart) -> Pattern:
    if acute.distress is None:
        return "ultrasound only"
    return "both" if chronic.term else "ctg only"


def _cuts(
    pairs: PairedFusion, acute: AcutePart, chronic: ChronicPart, prior: float, shift: float
) -> tuple[float, float]:
    """Raised and high: of the fused score where pairs gave them, of the trace, or of sizes alone."""
    if acute.distress is None:
        return growth_only_cuts(prior, chronic.head_only)
    held_out = pairs.held_out.get(_pattern(acute, chronic))
    if held_out is None:
        return acute.cuts
    raised, high = (shifted(cut, shift) for cut in held_out.cuts())
    return raised, high


def _severe(pairs: PairedFusion, acute: AcutePart, chronic: ChronicPart, fused: Fused) -> float | None:
    """The graver event, fused by the same rule; it is part of the milder one."""
    if acute.severe is None:
        return None
    grave = Distress(acute.severe, 0.0)
    made = fuse(pairs.rule, acute.prior, grave.term(acute.prior), chronic.term)
    return 100 * min(made.probability, fused.probability)


def _certainty(
    pairs: PairedFusion, acute: AcutePart, chronic: ChronicPart, fused: Fused, shift: float
) -> dict[str, Any] | None:
    """The conformal set, at the prior that its quantiles were made at; None where none was calibrated."""
    pattern = _pattern(acute, chronic)
    quantiles = pairs.quantiles(pattern)
    if quantiles is None:
        return None
    return asdict(certainty(quantiles, shifted(fused.probability, -shift), pattern))


def _guideline(acute: AcutePart, growth: GrowthAssessment | None) -> tuple[str | None, str]:
    """FIGO where it calls the trace pathological, the Delphi consensus where its criteria are met; and what it says."""
    answers = acute.part.detail.get("guidelines", [])
    if any(a["rules"] == figo.RULES and a["severity"] == 2 for a in answers):
        return figo.RULES, "calls the trace pathological"
    if growth is not None and growth.delphi.verdict == delphi.MET:
        return delphi.RULES, f"criteria of {growth.delphi.phase} fetal growth restriction are met"
    return None, ""


_STATE_WORDS = {
    LOW: "Low: 80 of 100 without it score no higher.",
    RAISED: "Raised: more than 80 of 100 without it score lower.",
    HIGH: "High: more than 95 of 100 without it score lower.",
}


def _meaning(acute: AcutePart, probability: float, prior: float, chosen: Prior, chronic: ChronicPart) -> str:
    basis = "this trace" if acute.distress else "traces in general, as no CTG could be assessed,"
    size = " and the published odds for this size" if chronic.term else ", the size unknown"
    where = f"where {100 * prior:.3g} of 100 have it ({WORDS[chosen.source]})"
    return (
        f"About {100 * probability:.0f} of 100: the probability that {acute.part.event}, given {basis}{size}, {where}."
    )
