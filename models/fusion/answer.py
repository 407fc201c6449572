"""The whole answer of an assessment: what page, JSON and print all show."""

from dataclasses import asdict, dataclass, field
from typing import Any

from models.fusion.part import Part, Reason
from models.fusion.what_if import Alternative

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
        90 %, on the score's scale; it contains the errors of both parts and of the published odds.
    meaning : str
        What the score is the probability of, and where; and what the state says.
    distress, growth : Part
    reasons : list of Reason
        What drove it, largest first; with `start` they add up to the fused log-odds.
    missing, warnings : list of str
    bundle : str
        Identifier of the bundle.
    state_basis : str
        ``"score"``, or the guideline that finds the trace pathological or growth restricted where the score alone
        would be low: that is never shown as low.
    start : Reason or None
        The log-odds before anything was known of this fetus.
    severe : float or None
        100 times the fused probability of a pH below 7.05.
    method : str
        The fusion rule.
    certainty : dict or None
        The conformal set; None where there is no score, or none was calibrated for this event (`not_calibrated`).
    alternatives : list of Alternative
        What would change it.
    circumstances : dict
        Prior, validity of a scan, number of fetuses.
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
    start: Reason | None = None
    severe: float | None = None
    method: str = "pooling"
    certainty: dict[str, Any] | None = None
    alternatives: list[Alternative] = field(default_factory=list)
    circumstances: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
