"""From inputs to one `RiskAssessment`: what page, JSON and print all show.

A missing modality, an unusable signal or an unknown age is a state with a reason, never a filled-in
value. With neither modality the answer is "cannot assess".
"""

from dataclasses import asdict, dataclass
from typing import Any

from models.bundle import Bundle
from models.ctg.guidelines import figo
from models.fusion.distress import AcutePart, distress_part, without_ctg
from models.fusion.growth import growth_part
from models.fusion.parts import CtgInput, Part, Reason, ScanInput
from models.fusion.pooling import Distress, growth_only_cuts, growth_term, pool
from models.growth import delphi
from models.growth.assessment import GrowthAssessment
from models.growth.measures import HC, LABELS

CANNOT_ASSESS, LOW, RAISED, HIGH = "cannot assess", "low", "raised", "high"


@dataclass(frozen=True)
class RiskAssessment:
    """The whole answer.

    Attributes
    ----------
    state : {"low", "raised", "high", "cannot assess"}
    score : float or None
        100 times the fused probability.
    interval : tuple of float or None
        90 %, on the score's scale.
    meaning : str
        One sentence.
    distress, growth : Part
    reasons : list of Reason
        What drove it, largest first; distress and growth log-odds add up to the fused log-odds.
    missing, warnings : list of str
    bundle : str
        Identifier of the bundle.
    state_basis : str
        ``"score"``, or the guideline that finds the trace pathological or growth restricted where the score alone
        would be low: that is never shown as low.
    """

    state: str
    score: float | None
    interval: tuple[float, float] | None
    meaning: str
    distress: Part
    growth: Part
    reasons: list[Reason]
    missing: list[str]
    warnings: list[str]
    bundle: str
    state_basis: str = "score"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def assess(bundle: Bundle, ctg: CtgInput | None, scan: ScanInput | None) -> RiskAssessment:
    """Assess what is there; say what is not.

    Raises
    ------
    InputError, RangeError
        A given value is unknown or impossible (a state with a reason is no error).
    """
    acute = distress_part(bundle, ctg)
    warnings = list(acute.warnings)
    growth_answer, growth = growth_part(bundle, scan, warnings)
    missing = []
    if acute.distress is None:
        missing.append(f"CTG: {acute.part.refusal}")
    if growth is None:
        missing.append(f"Ultrasound: {growth_answer.refusal}")
    if acute.distress is None and growth is None:
        meaning = "Neither the CTG nor the ultrasound scan can be assessed."
        return RiskAssessment(
            CANNOT_ASSESS, None, None, meaning, acute.part, growth_answer, [], missing, warnings, bundle.identifier
        )
    prior, spread = without_ctg(bundle)
    term = growth_term(growth.size.true_z_mean, growth.size.true_z_sd, growth.leading == HC) if growth else None
    fused = pool(acute.distress or Distress(prior, spread), term)
    reasons = list(acute.reasons)
    if growth is not None:
        reasons.append(Reason(_size_words(growth), fused.growth_log_odds))
    reasons.sort(key=lambda reason: -abs(reason.log_odds))
    raised, high = acute.cuts if acute.distress else growth_only_cuts(prior, growth is None or growth.leading == HC)
    state = HIGH if fused.probability >= high else RAISED if fused.probability >= raised else LOW
    meaning = _meaning(acute, fused.probability, growth is not None)
    basis, finding = _guideline(acute, growth) if state == LOW else (None, "")
    if basis is not None:
        state = RAISED
        meaning += f" {basis} {finding}: raised for that, by the score alone it would be low."
    return RiskAssessment(
        state,
        100 * fused.probability,
        (100 * fused.interval[0], 100 * fused.interval[1]),
        meaning,
        acute.part,
        growth_answer,
        reasons,
        missing,
        warnings,
        bundle.identifier,
        basis or "score",
    )


def _guideline(acute: AcutePart, growth: GrowthAssessment | None) -> tuple[str | None, str]:
    """FIGO where it calls the trace pathological, the Delphi consensus where its criteria are met; and what it says."""
    answers = acute.part.detail.get("guidelines", [])
    if any(a["rules"] == figo.RULES and a["severity"] == 2 for a in answers):
        return figo.RULES, "calls the trace pathological"
    if growth is not None and growth.delphi.verdict == delphi.MET:
        return delphi.RULES, f"criteria of {growth.delphi.phase} fetal growth restriction are met"
    return None, ""


def _meaning(acute: AcutePart, probability: float, with_growth: bool) -> str:
    basis = "this trace" if acute.distress else "traces in general, as no CTG could be assessed,"
    size = " shifted by the published odds for this size." if with_growth else " with the size unknown."
    return f"About {100 * probability:.0f} of 100: the probability that {acute.part.event}, given {basis}{size}"


def _size_words(growth: GrowthAssessment) -> str:
    size, days = growth.size, int(growth.age_days)
    return f"{LABELS[growth.leading].lower()} on centile {size.centile_text} for {days // 7}+{days % 7} weeks"
