"""The whole answer of an assessment, as page, JSON and print show it."""

from dataclasses import asdict, dataclass, field
from typing import Any

from models.fusion.part import GrowthResult, Part, Reason
from models.fusion.what_if import Alternative


@dataclass(frozen=True)
class RiskAssessment:
    """The whole answer of an assessment.

    Attributes
    ----------
    state : {"high", "raised", "undecided", "low", "cannot assess"}
        See `models.fusion.state`.
    score : float or None
        100 times the fused probability; None without a score of the CTG.
    interval : tuple of float or None
        90 %, on the scale of the score. It includes the errors of both parts, and of the published odds or the bounds.
    score_of : str or None
        What the score is the probability of, in one sentence; None without a score.
    meaning : str
        The number, its event and the prevalence that it refers to, or why there is no score.
    bounds : tuple of float or None
        On the scale of the score: what unknown dependence of trace and size allows. None where they are not two events.
    distress : Part
    growth : GrowthResult
    reasons : list of Reason
        Contributions, largest first. With `start` they add up to the fused log-odds.
    missing, warnings, remarks : list of str
        What was not given or could not be judged; what makes the answer untrustworthy; how to read the score.
    bundle : str
        Identifier of the bundle.
    state_basis : str
        What decides the state: the trace, a rule set, the score, Doppler, growth, signal loss, no CTG, ...
    state_reasons, settles : list of str
        Why the state is what it is, in clinical words, and what would settle it.
    start : Reason or None
        The log-odds before any examination of this fetus.
    severe : float or None
        100 times the fused probability of a pH below 7.05.
    method : str
        The fusion rule.
    certainty : dict or None
        The conformal set, or None without a score or without a calibration for this event.
    alternatives : list of Alternative
        Changes of the input and the score that each would give.
    circumstances : dict
        Prior, validity of a scan, number of fetuses, hospital.
    """

    state: str
    score: float | None
    interval: tuple[float, float] | None
    meaning: str
    distress: Part
    growth: GrowthResult
    reasons: list[Reason]
    missing: list[str]
    warnings: list[str]
    bundle: str
    remarks: list[str] = field(default_factory=list)
    state_basis: str = "score"
    state_reasons: list[str] = field(default_factory=list)
    settles: list[str] = field(default_factory=list)
    start: Reason | None = None
    score_of: str | None = None
    bounds: tuple[float, float] | None = None
    severe: float | None = None
    method: str = "pooling"
    certainty: dict[str, Any] | None = None
    alternatives: list[Alternative] = field(default_factory=list)
    circumstances: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
