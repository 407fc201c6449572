"""The result of one examination: a probability, its reasons, and what is missing."""

from dataclasses import dataclass, field
from typing import Any

from models.growth.finding import Finding
from models.growth.verdict import NOT_JUDGED


@dataclass(frozen=True)
class Reason:
    """One signed contribution in log-odds, with a text for clinicians, and a remark where it contradicts physiology."""

    text: str
    log_odds: float
    remark: str = ""


@dataclass(frozen=True)
class Part:
    """The result of one modality.

    Attributes
    ----------
    probability : float or None
        None when it cannot be assessed.
    interval : tuple of float or None
        90 %.
    event : str
        The event that the probability is for.
    refusal : str or None
        Why there is no probability.
    detail : dict
        Measurements, for display and JSON.
    """

    probability: float | None
    interval: tuple[float, float] | None
    event: str
    refusal: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class GrowthResult(Part):
    """The result of a scan: beside the probability, the verdict on growth and the findings.

    Attributes
    ----------
    verdict : str
        "growth restriction criteria met", "small", "appropriate", "large" or "not judged".
    because : str
        What the verdict rests on, or why there is none.
    findings : list of Finding
    """

    verdict: str = NOT_JUDGED
    because: str = ""
    findings: list[Finding] = field(default_factory=list)
