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
from models.ultrasound.growth import GrowthAssessment

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
        ``"score"``, or the guideline that calls the trace pathological where the score alone would be low: that
        is never shown as low.
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
    term = growth_term(growth.true_z_mean, growth.true_z_sd) if growth else None
    fused = pool(acute.distress or Distress(prior, spread), term)
    reasons = list(acute.reasons)
    if growth is not None:
        reasons.append(Reason(_size_words(growth), fused.growth_log_odds))
    reasons.sort(key=lambda reason: -abs(reason.log_odds))
    raised, high = acute.cuts if acute.distress else growth_only_cuts(prior)
    state = HIGH if fused.probability >= high else RAISED if fused.probability >= raised else LOW
    meaning = _meaning(acute, fused.probability, growth is not None)
    basis = _guideline(acute) if state == LOW else None
    if basis is not None:
        state = RAISED
        meaning += f" {basis} calls the trace pathological: raised for that, by the score alone it would be low."
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


def _guideline(acute: AcutePart) -> str | None:
    """FIGO, where it calls the trace pathological."""
    answers = acute.part.detail.get("guidelines", [])
    return next((a["rules"] for a in answers if a["rules"] == figo.RULES and a["severity"] == 2), None)


def _meaning(acute: AcutePart, probability: float, with_growth: bool) -> str:
    basis = "this trace" if acute.distress else "traces in general, as no CTG could be assessed,"
    size = " shifted by the published odds for this head size." if with_growth else " with the size unknown."
    return f"About {100 * probability:.0f} of 100: the probability that {acute.part.event}, given {basis}{size}"


def _size_words(growth: GrowthAssessment) -> str:
    return f"head circumference on centile {growth.centile:.0f} for {growth.age_days // 7}+{growth.age_days % 7} weeks"
